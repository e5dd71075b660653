import { contains, DIRECTION, handlePoint, HANDLES, heightOf, widthOf } from "./geometry.mjs";

/**
 * The handles of a rectangle: which there are, where they stand, and which one a point means. What is drawn is what
 *   reacts.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {import("./geometry.mjs").Point} Point
 * @typedef {import("./geometry.mjs").Handle} Handle
 */

/** A side shorter than this, in screen pixels, has no handle in its middle. */
const HAS_MIDDLE = 34;

/** A rectangle with a side shorter than this has its handles outside, and inside it can be moved. */
const SMALL = 24;

/** How far outside they stand. */
const OUTSIDE = 6;

/** How far from a handle a point may be to mean it, of the side that a rectangle must have not to count as small. */
const SMALL_BY_REACH = 3.4;

/** @param {Rect} r @param {{x: number, y: number}} pixel a screen pixel in fractions */
const shortest = (r, pixel) => Math.min(widthOf(r) / pixel.x, heightOf(r) / pixel.y);

/**
 * @param {Rect} r
 * @param {{x: number, y: number}} pixel a screen pixel in fractions
 * @returns {{name: Handle, at: Point}[]}
 */
export function handlesOf(r, pixel) {
  const out = shortest(r, pixel) < SMALL ? OUTSIDE : 0;
  return HANDLES.filter((name) => hasHandle(r, name, pixel)).map((name) => {
    const [sx, sy] = DIRECTION[name];
    const { x, y } = handlePoint(r, name);
    return { name, at: { x: x + sx * out * pixel.x, y: y + sy * out * pixel.y } };
  });
}

/** @param {Rect} r @param {Handle} name @param {{x: number, y: number}} pixel */
function hasHandle(r, name, pixel) {
  const [sx, sy] = DIRECTION[name];
  if (sx && sy) return true;
  return (sy ? widthOf(r) / pixel.x : heightOf(r) / pixel.y) >= HAS_MIDDLE;
}

/**
 * The handle that a point means.
 * @param {Rect} r
 * @param {Point} point
 * @param {{x: number, y: number}} pixel a screen pixel in fractions
 * @param {number} reach screen pixels from which a handle is reached
 * @returns {Handle | null}
 */
export function handleAt(r, point, pixel, reach) {
  const small = shortest(r, pixel) < Math.max(SMALL, SMALL_BY_REACH * reach);
  if (small && contains(r, point)) return null;
  let best = null;
  let nearest = reach;
  for (const { name, at } of handlesOf(r, pixel)) {
    const corner = name.length === 2 ? 0.9 : 1;
    const distance = Math.max(Math.abs(point.x - at.x) / pixel.x, Math.abs(point.y - at.y) / pixel.y) * corner;
    if (distance < nearest) [best, nearest] = [name, distance];
  }
  return best ?? (small ? null : sideAt(r, point, pixel, reach / 2));
}

/** The side of a rectangle that a point is on, if that side has a handle.
 * @param {Rect} r @param {Point} p @param {{x: number, y: number}} pixel @param {number} reach @returns {Handle | null} */
function sideAt(r, p, pixel, reach) {
  const inX = p.x > r.x0 && p.x < r.x1;
  const inY = p.y > r.y0 && p.y < r.y1;
  const near = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ step) => Math.abs(a - b) / step < reach;
  /** @type {Handle | null} */
  let side = null;
  if (inY && near(p.x, r.x0, pixel.x)) side = "w";
  else if (inY && near(p.x, r.x1, pixel.x)) side = "e";
  else if (inX && near(p.y, r.y0, pixel.y)) side = "n";
  else if (inX && near(p.y, r.y1, pixel.y)) side = "s";
  return side && hasHandle(r, side, pixel) ? side : null;
}
