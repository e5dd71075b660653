import assert from "node:assert/strict";
import { test } from "node:test";
import { FormatError } from "../../web/layout/model/format_error.mjs";
import { maskOf, planeOf, readMask } from "../../web/layout/model/rle.mjs";
import { seeded } from "./seeded.mjs";

/** The ellipse in a grid, as large a part of it as `radius` says. */
function disc(height, width, radius = 1) {
  const plane = [];
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const [y, x] = [(2 * row + 1 - height) * width, (2 * column + 1 - width) * height];
      plane.push(y * y + x * x <= (radius * height * width) ** 2 ? 1 : 0);
    }
  return plane;
}

const diagonal = (side) => Array.from({ length: side * side }, (_, n) => (n % (side + 1) ? 0 : 1));

// Written by pycocotools 2.0.11, as in tests/core/test_painted.py.
const COCO = [
  [disc(16, 12), 16, 12, "5684M2N2Nb10^N2N2N3LM"],
  [Array.from({ length: 128 * 128 }, (_, n) => (n % 128 ? 0 : 1)), 128, 128, "0P4Pl?"],
  [diagonal(5), 5, 5, "0150000000"],
  [diagonal(2), 2, 2, "0120"],
];

test("masks are written and read as COCO's own tools do", () => {
  for (const [plane, height, width, counts] of COCO) {
    assert.deepEqual(maskOf(plane, height, width), { size: [height, width], counts });
    assert.deepEqual([...planeOf({ size: [height, width], counts })], plane);
  }
});

test("what is written reads back the same", () => {
  const random = seeded(1);
  for (let n = 0; n < 300; n++) {
    const [height, width, share] = [1 + Math.floor(random() * 40), 2 + Math.floor(random() * 40), random()];
    const plane = Array.from({ length: height * width }, () => (random() < share ? 1 : 0));
    [plane[0], plane[1]] = n % 2 ? [0, 1] : [1, 0];
    const mask = maskOf(plane, height, width);
    assert.deepEqual([...planeOf(mask)], plane);
    assert.deepEqual(readMask(mask, 1), mask);
  }
});

test("equal masks are equal texts whatever form they came in", () => {
  for (const counts of ["000120", "P0120", "0120N"])
    assert.deepEqual(readMask({ counts, size: [2, 2] }, 1), { size: [2, 2], counts: "0120" }, counts);
});

test("a mask of the whole box is none", () => {
  assert.equal(maskOf([1, 1, 1, 1, 1, 1], 2, 3), undefined);
  assert.equal(readMask({ size: [2, 2], counts: "04" }, 1), undefined);
  assert.equal(readMask({ size: [2, 2], counts: "0004" }, 1), undefined);
});

test("pixels lie row by row, runs column by column", () => {
  const plane = [1, 0, 0, 1, 1, 0];
  assert.deepEqual(maskOf(plane, 2, 3), { size: [2, 3], counts: "021O1" });
  assert.deepEqual([...planeOf({ size: [2, 3], counts: "021O1" })], plane);
});

test("the largest mask is written and read in no time", () => {
  const side = 2048;
  const plane = disc(side, side, 0.9);
  const mask = maskOf(plane, side, side);
  assert.equal(
    planeOf(readMask(mask, 1)).reduce((sum, inside) => sum + inside, 0),
    plane.reduce((sum, inside) => sum + inside, 0),
  );
});

test("a mask of nothing is refused, not saved", () => {
  assert.throws(() => readMask(maskOf([0, 0, 0, 0], 2, 2), 1), FormatError);
});
