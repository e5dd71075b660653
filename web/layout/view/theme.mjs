import { css, lightness, mix, rgbOf } from "./palette.mjs";

/**
 * Colours and fonts for painting, read from the page's theme through the variables that layout.css derives from it.
 * @typedef {import("./palette.mjs").Rgb} Rgb
 * @typedef {{
 *   dark: boolean, frame: string, frameEdge: string, line: string, lineStrong: string, text: string, muted: string,
 *   accent: string, guide: string, handle: string, badge: string, badgeInk: string, warning: string, font: string,
 * }} Theme
 */

/** @type {Rgb} */
const DARK_SURFACE = [34, 35, 38];

/** @param {Element} element @returns {Theme} */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const surface = rgbOf(style.getPropertyValue("--msd-stage")) ?? DARK_SURFACE;
  const dark = lightness(surface) < 0.5;
  const ink = rgbOf(style.getPropertyValue("--msd-text")) ?? (dark ? [236, 236, 238] : [26, 27, 30]);
  const accent = style.getPropertyValue("--msd-accent").trim();
  return {
    dark,
    frame: css(dark ? mix(surface, [255, 255, 255], 0.055) : mix(surface, [255, 255, 255], 0.85)),
    frameEdge: css(mix(surface, ink, 0.28)),
    line: css(ink, 0.07),
    lineStrong: css(ink, 0.14),
    text: css(ink),
    muted: css(mix(surface, ink, 0.62)),
    accent: rgbOf(accent) ? accent : "#0b8ce9",
    guide: "#ff3d81",
    handle: "#ffffff",
    badge: dark ? "rgba(12, 13, 15, 0.86)" : "rgba(32, 34, 38, 0.88)",
    badgeInk: "#f4f5f7",
    warning: dark ? "#ffb454" : "#b45f00",
    font: style.fontFamily || "system-ui, sans-serif",
  };
}

/** Calls back when the page's theme may have changed; returns how to stop. @param {() => void} callback */
export function onTheme(callback) {
  const observer = new MutationObserver(callback);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributes: true, attributeFilter: ["class", "style", "data-theme"] });
  }
  return () => observer.disconnect();
}
