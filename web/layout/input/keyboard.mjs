import { actionForKey, perform } from "./actions.mjs";
import { runCommand } from "../host/frontend.mjs";
import { strayOwner } from "./focus.mjs";
import { hasCtrl, isComposing, isPageKey, isShifted, isTextField, keyName } from "./keys.mjs";
import { holdSpace } from "./navigation.mjs";
import { sayLocked } from "./locks.mjs";
import { wrapTab } from "./tabbing.mjs";
import { nudge, stretch } from "../model/boxes.mjs";
import { hasLockedSelected } from "../model/locks.mjs";

/**
 * The one listener for keys of a canvas: at its root, on their way down, so that it does not matter which of its parts
 *   has the focus. Text fields keep their keys, and buttons and rows those that operate them. Arrow keys show a draft
 *   while they are held and make one step of it when they are let go.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** @type {Record<string, [number, number]>} */
const ARROWS = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };

/** Keys that operate a button, a row or a slider. */
const OPERATING = new Set([...Object.keys(ARROWS), "home", "end", "enter", "space", "tab"]);

/** @param {LayoutCanvas} ui */
export function listenToKeyboard(ui) {
  const { editor, root, stage } = ui;
  root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => keyDown(ui, event), true);
  // What a text field, a button or a row has not used up does not reach the page either.
  root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (ui.session.full) wrapTab(root, event);
    if (isComposing(event) || !isPageKey(event)) event.stopPropagation();
  });
  root.addEventListener("keyup", (/** @type {KeyboardEvent} */ event) => {
    if (keyName(event) in ARROWS && !isTextField(event.target)) settle(ui);
    if (keyName(event) === "space") holdSpace(ui, false);
  });
  stage.canvas.addEventListener("blur", () => {
    holdSpace(ui, false);
    if (!editor.busy) settle(ui);
  });
  if (listening) return;
  listening = true;
  window.addEventListener("keydown", catchStray, true);
}

let listening = false;

/** A key that would fall through to the page goes to the canvas that it is meant for. @param {KeyboardEvent} event */
function catchStray(event) {
  const owner = strayOwner();
  if (!owner || isComposing(event) || isPageKey(event)) return;
  event.preventDefault();
  event.stopPropagation();
  if (!owner.ui) return;
  owner.ui.focus();
  keyDown(owner.ui, event);
}

/** Keeps what a held key has shown. @param {LayoutCanvas} ui */
const settle = ({ editor }) => editor.draft && !editor.gesture && editor.finish();

/** @param {LayoutCanvas} ui @param {KeyboardEvent} event */
function keyDown(ui, event) {
  if (isComposing(event) || isTextField(event.target)) return;
  if (isPageKey(event)) return pageKey(ui, event);
  const onStage = event.target === ui.stage.canvas || !ui.root.contains(/** @type {Node} */ (event.target));
  if (!onStage && OPERATING.has(keyName(event))) return;
  event.stopPropagation();
  if (ui.tools.key(keyName(event), event)) return event.preventDefault();
  if (ui.editor.busy && keyName(event) !== "escape") return event.preventDefault();
  if (handle(ui, event)) event.preventDefault();
}

/** A key that is the page's. @param {LayoutCanvas} ui @param {KeyboardEvent} event */
function pageKey(ui, event) {
  const name = keyName(event);
  if (name === "z") ui.editor.cancel();
  // The page knows these by their Latin letters only.
  const unknown = hasCtrl(event) && !event.altKey && event.key.toLowerCase() !== name;
  if (!unknown || (name !== "z" && name !== "y")) return;
  event.preventDefault();
  runCommand(name === "y" || event.shiftKey ? "Comfy.Redo" : "Comfy.Undo");
}

/**
 * @param {LayoutCanvas} ui
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key was taken
 */
function handle(ui, event) {
  const { editor } = ui;
  const ctrl = hasCtrl(event);
  const name = keyName(event);
  const arrow = ARROWS[name];
  if (arrow) {
    const step = event.shiftKey ? 10 : 1;
    const change = ctrl ? stretch : nudge;
    if (editor.state.selected.length) editor.hold(change(editor.shown, arrow[0] * step, arrow[1] * step, editor.size));
    if (!editor.readOnly && hasLockedSelected(editor.state)) sayLocked(ui);
    return true;
  }
  if (name === "escape") {
    escape(ui);
    return true;
  }
  if (name === "space") {
    holdSpace(ui, true);
    return true;
  }
  if (name === "tab" && !ctrl && !event.altKey) return walk(ui, event.shiftKey ? -1 : 1);
  if (/^[1-9]$/.test(name) && !ctrl && !event.altKey && !isShifted(event)) {
    ui.focus();
    editor.select([Number(name) - 1]);
    return true;
  }
  if (name === "contextmenu" || (name === "f10" && event.shiftKey)) {
    const rect = (document.activeElement ?? ui.root).getBoundingClientRect();
    ui.openMenu(rect.left + rect.width / 3, rect.top + rect.height / 3);
    return true;
  }
  const action = actionForKey(event);
  if (action) perform(ui, action.name);
  return Boolean(action);
}

/** One thing less: the gesture, the focus on a part, the selection, full screen. @param {LayoutCanvas} ui */
function escape(ui) {
  const { editor } = ui;
  const onStage = document.activeElement === ui.stage.canvas;
  if (editor.busy || editor.draft) editor.cancel();
  else if (!onStage) ui.focus();
  else if (editor.state.selected.length) editor.select([]);
  else if (ui.session.full) perform(ui, "full");
}

/** From box to box; past the last one the key leaves the canvas, to the list and the numbers of that box. @param {LayoutCanvas} ui @param {1|-1} step */
function walk({ editor }, step) {
  const { boxes, selected } = editor.state;
  if (!boxes.length) return false;
  const from = selected.length ? selected[step > 0 ? selected.length - 1 : 0] : step > 0 ? -1 : boxes.length;
  const to = from + step;
  if (to < 0 || to >= boxes.length) return false;
  editor.select([to]);
  return true;
}
