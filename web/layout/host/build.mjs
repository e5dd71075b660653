import { asOneStep, createNode, giveValue } from "./frontend.mjs";
import { inputSlot, origins } from "./graph.mjs";
import { freeSpot } from "../model/places.mjs";

/**
 * Writing to the graph: subjects from photos, and their values. What is made here stands in the saved workflow, so it
 *   is placed and linked as a careful user would.
 * @typedef {import("./graph.mjs").Node} Node
 * @typedef {import("./graph.mjs").Reader} Reader
 * @typedef {import("../model/places.mjs").Area} Area
 * @typedef {{path: string, transparent: boolean, phrase: string}} Photo `path`: the value of *Load Image*
 */

export const TITLE_BAR = 30;
const GAP = 40;
const SOCKET = 20;

/** Nodes 2.0 draws no node narrower, whatever its size says. */
const NARROWEST = 225;

/** Room for a loader with its preview and for a subject, so that neither grows into what is below. */
const LOADER = { w: 300, h: 370 };
const SUBJECT = { w: 290, h: 264 };

/** Inputs of an encoder in order. @param {number} k */
export const socketName = (k) => `subjects.subject${k}`;

/** What a node covers, with its title. @param {Node} node @returns {Area} */
export function areaOf(node) {
  const [x, y] = node.pos;
  if (node.flags?.collapsed) return { x, y: y - TITLE_BAR, w: node._collapsed_width ?? 160, h: TITLE_BAR };
  return { x, y: y - TITLE_BAR, w: Math.max(node.size[0], NARROWEST), h: node.size[1] + TITLE_BAR };
}

/** @param {any} graph @returns {Area[]} */
export const takenAreas = (graph) => (graph.nodes ?? graph._nodes ?? []).map(areaOf);

/**
 * Puts a new node into a graph.
 * @param {any} graph
 * @param {string} type
 * @param {{x: number, y: number}} at its upper left corner, title included
 * @param {Record<string, any>} [values] of widgets
 * @param {{w?: number, h?: number}} [size] at least
 * @returns {Node}
 */
export function addNode(graph, type, at, values = {}, { w = 0, h = 0 } = {}) {
  const node = createNode(type);
  if (!node) throw new Error(type);
  // A node that gets the number of a deleted one may be handed its values.
  const fresh = (node.widgets ?? []).map((/** @type {any} */ widget) => widget.value);
  node.pos = [at.x, at.y + TITLE_BAR];
  graph.add(node);
  node.widgets?.forEach((/** @type {any} */ widget, /** @type {number} */ k) => {
    if (widget.value !== fresh[k]) widget.value = fresh[k];
  });
  node.setSize?.([Math.max(node.size[0], w), Math.max(node.size[1], h - TITLE_BAR)]);
  for (const [name, value] of Object.entries(values)) setWidget(node, name, value);
  return node;
}

/** @param {Node} node @param {string} name @param {any} value */
export function setWidget(node, name, value) {
  const widget = node.widgets?.find((/** @type {any} */ one) => one.name === name);
  if (widget) giveValue(node, widget, value);
}

/**
 * *Load Image* and *MS-Diffusion Subject* for a photo, linked with each other, left of the node that is to take them
 *   and below the subject before.
 * @param {Node} taker
 * @param {Node | null} before the last subject there is
 * @param {Photo} photo
 * @returns {Node} the subject
 */
export function addSubject(taker, before, { path, transparent, phrase }) {
  const { graph } = taker;
  const size = { w: LOADER.w + GAP + SUBJECT.w, h: Math.max(LOADER.h, SUBJECT.h) };
  const rightmost = taker.pos[0] - GAP;
  const above = before && before.graph === graph ? areaOf(before) : null;
  const wanted = above
    ? { x: above.x + above.w - size.w, y: above.y + above.h + GAP, ...size }
    : { x: rightmost - size.w - GAP, y: taker.pos[1] - TITLE_BAR, ...size };
  const { x, y } = freeSpot(takenAreas(graph), wanted, { gap: GAP / 2, rightmost });
  const loader = addNode(graph, "LoadImage", { x, y }, { image: path }, { w: LOADER.w, h: LOADER.h - GAP / 2 });
  const values = { phrase, ...(transparent ? { mask_is: "background" } : {}) };
  const subject = addNode(graph, "MSDiffusionSubject", { x: x + LOADER.w + GAP, y }, values, { w: SUBJECT.w });
  loader.connect(0, subject, inputSlot(subject, "image"));
  if (transparent) linkMask(loader, subject);
  return subject;
}

