import { centreOf } from "./geometry.mjs";

/**
 * Lines that a moving edge is drawn to, and the guides that show it.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {import("./geometry.mjs").Point} Point
 * @typedef {"picture"|"thirds"|"box"|"grid"} LineKind
 * @typedef {{at: number, kind: LineKind, from: number, to: number}} Line `from`..`to`: what the line runs along,
 *   across its axis
 * @typedef {{x: Line[], y: Line[]}} Lines
 * @typedef {{axis: "x"|"y", at: number, from: number, to: number, kind: LineKind}} Guide
 * @typedef {{x: number, y: number}} Reach how near is near, in fractions
 */

/** A grid line draws less than a line with a meaning does. */
const GRID_PULL = 0.6;

const EPSILON = 1e-6;

/**
 * @param {{others: readonly Rect[], picture?: boolean, thirds?: boolean, grid?: {x: number, y: number} | null}} sources
 *   `grid`: the step in fractions of the picture
 * @returns {Lines}
 */
export function snapLines({ others, picture = true, thirds = true, grid = null }) {
  /** @type {Lines} */
  const lines = { x: [], y: [] };
  /** @param {number} at @param {LineKind} kind */
  const both = (at, kind) => {
    lines.x.push({ at, kind, from: 0, to: 1 });
    lines.y.push({ at, kind, from: 0, to: 1 });
  };
  if (picture) [0, 0.5, 1].forEach((at) => both(at, "picture"));
  if (thirds) [1 / 3, 2 / 3].forEach((at) => both(at, "thirds"));
  for (const other of others) {
    const middle = centreOf(other);
    for (const at of [other.x0, middle.x, other.x1]) lines.x.push({ at, kind: "box", from: other.y0, to: other.y1 });
    for (const at of [other.y0, middle.y, other.y1]) lines.y.push({ at, kind: "box", from: other.x0, to: other.x1 });
  }
  if (grid) {
    for (let at = grid.x; at < 1 - EPSILON; at += grid.x) lines.x.push({ at, kind: "grid", from: 0, to: 1 });
    for (let at = grid.y; at < 1 - EPSILON; at += grid.y) lines.y.push({ at, kind: "grid", from: 0, to: 1 });
  }
  return lines;
}

/** The way from the nearest of `places` to a line in reach; 0 if none is.
 * @param {readonly number[]} places @param {readonly Line[]} lines @param {number} reach */
function pull(places, lines, reach) {
  let best = 0;
  let nearest = Infinity;
  for (const line of lines) {
    const limit = line.kind === "grid" ? reach * GRID_PULL : reach;
    for (const place of places) {
      const distance = Math.abs(line.at - place);
      const rank = line.kind === "grid" ? distance / GRID_PULL : distance;
      if (distance <= limit && rank < nearest) {
        nearest = rank;
        best = line.at - place;
      }
    }
  }
  return best;
}

/**
 * How far to shift a rectangle so that its edges or its middle fall on lines.
 * @param {Rect} rect
 * @param {Lines} lines
 * @param {Reach} reach
 */
export function snapShift(rect, lines, reach) {
  const middle = centreOf(rect);
  return {
    dx: pull([rect.x0, middle.x, rect.x1], lines.x, reach.x),
    dy: pull([rect.y0, middle.y, rect.y1], lines.y, reach.y),
  };
}

/**
 * A point drawn to lines on the axes that matter.
 * @param {Point} point
 * @param {Lines} lines
 * @param {Reach} reach
 * @param {{x?: boolean, y?: boolean}} [axes]
 * @returns {Point}
 */
export function snapPoint(point, lines, reach, { x = true, y = true } = {}) {
  return {
    x: x ? point.x + pull([point.x], lines.x, reach.x) : point.x,
    y: y ? point.y + pull([point.y], lines.y, reach.y) : point.y,
  };
}

/**
 * The lines that edges or middle of the rectangle now lie on, as guides. Grid lines need none.
 * @param {Rect} rect
 * @param {Lines} lines
 * @returns {Guide[]}
 */
export function guidesFor(rect, lines) {
  const middle = centreOf(rect);
  /** @type {Map<string, Guide>} */
  const guides = new Map();
  /** @param {"x"|"y"} axis @param {number[]} places @param {number} from @param {number} to */
  const collect = (axis, places, from, to) => {
    for (const line of lines[axis]) {
      if (line.kind === "grid" || !places.some((place) => Math.abs(place - line.at) < EPSILON)) continue;
      const key = `${axis}${line.at.toFixed(5)}`;
      const known = guides.get(key);
      guides.set(key, {
        axis,
        at: line.at,
        kind: known && known.kind !== "box" ? known.kind : line.kind,
        from: Math.min(from, line.from, known?.from ?? 1),
        to: Math.max(to, line.to, known?.to ?? 0),
      });
    }
  };
  collect("x", [rect.x0, middle.x, rect.x1], rect.y0, rect.y1);
  collect("y", [rect.y0, middle.y, rect.y1], rect.x0, rect.x1);
  return [...guides.values()];
}
