import { editorCanvas } from "../host/frontend.mjs";

/**
 * Which canvas the keyboard belongs to. It is the one that had the focus last, until something else gets it: when undo
 *   takes a canvas away, the focus waits for the one that comes in its place, and keys do not fall through to the node
 *   editor meanwhile.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {import("../host/session.mjs").Session} Session
 */

/** What belongs to canvases outside of their nodes. */
const OURS = ".msd-root, .msd-full, .msd-menu, .msd-shade";

/** @type {{session: Session, ui: LayoutCanvas | null} | null} */
let owner = null;

/** Whether the owner's element has gone from under the focus. */
let lost = false;

let listening = false;

/** @param {LayoutCanvas} ui */
export const ownsFocus = (ui) => owner?.session === ui.session;

/** @param {LayoutCanvas} ui */
export function listenToFocus(ui) {
  ui.root.addEventListener("focusin", () => {
    owner = { session: ui.session, ui };
    lost = false;
  });
  if (listening) return;
  listening = true;
  for (const type of ["focusin", "pointerdown"]) window.addEventListener(type, hear, true);
}

/** @param {Event} event */
function hear(event) {
  const target = event.target instanceof Element ? event.target : null;
  if (!owner || target?.closest(OURS)) return;
  // The frontend itself gives the focus to its own canvas during an undo.
  if (event.type === "focusin" && lost && target === editorCanvas()) return;
  owner = null;
  lost = false;
}

/** A canvas goes; `returns`: another one will come in its place. @param {LayoutCanvas} ui @param {boolean} returns */
export function giveUpFocus(ui, returns) {
  if (!owner || owner.session !== ui.session) return;
  lost = returns;
  owner = returns ? { session: ui.session, ui: null } : null;
}

/** A canvas has come, or has come into view: it takes the focus if that waits for it. @param {LayoutCanvas} ui */
export function takeFocusUp(ui) {
  if (!owner || owner.session !== ui.session) return;
  owner.ui = ui;
  if (lost && isAdrift()) ui.focus();
}

/** Nothing has come in place of a canvas that undo took away. */
export function releaseFocus() {
  if (owner && !owner.ui) owner = null;
}

/** Whether keys would go to the page for want of an element that has the focus. */
function isAdrift() {
  const active = document.activeElement;
  return !active || active === document.body || active === editorCanvas();
}

/**
 * The owner of keys that would go to the page only because its element is not there yet, or because a click beside it
 *   in full screen has taken the focus from it.
 */
export const strayOwner = () => (owner && (lost || owner.session.full) && isAdrift() ? owner : null);
