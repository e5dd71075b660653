import { importLayout, layoutText } from "../model/format.mjs";
import { picturesOf } from "./drop.mjs";
import { hasLockedSelected } from "../model/locks.mjs";
import { isTextField } from "./keys.mjs";
import { sayLocked } from "./locks.mjs";
import { takePhotos } from "./photos.mjs";
import { append, displaced, removeSelected, selectedBoxes } from "../model/boxes.mjs";

/**
 * Copying boxes between layouts, through the system's clipboard as text of the saved form. The page listens for the
 *   same
 * events to copy nodes, so these are caught on their way down, but only while a canvas has the focus.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** @type {Map<Element, LayoutCanvas>} */
const canvases = new Map();

let listening = false;

/** The last boxes copied, for a menu's "paste", which may not read the clipboard. */
let copied = "";

/** @param {LayoutCanvas} ui @returns {() => void} how to stop */
export function listenToClipboard(ui) {
  canvases.set(ui.root, ui);
  if (!listening) {
    listening = true;
    for (const type of ["copy", "cut", "paste"]) window.addEventListener(type, catchEvent, true);
  }
  return () => void canvases.delete(ui.root);
}

/** @param {Event} event */
function catchEvent(event) {
  const active = document.activeElement;
  const ui = canvases.get(active?.closest(".msd-root") ?? document.body);
  const data = /** @type {ClipboardEvent} */ (event).clipboardData;
  if (!ui || !data || isTextField(active)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (ui.editor.busy) return;
  ui.editor.finish();
  ui.focus();
  if (event.type === "paste") {
    const photos = picturesOf(data);
    // As ComfyUI does: what has no name of its own goes into a folder of its own.
    if (photos.length) return void takePhotos(ui, photos, null, photos[0].name === "image.png" ? "pasted" : "");
    return paste(ui, data.getData("text/plain"));
  }
  if (!ui.editor.shown.boxes.length) return;
  data.setData("text/plain", event.type === "cut" ? cut(ui) : copy(ui));
}

/** @param {LayoutCanvas} ui */
export function copy(ui) {
  const boxes = selectedBoxes(ui.editor.state);
  copied = layoutText(boxes.length ? boxes : ui.editor.shown.boxes);
  return copied;
}

/** @param {LayoutCanvas} ui */
export function cut(ui) {
  const text = copy(ui);
  const stays = hasLockedSelected(ui.editor.state);
  ui.editor.apply(removeSelected(ui.editor.state));
  if (stays) sayLocked(ui);
  return text;
}

/** Copies by a menu: also to the system's clipboard where the page may. @param {LayoutCanvas} ui */
export const copyOut = (ui) => void navigator.clipboard?.writeText(copy(ui)).catch(() => {});

/** @param {LayoutCanvas} ui @param {string} [text] */
export function paste(ui, text = copied) {
  try {
    const { boxes } = importLayout(text, ui.editor.size);
    ui.editor.apply(append(ui.editor.state, displaced(ui.editor.state, boxes)));
  } catch (error) {
    ui.complain("error.paste", error);
  }
}
