import assert from "node:assert/strict";
import { test } from "node:test";
import { fileRecord, subjectsOf, valueOf } from "../../web/layout/host/graph.mjs";
import { heatMapsOf, isMadeWith } from "../../web/layout/host/made_with.mjs";

/** A graph of plain objects: nodes by id, links as [from, slot, to, input name]. */
function graph(nodes, links, rest = {}) {
  const made = {
    id: "root",
    nodes: [],
    subgraphs: new Map(),
    links: new Map(),
    getNodeById: (id) => made.nodes.find((node) => String(node.id) === String(id)),
    ...rest,
  };
  for (const [id, node] of Object.entries(nodes)) {
    const inputs = links
      .filter((link) => String(link[2]) === id)
      .map((link) => ({ name: link[3], type: "*", origin: { origin_id: link[0], origin_slot: link[1] } }));
    made.nodes.push({ id, mode: 0, graph: made, inputs, outputs: [{ type: "*" }], widgets: [], ...node });
  }
  return made;
}
const widgets = (values) => Object.entries(values).map(([name, value]) => ({ name, value }));
const reader = (root) => ({
  root,
  linkAt: (node, slot) => node.inputs[slot]?.origin ?? null,
  outputsOf: () => null,
  fileUrl: ({ filename, subfolder, type }) => `${type}/${subfolder}/${filename}`,
});
const at = (root, id) => root.getNodeById(id);
const NODES = {
  1: { type: "MSDiffusionLayout" },
  2: { type: "MSDiffusionEncode" },
  3: { type: "MSDiffusionSubject", widgets: widgets({ phrase: "cat", weight: 0.5 }) },
  4: { type: "LoadImage", widgets: widgets({ image: "pets/cat.png [output]" }) },
};
const LINKS = [
  [1, 0, 2, "layout"],
  [3, 0, 2, "subjects.subject0"],
  [4, 0, 3, "image"],
];

test("a layout that feeds no encoder has no subjects to speak of", () => {
  const root = graph({ 1: NODES[1] }, []);
  assert.equal(subjectsOf(reader(root), at(root, 1)), null);
});

test("a subject's phrase, weight and photo are read from its nodes", () => {
  const root = graph(NODES, LINKS);
  const [subject] = subjectsOf(reader(root), at(root, 1));
  assert.deepEqual([subject.phrase, subject.weight, subject.picture], ["cat", 0.5, "output/pets/cat.png"]);
});

test("a linked phrase is read from where it comes", () => {
  const root = graph({ ...NODES, 5: { type: "PrimitiveString", widgets: widgets({ value: "dog" }) } }, [
    ...LINKS,
    [5, 0, 3, "phrase"],
  ]);
  assert.equal(subjectsOf(reader(root), at(root, 1))[0].phrase, "dog");
});

test("subjects come in the order of the encoder's inputs, also past ten", () => {
  const count = 12;
  const nodes = { 1: NODES[1], 2: NODES[2] };
  const links = [LINKS[0]];
  for (let k = count - 1; k >= 0; k--) {
    nodes[100 + k] = { type: "MSDiffusionSubject", widgets: widgets({ phrase: `p${k}`, weight: 1 }) };
    links.push([100 + k, 0, 2, `subjects.subject${k}`]);
  }
  const root = graph(nodes, links);
  assert.deepEqual(
    subjectsOf(reader(root), at(root, 1)).map((one) => one.phrase),
    Array.from({ length: count }, (_, k) => `p${k}`),
  );
});

test("reroutes are walked through, muted nodes end the walk, bypassed ones let through by type", () => {
  const links = [
    [1, 0, 6, ""],
    [6, 0, 2, "layout"],
    [3, 0, 2, "subjects.subject0"],
    [7, 0, 3, "image"],
    [4, 0, 7, "image"],
  ];
  const through = (mode) => {
    const root = graph({ ...NODES, 6: { type: "Reroute" }, 7: { type: "ImageInvert", mode } }, links);
    return subjectsOf(reader(root), at(root, 1))[0].picture;
  };
  assert.equal(through(4), "output/pets/cat.png");
  assert.equal(through(2), null);
});

test("a circle of links does not hang the walk", () => {
  const root = graph({ 1: NODES[1], 2: NODES[2], 6: { type: "Reroute" }, 7: { type: "Reroute" } }, [
    [6, 0, 7, ""],
    [7, 0, 6, ""],
    [6, 0, 2, "layout"],
  ]);
  assert.equal(subjectsOf(reader(root), at(root, 1)), null);
});

test("an encoder in a subgraph that stands twice is fed by either layout", () => {
  const inner = graph(
    { 2: NODES[2], 3: NODES[3] },
    [
      ["-10", 0, 2, "layout"],
      [3, 0, 2, "subjects.subject0"],
    ],
    { id: "inner", outputs: [] },
  );
  const outer = graph(
    {
      1: NODES[1],
      8: { type: "MSDiffusionLayout" },
      20: { type: "inner", subgraph: inner },
      21: { type: "inner", subgraph: inner },
    },
    [
      [1, 0, 20, "layout"],
      [8, 0, 21, "layout"],
    ],
    { subgraphs: new Map([["inner", inner]]) },
  );
  for (const id of [1, 8]) assert.equal(subjectsOf(reader(outer), at(outer, id))[0].phrase, "cat");
});

