import assert from "node:assert/strict";
import { test } from "node:test";
import { promptsOf } from "../../web/layout/host/prompts.mjs";
import { isSaid } from "../../web/layout/model/phrases.mjs";
import { counts, isSilent, placesOf } from "../../web/layout/model/subjects.mjs";

/** Inputs by node type: names with what flows through them. */
const INPUTS = {
  MSDiffusionApply: { model: "MODEL", embeds: "MSD_EMBEDS" },
  LoraLoaderModelOnly: { model: "MODEL" },
  KSampler: { model: "MODEL", positive: "CONDITIONING", negative: "CONDITIONING" },
  BasicGuider: { model: "MODEL", conditioning: "CONDITIONING" },
  CLIPTextEncode: { text: "STRING" },
  CLIPTextEncodeSDXL: { text_g: "STRING", text_l: "STRING" },
  ConditioningCombine: { conditioning_1: "CONDITIONING", conditioning_2: "CONDITIONING" },
  ControlNetApplyAdvanced: { positive: "CONDITIONING", negative: "CONDITIONING" },
};
const OUTPUTS = { ControlNetApplyAdvanced: ["positive", "negative"] };

/** Nodes as [type, {input: [node, slot] or a widget's value}, mode], by name. */
function promptsIn(nodes) {
  const graph = { nodes: [], subgraphs: new Map(), getNodeById: (id) => graph.nodes.find((node) => node.id === id) };
  for (const [id, [type, given = {}, mode = 0]] of Object.entries(nodes)) {
    const inputs = Object.entries(INPUTS[type] ?? {}).map(([name, flows]) => ({
      name, type: flows, origin: Array.isArray(given[name]) ? { origin_id: given[name][0], origin_slot: given[name][1] ?? 0 } : null,
    }));
    const widgets = Object.entries(given).filter(([, value]) => typeof value === "string").map(([name, value]) => ({ name, value }));
    graph.nodes.push({ id, type, mode, graph, inputs, widgets, outputs: (OUTPUTS[type] ?? [""]).map((name) => ({ name, type: "*" })) });
  }
  const reader = { root: graph, linkAt: (node, slot) => node.inputs[slot]?.origin ?? null, outputsOf: () => null, fileUrl: () => "" };
  return promptsOf(reader, graph.getNodeById("encode"));
}
const BASE = {
  encode: ["MSDiffusionEncode"],
  apply: ["MSDiffusionApply", { embeds: ["encode"] }],
  lora: ["LoraLoaderModelOnly", { model: ["apply"] }],
  prompt: ["CLIPTextEncode", { text: "a cat on the grass" }],
  negative: ["CLIPTextEncode", { text: "blurry dog" }],
  sampler: ["KSampler", { model: ["lora"], positive: ["prompt"], negative: ["negative"] }],
};

test("the prompt is the positive one of the sampler whose model has met the subjects", () => {
  assert.deepEqual(promptsIn(BASE), ["a cat on the grass"]);
  const other = { text: ["CLIPTextEncode", { text: "elsewhere" }], plain: ["KSampler", { positive: ["text"] }] };
  assert.deepEqual(promptsIn({ ...BASE, ...other }), ["a cat on the grass"]);
});

test("hires passes, combined prompts, guiders and SDXL's text encoder are read together", () => {
  const second = {
    left: ["CLIPTextEncodeSDXL", { text_g: "a dog", text_l: "a hound" }],
    both: ["ConditioningCombine", { conditioning_1: ["left"], conditioning_2: ["prompt"] }],
    guider: ["BasicGuider", { model: ["apply"], conditioning: ["both"] }],
  };
  assert.deepEqual(promptsIn({ ...BASE, ...second }).sort(), ["a cat on the grass", "a cat on the grass", "a dog", "a hound"]);
});

test("behind a node with a positive and a negative side only the positive one counts", () => {
  const control = ["ControlNetApplyAdvanced", { positive: ["prompt"], negative: ["negative"] }];
  const sampler = ["KSampler", { model: ["apply"], positive: ["control", 0], negative: ["control", 1] }];
  assert.deepEqual(promptsIn({ ...BASE, control, sampler }), ["a cat on the grass"]);
});

test("nothing is known of a linked text that a run makes, of a text encoder of another kind, and without a sampler", () => {
  assert.equal(promptsIn({ ...BASE, wild: ["Wildcards"], prompt: ["CLIPTextEncode", { text: ["wild"] }] }), null);
  assert.equal(promptsIn({ ...BASE, prompt: ["PromptControl", { text: "a cat" }] }), null);
  assert.equal(promptsIn({ ...BASE, sampler: ["KSampler", {}] }), null);
  assert.equal(promptsIn({ ...BASE, sampler: [...BASE.sampler, 4] }), null);
});

test("a phrase is said as whole words in a row, whatever their case, weights and commas", () => {
  assert.ok(isSaid("Red Backpack", ["a dog, a (red:1.2) backpack", "x"]) === false, "a weight of its own is a word between");
  assert.ok(isSaid("Red Backpack", ["a dog, a (red backpack:1.2)"]));
  assert.ok(isSaid("cat", ["dog", "A CAT."]));
  assert.ok(!isSaid("cat", ["a category of cats"]));
  assert.ok(!isSaid("red backpack", ["a backpack, red"]));
  assert.ok(isSaid("猫", ["草地上的猫"]));
  assert.ok(isSaid(" ", [""]));
});

test("subjects are told with the numbers of their boxes", () => {
  const subjects = [["cat", "acting"], ["robot", "muted"], ["mug", "acting"], ["", "bypassed"]].map(([phrase, part]) => ({ phrase, part }));
  assert.equal(placesOf(subjects, counts), "1 cat, 3 mug");
  assert.equal(placesOf(subjects, isSilent), "2 robot, 4");
});
