import assert from "node:assert/strict";
import test from "node:test";
import { handleAt, handlesOf } from "../../web/layout/model/handles.mjs";

const pixel = { x: 0.001, y: 0.002 };
/** A box at 0.3, 0.3 of so many screen pixels. */
const sized = (w, h) => ({ x0: 0.3, y0: 0.3, x1: 0.3 + w * pixel.x, y1: 0.3 + h * pixel.y });
/** A point so many screen pixels from the box's upper left corner. */
const at = (x, y) => ({ x: 0.3 + x * pixel.x, y: 0.3 + y * pixel.y });

test("a small box can be moved anywhere inside and pulled only from outside", () => {
  for (const side of [4, 10, 13, 17, 23]) {
    for (let step = 0; step <= 4; step++)
      assert.equal(handleAt(sized(side, side), at((side * step) / 4, side / 2), pixel, 7), null, `${side} ${step}`);
    assert.equal(handleAt(sized(side, side), at(-5, -5), pixel, 7), "nw");
    assert.equal(handleAt(sized(side, side), at(side + 5, side + 5), pixel, 7), "se");
  }
});

test("a finger moves a box that is small for a finger", () => {
  assert.equal(handleAt(sized(50, 50), at(25, 25), pixel, 18), null);
  assert.equal(handleAt(sized(50, 50), at(5, 5), pixel, 18), null);
  assert.equal(handleAt(sized(50, 50), at(-8, -8), pixel, 18), "nw");
  assert.equal(handleAt(sized(200, 200), at(8, 8), pixel, 18), "nw");
});

test("handles that are not drawn do not react", () => {
  const names = (w, h) => handlesOf(sized(w, h), pixel).map(({ name }) => name).sort();
  assert.deepEqual(names(30, 30), ["ne", "nw", "se", "sw"]);
  assert.deepEqual(names(100, 30), ["n", "ne", "nw", "s", "se", "sw"]);
  assert.equal(handleAt(sized(30, 100), at(15, 0), pixel, 7), null);
  assert.equal(handleAt(sized(30, 100), at(0, 50), pixel, 7), "w");
  assert.equal(handleAt(sized(100, 100), at(30, 1), pixel, 7), "n");
  assert.equal(handleAt(sized(30, 30), at(15, 1), pixel, 7), null);
});

test("every handle that is drawn is the one that its own middle means", () => {
  for (const [w, h] of [[200, 200], [40, 40], [25, 25], [100, 12], [12, 100], [10, 10]])
    for (const { name, at: place } of handlesOf(sized(w, h), pixel)) assert.equal(handleAt(sized(w, h), place, pixel, 7), name, `${w} ${h} ${name}`);
});
