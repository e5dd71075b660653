import assert from "node:assert/strict";
import { test } from "node:test";
import { boxOf } from "../../web/layout/model/boxes.mjs";
import { maskOf } from "../../web/layout/model/masks.mjs";
import { accidents, relations, share, sharing } from "../../web/layout/model/overlap.mjs";

const box = (x0, y0, x1, y1, rest) => boxOf({ x0, y0, x1, y1 }, rest);
const half = (side) => {
  const bits = Uint8Array.from({ length: 64 }, (_, at) => Number(at % 8 < 4 === (side === "left")));
  return maskOf({ bits, h: 8, w: 8 });
};

test("boxes that touch share nothing", () => {
  assert.equal(share(box(0, 0, 0.5, 1), box(0.5, 0, 1, 1)), false);
  assert.deepEqual(sharing([box(0, 0, 0.6, 1), box(0.5, 0, 1, 1), box(0, 0, 0.1, 0.1)]), [[0, 1], [0, 2]]);
});

test("painted regions share what is painted in both", () => {
  const [a, b] = [box(0, 0, 0.6, 1, { mask: half("left") }), box(0.2, 0, 0.8, 1, { mask: half("left") })];
  assert.equal(share(a, b), true);
  assert.equal(share(a, { ...b, mask: half("right") }), false);
  assert.equal(share(a, box(0.35, 0, 0.8, 1)), false);
  assert.equal(share(a, box(0.25, 0, 0.8, 1)), true);
});

test("a box that is all of the picture is a scene, not an accident", () => {
  assert.deepEqual(accidents([box(0, 0, 1, 1), box(0.2, 0.2, 0.6, 0.6)]), []);
  assert.deepEqual(accidents([box(0, 0, 0.5, 1), box(0.2, 0.2, 0.6, 0.6)]), [[0, 1]]);
});

test("both act in the shared part with mix", () => {
  const { shared, cutters } = relations([box(0, 0, 0.5, 0.5), box(0.2, 0.2, 0.6, 0.6)], "mix");
  assert.deepEqual([shared, cutters], [[[0, 1]], [[], []]]);
});

test("the one in front takes the shared part: a larger z, else the later", () => {
  const boxes = [box(0, 0, 0.5, 0.5), box(0.2, 0.2, 0.6, 0.6)];
  assert.deepEqual(relations(boxes, "front").cutters, [[1], []]);
  assert.deepEqual(relations([{ ...boxes[0], z: 1 }, boxes[1]], "front"), { order: [1, 0], shared: [], cutters: [[], [0]] });
});

test("both lose to the other what is nearer to it; with one middle the one in front has it", () => {
  assert.deepEqual(relations([box(0, 0, 0.5, 0.5), box(0.2, 0.2, 0.6, 0.6)], "nearest").cutters, [[1], [0]]);
  assert.deepEqual(relations([box(0.1, 0.1, 0.5, 0.5), box(0.2, 0.2, 0.4, 0.4)], "nearest").cutters, [[1], []]);
});

test("nothing is shared once boxes are moved apart", () => {
  const { shared, cutters } = relations([box(0, 0, 0.5, 0.5), box(0.2, 0.2, 0.6, 0.6)], "apart");
  assert.deepEqual([shared, cutters], [[], [[], []]]);
});
