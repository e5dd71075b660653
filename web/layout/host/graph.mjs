import { NOBODY } from "../model/subjects.mjs";

/**
 * Walking the graph upstream: where a value comes from, and which subjects a layout's encoder is fed with.
 * Nothing here touches the page; `Reader` brings in what only the host knows.
 * @typedef {any} Node
 * @typedef {{node: Node, slot: number}} Origin
 * @typedef {import("../model/subjects.mjs").Subject} Subject
 * @typedef {{
 *   root: any,
 *   linkAt: (node: Node, slot: number) => any,
 *   fileUrl: (record: {filename: string, subfolder?: string, type?: string}) => string,
 *   outputsOf: (node: Node) => any,
 *   evenSilent?: boolean,
 *   visit?: (node: Node) => void,
 * }} Reader `visit`: hears of every node that is read; `evenSilent`: walk through muted nodes and stop at bypassed ones, as if they acted
 */

const DEEPEST = 60;
const SUBJECT = "MSDiffusionSubject";
const MUTED = 2;
const BYPASSED = 4;

/** The id of a subgraph's inner input side, as links name it. */
const SUBGRAPH_INPUT = "-10";

/** All graphs: the root and every subgraph definition. @param {any} root @returns {any[]} */
export const allGraphs = (root) => [root, ...(root?.subgraphs?.values?.() ?? [])].filter(Boolean);

/** @param {any} root @returns {Node[]} */
export const allNodes = (root) => allGraphs(root).flatMap((graph) => graph.nodes ?? graph._nodes ?? []);

/** @param {Node} node @param {string} name */
export const inputSlot = (node, name) =>
  (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === name);

/** @param {Node} node */
export const isActive = (node) => node.mode !== MUTED && node.mode !== BYPASSED;

/**
 * Nodes that an input's value really comes from: through reroutes, bypassed nodes and the walls of subgraphs. More
 *   than one
 * only from inside a subgraph that stands in several places.
 * @param {Reader} reader
 * @param {Node} node
 * @param {number} slot
 * @param {Node[]} [entered] subgraph nodes walked into
 * @param {number} [depth]
 * @returns {Origin[]}
 */
export function origins(reader, node, slot, entered = [], depth = 0) {
  reader.visit?.(node);
  if (slot < 0 || depth > DEEPEST) return [];
  const link = reader.linkAt(node, slot);
  if (!link) return [];
  return originsOfLink(reader, node.graph, link, entered, depth);
}

/**
 * @param {Reader} reader
 * @param {any} graph
 * @param {any} link
 * @param {Node[]} entered
 * @param {number} depth
 * @returns {Origin[]}
 */
function originsOfLink(reader, graph, link, entered, depth) {
  if (String(link.origin_id) === SUBGRAPH_INPUT) {
    const last = entered[entered.length - 1];
    const hosts = last?.subgraph === graph ? [last] : allNodes(reader.root).filter((node) => node.subgraph === graph);
    const outer = last?.subgraph === graph ? entered.slice(0, -1) : entered;
    return hosts.flatMap((host) => origins(reader, host, link.origin_slot, outer, depth + 1));
  }
  return resolved(reader, graph.getNodeById(link.origin_id), link.origin_slot, entered, depth);
}

/**
 * @param {Reader} reader
 * @param {Node} node
 * @param {number} slot
 * @param {Node[]} entered
 * @param {number} depth
 * @returns {Origin[]}
 */
function resolved(reader, node, slot, entered, depth) {
  if (node) reader.visit?.(node);
  if (!node || (node.mode === MUTED && !reader.evenSilent) || depth > DEEPEST) return [];
  if (node.mode === BYPASSED && !reader.evenSilent) {
    const type = node.outputs?.[slot]?.type;
    const same = (node.inputs ?? []).findIndex(
      (/** @type {any} */ input, /** @type {number} */ k) => input.type === type && reader.linkAt(node, k),
    );
    return origins(reader, node, same, entered, depth + 1);
  }
  if (node.subgraph) {
    const { outputs, links } = node.subgraph;
    // Ids of links that are gone may stay in the list.
    const link = (outputs?.[slot]?.linkIds ?? []).map((/** @type {number} */ id) => links?.get(id)).find(Boolean);
    return link ? originsOfLink(reader, node.subgraph, link, [...entered, node], depth + 1) : [];
  }
  if (node.type === "Reroute") return origins(reader, node, 0, entered, depth + 1);
  if (node.isVirtualNode && node.getInputLink) {
    const link = node.getInputLink(slot);
    if (link) return originsOfLink(reader, node.graph, link, entered, depth + 1);
  }
  return [{ node, slot }];
}

/**
 * The nodes of a type whose named input is fed by a node.
 * @param {Reader} reader
 * @param {Node} source
 * @param {string} type
 * @param {string} input
 */
