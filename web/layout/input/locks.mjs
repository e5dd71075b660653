import { toast } from "../host/frontend.mjs";
import { t } from "../host/texts.mjs";

/**
 * Saying that locked boxes stay as they are, once for as long as nothing else changes.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** The boxes there were when it was said last. @type {WeakMap<LayoutCanvas, readonly object[]>} */
const said = new WeakMap();

/** @param {LayoutCanvas} ui */
export function sayLocked(ui) {
  const { boxes } = ui.editor.state;
  if (said.get(ui) === boxes) return;
  said.set(ui, boxes);
  toast("info", t("locked.stays"), t("locked.remedy"));
}
