import { maskOf as encoded, planeOf } from "./rle.mjs";
import { clamp, contains, heightOf, widthOf } from "./geometry.mjs";

/**
 * Which part of its box a region fills. A box without a mask is filled whole. A raster is laid over the box and
 * stretched to it: row by row from the top, 1 inside.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {import("./geometry.mjs").Point} Point
 * @typedef {import("./rle.mjs").Mask} Mask
 * @typedef {{bits: Uint8Array, h: number, w: number}} Raster
 * @typedef {{url: string, channel: "red"|"green"|"blue"|"alpha", inverted: boolean}} Shape where a picture says what is
 *   inside: in a channel from half up, or with `inverted` below it
 */

/** Pixels of the picture per pixel of a raster, and pixels of a raster's longer side. */
const PITCH = 4;
const FEWEST = 128;
const MOST = 256;

/** @type {WeakMap<Mask, Raster>} */
const rasters = new WeakMap();

/** @param {number} h @param {number} w @param {0|1} [value] @returns {Raster} */
export const plain = (h, w, value = 0) => ({ bits: new Uint8Array(h * w).fill(value), h, w });

/** A mask's raster, which must not be changed. @param {Mask} mask @returns {Raster} */
export function rasterOf(mask) {
  let raster = rasters.get(mask);
  if (!raster) {
    raster = { bits: planeOf(mask), h: mask.size[0], w: mask.size[1] };
    rasters.set(mask, raster);
  }
  return raster;
}

/** The mask of a raster that will not be changed any more; undefined if all of it is inside.
 * @param {Raster} raster @returns {Mask | undefined} */
export function maskOf(raster) {
  const mask = encoded(raster.bits, raster.h, raster.w);
  if (mask) rasters.set(mask, raster);
  return mask;
}

/** @param {Raster} raster */
export const isEmpty = ({ bits }) => !bits.includes(1);

/** How fine a raster a rectangle of the picture is painted in.
 * @param {Rect} rect @param {{width: number, height: number}} size of the picture @returns {{h: number, w: number}} */
export function rasterSize(rect, size) {
  const [w, h] = [widthOf(rect) * size.width, heightOf(rect) * size.height];
  const longer = Math.max(w, h);
  const most = clamp(Math.round(longer / PITCH), FEWEST, MOST);
  return { h: Math.max(Math.round((h / longer) * most), 1), w: Math.max(Math.round((w / longer) * most), 1) };
}

/** Whether a point lies in a box's region. @param {Rect & {mask?: Mask}} box @param {Point} point */
export function covers(box, point) {
  if (!contains(box, point)) return false;
  if (!box.mask) return true;
  const { bits, h, w } = rasterOf(box.mask);
  const column = Math.min(Math.floor(((point.x - box.x0) / widthOf(box)) * w), w - 1);
  const row = Math.min(Math.floor(((point.y - box.y0) / heightOf(box)) * h), h - 1);
  return bits[row * w + column] === 1;
}

/**
 * The raster of one rectangle as seen by another: what lies outside is empty.
 * @param {Raster} raster @param {Rect} from @param {Rect} to @param {number} h @param {number} w @returns {Raster}
 */
export function placed(raster, from, to, h, w) {
  const bits = new Uint8Array(h * w);
  const columns = places(w, raster.w, to.x0, widthOf(to), from.x0, widthOf(from));
  const rows = places(h, raster.h, to.y0, heightOf(to), from.y0, heightOf(from));
  for (let y = 0; y < h; y++) {
    if (rows[y] < 0) continue;
    for (let x = 0; x < w; x++) if (columns[x] >= 0) bits[y * w + x] = raster.bits[rows[y] * raster.w + columns[x]];
  }
  return { bits, h, w };
}

/** For each target pixel the source pixel under its centre, or -1.
 * @param {number} count @param {number} source @param {number} low @param {number} length @param {number} from
 * @param {number} span */
const places = (count, source, low, length, from, span) =>
  Int32Array.from({ length: count }, (_, k) => {
    const at = Math.floor(((low + ((k + 0.5) / count) * length - from) / span) * source + 1e-6);
    return at >= 0 && at < source ? at : -1;
  });

/**
 * A rectangle made larger by whole pixels of its raster, so that growing costs no sharpness.
 * @param {Raster} raster @param {Rect} from its rectangle @param {Rect} to what must be inside
 * @returns {{rect: Rect, raster: Raster}}
 */
