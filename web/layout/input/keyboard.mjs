import { actionForKey } from "./actions.mjs";
import { nudge, selectAll, stretch } from "../model/boxes.mjs";

/**
 * Keys on the focused canvas. Arrow keys show a draft while they are held and make one step of it when they are let go.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Keys with Ctrl that belong to the page: undo, redo, save, run, copying and pasting (as clipboard events), and the
 *   browser's own.
 */
const APP_KEYS = new Set(["z", "y", "s", "enter", "c", "x", "v", "r", "f", "t", "w"]);

/** @param {LayoutCanvas} ui */
export function listenToKeyboard(ui) {
  const { canvas } = ui.stage;
  canvas.addEventListener("keydown", (event) => {
    const ctrl = event.ctrlKey || event.metaKey;
    if (ctrl && APP_KEYS.has(event.key.toLowerCase()) && !event.altKey) {
      if (event.key.toLowerCase() === "z") ui.editor.cancel();
      return;
    }
    if (event.key === "F5" || event.key === "F11" || event.key === "F12") return;
    if (ctrl && event.altKey) return;
    event.stopPropagation();
    if (handle(ui, event, ctrl)) event.preventDefault();
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key in ARROWS && !ui.editor.gesture) ui.editor.finish();
  });
  canvas.addEventListener("blur", () => !ui.editor.gesture && ui.editor.draft && ui.editor.finish());
}

/**
 * @param {LayoutCanvas} ui
 * @param {KeyboardEvent} event
 * @param {boolean} ctrl
 * @returns {boolean} whether the key was taken
 */
function handle(ui, event, ctrl) {
  const { editor } = ui;
  const arrow = ARROWS[event.key];
  if (arrow) {
    const step = event.shiftKey ? 10 : 1;
    const change = ctrl ? stretch : nudge;
    if (editor.state.selected.length) editor.hold(change(editor.shown, arrow[0] * step, arrow[1] * step, editor.size));
    return true;
  }
  if (event.key === "Escape") {
    if (editor.gesture || editor.draft) editor.cancel();
    else if (editor.state.selected.length) editor.select([]);
    else if (ui.session.full) ui.toggleFull();
    return true;
  }
  if (event.key === "Tab" && !ctrl && !event.altKey) return walk(ui, event.shiftKey ? -1 : 1);
  if (ctrl && event.key.toLowerCase() === "a") {
    editor.apply(selectAll(editor.state));
    return true;
  }
  if (/^[1-9]$/.test(event.key) && !ctrl && !event.altKey) {
    editor.select([Number(event.key) - 1]);
    return true;
  }
  if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
    const rect = ui.stage.canvas.getBoundingClientRect();
    ui.openMenu(rect.left + rect.width / 3, rect.top + rect.height / 3);
    return true;
  }
  const action = actionForKey(event, ctrl);
  if (action && action.when(ui)) action.run(ui);
  return Boolean(action);
}

/** From box to box; past the last one the key leaves the canvas. @param {LayoutCanvas} ui @param {1|-1} step */
function walk({ editor }, step) {
  const { boxes, selected } = editor.state;
  if (!boxes.length) return false;
  const from = selected.length ? selected[step > 0 ? selected.length - 1 : 0] : step > 0 ? -1 : boxes.length;
  const to = from + step;
  if (to < 0 || to >= boxes.length) {
    editor.select([]);
    return false;
  }
  editor.select([to]);
  return true;
}
