/**
 * What a canvas remembers of itself while the page is open. Undo makes every node anew, so it can't be kept on the
 * node. `list`: whether the list lies over a narrow canvas; `side`: whether it stands beside a wide one; `view`: what
 * part of the picture the stage shows, null for the whole; `weight`: of a subject, while its slider is dragged;
 * `agreed`: linked sides that a run has had as the graph says.
 * @typedef {{on: boolean, tool: string, brush: number, cells: boolean}} Paint painting: whether it is on, with which tool,
 *   the brush's width in pixels of the picture, whether cells are shown
 * @typedef {{selected: number[], focused: boolean, list: boolean, side: boolean, pixels: boolean, full: boolean,
 *   view: {zoom: number, x: number, y: number} | null, weight: {id: string, weight: number} | null, paint: Paint,
 *   agreed: Set<string>}} Session
 */

/** @type {Map<string, Session>} */
const sessions = new Map();

/**
 * The same before and after an undo; a new root graph only gets its id when it is first saved.
 * @param {any} node
 * @returns {string}
 */
export const sessionKey = (node) => `${node.graph?.isRootGraph === false ? node.graph.id : "root"}:${node.id}`;

/** @param {string} key @returns {Session} */
export function sessionOf(key) {
  const known = sessions.get(key);
  if (known) return known;
  const fresh = {
    selected: [],
    focused: false,
    list: false,
    side: true,
    pixels: true,
    full: false,
    view: null,
    weight: null,
    paint: { on: false, tool: "brush", brush: 96, cells: false },
    agreed: new Set(),
  };
  sessions.set(key, fresh);
  return fresh;
}