export function grown(raster, from, to) {
  const x = grownAxis(from.x0, from.x1, raster.w, to.x0, to.x1);
  const y = grownAxis(from.y0, from.y1, raster.h, to.y0, to.y1);
  const rect = { x0: x.low, y0: y.low, x1: x.high, y1: y.high };
  const most = Math.max(MOST, raster.h, raster.w);
  const shrink = Math.min(1, most / Math.max(x.count, y.count));
  const [h, w] = [Math.max(Math.round(y.count * shrink), 1), Math.max(Math.round(x.count * shrink), 1)];
  if (h === raster.h && w === raster.w && x.same && y.same) return { rect: from, raster };
  return { rect, raster: placed(raster, from, rect, h, w) };
}

/** @param {number} low @param {number} high @param {number} count @param {number} wantLow @param {number} wantHigh */
function grownAxis(low, high, count, wantLow, wantHigh) {
  const pitch = (high - low) / count;
  const before = Math.max(Math.ceil((low - wantLow) / pitch - 1e-6), 0);
  const after = Math.max(Math.ceil((wantHigh - high) / pitch - 1e-6), 0);
  const [newLow, newHigh] = [Math.max(low - before * pitch, 0), Math.min(high + after * pitch, 1)];
  const same = before === 0 && after === 0;
  return { low: newLow, high: newHigh, count: Math.max(Math.round((newHigh - newLow) / pitch), 1), same };
}

/** The part of a rectangle that is painted, cut to it on whole pixels; null if nothing is.
 * @param {Raster} raster @param {Rect} rect @returns {{rect: Rect, raster: Raster} | null} */
export function trimmed(raster, rect) {
  const { bits, h, w } = raster;
  let [x0, y0, x1, y1] = [w, h, 0, 0];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      if (!bits[y * w + x]) continue;
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x + 1);
      y0 = Math.min(y0, y);
      y1 = Math.max(y1, y + 1);
    }
  }
  if (x1 <= x0) return null;
  const cut = new Uint8Array((x1 - x0) * (y1 - y0));
  for (let y = y0; y < y1; y++) cut.set(bits.subarray(y * w + x0, y * w + x1), (y - y0) * (x1 - x0));
  const [unitX, unitY] = [widthOf(rect) / w, heightOf(rect) / h];
  return {
    rect: {
      x0: rect.x0 + x0 * unitX,
      y0: rect.y0 + y0 * unitY,
      x1: rect.x0 + x1 * unitX,
      y1: rect.y0 + y1 * unitY,
    },
    raster: { bits: cut, h: y1 - y0, w: x1 - x0 },
  };
}

/**
 * The cells of a feature map of the whole picture that a painted region acts in: those at least half covered, else the
 * one covered most. As the server counts them.
 * @param {Rect} rect @param {Raster} raster @param {number} rows @param {number} columns @returns {Uint8Array}
 */
export function cellsOf(rect, raster, rows, columns) {
  const across = shares(rect.x0, rect.x1, raster.w, columns);
  const down = shares(rect.y0, rect.y1, raster.h, rows);
  const coverage = new Float64Array(rows * columns);
  for (const { cell, pixel, share } of down) {
    for (const one of across) {
      if (raster.bits[pixel * raster.w + one.pixel]) coverage[cell * columns + one.cell] += share * one.share;
    }
  }
  const cells = Uint8Array.from(coverage, (share) => Number(share >= 0.5 - 1e-6));
  if (!cells.includes(1)) cells[coverage.indexOf(Math.max(...coverage))] = 1;
  return cells;
}

/** Which share of a cell each pixel of an axis covers. @param {number} low @param {number} high @param {number} pixels
 * @param {number} cells */
function shares(low, high, pixels, cells) {
  const found = [];
  for (let pixel = 0; pixel < pixels; pixel++) {
    const from = (low + ((high - low) * pixel) / pixels) * cells;
    const to = (low + ((high - low) * (pixel + 1)) / pixels) * cells;
    for (let cell = Math.max(Math.floor(from), 0); cell < Math.min(to, cells); cell++) {
      const share = Math.min(to, cell + 1) - Math.max(from, cell);
      if (share > 0) found.push({ cell, pixel, share });
    }
  }
  return found;
}
