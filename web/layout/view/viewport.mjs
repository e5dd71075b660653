import { clamp, letterbox } from "../model/geometry.mjs";

/**
 * Which part of the picture the stage shows. Nothing here touches the page.
 * @typedef {{zoom: number, x: number, y: number}} Viewport `zoom`: times the size at which the whole picture fits;
 *   `x`, `y`: the point of the picture in the stage's middle, in fractions
 * @typedef {{w: number, h: number}} Extent the stage in CSS pixels
 * @typedef {{width: number, height: number}} Size the picture in its own pixels
 * @typedef {import("./paint.mjs").Frame} Frame
 * @typedef {import("../model/geometry.mjs").Point} Point
 */

/** What lies between the picture and the edge of the stage. */
export const MARGIN = 6;

/** The nearest view, in times the fitting size and in stage pixels per pixel of the picture, whichever is nearer. */
const NEAREST = { zoom: 16, scale: 8 };

/** @type {Viewport} */
export const WHOLE = Object.freeze({ zoom: 1, x: 0.5, y: 0.5 });

/** @param {Extent} stage @param {Size} size */
const fitted = (stage, size) => letterbox(stage.w, stage.h, size.width, size.height, MARGIN);

/**
 * Where the picture lies on the stage. @param {Viewport} view @param {Extent} stage @param {Size} size
 * @returns {Frame}
 */
export function frameOf(view, stage, size) {
  const fit = fitted(stage, size);
  const [w, h] = [fit.w * view.zoom, fit.h * view.zoom];
  return { x: stage.w / 2 - view.x * w, y: stage.h / 2 - view.y * h, w, h };
}

/** Stage pixels that a pixel of the picture takes. @param {Viewport} view @param {Extent} stage @param {Size} size */
export const scaleOf = (view, stage, size) => (fitted(stage, size).w * view.zoom) / size.width;

/**
 * The nearest view that is allowed: no farther than the whole picture or its own pixels, and never past its edges.
 * @param {Viewport} view @param {Extent} stage @param {Size} size @returns {Viewport}
 */
export function settledView(view, stage, size) {
  const fit = fitted(stage, size);
  const own = size.width / fit.w;
  const zoom = clamp(view.zoom, Math.min(1, own), Math.max(NEAREST.zoom, NEAREST.scale * own));
  return { zoom, x: within(view.x, fit.w * zoom, stage.w), y: within(view.y, fit.h * zoom, stage.h) };
}

/** @param {number} at @param {number} length of the picture @param {number} room of the stage */
function within(at, length, room) {
  const half = (room / 2 - MARGIN) / length;
  return half >= 0.5 ? 0.5 : clamp(at, half, 1 - half);
}

/**
 * Nearer by a factor, while a point of the stage keeps what it shows.
 * @param {Viewport} view @param {number} factor @param {Point} at in stage pixels @param {Extent} stage @param {Size} size
 * @returns {Viewport}
 */
export function zoomedAbout(view, factor, at, stage, size) {
  const before = frameOf(view, stage, size);
  const { zoom } = settledView({ ...view, zoom: view.zoom * factor }, stage, size);
  const grown = zoom / view.zoom;
  const x = (at.x - before.x) / before.w - (at.x - stage.w / 2) / (before.w * grown);
  const y = (at.y - before.y) / before.h - (at.y - stage.h / 2) / (before.h * grown);
  return settledView({ zoom, x, y }, stage, size);
}

/**
 * @param {Viewport} view @param {number} dx in stage pixels @param {number} dy @param {Extent} stage
 * @param {Size} size
 */
export function panned(view, dx, dy, stage, size) {
  const { w, h } = frameOf(view, stage, size);
  return settledView({ ...view, x: view.x - dx / w, y: view.y - dy / h }, stage, size);
}

/** One pixel of the picture on one of the stage. @param {Viewport} view @param {Extent} stage @param {Size} size */
export const actualPixels = (view, stage, size) =>
  zoomedAbout(view, 1 / scaleOf(view, stage, size), { x: stage.w / 2, y: stage.h / 2 }, stage, size);

/** Whether all of the picture is in view. @param {Viewport} view */
export const isWhole = (view) => view.zoom <= 1;

/** The part of the stage that the picture covers. @param {Frame} frame @param {Extent} stage @returns {Frame} */
export function visiblePart(frame, stage) {
  const [x, y] = [Math.max(frame.x, 0), Math.max(frame.y, 0)];
  return { x, y, w: Math.min(frame.x + frame.w, stage.w) - x, h: Math.min(frame.y + frame.h, stage.h) - y };
}
