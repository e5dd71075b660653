/**
 * What a key means, whatever the keyboard's layout: the Latin letter or digit that it types, else the one that its
 *   place has on an English keyboard.
 */

/** @param {{key: string, code?: string}} event @returns {string} in lower case: "n", "1", "?", "delete", "arrowleft" */
export function keyName({ key, code = "" }) {
  if (key === " " || code === "Space") return "space";
  if (/^[a-z0-9?]$/i.test(key)) return key.toLowerCase();
  const named = /^[\x20-\x7e]{2,}$/.test(key) && !["Dead", "Process", "Unidentified"].includes(key);
  if (named) return key.toLowerCase();
  const place = /^(?:Key|Digit)([A-Z0-9])$/.exec(code)?.[1];
  return (place ?? key).toLowerCase();
}

const MAC = /Mac|iP(?:hone|ad)/.test(globalThis.navigator?.platform ?? "");

/** A key as this machine's keyboard names it. @param {string} key "Ctrl+Shift+K" */
export const shownKey = (key) => (MAC ? key.replace("Ctrl+", "⌘").replace("Shift+", "⇧").replace("Alt+", "⌥") : key);

/** A key that an input method is composing a text with means nothing else. @param {KeyboardEvent} event */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

/**
 * Shift as part of a key's name: with named keys, and with digits that it turns into other characters.
 * @param {{key: string, code?: string, shiftKey: boolean}} event
 */
export function isShifted(event) {
  const name = keyName(event);
  return event.shiftKey && (name.length > 1 || (/^\d$/.test(name) && event.key !== name));
}

/** @param {KeyboardEvent | MouseEvent} event */
export const hasCtrl = (event) => event.ctrlKey || event.metaKey;

/**
 * Keys with Ctrl that belong to the page: undo, redo, save, run, copying and pasting (as clipboard events), and the
 *   browser's own.
 */
const APP_KEYS = new Set(["z", "y", "s", "enter", "c", "x", "v", "r", "f", "t", "w"]);
const BROWSER_KEYS = new Set(["f5", "f11", "f12"]);

/** Whether a key is the page's own, also while a canvas has the focus. @param {KeyboardEvent} event */
export function isPageKey(event) {
  const name = keyName(event);
  return BROWSER_KEYS.has(name) || (hasCtrl(event) && (event.altKey || APP_KEYS.has(name)));
}

/**
 * Whether keys go into a text there.
 * @param {EventTarget | null} target
 */
export const isTextField = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches("textarea, select, input:not([type=range], [type=checkbox], [type=color])"));
