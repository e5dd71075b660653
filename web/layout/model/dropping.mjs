import { append, boxesAt, boxOf, freePlace, reorder, shared } from "./boxes.mjs";
import { areaOf, shifted, shiftInside } from "./geometry.mjs";

/**
 * Where photos land that are dropped on a layout, and how the boxes' order follows from it. The k-th box belongs to the
 *   k-th socket, and a new subject takes the socket after those in use, so its box goes to that place in the order.
 * @typedef {import("./boxes.mjs").State} State
 * @typedef {import("./boxes.mjs").Box} Box
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {import("./geometry.mjs").Point} Point
 * @typedef {import("./subjects.mjs").Subject} Subject
 * @typedef {{kind: "replace" | "take" | "new", k: number}} Landing `replace`: the k-th subject gets the photo; `take`:
 *   the k-th box has no subject and gets a new one; `new`: a new box for a new subject
 */

/** Share of the frame that a new photo's box has. */
const SHARE = 0.25;
const WIDEST = 0.92;

/**
 * @param {readonly Box[]} boxes
 * @param {readonly Subject[] | null} subjects
 * @param {Point} point
 * @returns {Landing}
 */
export function landingAt(boxes, subjects, point) {
  const k = boxesAt(boxes, point)[0];
  if (k === undefined) return { kind: "new", k: -1 };
  return { kind: (subjects?.[k]?.part ?? "empty") === "empty" ? "take" : "replace", k };
}

/**
 * A box with a photo's aspect around a point, inside the frame.
 * @param {Point} point
 * @param {number} photo width by height of the photo
 * @param {number} frame width by height of the frame
 * @param {number} [share] of the frame's area
 * @returns {Rect}
 */
export function photoRect(point, photo, frame, share = SHARE) {
  const ratio = photo / frame;
  const fit = Math.min(1, WIDEST / Math.sqrt(share * ratio), WIDEST / Math.sqrt(share / ratio));
  const [w, h] = [Math.sqrt(share * ratio) * fit, Math.sqrt(share / ratio) * fit];
  const [x0, y0] = [Math.min(Math.max(point.x - w / 2, 0), 1 - w), Math.min(Math.max(point.y - h / 2, 0), 1 - h)];
  return { x0, y0, x1: x0 + w, y1: y0 + h };
}

/**
 * A place for one more photo of the same drop: the least covered, then the nearest one.
 * @param {readonly Rect[]} boxes
 * @param {Point} near
 * @param {number} photo
 * @param {number} frame
 * @returns {Rect}
 */
export function photoPlace(boxes, near, photo, frame) {
  /** @type {{rect: Rect, cost: number} | null} */
  let best = null;
  for (const share of [SHARE, SHARE / 2, SHARE / 4]) {
    const start = photoRect(near, photo, frame, share);
    for (let step = 0; step < 81; step++) {
      const [dx, dy] = [(step % 9) / 8 - near.x, Math.floor(step / 9) / 8 - near.y];
      const inside = shiftInside(start, dx, dy);
      const rect = shifted(start, inside.dx, inside.dy);
      const covered = boxes.reduce((sum, box) => sum + shared(rect, box), 0) / areaOf(rect);
      const cost = covered + 0.05 * Math.hypot(inside.dx, inside.dy) + 0.4 * (1 - share / SHARE);
      if (!best || cost < best.cost - 1e-9) best = { rect, cost };
    }
  }
  return /** @type {{rect: Rect, cost: number}} */ (best).rect;
}

/**
 * The layout with boxes for new subjects, each at the place of its socket. Subjects that had no box get one, or the
 *   new photo would stand in theirs.
 * @param {State} state
 * @param {number} used sockets in use
 * @param {{landing: Landing, rect: Rect}[]} photos of new subjects, in the order of their sockets
 * @param {(k: number) => boolean} [isEmpty] whether the k-th socket is free although a later one is in use
 * @returns {{state: State, sockets: number[], added: number}} `sockets`: for each photo; `added`: boxes drawn for
 *   subjects that had none
 */
export function withPhotos(state, used, photos, isEmpty = () => false) {
  let next = state;
  let free = used;
  let added = 0;
  // Boxes are known by themselves, because their places change.
  const taken = photos.map(({ landing }) => (landing.kind === "take" ? state.boxes[landing.k] : null));
  const sockets = photos.map(({ rect }, n) => {
    const box = taken[n];
    const at = box ? next.boxes.indexOf(box) : -1;
    if (at >= 0 && at < free && isEmpty(at)) return at;
    while (next.boxes.length < free) {
      next = append(next, [boxOf(freePlace([...next.boxes, ...photos.map((photo) => photo.rect)]))]);
      added++;
    }
    if (at < 0) next = append(next, [boxOf(rect)]);
    next = reorder(next, at < 0 ? next.boxes.length - 1 : at, free);
    return free++;
  });
  return { state: { ...next, selected: sockets.slice(0, 1) }, sockets, added };
}
