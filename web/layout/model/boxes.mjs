import {
  areaOf,
  boundsOf,
  clamp,
  heightOf,
  overlaps,
  settled,
  shifted,
  shiftInside,
  widthOf,
} from "./geometry.mjs";
import { movedApart } from "./apart.mjs";
import { FormatError } from "./format_error.mjs";
import { covers } from "./masks.mjs";

/**
 * A layout is a list of boxes; the k-th box belongs to the k-th subject. A state is a layout and what is selected in
 *   it.
 * Nothing here is ever changed in place: every operation returns a new state, or the same one if it changes nothing.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {import("./geometry.mjs").Point} Point
 * A colour is `#rrggbb` or "". A box with a larger `z` (0 if absent) is in front, of equal ones the later. A mask is
 *   painted over its box.
 * @typedef {Rect & {label: string, color: string, locked?: boolean, z?: number, mask?: import("./rle.mjs").Mask}} Box
 * @typedef {{readonly boxes: readonly Box[], readonly selected: readonly number[]}} State
 */

/** @type {State} */
export const EMPTY = Object.freeze({ boxes: Object.freeze([]), selected: Object.freeze([]) });

/** A box's `z` lies from minus this to this. */
export const HIGHEST = 999_999;

const COLOR = /^#[0-9A-Fa-f]{6}$/;

/** What is no colour is dropped, so that nothing else ever reaches the page.
 * @param {Rect} rect @param {Partial<Box>} [rest] @returns {Box} */
export const boxOf = (rect, { label = "", color = "", locked, z, mask } = {}) =>
  settled({
    x0: rect.x0,
    y0: rect.y0,
    x1: rect.x1,
    y1: rect.y1,
    label,
    color: COLOR.test(color) ? color : "",
    ...(locked ? { locked: true } : {}),
    ...(z ? { z } : {}),
    ...(mask ? { mask } : {}),
  });

/**
 * Selected indices that exist, in order, once each.
 * @param {State} state
 * @param {Iterable<number>} indices
 * @returns {State}
 */
export function select(state, indices) {
  const selected = [...new Set(indices)].filter((k) => k >= 0 && k < state.boxes.length).sort((a, b) => a - b);
  const same = selected.length === state.selected.length && selected.every((k, n) => k === state.selected[n]);
  return same ? state : { ...state, selected };
}

/** @param {State} state @param {number} k */
export const toggle = (state, k) =>
  select(state, state.selected.includes(k) ? state.selected.filter((n) => n !== k) : [...state.selected, k]);

/** @param {State} state */
export const selectAll = (state) => select(state, state.boxes.keys());

/** The boxes a gesture may change. @param {State} state */
export const movable = (state) => state.selected.filter((k) => !state.boxes[k].locked);

/** @param {State} state */
export const selectedBoxes = (state) => state.selected.map((k) => state.boxes[k]);

/** Appends boxes and selects them. @param {State} state @param {readonly Box[]} boxes @returns {State} */
export function append(state, boxes) {
  if (!boxes.length) return state;
  const first = state.boxes.length;
  return { boxes: [...state.boxes, ...boxes], selected: boxes.map((_, n) => first + n) };
}

/** Removes the selected boxes that are not locked. @param {State} state @returns {State} */
export function removeSelected(state) {
  const gone = new Set(movable(state));
  if (!gone.size) return state;
  return { boxes: state.boxes.filter((_, k) => !gone.has(k)), selected: [] };
}

/**
 * Changes some boxes.
 * @param {State} state
 * @param {Iterable<number>} indices
 * @param {(box: Box, k: number) => Box} change
 */
export function change(state, indices, change) {
  const chosen = new Set(indices);
  if (!chosen.size) return state;
  return { ...state, boxes: state.boxes.map((box, k) => (chosen.has(k) ? change(box, k) : box)) };
}

/** @param {State} state @param {Iterable<number>} indices @param {Partial<Box>} fields @returns {State} */
export const patch = (state, indices, fields) => change(state, indices, (box) => boxOf(box, { ...box, ...fields }));

/** Moves the box at `from` to place `to` in the order of subjects; the selection follows its boxes.
 * @param {State} state @param {number} from @param {number} to @returns {State} */
