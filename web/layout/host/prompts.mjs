import { allNodes, inputSlot, isActive, origins, valueOf } from "./graph.mjs";

/**
 * The positive prompts with which an encoder's subjects are sampled, as far as the graph tells them.
 * @typedef {import("./graph.mjs").Reader} Reader
 * @typedef {import("./graph.mjs").Node} Node
 */

const TEXT_ENCODER = /^CLIPTextEncode/;
const TEXTS = ["text", "text_g", "text_l"];
const TO_THE_SAMPLER = ["MODEL", "MSD_EMBEDS"];

/**
 * The texts of all samplers behind an encoder; null where there is none, or one's text is not known before a run.
 * @param {Reader} reader @param {Node} encoder @returns {string[] | null}
 */
export function promptsOf(reader, encoder) {
  /** @type {string[]} */
  const texts = [];
  for (const node of allNodes(reader.root)) {
    const slot = Math.max(inputSlot(node, "positive"), inputSlot(node, "conditioning"));
    if (slot < 0 || inputSlot(node, "model") < 0 || !isActive(node) || !isFedBy(reader, node, encoder)) continue;
    const found = textsBehind(reader, node, slot, new Set());
    if (!found?.length) return null;
    texts.push(...found);
  }
  return texts.length ? texts : null;
}

/**
 * Whether a node's model has met what an encoder made.
 * @param {Reader} reader @param {Node} node @param {Node} encoder @param {Set<Node>} [met]
 * @returns {boolean}
 */
function isFedBy(reader, node, encoder, met = new Set()) {
  if (node === encoder) return true;
  if (met.has(node)) return false;
  met.add(node);
  return (node.inputs ?? []).some(
    (/** @type {any} */ input, /** @type {number} */ slot) =>
      TO_THE_SAMPLER.includes(input.type) &&
      origins(reader, node, slot).some((origin) => isFedBy(reader, origin.node, encoder, met)),
  );
}

/**
 * The texts that a conditioning comes from; null where one is not known.
 * @param {Reader} reader @param {Node} node @param {number} slot @param {Set<Node>} met
 * @returns {string[] | null}
 */
function textsBehind(reader, node, slot, met) {
  /** @type {string[]} */
  const texts = [];
  for (const origin of origins(reader, node, slot)) {
    if (met.has(origin.node)) continue;
    met.add(origin.node);
    const found = TEXT_ENCODER.test(origin.node.type)
      ? TEXTS.map((name) => valueOf(reader, origin.node, name)).filter((text) => typeof text === "string")
      : behindPassing(reader, origin, met);
    if (!found?.length) return null;
    texts.push(...found);
  }
  return texts;
}

/**
 * The texts behind a node that changes conditionings: behind the input of its output's name, else behind all of them.
 * @param {Reader} reader @param {import("./graph.mjs").Origin} origin @param {Set<Node>} met
 */
function behindPassing(reader, { node, slot }, met) {
  const twin = inputSlot(node, node.outputs?.[slot]?.name);
  /** @type {number[]} */
  const slots = twin >= 0 ? [twin] : (node.inputs ?? []).flatMap((/** @type {any} */ input, /** @type {number} */ k) => (input.type === "CONDITIONING" ? [k] : []));
  /** @type {string[]} */
  const texts = [];
  for (const one of slots) {
    const found = textsBehind(reader, node, one, met);
    if (!found) return null;
    texts.push(...found);
  }
  return texts;
}
