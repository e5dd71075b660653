/**
 * Rectangles in fractions of the picture: x to the right, y downwards, both 0..1.
 * @typedef {{x0: number, y0: number, x1: number, y1: number}} Rect
 * @typedef {{x: number, y: number}} Point
 * @typedef {"nw"|"n"|"ne"|"e"|"se"|"s"|"sw"|"w"} Handle
 */

/** The shortest side a box may have; below four decimals it would vanish in the saved text. */
export const MIN_SIDE = 0.002;

/** Which sides a handle moves: -1 the near one, 1 the far one, 0 none. @type {Record<Handle, [number, number]>} */
export const DIRECTION = {
  nw: [-1, -1],
  n: [0, -1],
  ne: [1, -1],
  e: [1, 0],
  se: [1, 1],
  s: [0, 1],
  sw: [-1, 1],
  w: [-1, 0],
};

export const HANDLES = /** @type {Handle[]} */ (Object.keys(DIRECTION));

/** @param {number} value */
export const round4 = (value) => Math.round(value * 1e4) / 1e4;

/** @param {number} value @param {number} [low] @param {number} [high] */
export const clamp = (value, low = 0, high = 1) => Math.min(Math.max(value, low), high);

/** @param {Rect} r */
export const widthOf = (r) => r.x1 - r.x0;

/** @param {Rect} r */
export const heightOf = (r) => r.y1 - r.y0;

/** @param {Rect} r */
export const areaOf = (r) => widthOf(r) * heightOf(r);

/** @param {Rect} r @returns {Point} */
export const centreOf = (r) => ({ x: (r.x0 + r.x1) / 2, y: (r.y0 + r.y1) / 2 });

/** The rectangle between two points, cut to the picture. @param {Point} a @param {Point} b @returns {Rect} */
export function rectBetween(a, b) {
  return {
    x0: clamp(Math.min(a.x, b.x)),
    y0: clamp(Math.min(a.y, b.y)),
    x1: clamp(Math.max(a.x, b.x)),
    y1: clamp(Math.max(a.y, b.y)),
  };
}

/** @param {Rect} r @param {Point} p */
export const contains = (r, p) => p.x >= r.x0 && p.x <= r.x1 && p.y >= r.y0 && p.y <= r.y1;

/** @param {Rect} a @param {Rect} b */
export const overlaps = (a, b) => a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;

/** @template {Rect} R @param {R} r @param {number} dx @param {number} dy @returns {R} */
export const shifted = (r, dx, dy) => ({ ...r, x0: r.x0 + dx, y0: r.y0 + dy, x1: r.x1 + dx, y1: r.y1 + dy });

/** The smallest rectangle around all; null for none. @param {readonly Rect[]} rects @returns {Rect | null} */
export function boundsOf(rects) {
  if (!rects.length) return null;
  return {
    x0: Math.min(...rects.map((r) => r.x0)),
    y0: Math.min(...rects.map((r) => r.y0)),
    x1: Math.max(...rects.map((r) => r.x1)),
    y1: Math.max(...rects.map((r) => r.y1)),
  };
}

/**
 * The part of a shift that keeps the rectangle inside the picture.
 * @param {Rect} r
 * @param {number} dx
 * @param {number} dy
 */
export function shiftInside(r, dx, dy) {
  return { dx: clamp(dx, -r.x0, 1 - r.x1), dy: clamp(dy, -r.y0, 1 - r.y1) };
}

/** A rectangle of a saved layout: rounded to four decimals, inside the picture, never empty.
 * @template {Rect} R @param {R} r @returns {R} */
export function settled(r) {
  const x0 = round4(clamp(Math.min(r.x0, r.x1), 0, 1 - MIN_SIDE));
  const y0 = round4(clamp(Math.min(r.y0, r.y1), 0, 1 - MIN_SIDE));
  const x1 = round4(clamp(Math.max(r.x0, r.x1), x0 + MIN_SIDE, 1));
  const y1 = round4(clamp(Math.max(r.y0, r.y1), y0 + MIN_SIDE, 1));
  return { ...r, x0, y0, x1, y1 };
}