export const fedBy = (reader, source, type, input) =>
  allNodes(reader.root).filter(
    (node) =>
      node.type === type &&
      isActive(node) &&
      origins(reader, node, inputSlot(node, input)).some((origin) => origin.node === source),
  );

/**
 * The encoder that a layout feeds; of several, the one with most subjects.
 * @param {Reader} reader @param {Node} layoutNode @returns {Node | null}
 */
export function encoderOf(reader, layoutNode) {
  const encoders = fedBy(reader, layoutNode, "MSDiffusionEncode", "layout");
  if (!encoders.length) return null;
  const count = (/** @type {Node} */ encoder) => subjectNodes(reader, encoder).filter(Boolean).length;
  return encoders.reduce((most, one) => (count(one) > count(most) ? one : most));
}

/**
 * The nodes whose subjects an encoder's sockets bring, muted and bypassed ones too; null for a socket without one.
 * @param {Reader} reader @param {Node} encoder @returns {(Node | null)[]}
 */
export function subjectNodes(reader, encoder) {
  /** @type {(Node | null)[]} */
  const nodes = [];
  for (const [slot, input] of (encoder.inputs ?? []).entries()) {
    const number = /^subjects\.subject(\d+)$/.exec(input.name ?? "")?.[1];
    const origin = number === undefined ? null : origins({ ...reader, evenSilent: true }, encoder, slot)[0];
    if (origin) nodes[Number(number)] = origin.node;
  }
  return Array.from(nodes, (node) => node ?? null);
}

/**
 * Subjects that wait for an encoder: those of a layout's graph that feed nothing yet, while no other layout there could
 *   mean them.
 * @param {Reader} reader @param {Node} layoutNode @returns {Node[]}
 */
export function waitingSubjects(reader, layoutNode) {
  const nodes = layoutNode.graph?.nodes ?? layoutNode.graph?._nodes ?? [];
  const others = nodes.some(
    (/** @type {Node} */ node) => node !== layoutNode && node.type === layoutNode.type && !encoderOf(reader, node),
  );
  if (others) return [];
  return nodes
    .filter((/** @type {Node} */ node) => node.type === SUBJECT && !isFeeding(node))
    .sort((/** @type {Node} */ a, /** @type {Node} */ b) => Number(a.id) - Number(b.id));
}

/** @param {Node} node */
const isFeeding = (node) =>
  node.isOutputConnected ? node.isOutputConnected(0) : Boolean(node.outputs?.[0]?.links?.length);

/**
 * The nodes of the subjects that a layout's boxes belong to, in their order, whether an encoder takes them or they wait
 *   for one.
 * @param {Reader} reader @param {Node} layoutNode @returns {{encoder: Node | null, nodes: (Node | null)[]}}
 */
export function subjectsBehind(reader, layoutNode) {
  const encoder = encoderOf(reader, layoutNode);
  return { encoder, nodes: encoder ? subjectNodes(reader, encoder) : waitingSubjects(reader, layoutNode) };
}

/**
 * Subjects in the order of their boxes; null where no encoder is fed by the layout and none waits for one.
 * @param {Reader} reader @param {Node} layoutNode @param {ReturnType<typeof subjectsBehind>} [behind]
 * @returns {Subject[] | null}
 */
export function subjectsOf(reader, layoutNode, { encoder, nodes } = subjectsBehind(reader, layoutNode)) {
  if (!encoder && !nodes.length) return null;
  return nodes.map((node, k) => {
    if (!node) return NOBODY;
    const slot = encoder ? inputSlot(encoder, `subjects.subject${k}`) : -1;
    return { ...describe(reader, node), part: partOf(reader, node, encoder, slot) };
  });
}

/**
 * What a run makes of a subject.
 * @param {Reader} reader @param {Node} node @param {Node | null} encoder @param {number} slot
 * @returns {import("../model/subjects.mjs").Part}
 */
function partOf(reader, node, encoder, slot) {
  if (node.mode === BYPASSED) return "bypassed";
  if (node.mode === MUTED || (encoder && !origins(reader, encoder, slot).length)) return "muted";
  if (node.type === SUBJECT && !origins(reader, node, inputSlot(node, "image")).length) return "no_photo";
  return "acting";
}

/** @param {unknown} value @returns {import("../model/subjects.mjs").Fit} */
const fitOf = (value) => (value === "pad" || value === "crop" ? value : "stretch");

/** @param {Reader} reader @param {Node} node @returns {Omit<Subject, "part">} */
function describe(reader, node) {
  const weight = Number(valueOf(reader, node, "weight") ?? 1);
  return {
    id: `${node.graph?.id ?? ""}:${node.id}`,
    phrase: String(valueOf(reader, node, "phrase") ?? node.title ?? "").trim(),
    weight: Number.isFinite(weight) ? weight : 1,
    picture: pictureBehind(reader, node, "image"),
    shape: shapeBehind(reader, node),
    fit: fitOf(valueOf(reader, node, "fit")),
  };
}

