import { isRestoring } from "./frontend.mjs";

/**
 * What a canvas remembers of itself. Undo makes every node anew, so it can't be kept on the node; another graph whose
 * layout happens to have the same id starts afresh. `list`: whether the list lies over a narrow canvas; `side`: whether it stands beside a wide one; `view`: what
 * part of the picture the stage shows, null for the whole; `weight`: of a subject, while its slider is dragged;
 * `image`: which of a batch's images is looked at; `agreed`: linked sides that a run has had as the graph says.
 * @typedef {{on: boolean, tool: string, brush: number, cells: boolean}} Paint painting: whether it is on, with which tool,
 *   the brush's width in pixels of the picture, whether cells are shown
 * @typedef {{selected: number[], list: boolean, side: boolean, pixels: boolean, full: boolean,
 *   view: {zoom: number, x: number, y: number} | null, weight: {id: string, weight: number} | null, paint: Paint,
 *   image: number, agreed: Set<string>}} Session
 */

/** What nodes have left behind that undo or redo took away. @type {Map<string, Session>} */
const left = new Map();

/** @returns {Session} */
export const freshSession = () => ({
  selected: [],
  list: false,
  side: true,
  pixels: true,
  full: false,
  view: null,
  weight: null,
  paint: { on: false, tool: "brush", brush: 96, cells: false },
  image: 0,
  agreed: new Set(),
});

/**
 * Names a node while it is in its graph: the same before and after an undo; a new root graph only gets its id when it
 *   is first saved.
 * @param {any} node
 * @returns {string}
 */
export const sessionKey = (node) => `${node.graph?.isRootGraph === false ? node.graph.id : "root"}:${node.id}`;

/** Leaves a session to the node that undo puts in this one's place; whether it may come.
 * @param {string} key @param {Session} session */
export function leaveBehind(key, session) {
  if (!isRestoring()) return false;
  left.set(key, session);
  return true;
}

/** What the node before this one has left, once. @param {string} key @returns {Session | null} */
export function takeUp(key) {
  if (!isRestoring()) left.clear();
  const found = left.get(key) ?? null;
  left.delete(key);
  return found;
}

/** The sessions that nobody has taken up. */
export const waiting = () => [...left.values()];