export function reorder(state, from, to) {
  const target = clamp(to, 0, state.boxes.length - 1);
  if (from === target || !state.boxes[from]) return state;
  const order = [...state.boxes.keys()];
  order.splice(target, 0, ...order.splice(from, 1));
  return select(
    { ...state, boxes: order.map((k) => state.boxes[k]) },
    state.selected.map((k) => order.indexOf(k)),
  );
}

/** Indices from the box that is furthest behind to the one in front. @param {readonly Box[]} boxes */
export const frontOrder = (boxes) =>
  [...boxes.keys()].sort((a, b) => (boxes[a].z ?? 0) - (boxes[b].z ?? 0) || a - b);

/** Puts the selected boxes before all others, in the order that they are in. @param {State} state */
export const bringToFront = (state) => restacked(state, (chosen, others) => [...others, ...chosen]);

/** Puts the selected boxes behind all others, in the order that they are in. @param {State} state */
export const sendToBack = (state) => restacked(state, (chosen, others) => [...chosen, ...others]);

/** Writes a front order with the smallest `z` from 0 on; which subject a box belongs to stays.
 * @param {State} state @param {(chosen: number[], others: number[]) => number[]} arrange @returns {State} */
function restacked(state, arrange) {
  const before = frontOrder(state.boxes);
  const order = arrange(
    before.filter((k) => state.selected.includes(k)),
    before.filter((k) => !state.selected.includes(k)),
  );
  if (order.every((k, n) => k === before[n])) return state;
  let z = 0;
  const heights = new Map(order.map((k, n) => [k, n && k < order[n - 1] ? ++z : z]));
  return change(state, order, (box, k) => boxOf(box, { ...box, z: heights.get(k) }));
}

/** Moves boxes as little as it takes until none overlap, locked ones excepted, as the server does with `overlap` apart.
 * @param {State} state @param {{width: number, height: number}} size @returns {State} */
export function moveApart(state, size) {
  const { boxes, colliding } = movedApart(state.boxes, size);
  if (!boxes) {
    const [one, other] = colliding.map((k) => {
      const [w, h] = [widthOf(state.boxes[k]) * size.width, heightOf(state.boxes[k]) * size.height];
      return `${Math.round(w)}×${Math.round(h)}`;
    });
    throw new FormatError("no_room", { first: colliding[0] + 1, second: colliding[1] + 1, one, other });
  }
  return boxes.every((box, k) => box === state.boxes[k]) ? state : { ...state, boxes: boxes.map(settled) };
}

/** Shifts the selected, unlocked boxes together by whole output pixels, inside the picture.
 * @param {State} state
 * @param {number} stepX
 * @param {number} stepY
 * @param {{width: number, height: number}} size
 * @returns {State} */
export function nudge(state, stepX, stepY, { width, height }) {
  const indices = movable(state);
  const bounds = boundsOf(indices.map((k) => state.boxes[k]));
  if (!bounds) return state;
  const wanted = {
    dx: stepX && (Math.round(bounds.x0 * width) + stepX) / width - bounds.x0,
    dy: stepY && (Math.round(bounds.y0 * height) + stepY) / height - bounds.y0,
  };
  const { dx, dy } = shiftInside(bounds, wanted.dx, wanted.dy);
  return change(state, indices, (box) => settled(shifted(box, dx, dy)));
}

/** Moves the right and lower sides of the selected, unlocked boxes by whole output pixels.
 * @param {State} state
 * @param {number} stepX
 * @param {number} stepY
 * @param {{width: number, height: number}} size
 * @returns {State} */
export function stretch(state, stepX, stepY, { width, height }) {
  return change(state, movable(state), (box) =>
    settled({
      ...box,
      x1: stepX ? Math.max((Math.round(box.x1 * width) + stepX) / width, box.x0 + 1 / width) : box.x1,
      y1: stepY ? Math.max((Math.round(box.y1 * height) + stepY) / height, box.y0 + 1 / height) : box.y1,
    }),
  );
}

/** Copies beside the originals, appended and selected. @param {State} state @returns {State} */
export const duplicateSelected = (state) => append(state, displaced(state, selectedBoxes(state)));

