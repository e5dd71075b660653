import { allNodes, fedBy, inputSlot, isActive, origins } from "./graph.mjs";

/**
 * What comes of a layout further down the graph: its results, and the maps of a watched run.
 * @typedef {import("./graph.mjs").Reader} Reader
 * @typedef {import("./graph.mjs").Node} Node
 */

const MAPS = "MSDiffusionAttributionMaps";

/** What a picture that was sampled has come through. */
const SAMPLED = new Set(["LATENT", "MODEL"]);

/**
 * Whether a node shows a picture that was sampled with a layout: one way up from it leads through a model or a latent
 * to the layout, by way of its encoder if it feeds one. Pictures of the layout itself or of maps are none.
 * @param {Reader} reader @param {Node} node @param {Node} layout
 */
export function isMadeWith(reader, node, layout) {
  const encoded = fedBy(reader, layout, "MSDiffusionEncode", "layout").length > 0;
  return leadsTo(reader, node, (origin, sampled) => sampled && origin.node === layout && (!encoded || origin.slot === 0));
}

/**
 * Walks up from a node until something is found.
 * @param {Reader} reader @param {Node} start
 * @param {(origin: import("./graph.mjs").Origin, sampled: boolean) => boolean} found
 */
function leadsTo(reader, start, found) {
  /** @type {Map<Node, boolean>} */
  const seen = new Map();
  /** @param {Node} node @param {boolean} sampled @returns {boolean} */
  const visit = (node, sampled) => {
    if (node.type === MAPS || (seen.has(node) && (seen.get(node) || !sampled))) return false;
    seen.set(node, sampled);
    return (node.inputs ?? []).some((/** @type {any} */ input, /** @type {number} */ slot) => {
      const through = sampled || SAMPLED.has(input.type);
      return origins(reader, node, slot).some((origin) => found(origin, through) || visit(origin.node, through));
    });
  };
  return visit(start, false);
}

/**
 * Addresses of a watched run's maps, one per subject: those of the last *Maps* node in the graph whose run had the
 * layout's subjects.
 * @param {Reader} reader @param {Node} layout @returns {string[]}
 */
export function heatMapsOf(reader, layout) {
  const reports = allNodes(reader.root)
    .filter((node) => node.type === MAPS && isActive(node))
    .map((node) => ({ node, report: reader.outputsOf(node)?.msd_attribution?.[0] }))
    .filter(({ node, report }) => report && isWatching(reader, node, layout))
    .map(({ report }) => report);
  const report = reports.find(({ source }) => source === "subject") ?? reports[0];
  return (report?.maps ?? []).map(reader.fileUrl);
}

/** @param {Reader} reader @param {Node} maps @param {Node} layout */
const isWatching = (reader, maps, layout) =>
  origins(reader, maps, inputSlot(maps, "attribution")).some(({ node }) =>
    leadsTo(reader, node, (origin) => origin.node === layout && origin.slot === 0),
  );
