import { frontOrder, paintOrder } from "./boxes.mjs";
import { areaOf, centreOf, overlaps } from "./geometry.mjs";
import { covers } from "./masks.mjs";

/**
 * What boxes that overlap do to each other.
 * @typedef {import("./boxes.mjs").Box} Box
 * @typedef {"mix"|"front"|"nearest"|"apart"} Overlap as the node's input: both act in the shared part; the one in front;
 *   the one whose middle is nearer; boxes are moved until there is none
 */

/** Points along an axis at which painted regions are compared. */
const POINTS = 48;

/** Share of the picture from which on a box is a scene. */
const SCENE = 0.8;

/** @type {WeakMap<Box, WeakMap<Box, boolean>>} */
const known = new WeakMap();

/** Whether the regions of two boxes have a part in common. @param {Box} a @param {Box} b @returns {boolean} */
export function share(a, b) {
  if (!overlaps(a, b)) return false;
  if (!a.mask && !b.mask) return true;
  const found = known.get(a) ?? new WeakMap();
  known.set(a, found);
  const met = found.get(b) ?? meet(a, b);
  found.set(b, met);
  return met;
}

/** @param {Box} a @param {Box} b */
function meet(a, b) {
  const [x0, y0] = [Math.max(a.x0, b.x0), Math.max(a.y0, b.y0)];
  const [w, h] = [Math.min(a.x1, b.x1) - x0, Math.min(a.y1, b.y1) - y0];
  for (let row = 0; row < POINTS; row++) {
    for (let column = 0; column < POINTS; column++) {
      const point = { x: x0 + ((column + 0.5) / POINTS) * w, y: y0 + ((row + 0.5) / POINTS) * h };
      if (covers(a, point) && covers(b, point)) return true;
    }
  }
  return false;
}

/** Pairs of boxes whose regions have a part in common. @param {readonly Box[]} boxes @returns {[number, number][]} */
export const sharing = (boxes) =>
  boxes.flatMap((a, k) =>
    boxes.slice(k + 1).flatMap((b, n) => (share(a, b) ? [/** @type {[number, number]} */ ([k, k + 1 + n])] : [])),
  );

/** Whether a box is the scene that others stand in. @param {Box} box */
export const isScene = (box) => areaOf(box) >= SCENE;

/** Pairs that are worth a word: others in a scene are meant. @param {readonly Box[]} boxes */
export const accidents = (boxes) => sharing(boxes).filter((pair) => !pair.some((k) => isScene(boxes[k])));

/** @param {Box} a @param {Box} b */
function sameCentre(a, b) {
  const [p, q] = [centreOf(a), centreOf(b)];
  return Math.abs(p.x - q.x) < 1e-9 && Math.abs(p.y - q.y) < 1e-9;
}

/**
 * How boxes act on each other, to be drawn.
 * @param {readonly Box[]} boxes
 * @param {Overlap} overlap
 * @returns {{order: number[], shared: [number, number][], cutters: number[][]}} `order`: from back to front; `shared`:
 *   pairs that act together; `cutters`: for each box those that take a part of it
 */
export function relations(boxes, overlap) {
  const front = frontOrder(boxes);
  const order = overlap === "front" ? front : paintOrder(boxes);
  const pairs = overlap === "apart" ? [] : sharing(boxes);
  /** @type {number[][]} */
  const cutters = boxes.map(() => []);
  if (overlap === "mix") return { order, shared: pairs, cutters };
  for (const [a, b] of pairs) {
    // Of two as near the one in front has the shared part.
    const split = overlap === "nearest" && !sameCentre(boxes[a], boxes[b]);
    const inFront = front.indexOf(a) > front.indexOf(b) ? a : b;
    if (split || inFront === b) cutters[a].push(b);
    if (split || inFront === a) cutters[b].push(a);
  }
  return { order, shared: [], cutters };
}
