import assert from "node:assert/strict";
import test from "node:test";

import { placed } from "../../web/layout/view/paint_photo.mjs";

const AREA = { x: 10, y: 20, w: 100, h: 100 };
const rounded = ({ into, part }) => [Object.values(into), Object.values(part).map((value) => Math.round(100 * value) / 100)];

test("a photo fills its box as its fit says", () => {
  assert.deepEqual(rounded(placed("stretch", 2, AREA)), [[10, 20, 100, 100], [0, 0, 1, 1]]);
  assert.deepEqual(rounded(placed("pad", 2, AREA)), [[10, 45, 100, 50], [0, 0, 1, 1]]);
  assert.deepEqual(rounded(placed("pad", 0.5, AREA)), [[35, 20, 50, 100], [0, 0, 1, 1]]);
  assert.deepEqual(rounded(placed("crop", 2, AREA)), [[10, 20, 100, 100], [0.25, 0, 0.75, 1]]);
  assert.deepEqual(rounded(placed("crop", 0.5, AREA)), [[10, 20, 100, 100], [0, 0.25, 1, 0.75]]);
});
