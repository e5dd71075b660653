import { readSetting, writeSetting } from "./frontend.mjs";

/** The canvas's options: what they are by default and where the settings page keeps them. */

const PREFIX = "MSDiffusion.Layout.";

/** Names and defaults; the settings page shows them in the reverse of this order. */
export const DEFAULTS = {
  snap: true,
  snapBoxes: true,
  snapThirds: true,
  grid: false,
  gridStep: 64,
  thirds: true,
  palette: "vivid",
  fill: 14,
  pictures: "auto",
  background: "live",
  backgroundOpacity: 80,
  heat: true,
};

/** @typedef {typeof DEFAULTS} Options */

/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {keyof Options} name */
const idOf = (name) => PREFIX + name[0].toUpperCase() + name.slice(1);

/** @returns {Options} */
export function readOptions() {
  const entries = Object.entries(DEFAULTS).map(([name, value]) => [
    name,
    readSetting(idOf(/** @type {keyof Options} */ (name)), value),
  ]);
  return Object.fromEntries(entries);
}

/** @template {keyof Options} K @param {K} name @param {Options[K]} value */
export const setOption = (name, value) => writeSetting(idOf(name), value);

/** Calls back after any option has changed; returns how to stop. @param {() => void} callback */
export function onOptions(callback) {
  listeners.add(callback);
  return () => void listeners.delete(callback);
}

const announce = () => queueMicrotask(() => listeners.forEach((callback) => callback()));

/**
 * @param {keyof Options} name
 * @param {string} label
 * @param {string} group
 * @param {any} type
 * @param {any} [attrs]
 * @param {string} [tooltip]
 */
const entry = (name, label, group, type, attrs = {}, tooltip = undefined) => ({
  id: idOf(name),
  name: label,
  type,
  defaultValue: DEFAULTS[name],
  tooltip,
  category: ["MS-Diffusion", group, label],
  ...attrs,
  onChange: announce,
});

/** @param {...string} pairs value, text, value, text... */
const choices = (...pairs) => ({
  options: pairs.flatMap((value, k) => (k % 2 ? [] : [{ value, text: pairs[k + 1] }])),
});

/** @param {number} min @param {number} max @param {number} step */
const range = (min, max, step) => ({ attrs: { min, max, step } });

/** For `registerExtension`; the settings page translates names by locales/<language>/settings.json. */
export const SETTINGS = [
  entry("snap", "Snap while dragging", "Snapping", "boolean", {}, "Hold Ctrl while dragging to move freely."),
  entry("snapBoxes", "Snap to other boxes", "Snapping", "boolean"),
  entry("snapThirds", "Snap to thirds", "Snapping", "boolean"),
  entry("grid", "Show a grid and snap to it", "Guides", "boolean"),
  entry("gridStep", "Grid step in pixels of the picture", "Guides", "slider", range(8, 256, 8)),
  entry("thirds", "Show lines at thirds", "Guides", "boolean"),
  entry(
    "palette",
    "Colours of boxes",
    "Look",
    "combo",
    choices("vivid", "Vivid", "soft", "Soft", "safe", "Safe for colour blindness"),
  ),
  entry("fill", "Fill of boxes in percent", "Look", "slider", range(0, 60, 1)),
  entry(
    "pictures",
    "Subject pictures in boxes",
    "Look",
    "combo",
    choices("auto", "Fill the box until there is a result", "fill", "Fill the box", "corner", "In the corner", "off", "Off"),
  ),
  entry(
    "background",
    "Background of the canvas",
    "Background",
    "combo",
    choices("live", "The run, before it the linked image", "linked", "Linked image", "result", "Last result", "preview", "Sampling preview", "off", "None"),
  ),
  entry("heat", "Show where each subject acts, where a run tells it", "Background", "boolean"),
  entry("backgroundOpacity", "Background strength in percent", "Background", "slider", range(0, 100, 1)),
].reverse();
