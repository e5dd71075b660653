import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boundsOf,
  carried,
  handlePoint,
  HANDLES,
  heightOf,
  letterbox,
  MIN_SIDE,
  rectBetween,
  resized,
  settled,
  shiftInside,
  widthOf,
} from "../../web/layout/model/geometry.mjs";
import { seeded } from "./seeded.mjs";

const rect = (x0, y0, x1, y1) => ({ x0, y0, x1, y1 });
const near = (actual, expected) => {
  for (const side of Object.keys(expected))
    assert.ok(Math.abs(actual[side] - expected[side]) < 1e-9, `${side}: ${JSON.stringify(actual)}`);
};

test("a rectangle between two points does not depend on their order and stays in the picture", () => {
  near(rectBetween({ x: 0.8, y: -0.5 }, { x: 0.2, y: 0.4 }), rect(0.2, 0, 0.8, 0.4));
});

test("pulling a corner moves its two sides only", () => {
  near(resized(rect(0.2, 0.2, 0.6, 0.6), "se", { x: 0.9, y: 0.7 }), rect(0.2, 0.2, 0.9, 0.7));
  near(resized(rect(0.2, 0.2, 0.6, 0.6), "nw", { x: 0.1, y: 0.3 }), rect(0.1, 0.3, 0.6, 0.6));
});

test("pulling a side leaves the other axis alone", () => {
  near(resized(rect(0.2, 0.3, 0.6, 0.5), "e", { x: 0.8, y: 0.99 }), rect(0.2, 0.3, 0.8, 0.5));
});

test("pulling past the fixed side turns the rectangle over", () => {
  near(resized(rect(0.4, 0.4, 0.6, 0.6), "e", { x: 0.1, y: 0.5 }), rect(0.1, 0.4, 0.4, 0.6));
});

test("from the centre both sides move and the centre stays", () => {
  near(resized(rect(0.4, 0.4, 0.6, 0.6), "e", { x: 0.7, y: 0.5 }, { fromCentre: true }), rect(0.3, 0.4, 0.7, 0.6));
});

test("a kept ratio holds for every handle, inside the picture, wherever the pointer goes", () => {
  const random = seeded(7);
  const start = rect(0.3, 0.4, 0.6, 0.5);
  for (const handle of HANDLES) {
    for (let n = 0; n < 200; n++) {
      const fromCentre = random() < 0.5;
      const out = resized(
        start,
        handle,
        { x: random() * 1.4 - 0.2, y: random() * 1.4 - 0.2 },
        { fromCentre, ratio: 3 },
      );
      assert.ok(Math.abs(widthOf(out) / heightOf(out) - 3) < 1e-6, `${handle} ${JSON.stringify(out)}`);
      assert.ok(
        out.x0 > -1e-9 && out.y0 > -1e-9 && out.x1 < 1 + 1e-9 && out.y1 < 1 + 1e-9,
        `${handle} ${JSON.stringify(out)}`,
      );
    }
  }
});

test("a free resize follows the pointer for every handle and stays inside the picture", () => {
  const random = seeded(8);
  for (const handle of HANDLES) {
    for (let n = 0; n < 200; n++) {
      const start = settled(rectBetween({ x: random(), y: random() }, { x: random(), y: random() }));
      const to = { x: random(), y: random() };
      const out = resized(start, handle, to);
      assert.ok(out.x0 >= 0 && out.y0 >= 0 && out.x1 <= 1 + 1e-9 && out.y1 <= 1 + 1e-9);
      assert.ok(widthOf(out) >= MIN_SIDE - 1e-9 && heightOf(out) >= MIN_SIDE - 1e-9);
      if (/[ew]/.test(handle) && widthOf(out) > MIN_SIDE + 1e-9) {
        assert.ok(Math.min(Math.abs(out.x0 - to.x), Math.abs(out.x1 - to.x)) < 1e-9);
      }
    }
  }
});

test("a settled rectangle has four decimals, lies inside the picture and is never empty", () => {
  assert.deepEqual(settled(rect(0.123456, 1.2, 0.123457, -0.1)), rect(0.1235, 0, 0.1255, 1));
  const corner = settled(rect(1, 1, 1, 1));
  assert.ok(corner.x1 > corner.x0 && corner.y1 > corner.y0 && corner.x1 <= 1 && corner.y1 <= 1);
});

test("settling twice changes nothing", () => {
  const random = seeded(9);
  for (let n = 0; n < 500; n++) {
    const once = settled(rectBetween({ x: random(), y: random() }, { x: random(), y: random() }));
    assert.deepEqual(settled(once), once);
  }
});

test("a shift is cut so that the rectangle stays inside", () => {
  near(shiftInside(rect(0.1, 0.1, 0.3, 0.3), -0.5, 0.9), { dx: -0.1, dy: 0.7 });
});

test("members of a group keep their place in its bounds", () => {
  const from = rect(0, 0, 0.5, 0.5);
  near(carried(rect(0.25, 0, 0.5, 0.5), from, rect(0, 0, 1, 0.25)), rect(0.5, 0, 1, 0.25));
});

test("bounds hold all rectangles and there are none of nothing", () => {
  near(boundsOf([rect(0.1, 0.5, 0.2, 0.6), rect(0.4, 0.1, 0.5, 0.2)]), rect(0.1, 0.1, 0.5, 0.6));
  assert.equal(boundsOf([]), null);
});

test("the eight handles sit on corners and sides", () => {
  near(handlePoint(rect(0, 0, 1, 0.5), "ne"), { x: 1, y: 0 });
  near(handlePoint(rect(0, 0, 1, 0.5), "s"), { x: 0.5, y: 0.5 });
});

test("a letterboxed frame has the picture's aspect and is centred", () => {
  const frame = letterbox(420, 220, 1024, 512, 10);
  near(frame, { x: 10, y: 10, w: 400, h: 200 });
  const tall = letterbox(420, 220, 512, 1024, 10);
  near(tall, { x: 160, y: 10, w: 100, h: 200 });
});
