import { halved, outlinesOf } from "../model/outlines.mjs";
import { rasterOf } from "../model/masks.mjs";

/**
 * Regions as paths on the stage: a box's four sides, or the outline of what is painted in it. Paths are kept, since a
 * frame of the screen needs each several times and most stay as they are from frame to frame.
 * @typedef {import("../model/masks.mjs").Mask} Mask
 * @typedef {import("./area.mjs").Area} Area
 * @typedef {{area: Area, loops: Float32Array[], path: Path2D}} Drawn `loops`: on the stage
 */

const KEPT = 96;

/** What was used last stands last. @type {Map<string, {loops: Float32Array[], drawn: Drawn | null}>} */
const outlines = new Map();

const SIDES = Float32Array.of(0, 0, 1, 0, 1, 1, 0, 1);

/** @param {Mask} mask */
function outlineOf(mask) {
  const key = `${mask.size} ${mask.counts}`;
  const known = outlines.get(key) ?? { loops: outlinesOf(rasterOf(mask)), drawn: null };
  outlines.delete(key);
  outlines.set(key, known);
  if (outlines.size > KEPT) outlines.delete(/** @type {string} */ (outlines.keys().next().value));
  return known;
}

/** @param {Area} a @param {Area} b */
const sameArea = (a, b) => a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h;

/** @param {Mask} mask @param {Area} area @returns {Drawn} */
function drawnOn(mask, area) {
  const outline = outlineOf(mask);
  if (outline.drawn && sameArea(outline.drawn.area, area)) return outline.drawn;
  const loops = outline.loops.map((loop) => onStage(loop, area));
  const path = new Path2D();
  for (const loop of loops) trace(path, loop);
  outline.drawn = { area, loops, path };
  return outline.drawn;
}

/** The outline of a region on the stage, to be filled by the even-odd rule.
 * @param {Mask | undefined} mask @param {Area} area where its box lies @returns {Path2D} */
export function regionPath(mask, area) {
  if (mask) return drawnOn(mask, area).path;
  const path = new Path2D();
  path.rect(area.x, area.y, area.w, area.h);
  return path;
}

/**
 * The part of a region that lies nearer to the middle of its own box than to that of another; with one middle all of it.
 * @param {Mask | undefined} mask @param {Area} area @param {Area} other @param {Path2D} path what it is added to
 */
export function addNearer(mask, area, other, path) {
  const [x, y] = [area.x + area.w / 2, area.y + area.h / 2];
  const [dx, dy] = [x - other.x - other.w / 2, y - other.y - other.h / 2];
  const middle = dx * (x - dx / 2) + dy * (y - dy / 2);
  for (const loop of mask ? drawnOn(mask, area).loops : [onStage(SIDES, area)]) trace(path, halved(loop, dx, dy, middle));
}

/** The outline of cells, corner by corner. @param {import("../model/masks.mjs").Raster} cells @param {Area} area */
export function cellPath(cells, area) {
  const path = new Path2D();
  for (const loop of outlinesOf(cells, true)) trace(path, onStage(loop, area));
  return path;
}

/** @param {Float32Array} loop @param {Area} area */
const onStage = (loop, { x, y, w, h }) => loop.map((at, k) => (k % 2 ? y + at * h : x + at * w));

/** @param {Path2D} path @param {Float32Array} loop */
function trace(path, loop) {
  if (!loop.length) return;
  path.moveTo(loop[0], loop[1]);
  for (let k = 2; k < loop.length; k += 2) path.lineTo(loop[k], loop[k + 1]);
  path.closePath();
}
