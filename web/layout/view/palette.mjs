/**
 * Colours of boxes: the k-th box takes the k-th colour unless it has one of its own.
 * @type {Record<string, string[]>}
 */
const PALETTES = {
  vivid: ["#4c8dff", "#ff6b57", "#2fbf71", "#b57bff", "#ffb020", "#19b8c9", "#ff5fa8", "#8fb52e"],
  soft: ["#8fb3e8", "#e8a598", "#94cba9", "#c3aee6", "#e8c88a", "#8ecbd1", "#e6a5c6", "#bccb8b"],
  safe: ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00", "#999999"],
};

const HUES = ["blue", "coral", "green", "violet", "amber", "teal", "pink", "olive"];
const SAFE_HUES = ["sky_blue", "orange", "green", "mauve", "yellow", "blue", "vermilion", "grey"];

/** Names of a palette's colours, as keys of the translations. @param {string} palette */
export const colourNames = (palette) => (palette === "safe" ? SAFE_HUES : HUES);

/** @param {string} palette */
export const swatches = (palette) => PALETTES[palette] ?? PALETTES.vivid;

/** @param {{color: string}} box @param {number} k @param {string} palette */
export const colourOf = (box, k, palette) => box.color || swatches(palette)[k % swatches(palette).length];

/** @typedef {[number, number, number]} Rgb */

/** A colour as CSS computes it, or as #rgb / #rrggbb. @param {string} colour @returns {Rgb | null} */
export function rgbOf(colour) {
  const text = colour.trim();
  const hex = /^#([\da-f]{3,4}|[\da-f]{6}|[\da-f]{8})$/i.exec(text)?.[1];
  if (hex) {
    const wide = hex.length < 6 ? [...hex].map((digit) => digit + digit).join("") : hex;
    return /** @type {Rgb} */ ([0, 2, 4].map((at) => parseInt(wide.slice(at, at + 2), 16)));
  }
  const parts = /^rgba?\(([^)]+)\)$/i
    .exec(text)?.[1]
    .split(/[\s,/]+/)
    .map(Number);
  return parts && parts.length >= 3 && parts.slice(0, 3).every(Number.isFinite) ? [parts[0], parts[1], parts[2]] : null;
}

/** How light a colour looks, 0 to 1. @param {Rgb} rgb */
export const lightness = ([r, g, b]) => (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;

/** @param {Rgb} rgb @param {number} [alpha] */
export const css = ([r, g, b], alpha = 1) => `rgba(${Math.round(r)}, ${Math.round(g)}, ${Math.round(b)}, ${alpha})`;

/** @param {Rgb} from @param {Rgb} to @param {number} share @returns {Rgb} */
export const mix = (from, to, share) => /** @type {Rgb} */ (from.map((value, k) => value + (to[k] - value) * share));

/** Black or white, whichever reads better on a colour. @param {string} colour */
export const inkOn = (colour) => (lightness(rgbOf(colour) ?? [0, 0, 0]) > 0.52 ? "#14161a" : "#ffffff");
