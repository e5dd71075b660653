import { perform } from "../input/actions.mjs";
import { element, icon, setText } from "./elements.mjs";
import { t } from "../host/texts.mjs";
import { isWhole } from "../view/viewport.mjs";

/**
 * The zoom in the corner of the stage, while it shows less than the whole picture.
 * @param {import("../widget.mjs").LayoutCanvas} ui @returns {{element: HTMLElement, update: () => void}}
 */
export function makeZoom(ui) {
  /** @param {string} action @param {Node | string} content */
  const button = (action, content) =>
    element(
      "button",
      {
        type: "button",
        class: "msd-button",
        title: t(`action.${action}`),
        "aria-label": t(`action.${action}`),
        "data-action": action,
        onclick: () => perform(ui, action),
      },
      content,
    );
  const percent = element("span", { class: "msd-percent" });
  const box = element(
    "div",
    { class: "msd-zoom", role: "group", "aria-label": t("zoom.label") },
    button("zoom_out", icon("minus")),
    button("fit", percent),
    button("zoom_in", icon("add")),
  );
  const update = () => {
    const { frame, painted, size } = ui.stage;
    const hidden = isWhole(painted) || ui.editor.busy;
    if (box.hidden !== hidden) box.hidden = hidden;
    if (!hidden) setText(percent, `${Math.round((100 * frame.w) / size.width)} %`);
  };
  return { element: box, update };
}
