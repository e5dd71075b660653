import { boundsOf, centreOf, heightOf, settled, shifted, widthOf } from "./geometry.mjs";
import { change, movable } from "./boxes.mjs";

/**
 * Aligning and spacing of the selected boxes: among each other, or to the picture if only one is selected.
 * @typedef {import("./boxes.mjs").State} State
 * @typedef {"left"|"centre"|"right"|"top"|"middle"|"bottom"} Edge
 */

const PICTURE = { x0: 0, y0: 0, x1: 1, y1: 1 };

/** @param {State} state @param {Edge} edge @returns {State} */
export function align(state, edge) {
  const indices = movable(state);
  const bounds = boundsOf(indices.map((k) => state.boxes[k]));
  if (!bounds) return state;
  const frame = indices.length === 1 ? PICTURE : bounds;
  const middle = centreOf(frame);
  return change(state, indices, (box) => {
    const own = centreOf(box);
    const shift = {
      left: [frame.x0 - box.x0, 0],
      centre: [middle.x - own.x, 0],
      right: [frame.x1 - box.x1, 0],
      top: [0, frame.y0 - box.y0],
      middle: [0, middle.y - own.y],
      bottom: [0, frame.y1 - box.y1],
    }[edge];
    return settled(shifted(box, shift[0], shift[1]));
  });
}

/**
 * Equal gaps between three or more boxes; the outermost two stay.
 * @param {State} state
 * @param {"x"|"y"} axis
 * @returns {State}
 */
export function distribute(state, axis) {
  const indices = movable(state);
  if (indices.length < 3) return state;
  const low = axis === "x" ? "x0" : "y0";
  const high = axis === "x" ? "x1" : "y1";
  const length = axis === "x" ? widthOf : heightOf;
  const order = [...indices].sort(
    (a, b) => state.boxes[a][low] + state.boxes[a][high] - state.boxes[b][low] - state.boxes[b][high],
  );
  const boxes = order.map((k) => state.boxes[k]);
  const first = boxes[0];
  const last = boxes[boxes.length - 1];
  const gap = (last[high] - first[low] - boxes.reduce((sum, box) => sum + length(box), 0)) / (boxes.length - 1);
  let at = first[low];
  /** @type {Map<number, number>} */
  const places = new Map();
  order.forEach((k, n) => {
    places.set(k, at);
    at += length(boxes[n]) + gap;
  });
  return change(state, indices, (box, k) => {
    const delta = /** @type {number} */ (places.get(k)) - box[low];
    return settled(axis === "x" ? shifted(box, delta, 0) : shifted(box, 0, delta));
  });
}

/**
 * Gives every selected box the size of the first selected one, about its own centre.
 * @param {State} state
 * @returns {State}
 */
export function matchSize(state) {
  const indices = movable(state);
  if (indices.length < 2) return state;
  const model = state.boxes[indices[0]];
  const w = widthOf(model);
  const h = heightOf(model);
  return change(state, indices, (box) => {
    const x0 = Math.min(Math.max(centreOf(box).x - w / 2, 0), 1 - w);
    const y0 = Math.min(Math.max(centreOf(box).y - h / 2, 0), 1 - h);
    return settled({ ...box, x0, y0, x1: x0 + w, y1: y0 + h });
  });
}
