import {
  boundsOf,
  carried,
  contains,
  MIN_SIDE,
  overlaps,
  rectBetween,
  resized,
  settled,
  shifted,
  shiftInside,
  widthOf,
  heightOf,
  clamp,
} from "./geometry.mjs";
import { append, boxOf, change, duplicateSelected, movable, select } from "./boxes.mjs";
import { guidesFor, snapPoint, snapShift } from "./snapping.mjs";

/**
 * A gesture turns pointer positions into drafts of a new state. The state itself stays as it was until the gesture
 *   ends.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {import("./geometry.mjs").Point} Point
 * @typedef {import("./geometry.mjs").Handle} Handle
 * @typedef {import("./boxes.mjs").State} State
 * @typedef {import("./snapping.mjs").Guide} Guide
 * @typedef {import("./snapping.mjs").Lines} Lines
 * @typedef {{shift: boolean, alt: boolean, ctrl: boolean}} Modifiers
 * @typedef {{state: State, guides: Guide[], marquee: Rect | null, active: Rect | null}} Draft `active`: what is being
 *   moved
 * @typedef {{update: (point: Point, keys: Modifiers) => Draft, kind: string}} Gesture
 * @typedef {{
 *   aspect: number, reach: {x: number, y: number},
 *   lines: (moving: readonly number[]) => Lines | null,
 * }} Surroundings `aspect`: width / height of the picture in pixels; `lines`: what to snap to while those boxes move
 */

/** @type {Guide[]} */
const NO_GUIDES = [];

/** A new box from the pressed point. Shift: square; Alt: the pressed point is its centre.
 * @param {State} state @param {Point} origin @param {Surroundings} around @returns {Gesture} */
export function drawing(state, origin, around) {
  const lines = around.lines([]);
  const start = lines ? snapPoint(origin, lines, around.reach) : origin;
  return {
    kind: "draw",
    update(point, keys) {
      let to = { x: clamp(point.x), y: clamp(point.y) };
      if (lines && !keys.shift) to = snapPoint(to, lines, around.reach);
      const seed = { x0: clamp(start.x), y0: clamp(start.y), x1: clamp(start.x), y1: clamp(start.y) };
      const handle = /** @type {Handle} */ (`${to.y < start.y ? "n" : "s"}${to.x < start.x ? "w" : "e"}`);
      const rect =
        keys.shift || keys.alt
          ? resized(seed, handle, to, { fromCentre: keys.alt, ratio: keys.shift ? 1 / around.aspect : null })
          : rectBetween(start, to);
      if (widthOf(rect) < MIN_SIDE || heightOf(rect) < MIN_SIDE)
        return { state, guides: NO_GUIDES, marquee: null, active: null };
      const next = append(state, [boxOf(rect)]);
      return { state: next, guides: lines ? guidesFor(rect, lines) : NO_GUIDES, marquee: null, active: rect };
    },
  };
}

/** Shifts the selected boxes. Shift: along one axis only; Ctrl: without snapping.
 * @param {State} state
 * @param {Point} origin
 * @param {Surroundings} around
 * @param {{copy?: boolean}} [how]
 * @returns {Gesture} */
export function moving(state, origin, around, { copy = false } = {}) {
  const from = copy ? copied(state) : state;
  const indices = movable(from);
  const bounds = boundsOf(indices.map((k) => from.boxes[k]));
  const lines = around.lines(indices);
  return {
    kind: "move",
    update(point, keys) {
      if (!bounds) return { state, guides: NO_GUIDES, marquee: null, active: null };
      let dx = point.x - origin.x;
      let dy = point.y - origin.y;
      if (keys.shift) Math.abs(dx) * around.aspect > Math.abs(dy) ? (dy = 0) : (dx = 0);
      const snaps = lines && !keys.ctrl;
      if (snaps) {
        const pull = snapShift(shifted(bounds, dx, dy), lines, around.reach);
        if (!keys.shift || dx) dx += pull.dx;
        if (!keys.shift || dy) dy += pull.dy;
      }
      ({ dx, dy } = shiftInside(bounds, dx, dy));
      const active = shifted(bounds, dx, dy);
      return {
        state: change(from, indices, (box) => shifted(box, dx, dy)),
        marquee: null,
        active,
        guides: snaps ? guidesFor(active, lines) : NO_GUIDES,
      };
    },
  };
}

/** The selection doubled in place, the copies selected. @param {State} state @returns {State} */
function copied(state) {
  const doubled = duplicateSelected(state);
  const originals = state.selected.map((k) => state.boxes[k]);
  return change(doubled, doubled.selected, (box, k) =>
    boxOf(originals[k - state.boxes.length], { ...box, locked: false }),
  );
}

/**
 * Pulls a handle of the selection; a group is scaled as a whole.
 * Shift: keeps the aspect; Alt: from the centre; Ctrl: without snapping.
 * @param {State} state @param {Handle} handle @param {Point} origin @param {Surroundings} around @returns {Gesture} */
export function resizing(state, handle, origin, around) {
  const indices = movable(state);
  const bounds = /** @type {Rect} */ (boundsOf(indices.map((k) => state.boxes[k])));
  const lines = around.lines(indices);
  const ratio = widthOf(bounds) / heightOf(bounds);
  const axes = { x: handle.includes("w") || handle.includes("e"), y: handle.includes("n") || handle.includes("s") };
  const grip = {
    x: handle.includes("w") ? bounds.x0 : bounds.x1,
    y: handle.includes("n") ? bounds.y0 : bounds.y1,
  };
  return {
    kind: "resize",
    update(point, keys) {
      const snaps = lines && !keys.ctrl && !keys.shift;
      let to = { x: clamp(grip.x + point.x - origin.x), y: clamp(grip.y + point.y - origin.y) };
      if (snaps) to = snapPoint(to, lines, around.reach, axes);
      const rect = resized(bounds, handle, to, { fromCentre: keys.alt, ratio: keys.shift ? ratio : null });
      return {
        state: change(state, indices, (box) => carried(box, bounds, rect)),
        marquee: null,
        active: rect,
        guides: snaps ? guidesFor(rect, lines) : NO_GUIDES,
      };
    },
  };
}

/**
 * Selects what a rectangle touches, on top of what was selected.
 * @param {State} state
 * @param {Point} origin
 * @returns {Gesture}
 */
export function lassoing(state, origin) {
  return {
    kind: "lasso",
    update(point) {
      const marquee = rectBetween(origin, point);
      const caught = [...state.boxes.keys()].filter(
        (k) => !state.boxes[k].locked && overlaps(state.boxes[k], marquee) && !surrounds(state.boxes[k], marquee),
      );
      return { state: select(state, [...state.selected, ...caught]), guides: NO_GUIDES, marquee, active: null };
    },
  };
}

/** A large box that a small rectangle is drawn inside of is not meant. @param {Rect} outer @param {Rect} inner */
const surrounds = (outer, inner) =>
  contains(outer, { x: inner.x0, y: inner.y0 }) && contains(outer, { x: inner.x1, y: inner.y1 });

/**
 * The state to keep when a gesture ends: rounded, inside the picture.
 * @param {State} before
 * @param {Draft} draft
 * @returns {State}
 */
export function finished(before, draft) {
  const { state } = draft;
  if (state.boxes === before.boxes) return state;
  return { ...state, boxes: state.boxes.map((box, k) => (box === before.boxes[k] ? box : settled(box))) };
}