/** Boxes to be pasted, moved aside until none lies exactly on a box that is there.
 * @param {State} state @param {readonly Box[]} boxes @returns {Box[]} */
export function displaced(state, boxes) {
  const step = 0.02;
  const bounds = boundsOf(boxes);
  if (!bounds) return [];
  for (let n = 0; n < 40; n++) {
    const { dx, dy } = shiftInside(bounds, n * step, n * step);
    const moved = boxes.map((box) => boxOf(shifted(box, dx, dy), { ...box, locked: false }));
    const covers = moved.some((box) => state.boxes.some((other) => sameRect(box, other)));
    if (!covers) return moved;
    if (n && dx < n * step && dy < n * step) break;
  }
  return boxes.map((box) => {
    const { dx, dy } = shiftInside(box, -step, -step);
    return boxOf(shifted(box, dx, dy), { ...box, locked: false });
  });
}

/** @param {Rect} a @param {Rect} b */
export const sameRect = (a, b) => a.x0 === b.x0 && a.y0 === b.y0 && a.x1 === b.x1 && a.y1 === b.y1;

/** Boxes whose region is under a point, the one in front first: small ones lie over large ones, later over earlier ones.
 * @param {readonly Box[]} boxes @param {Point} point @returns {number[]} */
export const boxesAt = (boxes, point) =>
  paintOrder(boxes)
    .reverse()
    .filter((k) => covers(boxes[k], point));

/**
 * Indices in the order of painting: large boxes first, so that none hides a smaller one.
 * @param {readonly Rect[]} boxes
 */
export const paintOrder = (boxes) => [...boxes.keys()].sort((a, b) => areaOf(boxes[b]) - areaOf(boxes[a]) || a - b);

/**
 * The box after the selected one in the pile under a point, for Alt-click.
 * @param {State} state
 * @param {Point} point
 * @returns {State}
 */
export function selectNextAt(state, point) {
  const pile = boxesAt(state.boxes, point);
  if (!pile.length) return select(state, []);
  const now = state.selected.length === 1 ? pile.indexOf(state.selected[0]) : -1;
  return select(state, [pile[(now + 1) % pile.length]]);
}

/** A free place for one more box: the tried place that touches the least of what is there.
 * @param {readonly Rect[]} boxes @returns {Rect} */
export function freePlace(boxes) {
  /** @type {{rect: Rect, cost: number} | null} */
  let best = null;
  for (const side of [0.4, 0.3, 0.2]) {
    for (let row = 0; row <= 6; row++) {
      for (let column = 0; column <= 6; column++) {
        const x0 = (column / 6) * (1 - side);
        const y0 = (row / 6) * (1 - side);
        const rect = { x0, y0, x1: x0 + side, y1: y0 + side };
        const cost =
          boxes.reduce((sum, box) => sum + shared(rect, box), 0) / areaOf(rect) +
          0.02 * Math.hypot(x0 + side / 2 - 0.5, y0 + side / 2 - 0.5) +
          (0.4 - side) * 0.5;
        if (!best || cost < best.cost - 1e-9) best = { rect, cost };
      }
    }
  }
  return /** @type {{rect: Rect, cost: number}} */ (best).rect;
}

/** The area that two rectangles share. @param {Rect} a @param {Rect} b */
export function shared(a, b) {
  if (!overlaps(a, b)) return 0;
  return (Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0)) * (Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0));
}

/** Sets one of x, y, w, h of the box, in fractions; x and y move it, w and h change the far side.
 * @param {State} state @param {number} k @param {"x"|"y"|"w"|"h"} field @param {number} value @returns {State} */
export function setField(state, k, field, value) {
  return change(state, [k], (box) => {
    const w = widthOf(box);
    const h = heightOf(box);
    if (field === "x") return settled({ ...box, x0: clamp(value, 0, 1 - w), x1: clamp(value, 0, 1 - w) + w });
    if (field === "y") return settled({ ...box, y0: clamp(value, 0, 1 - h), y1: clamp(value, 0, 1 - h) + h });
    if (field === "w") return settled({ ...box, x1: box.x0 + Math.max(value, 0) });
    return settled({ ...box, y1: box.y0 + Math.max(value, 0) });
  });
}