/** *Load Image*'s MASK shows what is transparent. @param {Node} loader @param {Node} subject */
function linkMask(loader, subject) {
  loader.connect(1, subject, inputSlot(subject, "mask"));
  setWidget(subject, "mask_is", "background");
}

/** Whether an encoder has a socket of that number. @param {Node} encoder @param {number} k */
export const hasSocket = (encoder, k) => inputSlot(encoder, socketName(k)) >= 0;

/** @param {Node} subject @param {Node} encoder @param {number} k */
export function linkSubject(subject, encoder, k) {
  subject.connect(0, encoder, inputSlot(encoder, socketName(k)));
  // When a graph is loaded, an undone one too, growing inputs show one more free socket; without room for it the
  // node would grow then, which would be a change of its own.
  const height = encoder.computeSize?.()[1] ?? 0;
  if (encoder.size[1] < height + SOCKET) encoder.setSize([encoder.size[0], height + SOCKET]);
}

/**
 * The loader that a subject's photo comes from, or the node that it comes from instead.
 * @param {Reader} reader @param {Node} subject @returns {{loader: Node | null, source: Node | null}}
 */
export function photoSource(reader, subject) {
  const seen = { ...reader, evenSilent: true };
  const source = origins(seen, subject, inputSlot(subject, "image"))[0]?.node ?? null;
  const own = source?.type === "LoadImage" && !origins(seen, source, inputSlot(source, "image")).length;
  return { loader: own ? source : null, source };
}

/**
 * Gives a subject another photo through its loader, or one of its own if it has none. A mask that came out of the old
 *   file can't be meant for the new one: there it shows what is transparent.
 * @param {Reader} reader @param {Node} subject @param {Photo} photo
 */
export function replacePhoto(reader, subject, photo) {
  const { loader } = photoSource(reader, subject);
  if (!loader) return;
  setWidget(loader, "image", photo.path);
  const mask = origins({ ...reader, evenSilent: true }, subject, inputSlot(subject, "mask"))[0];
  if (mask?.node === loader) setWidget(subject, "mask_is", "background");
  else if (!mask && photo.transparent && loader.graph === subject.graph) linkMask(loader, subject);
}

/**
 * The widget that holds a node's value: its own, or that of the primitive it is linked to.
 * @param {Reader} reader
 * @param {Node} node
 * @param {string} name
 * @returns {{owner: Node, widget: any}} `widget` null: the value comes from `owner`, which alone can change it
 */
export function widgetBehind(reader, node, name) {
  const slot = inputSlot(node, name);
  const linked = slot >= 0 && reader.linkAt(node, slot);
  if (!linked) return { owner: node, widget: widgetNamed(node, name) };
  const owner = origins({ ...reader, evenSilent: true }, node, slot)[0]?.node ?? node;
  const primitive = owner !== node && /^Primitive/.test(owner.type ?? "");
  return { owner, widget: primitive ? (owner.widgets?.[0] ?? null) : null };
}

/** @param {Node} node @param {string} name */
const widgetNamed = (node, name) => node.widgets?.find((/** @type {any} */ one) => one.name === name) ?? null;

/**
 * Writes a subject's value where it is kept, as one step of the undo history.
 * @param {Reader} reader @param {Node} node @param {string} name @param {any} value
 * @returns {boolean} false where only another node can change it
 */
export function writeValue(reader, node, name, value) {
  const { owner, widget } = widgetBehind(reader, node, name);
  if (!widget) return false;
  if (widget.value !== value) asOneStep(() => giveValue(owner, widget, value));
  return true;
}
