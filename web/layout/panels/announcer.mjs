import { inPixels } from "../model/format.mjs";
import { titleOf } from "../view/captions.mjs";
import { t } from "../host/texts.mjs";
import { element } from "./elements.mjs";

/**
 * Says what is selected, for those who do not see it.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** @param {LayoutCanvas} ui @returns {{element: HTMLElement, update: () => void}} */
export function makeAnnouncer(ui) {
  const words = element("div", { class: "msd-spoken", role: "status", "aria-live": "polite", "aria-atomic": "true" });
  const update = () => {
    // A gesture is told when it is done, not at every step of it.
    if (ui.editor.busy || ui.editor.draft || !ui.root.contains(document.activeElement)) return;
    const text = selectionInWords(ui);
    if (words.textContent !== text) words.textContent = text;
  };
  return { element: words, update };
}

/** @param {LayoutCanvas} ui */
function selectionInWords({ editor }) {
  const { boxes, selected } = editor.shown;
  if (!boxes.length) return t("spoken.empty");
  if (!selected.length) return t("spoken.none", { boxes: boxes.length });
  if (selected.length > 1) return t("spoken.several", { selected: selected.length, boxes: boxes.length });
  const [k] = selected;
  const { x, y, w, h } = inPixels(boxes[k], editor.size);
  return [boxInWords(editor, k), t("spoken.place", { x, y, w, h })].join(", ");
}

/** @param {import("../model/editor.mjs").Editor} editor @param {number} k */
export function boxInWords(editor, k) {
  const { boxes } = editor.shown;
  const part = editor.subjects?.[k]?.part;
  return [
    t("spoken.box", { number: k + 1, boxes: boxes.length }),
    titleOf(editor, k),
    editor.subjects && !editor.subjects[k] ? t("list.no_subject") : "",
    part && part !== "acting" && part !== "empty" ? t(`subject.${part}`) : "",
    boxes[k]?.locked ? t("spoken.locked") : "",
  ]
    .filter(Boolean)
    .join(", ");
}
