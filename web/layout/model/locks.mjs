import { boxOf, reorder, select } from "./boxes.mjs";
import { clamp } from "./geometry.mjs";

/**
 * What happens to a whole layout leaves its locked boxes where they are: on the picture and in the order of subjects.
 * @typedef {import("./boxes.mjs").Box} Box
 * @typedef {import("./boxes.mjs").State} State
 * @typedef {import("./geometry.mjs").Rect} Rect
 */

/** @param {State} state */
export const hasLocked = (state) => state.boxes.some((box) => box.locked);

/** @param {State} state */
export const hasLockedSelected = (state) => state.selected.some((k) => state.boxes[k].locked);

/** Puts other rectangles under all else that the boxes have: names, colours, masks. Boxes beyond them go.
 * @param {State} state @param {readonly Rect[]} rects @returns {State} */
export function relaid(state, rects) {
  const boxes = rects.map((rect, k) => (state.boxes[k]?.locked ? state.boxes[k] : boxOf(rect, state.boxes[k] ?? {})));
  return { boxes: [...boxes, ...state.boxes.slice(rects.length).filter((box) => box.locked)], selected: [] };
}

/** Puts other boxes in place of those that are there, around the locked ones.
 * @param {State} state @param {readonly Box[]} others @returns {State} */
export function replaced(state, others) {
  const coming = [...others];
  const boxes = state.boxes.flatMap((box) => (box.locked ? [box] : coming.splice(0, 1)));
  return { boxes: [...boxes, ...coming], selected: [] };
}

/** Places in the order of subjects that are not held by a locked box. @param {State} state */
const freePlaces = (state) => [...state.boxes.keys()].filter((k) => !state.boxes[k].locked);

/** Moves the box at `from` to place `to` in the order of subjects, or as near as the locked boxes let it, which keep
 * their places. @param {State} state @param {number} from @param {number} to @returns {State} */
export function movedInOrder(state, from, to) {
  const places = freePlaces(state);
  const at = places.indexOf(from);
  if (at < 0) return state;
  const target = to > from ? places.findLastIndex((place) => place <= to) : places.findIndex((place) => place >= to);
  return movedAmong(state, places, at, target);
}

/**
 * Moves the selected boxes one place up (-1) or down (1) in the order of subjects, past locked ones.
 * @param {State} state @param {-1|1} step @returns {State}
 */
export function reorderSelected(state, step) {
  const places = freePlaces(state);
  const chosen = state.selected.filter((k) => !state.boxes[k].locked).map((k) => places.indexOf(k));
  if (step > 0) chosen.reverse();
  if (!chosen.length || chosen[0] + step < 0 || chosen[0] + step >= places.length) return state;
  return chosen.reduce((now, at) => movedAmong(now, places, at, at + step), state);
}

/** @param {State} state @param {number[]} places @param {number} at @param {number} to indices into `places` @returns {State} */
function movedAmong(state, places, at, to) {
  const among = reorder({ boxes: places.map((k) => state.boxes[k]), selected: [] }, at, clamp(to, 0, places.length - 1));
  const boxes = state.boxes.map((box, k) => (box.locked ? box : among.boxes[places.indexOf(k)]));
  if (boxes.every((box, k) => box === state.boxes[k])) return state;
  const chosen = new Set(state.selected.map((k) => state.boxes[k]));
  return select({ boxes, selected: [] }, [...boxes.keys()].filter((k) => chosen.has(boxes[k])));
}
