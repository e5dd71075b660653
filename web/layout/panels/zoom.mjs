import { perform } from "../input/actions.mjs";
import { element, icon } from "./elements.mjs";
import { t } from "../host/texts.mjs";
import { isWhole, scaleOf } from "../view/viewport.mjs";

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
    const { stage } = ui;
    box.hidden = isWhole(stage.shownView) || ui.editor.busy;
    percent.textContent = `${Math.round(100 * scaleOf(stage.shownView, stage.extent, stage.size))} %`;
  };
  return { element: box, update };
}
