import { addNode, areaOf, linkSubject, takenAreas, TITLE_BAR } from "./build.mjs";
import { encoderOf, inputSlot, isActive, valueOf, waitingSubjects } from "./graph.mjs";
import { freeSpot } from "../model/places.mjs";
import { RELEASED } from "../model/released.mjs";

/**
 * The nodes between a layout and a sampler: what is missing of them is made, and what there is exactly one of is linked.
 * @typedef {import("./graph.mjs").Node} Node
 * @typedef {import("./graph.mjs").Reader} Reader
 * @typedef {{node: Node, slot: number}} Source
 */

const GAP = 60;

/** Between loaders: Nodes 2.0 draws a strip below a node whose file is missing, higher than what `size` says. */
const LOADER_GAP = 80;

class Chain {
  /** @param {Reader} reader @param {Node} layout */
  constructor(reader, layout) {
    this.reader = reader;
    this.layout = layout;
    this.graph = layout.graph;
    /** @type {Node[]} */
    this.made = [];
    /** Inputs that several outputs would fit. @type {string[]} */
    this.open = [];
  }

  get nodes() {
    return /** @type {Node[]} */ ([...(this.graph.nodes ?? this.graph._nodes)]).filter(isActive);
  }

  /**
   * A new node at the free place nearest to a wanted one.
   * @param {string} type @param {number} x @param {number} y @param {Record<string, any>} [values]
   */
  make(type, x, y, values) {
    const taken = takenAreas(this.graph);
    const node = addNode(this.graph, type, { x, y }, values);
    const spot = freeSpot(taken, areaOf(node));
    node.pos = [spot.x, spot.y + TITLE_BAR];
    this.made.push(node);
    return node;
  }

  /** A new node right of another, its upper edges in line. @param {string} type @param {Node} left @param {Record<string, any>} [values] */
  makeRightOf(type, left, values) {
    const area = areaOf(left);
    return this.make(type, area.x + area.w + GAP, area.y, values);
  }

  /** @param {Node} node @param {string} name */
  isFree(node, name) {
    const slot = inputSlot(node, name);
    return slot >= 0 && !this.reader.linkAt(node, slot);
  }

  /** @param {Source} source @param {Node} node @param {string} name */
  link({ node: from, slot }, node, name) {
    from.connect(slot, node, inputSlot(node, name));
  }

  /** @param {Node} from @param {string} type @returns {Source} */
  output(from, type) {
    return { node: from, slot: from.outputs.findIndex((/** @type {any} */ output) => output.type === type) };
  }

  /** Outputs of a type, of nodes that do not merely pass it on. @param {string} type @returns {Source[]} */
  sources(type) {
    return this.nodes
      .filter((node) => !(node.inputs ?? []).some((/** @type {any} */ input) => input.type === type))
      .map((node) => this.output(node, type))
      .filter(({ slot }) => slot >= 0);
  }

  /**
   * Links an input with the only output that fits, or with a new node's if there is none.
   * @param {Node} node @param {string} name @param {string} type @param {(() => Node) | null} [maker]
   */
  feed(node, name, type, maker = null) {
    if (!this.isFree(node, name)) return;
    const sources = this.sources(type);
    if (sources.length === 1) this.link(sources[0], node, name);
    else if (!sources.length && maker) this.link(this.output(maker(), type), node, name);
    else this.open.push(`${node.title}: ${name}`);
  }

  /** The only node that fits, or a new one. @param {(node: Node) => boolean} fits @param {() => Node} maker */
  theOnly(fits, maker) {
    const found = this.nodes.filter(fits);
    return found.length === 1 ? found[0] : maker();
  }
}

/**
 * Makes the chain around a layout: the encoder with its loaders and waiting subjects, the patch on the model, and, in a
 *   graph without a sampler, what makes a picture.
 * @param {Reader} reader
 * @param {Node} layout
 * @returns {{made: string[], open: string[]}} titles of new nodes, and inputs that are left to the user
 */