/** Where a handle sits. @param {Rect} r @param {Handle} handle @returns {Point} */
export function handlePoint(r, handle) {
  const [sx, sy] = DIRECTION[handle];
  const centre = centreOf(r);
  return {
    x: sx === 0 ? centre.x : sx < 0 ? r.x0 : r.x1,
    y: sy === 0 ? centre.y : sy < 0 ? r.y0 : r.y1,
  };
}

/**
 * A rectangle with one of its handles pulled to `point`; pulling past the fixed side turns it over.
 * @param {Rect} start
 * @param {Handle} handle
 * @param {Point} point
 * @param {{fromCentre?: boolean, ratio?: number | null}} [how] `ratio`: width / height in fractions that must hold
 * @returns {Rect}
 */
export function resized(start, handle, point, { fromCentre = false, ratio = null } = {}) {
  const [sx, sy] = DIRECTION[handle];
  const x = axisPull(start.x0, start.x1, sx, point.x, fromCentre);
  const y = axisPull(start.y0, start.y1, sy, point.y, fromCentre);
  if (ratio !== null) {
    if (sx !== 0 && (sy === 0 || x.length > y.length * ratio)) y.length = x.length / ratio;
    else x.length = y.length * ratio;
    const fit = Math.min(1, x.room / x.length, y.room / y.length);
    x.length *= fit;
    y.length *= fit;
  }
  const [x0, x1] = axisSpan(x);
  const [y0, y1] = axisSpan(y);
  return { x0, y0, x1, y1 };
}

/** @param {number} low @param {number} high @param {number} side @param {number} at @param {boolean} fromCentre */
function axisPull(low, high, side, at, fromCentre) {
  const middle = (low + high) / 2;
  const about = fromCentre || side === 0;
  const anchor = about ? middle : side > 0 ? low : high;
  const towards = about ? 0 : Math.sign(at - anchor) || side;
  const room = towards === 0 ? 2 * Math.min(anchor, 1 - anchor) : towards > 0 ? 1 - anchor : anchor;
  const pulled = side === 0 ? high - low : Math.abs(at - anchor) * (about ? 2 : 1);
  return { anchor, towards, room, length: Math.min(Math.max(pulled, MIN_SIDE), room) };
}

/** @param {{anchor: number, towards: number, length: number}} axis @returns {[number, number]} */
function axisSpan({ anchor, towards, length }) {
  if (towards === 0) return [anchor - length / 2, anchor + length / 2];
  return towards > 0 ? [anchor, anchor + length] : [anchor - length, anchor];
}

/** What a member of a group becomes when the group's bounds go from `from` to `to`.
 * @template {Rect} R @param {R} r @param {Rect} from @param {Rect} to @returns {R} */
export function carried(r, from, to) {
  const kx = widthOf(to) / widthOf(from);
  const ky = heightOf(to) / heightOf(from);
  return {
    ...r,
    x0: to.x0 + (r.x0 - from.x0) * kx,
    x1: to.x0 + (r.x1 - from.x0) * kx,
    y0: to.y0 + (r.y0 - from.y0) * ky,
    y1: to.y0 + (r.y1 - from.y0) * ky,
  };
}

/** The frame of aspect `width` : `height` that fits a stage, in the stage's own pixels.
 * @param {number} stageWidth
 * @param {number} stageHeight
 * @param {number} width
 * @param {number} height
 * @param {number} margin */
export function letterbox(stageWidth, stageHeight, width, height, margin) {
  const roomX = Math.max(stageWidth - 2 * margin, 1);
  const roomY = Math.max(stageHeight - 2 * margin, 1);
  const scale = Math.min(roomX / width, roomY / height);
  const w = width * scale;
  const h = height * scale;
  return { x: (stageWidth - w) / 2, y: (stageHeight - h) / 2, w, h };
}
