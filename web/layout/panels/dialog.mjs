import { isComposing } from "../input/keys.mjs";
import { wrapTab } from "../input/tabbing.mjs";
import { element, overPage } from "./elements.mjs";

/**
 * Windows over everything: the focus goes in, stays in, and comes back to the stage. Each belongs to a canvas and goes
 *   with it.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** @type {{ui: LayoutCanvas, close: () => void} | null} */
let open = null;

/** @param {LayoutCanvas} ui */
export const closeDialogOf = (ui) => open?.ui === ui && open.close();

/** @param {LayoutCanvas} ui @param {string} title @param {HTMLElement[]} content @param {string} [kind] a class of its own */
export function openDialog(ui, title, content, kind = "") {
  open?.close();
  const close = () => {
    open = null;
    shade.remove();
    ui.focus();
  };
  const dialog = element(
    "div",
    { class: `msd-dialog ${kind}`, role: "dialog", "aria-modal": "true", "aria-label": title, tabindex: -1 },
    element("h3", {}, title),
    ...content,
  );
  const shade = element(
    "div",
    {
      class: "msd-shade",
      onpointerdown: (/** @type {Event} */ event) => {
        if (event.target !== shade) return;
        // The press itself would take the focus from the stage again.
        event.preventDefault();
        close();
      },
      onmousedown: (/** @type {Event} */ event) => event.target === shade && event.preventDefault(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        event.stopPropagation();
        if (event.key === "Escape" && !isComposing(event)) close();
        else wrapTab(dialog, event);
      },
    },
    dialog,
  );
  shade.dataset.theme = ui.root.dataset.theme;
  overPage(shade);
  dialog.focus({ preventScroll: true });
  open = { ui, close };
  return { close };
}
