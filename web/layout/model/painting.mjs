import { append, boxOf, change } from "./boxes.mjs";
import { drag, enclose, flood, inverted } from "./brushes.mjs";
import { boundsOf, centreOf, clamp, contains, heightOf, settled, widthOf } from "./geometry.mjs";
import { grown, isEmpty, maskOf, placed, plain, rasterOf, rasterSize, trimmed } from "./masks.mjs";

/**
 * Painting the region of a box. What is added outside of a box makes the box larger; a box that was whole so far has
 * just what is painted; without a box a stroke makes one. What is taken away never moves a box and never leaves a
 * region empty.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {import("./geometry.mjs").Point} Point
 * @typedef {import("./boxes.mjs").State} State
 * @typedef {import("./boxes.mjs").Box} Box
 * @typedef {import("./gestures.mjs").Gesture} Gesture
 * @typedef {import("./gestures.mjs").Draft} Draft
 * @typedef {import("./masks.mjs").Raster} Raster
 * @typedef {{width: number, height: number}} Size
 * @typedef {{size: Size, erase: boolean, inside: boolean}} How `inside`: the box stays as it is
 * @typedef {{rect: Rect, raster: Raster}} Sheet a rectangle and what is painted in it
 * @typedef {Gesture & {path: readonly Point[], empty: boolean, pass: (points: readonly Point[]) => void}} Stroke
 *   `path`: the line to show; `empty`: nothing would be left; `pass`: points on the way to that of the next update
 */

/** What a stroke on the k-th box starts from; null for a new one. @param {Box | undefined} box @param {How} how
 * @returns {Sheet | null} */
function sheetOf(box, { erase, size }) {
  if (!box) return null;
  const fine = rasterSize(box, size);
  if (!box.mask) return { rect: box, raster: plain(fine.h, fine.w, erase ? 1 : 0) };
  const raster = rasterOf(box.mask);
  const enough = Math.max(raster.h, raster.w) >= Math.max(fine.h, fine.w);
  return { rect: box, raster: enough ? raster : placed(raster, box, box, fine.h, fine.w) };
}

/**
 * A copy of the sheet to paint on, large enough for a stroke.
 * @param {Box | undefined} box @param {Rect} bounds of the stroke @param {How} how @returns {Sheet}
 */
function prepared(box, bounds, how) {
  const base = sheetOf(box, how);
  if (base && (how.erase || how.inside)) return { rect: base.rect, raster: copyOf(base.raster) };
  const rect = boundsOf(base ? [base.rect, bounds] : [bounds]) ?? bounds;
  if (base && box?.mask) {
    const larger = grown(base.raster, base.rect, rect);
    return { rect: larger.rect, raster: copyOf(larger.raster) };
  }
  const { h, w } = rasterSize(rect, how.size);
  return { rect, raster: plain(h, w) };
}

/** @param {Raster} raster @returns {Raster} */
const copyOf = ({ bits, h, w }) => ({ bits: bits.slice(), h, w });

/** The part of a stroke's bounds that lies in the picture. @param {Rect} r @returns {Rect} */
function inPicture(r) {
  const [x0, y0] = [clamp(r.x0, 0, 0.99), clamp(r.y0, 0, 0.99)];
  return { x0, y0, x1: clamp(r.x1, x0 + 0.01), y1: clamp(r.y1, y0 + 0.01) };
}

/** @param {Sheet} sheet @param {Point} point */
const onRaster = ({ rect, raster }, { x, y }) => ({
  x: ((x - rect.x0) / widthOf(rect)) * raster.w,
  y: ((y - rect.y0) / heightOf(rect)) * raster.h,
});

/**
 * The state with what is painted in place of the k-th box, or as one more; null if nothing would be inside.
 * @param {State} state @param {number} k @param {Sheet} sheet @returns {State | null}
 */
function painted(state, k, { rect, raster }) {
  if (isEmpty(raster)) return null;
  const mask = maskOf(raster);
  if (!state.boxes[k]) return append(state, [boxOf(rect, { mask })]);
  return change(state, [k], (box) => boxOf(rect, { ...box, mask }));
}

/** @param {State} state @returns {Draft} */
const draftOf = (state) => ({ state, guides: [], marquee: null, active: null });

/**
 * A round brush, or an eraser.
 * @param {State} state @param {number} k the box, or -1 for a new one @param {Point} origin
 * @param {How & {radius: number, from?: Point | null}} how `radius`: pixels of the picture; `from`: a straight line
 *   comes from there
 * @returns {Stroke}
 */
export function brushing(state, k, origin, how) {
  const reach = { x: how.radius / how.size.width, y: how.radius / how.size.height };
  const points = [how.from ?? origin];
  let bounds = around(points[0], reach);
  let sheet = prepared(state.boxes[k], inPicture(bounds), how);
  let drawn = 0;
  let draft = draftOf(state);
  const stroke = {
    kind: "paint",
    path: [],
    empty: false,
    /** @param {readonly Point[]} way */
    pass: (way) => void points.push(...way),
    /** @param {Point} point */
    update(point) {
      points.push(point);
      bounds = boundsOf([bounds, ...points.slice(drawn).map((one) => around(one, reach))]) ?? bounds;
      const wanted = inPicture(bounds);
      if (!how.erase && !(how.inside && state.boxes[k]) && !holds(sheet.rect, wanted)) {
        sheet = prepared(state.boxes[k], wanted, how);
        drawn = 0;
      }
      const { rect, raster } = sheet;
      const radius = { x: (reach.x / widthOf(rect)) * raster.w, y: (reach.y / heightOf(rect)) * raster.h };
      for (; drawn < points.length; drawn++) {
        const from = onRaster(sheet, points[Math.max(drawn - 1, 0)]);
        drag(raster, from, onRaster(sheet, points[drawn]), radius, how.erase ? 0 : 1);
      }
      const result = painted(state, k, { rect, raster: copyOf(raster) });
      stroke.empty = result === null;
      draft = result ? draftOf(result) : draft;
      return draft;
    },
  };
  return stroke;
}