/**
 * Where a subject's cut-out says what is inside: in the alpha of its picture, or in the file that its mask comes from.
 * @param {Reader} reader @param {Node} node @returns {import("../model/masks.mjs").Shape | null}
 */
function shapeBehind(reader, node) {
  const [mask] = origins(reader, node, inputSlot(node, "mask"));
  if (!mask) {
    const url = pictureBehind(reader, node, "image");
    return url ? { url, channel: "alpha", inverted: false } : null;
  }
  const url = pictureOf(reader, mask.node, 0);
  const chosen = mask.node.type === "LoadImageMask" ? valueOf(reader, mask.node, "channel") : "alpha";
  if (!url || !["LoadImage", "LoadImageMask"].includes(mask.node.type)) return null;
  // Both loaders turn alpha round; what is white may also be the background.
  const inverted = (chosen === "alpha") !== (valueOf(reader, node, "mask_is") === "background");
  return { url, channel: chosen, inverted };
}

/** Widgets that outputs of another name show. @type {Record<string, Record<string, string>>} */
const SHOWN_WIDGETS = { MSDiffusionDemoSubject: { phrase: "kind" } };

/**
 * The node of a subgraph on whose outside a widget stands, and its name there; null where it stands inside alone.
 * @param {Reader} reader @param {Node} node @param {number} slot
 * @returns {{node: Node, name: string} | null}
 */
function outside(reader, node, slot) {
  const link = slot < 0 ? null : reader.linkAt(node, slot);
  if (String(link?.origin_id) !== SUBGRAPH_INPUT) return null;
  const hosts = allNodes(reader.root).filter((host) => host.subgraph === node.graph);
  const name = hosts[0]?.inputs?.[link.origin_slot]?.name;
  // Of a subgraph that stands in several places nothing tells which is meant.
  return hosts.length === 1 && name ? { node: hosts[0], name } : null;
}

/**
 * The value of a widget, or of the widget that its linked input comes from; null where the graph does not tell it.
 * @param {Reader} reader
 * @param {Node} node
 * @param {string} name
 * @param {number} [depth]
 * @returns {any}
 */
export function valueOf(reader, node, name, depth = 0) {
  const slot = inputSlot(node, name);
  const origin = origins(reader, node, slot)[0];
  if (origin) return depth < DEEPEST ? outputValue(reader, origin, depth + 1) : null;
  const promoted = depth < DEEPEST ? outside(reader, node, slot) : null;
  if (promoted) return valueOf(reader, promoted.node, promoted.name, depth + 1);
  return node.widgets?.find((/** @type {any} */ widget) => widget.name === name)?.value ?? null;
}

/**
 * What an output gives: the widget of its name; of a node with one output, its value or its only widget.
 * @param {Reader} reader @param {Origin} origin @param {number} depth
 */
function outputValue(reader, { node, slot }, depth) {
  const names = (node.widgets ?? []).map((/** @type {any} */ { name }) => name);
  const output = String(node.outputs?.[slot]?.name ?? "");
  const shown = SHOWN_WIDGETS[node.type]?.[output] ?? output;
  if (names.includes(shown)) return valueOf(reader, node, shown, depth);
  if (node.outputs?.length !== 1) return null;
  const only = names.includes("value") ? "value" : names.length === 1 ? names[0] : null;
  return only === null ? null : valueOf(reader, node, only, depth);
}

/**
 * The address of the picture that reaches an input, if the page knows it: the linked node's own, else that of a node
 *   before it.
 * @param {Reader} reader
 * @param {Node} node
 * @param {string} input
 * @param {number} [further] how many nodes before it may be asked
 * @returns {string | null}
 */
export function pictureBehind(reader, node, input, further = 12) {
  const origin = origins(reader, node, inputSlot(node, input))[0];
  return origin ? pictureOf(reader, origin.node, further) : null;
}

/** @param {Reader} reader @param {Node} node @param {number} further @returns {string | null} */
function pictureOf(reader, node, further) {
  const file = node.widgets?.find(
    (/** @type {any} */ widget) => widget.name === "image" && typeof widget.value === "string",
  )?.value;
  if (file) return reader.fileUrl(fileRecord(file));
  const record = reader.outputsOf(node)?.images?.[0];
  if (record?.filename) return reader.fileUrl(record);
  if (node.imgs?.[0]?.src) return node.imgs[0].src;
  if (further === 0) return null;
  for (const [slot, input] of (node.inputs ?? []).entries()) {
    if (input.type !== "IMAGE") continue;
    const origin = origins(reader, node, slot)[0];
    const found = origin && pictureOf(reader, origin.node, further - 1);
    if (found) return found;
  }
  return null;
}

/** "folder/name.png [output]" as a record. @param {string} value */
export function fileRecord(value) {
  const [, path, type] = /^(.*?)(?:\s+\[(\w+)\])?$/.exec(value) ?? [, value];
  const parts = String(path).split("/");
  return { filename: String(parts.pop()), subfolder: parts.join("/"), type: type ?? "input" };
}
