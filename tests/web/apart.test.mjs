import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { movedApart } from "../../web/layout/model/apart.mjs";
import { boxOf, moveApart } from "../../web/layout/model/boxes.mjs";
import { FormatError } from "../../web/layout/model/format_error.mjs";
import { seeded } from "./seeded.mjs";

// The server is held to the same file by tests/core/test_apart.py.
const cases = JSON.parse(readFileSync(new URL("../data/apart.json", import.meta.url), "utf8"));
const rects = ({ boxes, locked = [] }) =>
  boxes.map(([x0, y0, x1, y1], k) => ({ x0, y0, x1, y1, ...(locked.includes(k) ? { locked: true } : {}) }));
const box = (x0, y0, x1, y1, rest) => boxOf({ x0, y0, x1, y1 }, rest);
const sides = ({ x0, y0, x1, y1 }) => [x0, y0, x1, y1];
const sharing = (a, b) => Math.min(a.x1, b.x1) > Math.max(a.x0, b.x0) && Math.min(a.y1, b.y1) > Math.max(a.y0, b.y0);

test("boxes are moved to where the server moves them", () => {
  for (const one of cases) {
    const { boxes, colliding } = movedApart(rects(one), one);
    if (one.colliding) {
      assert.deepEqual(colliding.map((k) => k + 1), one.colliding, one.case);
      continue;
    }
    boxes.forEach((box, k) =>
      sides(box).forEach((side, n) => assert.ok(Math.abs(side - one.moved[k][n]) < 1e-9, `${one.case}, box ${k + 1}`)),
    );
  }
});

test("moved boxes keep their size, stay in the picture, share nothing and are texts of four decimals", () => {
  const random = seeded(3);
  for (let n = 0; n < 60; n++) {
    const count = 2 + (n % 7);
    const boxes = Array.from({ length: count }, (_, k) => {
      const [w, h] = [0.08 + (random() * 0.6) / Math.sqrt(count), 0.08 + (random() * 0.6) / Math.sqrt(count)];
      const [x0, y0] = [random() * (1 - w), random() * (1 - h)];
      return boxOf({ x0, y0, x1: x0 + w, y1: y0 + h }, { label: `${k}` });
    });
    const { boxes: moved } = movedApart(boxes, { width: 1024, height: 768 });
    assert.ok(moved);
    moved.forEach((box, k) => {
      assert.deepEqual(boxOf(box, box), box);
      assert.ok(Math.abs(box.x1 - box.x0 - (boxes[k].x1 - boxes[k].x0)) < 1e-9);
      assert.ok(Math.abs(box.y1 - box.y0 - (boxes[k].y1 - boxes[k].y0)) < 1e-9);
      for (const other of moved.slice(k + 1)) assert.ok(!sharing(box, other));
    });
  }
});

test("boxes that stay are the very same", () => {
  const boxes = rects({ boxes: [[0.1, 0.1, 0.4, 0.4], [0.6, 0.6, 0.9, 0.9], [0.65, 0.65, 0.95, 0.95]], locked: [2] });
  const moved = movedApart(boxes, { width: 64, height: 64 }).boxes;
  assert.equal(moved[0], boxes[0]);
  assert.notEqual(moved[1], boxes[1]);
  assert.equal(moved[2], boxes[2]);
});

test("a layout whose boxes share nothing is the same state, and the selection stays", () => {
  const boxes = [box(0.1, 0.1, 0.4, 0.4, { z: 2 }), box(0.3, 0.1, 0.6, 0.4, { label: "b" })];
  const before = { boxes, selected: [1] };
  const after = moveApart(before, { width: 64, height: 64 });
  assert.deepEqual(after.boxes.map(sides), [[0.05, 0.1, 0.35, 0.4], [0.35, 0.1, 0.65, 0.4]]);
  assert.deepEqual([after.boxes[0].z, after.boxes[1].label, after.selected], [2, "b", [1]]);
  assert.equal(moveApart(after, { width: 64, height: 64 }), after);
  assert.equal(moveApart({ boxes: [], selected: [] }, { width: 64, height: 64 }).boxes.length, 0);
});

test("boxes without room are named with what they measure", () => {
  assert.throws(
    () => moveApart({ boxes: [box(0, 0, 1, 1), box(0.25, 0.5, 0.5, 1)], selected: [] }, { width: 1000, height: 500 }),
    (error) => {
      assert.equal(error.key, "no_room");
      assert.deepEqual(error.params, { first: 1, second: 2, one: "1000×500", other: "250×250" });
      return error instanceof FormatError;
    },
  );
});