export function buildChain(reader, layout) {
  const chain = new Chain(reader, layout);
  const subjects = waitingSubjects(reader, layout);
  const area = areaOf(layout);
  const column = area.x + area.w + GAP;
  const samplers = chain.nodes.filter(isSampler);
  let next = area.y;
  const loader = (/** @type {string} */ type) => () => {
    const made = chain.make(type, column, next);
    askForFile(made);
    next = areaOf(made).y + areaOf(made).h + LOADER_GAP;
    return made;
  };
  // Where nothing makes pictures yet, the checkpoint comes first, so that all that follows is linked with it.
  if (!samplers.length && !chain.sources("MODEL").length) loader("CheckpointLoaderSimple")();
  const encoder =
    encoderOf(reader, layout) ??
    chain.theOnly(
      (node) => node.type === "MSDiffusionEncode" && chain.isFree(node, "layout"),
      () => chain.make("MSDiffusionEncode", column + 320 + GAP, area.y),
    );
  if (chain.isFree(encoder, "layout")) chain.link(chain.output(layout, "MSD_LAYOUT"), encoder, "layout");
  chain.feed(encoder, "adapter", "MSD_ADAPTER", loader("MSDiffusionAdapterLoader"));
  chain.feed(encoder, "clip_vision", "CLIP_VISION", loader("CLIPVisionLoader"));
  chain.feed(encoder, "clip", "CLIP");
  subjects.forEach((subject, k) => linkSubject(subject, encoder, k));
  const apply = chain.theOnly(
    (node) => node.type === "MSDiffusionApply" && chain.isFree(node, "embeds"),
    () => chain.makeRightOf("MSDiffusionApply", encoder),
  );
  if (chain.isFree(apply, "embeds")) chain.link(chain.output(encoder, "MSD_EMBEDS"), apply, "embeds");
  if (!samplers.length) makePicture(chain, apply, subjects);
  else patchSampler(chain, apply, samplers);
  sizeLatent(chain);
  return { made: chain.made.map((node) => node.title), open: chain.open };
}

/**
 * Where the host has no file for a loader to choose, it asks for the released one, and the page says where that is had.
 * @param {Node} loader
 */
function askForFile(loader) {
  const [choice] = loader.widgets ?? [];
  const file = RELEASED[loader.type];
  if (!choice || !file || choice.options?.values?.length) return;
  loader.properties.models = [{ ...file }];
  // Not among the choices, so that the page misses it.
  choice.value = file.name;
}

/** What takes a model and samples with it. @param {Node} node */
const isSampler = (node) =>
  inputSlot(node, "model") >= 0 &&
  (node.outputs ?? []).some((/** @type {any} */ output) => output.type === "LATENT" || output.type === "GUIDER");

/** Puts the patch before the only sampler. @param {Chain} chain @param {Node} apply @param {Node[]} samplers */
function patchSampler(chain, apply, samplers) {
  const [sampler] = samplers;
  if (samplers.length > 1) return void chain.open.push(`${apply.title}: model`);
  const link = chain.reader.linkAt(sampler, inputSlot(sampler, "model"));
  const before = link && chain.graph.getNodeById(link.origin_id);
  if (before === apply) return;
  if (chain.isFree(apply, "model")) {
    if (before) chain.link({ node: before, slot: link.origin_slot }, apply, "model");
    else chain.feed(apply, "model", "MODEL");
  }
  chain.link(chain.output(apply, "MODEL"), sampler, "model");
}

/** Prompt, sampler and picture. @param {Chain} chain @param {Node} apply @param {Node[]} subjects */
function makePicture(chain, apply, subjects) {
  const phrases = subjects.map((subject) => valueOf(chain.reader, subject, "phrase")).filter(Boolean);
  const text = phrases.map((phrase) => (/^(an?|the) /i.test(phrase) ? phrase : `a ${phrase}`)).join(" and ");
  chain.feed(apply, "model", "MODEL");
  const below = areaOf(apply);
  const positive = chain.make("CLIPTextEncode", below.x, below.y + below.h + GAP, { text });
  const negative = chain.make("CLIPTextEncode", below.x, areaOf(positive).y + areaOf(positive).h + GAP / 2, { text: "" });
  const latent = chain.make("EmptyLatentImage", below.x, areaOf(negative).y + areaOf(negative).h + GAP / 2);
  for (const prompt of [positive, negative]) chain.feed(prompt, "clip", "CLIP");
  const right = Math.max(...[apply, positive, negative, latent].map(areaOf).map(({ x, w }) => x + w));
  const sampler = chain.make("KSampler", right + GAP, below.y);
  chain.link(chain.output(apply, "MODEL"), sampler, "model");
  chain.link({ node: positive, slot: 0 }, sampler, "positive");
  chain.link({ node: negative, slot: 0 }, sampler, "negative");
  chain.link({ node: latent, slot: 0 }, sampler, "latent_image");
  const decode = chain.makeRightOf("VAEDecode", sampler);
  chain.link({ node: sampler, slot: 0 }, decode, "samples");
  chain.feed(decode, "vae", "VAE");
  const save = chain.makeRightOf("SaveImage", decode);
  chain.link({ node: decode, slot: 0 }, save, "images");
}

/** The layout's size goes to the only empty latent. @param {Chain} chain */
function sizeLatent(chain) {
  const latents = chain.nodes.filter(
    (node) => /^Empty.*Latent/.test(node.type) && chain.isFree(node, "width") && chain.isFree(node, "height"),
  );
  if (latents.length !== 1) return;
  const { layout } = chain;
  for (const name of ["width", "height"]) {
    const slot = layout.outputs.findIndex((/** @type {any} */ output) => output.name === name);
    chain.link({ node: layout, slot }, latents[0], name);
  }
}