test("a phrase that stands on the outside of a subgraph is read there, unless the subgraph stands twice", () => {
  const inner = graph(
    { 2: NODES[2], 3: NODES[3] },
    [
      ["-10", 0, 2, "layout"],
      [3, 0, 2, "subjects.subject0"],
      ["-10", 1, 3, "phrase"],
    ],
    { id: "inner", outputs: [] },
  );
  const blueprint = (phrase) => ({
    type: "inner",
    subgraph: inner,
    inputs: [
      { name: "layout", type: "*", origin: { origin_id: 1, origin_slot: 0 } },
      { name: "phrase 1", type: "STRING" },
    ],
    widgets: widgets({ "phrase 1": phrase }),
  });
  const outer = (nodes) => graph({ 1: NODES[1], ...nodes }, [], { subgraphs: new Map([["inner", inner]]) });
  const once = outer({ 20: blueprint("dog") });
  assert.equal(subjectsOf(reader(once), at(once, 1))[0].phrase, "dog");
  const twice = outer({ 20: blueprint("dog"), 21: blueprint("fish") });
  assert.equal(subjectsOf(reader(twice), at(twice, 1))[0].phrase, "cat");
});

test("the file names of loaders are taken apart", () => {
  assert.deepEqual(fileRecord("a/b/c.png [temp]"), { filename: "c.png", subfolder: "a/b", type: "temp" });
  assert.deepEqual(fileRecord("c.png"), { filename: "c.png", subfolder: "", type: "input" });
});

test("a linked value is read from the widget that its output is named after", () => {
  const source = {
    type: "MSDiffusionLayout",
    widgets: widgets({ width: 640, height: 1280 }),
    outputs: [{ name: "layout" }, { name: "width" }, { name: "height" }],
  };
  const root = graph({ 1: NODES[1], 8: source }, [
    [8, 2, 1, "height"],
    [8, 1, 1, "width"],
  ]);
  assert.equal(valueOf(reader(root), at(root, 1), "height"), 1280);
  assert.equal(valueOf(reader(root), at(root, 1), "width"), 640);
});

test("a value that the graph does not tell is unknown", () => {
  const outputs = [{ name: "image" }, { name: "width" }];
  const root = graph({ 1: NODES[1], 8: { type: "Resize", widgets: widgets({ scale: 2 }), outputs } }, [[8, 1, 1, "width"]]);
  assert.equal(valueOf(reader(root), at(root, 1), "width"), null);
});

/** A layout whose run is sampled, saved and watched; links as [from, slot, to, input, type]. */
function sampled(more = []) {
  const links = [
    [1, 0, 2, "layout", "MSD_LAYOUT"],
    [2, 0, 10, "embeds", "MSD_EMBEDS"],
    [10, 0, 11, "model", "MODEL"],
    [11, 0, 12, "samples", "LATENT"],
    [12, 0, 13, "images", "IMAGE"],
    [1, 4, 14, "images", "IMAGE"],
    [1, 1, 15, "width", "INT"],
    [15, 0, 16, "images", "IMAGE"],
    [2, 0, 17, "embeds", "MSD_EMBEDS"],
    [17, 1, 18, "attribution", "MSD_ATTRIBUTION"],
    [12, 0, 18, "images", "IMAGE"],
    [18, 0, 19, "images", "IMAGE"],
    ...more,
  ];
  const types = {
    ...{ 10: "MSDiffusionApply", 11: "KSampler", 12: "VAEDecode", 13: "SaveImage", 14: "PreviewImage" },
    ...{ 15: "ImageScale", 16: "PreviewImage", 17: "MSDiffusionAttribution", 18: "MSDiffusionAttributionMaps" },
    ...{ 19: "SaveImage", 21: "EmptyLatentImage", 22: "KSampler", 30: "MSDiffusionLayout" },
  };
  const others = Object.fromEntries(Object.entries(types).map(([id, type]) => [id, { type }]));
  const root = graph({ 1: NODES[1], 2: NODES[2], ...others }, links);
  for (const node of root.nodes)
    for (const input of node.inputs) input.type = links.find((link) => String(link[2]) === node.id && link[3] === input.name)[4];
  return root;
}

test("results of a layout are what was sampled with it", () => {
  const root = sampled();
  const made = root.nodes.filter((node) => isMadeWith(reader(root), node, at(root, 1))).map(({ id }) => id);
  assert.deepEqual(made, ["11", "12", "13"]);
  assert.ok(!root.nodes.some((node) => isMadeWith(reader(root), node, at(root, 30))));
});

test("a layout that feeds an encoder is not answerable for latents of its size", () => {
  const size = [
    [1, 1, 21, "width", "INT"],
    [21, 0, 22, "latent_image", "LATENT"],
  ];
  const root = sampled(size);
  assert.equal(isMadeWith(reader(root), at(root, 22), at(root, 1)), false);
  const alone = sampled(size);
  alone.nodes = alone.nodes.filter(({ id }) => id !== "2");
  assert.equal(isMadeWith(reader(alone), at(alone, 22), at(alone, 1)), true);
});

test("maps are those of a watched run with the layout's subjects", () => {
  const root = sampled();
  const report = { source: "subject", maps: [{ filename: "0.png", subfolder: "", type: "temp" }] };
  const told = { ...reader(root), outputsOf: (node) => (node.id === "18" ? { msd_attribution: [report] } : null) };
  assert.deepEqual(heatMapsOf(told, at(root, 1)), ["temp//0.png"]);
  assert.deepEqual(heatMapsOf(told, at(root, 30)), []);
});
