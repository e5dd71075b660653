import { boxOf } from "./boxes.mjs";

/**
 * Where the subjects of a run have ended, which placed them itself.
 * @typedef {import("./boxes.mjs").Box} Box
 * @typedef {import("./boxes.mjs").State} State
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {[number, number, number, number]} Edges x0, y0, x1, y1
 * @typedef {{node: string, drawn: Edges[], images: (Edges | null)[][]}} Ended `node`: the sampler, as the run names it;
 *   `drawn`: the boxes that the run had, one for each acting subject; `images`: for each image where it ended, null for
 *   one without a region
 */

/** A run tells edges with four decimals. */
const ROUNDED = 2e-4;

/** @param {Rect} box */
const edgesOf = ({ x0, y0, x1, y1 }) => [x0, y0, x1, y1];

/** @param {Rect} box @param {readonly number[]} edges */
const isAt = (box, edges) => edgesOf(box).every((edge, n) => Math.abs(edge - edges[n]) < ROUNDED);

/**
 * Where each box's subject ended, image by image; null for a box that has none or stayed. Boxes are the run's as long
 * as all that it had are there in their order; others between them belong to subjects that did not act.
 * @param {Ended} ended @param {readonly Rect[]} boxes
 * @returns {(Rect | null)[][] | null} null where the boxes are others, or all have stayed
 */
export function endedPlaces({ drawn, images }, boxes) {
  /** @type {number[]} */
  const found = [];
  for (const edges of drawn) {
    const k = boxes.findIndex((box, n) => n > (found.at(-1) ?? -1) && isAt(box, edges));
    if (k < 0) return null;
    found.push(k);
  }
  const places = images.map((image) => {
    /** @type {(Rect | null)[]} */
    const here = boxes.map(() => null);
    found.forEach((k, n) => (here[k] = rectOf(image[n], boxes[k])));
    return here;
  });
  return places.flat().some(Boolean) ? places : null;
}

/** @param {Edges | null | undefined} edges @param {Rect} box @returns {Rect | null} */
function rectOf(edges, box) {
  if (!edges || isAt(box, edges)) return null;
  const [x0, y0, x1, y1] = edges;
  return { x0, y0, x1, y1 };
}

/** Boxes where their subjects have ended; locked ones stay. @param {State} state @param {readonly (Rect | null)[]} places */
export function landed(state, places) {
  const boxes = state.boxes.map((box, k) => {
    const place = box.locked ? null : places[k];
    return place ? boxOf(place, box) : box;
  });
  return boxes.every((box, k) => box === state.boxes[k]) ? state : { ...state, boxes };
}
