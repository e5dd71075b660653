import assert from "node:assert/strict";
import { test } from "node:test";
import { overlaps } from "../../web/layout/model/geometry.mjs";
import { DISTINCT, PRESETS, SIZES, spread } from "../../web/layout/model/presets.mjs";

const named = (name) =>
  PRESETS.find((preset) => preset.name === name).rects.map(({ x0, y0, x1, y1 }) => [x0, y0, x1, y1]);

test("the paper's table 4 has 13 combination types, DreamBench one box", () => {
  assert.equal(PRESETS.filter((preset) => preset.group === "paper").length, 14);
  assert.deepEqual(named("dreambench"), [[0.25, 0.25, 0.75, 0.75]]);
  assert.deepEqual(named("living_upwearing"), [
    [0.25, 0.25, 0.75, 0.75],
    [0.25, 0, 0.75, 0.25],
  ]);
  assert.deepEqual(named("living_object_scene"), [
    [0, 0.25, 0.5, 0.75],
    [0.5, 0.25, 1, 0.75],
    [0, 0, 1, 1],
  ]);
  assert.deepEqual(named("object_object_object"), [
    [0, 0.25, 0.35, 0.75],
    [0.35, 0.25, 0.65, 0.75],
    [0.65, 0.25, 1, 0.75],
  ]);
});

test("names of presets are unique and every box of a preset is legal", () => {
  assert.equal(new Set(PRESETS.map((preset) => preset.name)).size, PRESETS.length);
  for (const { rects } of PRESETS) {
    for (const r of rects) assert.ok(r.x0 >= 0 && r.y0 >= 0 && r.x1 <= 1 && r.y1 <= 1 && r.x1 > r.x0 && r.y1 > r.y0);
  }
});

test("spread boxes are as many as asked, inside the picture and apart from each other", () => {
  for (const aspect of [0.5, 1, 1.78]) {
    for (let count = 0; count <= 20; count++) {
      const boxes = spread(count, aspect);
      assert.equal(boxes.length, count);
      boxes.forEach((a, k) => {
        assert.ok(a.x0 >= 0 && a.y0 >= 0 && a.x1 <= 1 + 1e-9 && a.y1 <= 1 + 1e-9);
        assert.ok(
          boxes.slice(k + 1).every((b) => !overlaps(a, b)),
          `${count} at ${aspect}`,
        );
      });
    }
  }
});

test("a wide picture gets a row and a tall one a column", () => {
  assert.equal(new Set(spread(3, 2.5).map((r) => r.y0)).size, 1);
  assert.equal(new Set(spread(3, 0.4).map((r) => r.x0)).size, 1);
});

test("layouts that several presets share are shown once, with all their names", () => {
  const layouts = DISTINCT.map(({ rects }) => JSON.stringify(rects));
  assert.equal(new Set(layouts).size, layouts.length);
  assert.deepEqual(DISTINCT.flatMap(({ twins }) => twins).sort(), PRESETS.map(({ name }) => name).sort());
  const side = DISTINCT.find(({ name }) => name === "living_living");
  assert.deepEqual(side.twins, ["living_living", "living_object", "object_object"]);
});

test("sizes are SDXL's: about a megapixel, sides in steps of 64", () => {
  assert.equal(SIZES.length, 9);
  for (const { width, height } of SIZES) {
    assert.ok(width % 64 === 0 && height % 64 === 0);
    assert.ok(Math.abs((width * height) / 2 ** 20 - 1) < 0.07, `${width} x ${height}`);
  }
});