/** @param {Point} p @param {Point} reach @returns {Rect} */
const around = (p, reach) => ({ x0: p.x - reach.x, y0: p.y - reach.y, x1: p.x + reach.x, y1: p.y + reach.y });

/** @param {Rect} outer @param {Rect} inner */
const holds = (outer, inner) =>
  contains(outer, { x: inner.x0, y: inner.y0 }) && contains(outer, { x: inner.x1, y: inner.y1 });

/**
 * What a closed line runs round is added, or taken away: a free line that follows the pointer, or corners set one by one.
 * @param {State} state @param {number} k the box, or -1 for a new one @param {Point} origin
 * @param {How & {corners: boolean}} how
 * @returns {Stroke & {add: (point: Point) => void, back: () => void, isBack: (point: Point, reach: Point) => boolean}}
 */
export function enclosing(state, k, origin, how) {
  const set = [origin];
  const stroke = {
    kind: "paint",
    path: /** @type {readonly Point[]} */ (set),
    empty: false,
    /** @param {readonly Point[]} way */
    pass: (way) => void (how.corners || set.push(...way)),
    /** Sets a corner. @param {Point} point */
    add: (point) => void set.push(point),
    /** Takes the last corner back. */
    back: () => void (set.length > 1 && set.pop()),
    /** Whether a point is the first corner again. @param {Point} point @param {Point} reach */
    isBack: (point, reach) =>
      set.length > 2 && Math.abs(point.x - origin.x) < reach.x && Math.abs(point.y - origin.y) < reach.y,
    /** @param {Point} point */
    update(point) {
      if (!how.corners) set.push(point);
      stroke.path = how.corners ? [...set, point] : set;
      const bounds = boundsOf(stroke.path.map((p) => around(p, { x: 0, y: 0 })));
      const sheet = prepared(state.boxes[k], inPicture(bounds ?? around(origin, { x: 0, y: 0 })), how);
      enclose(
        sheet.raster,
        stroke.path.map((p) => onRaster(sheet, p)),
        how.erase ? 0 : 1,
      );
      const result = painted(state, k, sheet);
      stroke.empty = result === null;
      return draftOf(result ?? state);
    },
  };
  return stroke;
}

/** Fills, or takes away, what is joined with a point of the box; null if nothing would be left.
 * @param {State} state @param {number} k @param {Point} point @param {How} how @returns {State | null} */
export function filled(state, k, point, how) {
  const box = state.boxes[k];
  if (!box || !contains(box, point) || (!box.mask && !how.erase)) return state;
  const sheet = prepared(box, box, { ...how, inside: true });
  const { x, y } = onRaster(sheet, point);
  flood(sheet.raster, Math.floor(x), Math.floor(y), how.erase ? 0 : 1);
  return painted(state, k, sheet);
}

/** The rest of the box becomes its region. @param {State} state @param {number} k @returns {State} */
export function turned(state, k) {
  const mask = state.boxes[k]?.mask;
  return (mask && painted(state, k, { rect: state.boxes[k], raster: inverted(rasterOf(mask)) })) || state;
}

/** Boxes are their regions again. @param {State} state @param {readonly number[]} indices @returns {State} */
export function whole(state, indices) {
  const masked = indices.filter((k) => state.boxes[k].mask);
  return change(state, masked, (box) => boxOf(box, { ...box, mask: undefined }));
}

/** Boxes go round what is painted in them. @param {State} state @param {readonly number[]} indices @returns {State} */
export function fitted(state, indices) {
  return indices.reduce((now, k) => {
    const { mask } = now.boxes[k];
    const cut = mask && trimmed(rasterOf(mask), now.boxes[k]);
    const same = cut && cut.raster.bits.length === rasterOf(mask).bits.length;
    return (cut && !same && painted(now, k, cut)) || now;
  }, state);
}

/**
 * A shape as the region of a box, as large as the box allows without changing the shape's proportions.
 * @param {State} state @param {number} k @param {Raster} shape its pixels are square @param {Size} size
 * @returns {State}
 */
export function shaped(state, k, shape, size) {
  const cut = trimmed(shape, { x0: 0, y0: 0, x1: 1, y1: 1 });
  if (!cut) return state;
  const box = state.boxes[k];
  const { raster } = cut;
  const fit = Math.min((widthOf(box) * size.width) / raster.w, (heightOf(box) * size.height) / raster.h);
  const [w, h] = [(raster.w * fit) / size.width, (raster.h * fit) / size.height];
  const { x, y } = centreOf(box);
  const rect = settled({ x0: x - w / 2, y0: y - h / 2, x1: x + w / 2, y1: y + h / 2 });
  const fine = rasterSize(rect, size);
  return painted(state, k, { rect, raster: placed(raster, rect, rect, fine.h, fine.w) }) ?? state;
}
