import assert from "node:assert/strict";
import { test } from "node:test";
import { drawing, finished, lassoing, moving, resizing } from "../../web/layout/model/gestures.mjs";
import { boxOf } from "../../web/layout/model/boxes.mjs";
import { snapLines } from "../../web/layout/model/snapping.mjs";
import { HANDLES } from "../../web/layout/model/geometry.mjs";
import { seeded } from "./seeded.mjs";

const NO_KEYS = { shift: false, alt: false, ctrl: false };
const box = (x0, y0, x1, y1, rest) => boxOf({ x0, y0, x1, y1 }, rest);
const sides = ({ x0, y0, x1, y1 }) => [x0, y0, x1, y1];
const loose = { aspect: 2, reach: { x: 0.02, y: 0.02 }, lines: () => null };
const snapping = (boxes, sources = {}) => ({
  ...loose,
  lines: (gone) => snapLines({ others: boxes.filter((_, k) => !gone.includes(k)), ...sources }),
});
const near = (actual, expected) =>
  expected.forEach((value, k) => assert.ok(Math.abs(actual[k] - value) < 1e-9, `${actual}`));

test("drawing adds one selected box and leaves the start untouched", () => {
  const start = { boxes: [box(0, 0, 0.2, 0.2)], selected: [0] };
  const draft = drawing(start, { x: 0.3, y: 0.3 }, loose).update({ x: 0.6, y: 0.7 }, NO_KEYS);
  near(sides(draft.state.boxes[1]), [0.3, 0.3, 0.6, 0.7]);
  assert.deepEqual(draft.state.selected, [1]);
  assert.equal(start.boxes.length, 1);
});

test("a press without a drag draws nothing", () => {
  const start = { boxes: [], selected: [] };
  assert.equal(drawing(start, { x: 0.3, y: 0.3 }, loose).update({ x: 0.3, y: 0.3 }, NO_KEYS).state, start);
});

test("Shift draws a square in pixels, Alt draws from the centre", () => {
  const square = drawing({ boxes: [], selected: [] }, { x: 0.2, y: 0.2 }, loose).update(
    { x: 0.4, y: 0.3 },
    { ...NO_KEYS, shift: true },
  );
  near(sides(square.state.boxes[0]), [0.2, 0.2, 0.4, 0.6]);
  const centred = drawing({ boxes: [], selected: [] }, { x: 0.5, y: 0.5 }, loose).update(
    { x: 0.6, y: 0.7 },
    { ...NO_KEYS, alt: true },
  );
  near(sides(centred.state.boxes[0]), [0.4, 0.3, 0.6, 0.7]);
});

test("a move takes the whole selection and stops at the picture's edge", () => {
  const start = { boxes: [box(0.1, 0.1, 0.2, 0.2), box(0.5, 0.5, 0.8, 0.8)], selected: [0, 1] };
  const { state } = moving(start, { x: 0.15, y: 0.15 }, loose).update({ x: 0.9, y: 0.15 }, NO_KEYS);
  near(sides(state.boxes[0]), [0.3, 0.1, 0.4, 0.2]);
  near(sides(state.boxes[1]), [0.7, 0.5, 1, 0.8]);
});

test("a locked box does not move with the selection", () => {
  const start = { boxes: [box(0.1, 0.1, 0.2, 0.2, { locked: true }), box(0.5, 0.5, 0.8, 0.8)], selected: [0, 1] };
  const { state } = moving(start, { x: 0.6, y: 0.6 }, loose).update({ x: 0.65, y: 0.6 }, NO_KEYS);
  near(sides(state.boxes[0]), [0.1, 0.1, 0.2, 0.2]);
  near(sides(state.boxes[1]), [0.55, 0.5, 0.85, 0.8]);
});

test("an edge near another box is drawn to it and a guide shows it; Ctrl leaves it free", () => {
  const start = { boxes: [box(0.1, 0.1, 0.3, 0.3), box(0.35, 0.6, 0.55, 0.9)], selected: [1] };
  const gesture = moving(start, { x: 0.4, y: 0.7 }, snapping(start.boxes, { picture: false, thirds: false }));
  const held = gesture.update({ x: 0.36, y: 0.7 }, NO_KEYS);
  assert.ok(Math.abs(held.state.boxes[1].x0 - 0.3) < 1e-9);
  assert.ok(held.guides.some((guide) => guide.axis === "x" && Math.abs(guide.at - 0.3) < 1e-9));
  const free = gesture.update({ x: 0.36, y: 0.7 }, { ...NO_KEYS, ctrl: true });
  assert.ok(Math.abs(free.state.boxes[1].x0 - 0.31) < 1e-9);
  assert.deepEqual(free.guides, []);
});

test("a box is drawn to thirds, to the picture's edges and to the grid", () => {
  const around = snapping([], { grid: { x: 0.0625, y: 0.125 } });
  const thirds = drawing({ boxes: [], selected: [] }, { x: 0.01, y: 0.01 }, around).update(
    { x: 0.33, y: 0.66 },
    NO_KEYS,
  );
  near(sides(thirds.state.boxes[0]).slice(0, 2), [0, 0]);
  assert.ok(Math.abs(thirds.state.boxes[0].x1 - 1 / 3) < 1e-4);
  const grid = drawing({ boxes: [], selected: [] }, { x: 0.19, y: 0.13 }, around).update(
    { x: 0.435, y: 0.38 },
    NO_KEYS,
  );
  near(sides(grid.state.boxes[0]), [0.1875, 0.125, 0.4375, 0.375]);
});

test("Alt-drag moves copies and leaves the originals", () => {
  const start = { boxes: [box(0.1, 0.1, 0.3, 0.3, { label: "cat" })], selected: [0] };
  const { state } = moving(start, { x: 0.2, y: 0.2 }, loose, { copy: true }).update(
    { x: 0.6, y: 0.2 },
    { ...NO_KEYS, alt: true },
  );
  assert.equal(state.boxes.length, 2);
  near(sides(state.boxes[0]), [0.1, 0.1, 0.3, 0.3]);
  near(sides(state.boxes[1]), [0.5, 0.1, 0.7, 0.3]);
});

test("a group is scaled as a whole, with Shift in its own aspect", () => {
  const start = { boxes: [box(0, 0, 0.2, 0.2), box(0.2, 0.2, 0.4, 0.4)], selected: [0, 1] };
  const { state } = resizing(start, "se", { x: 0.4, y: 0.4 }, loose).update(
    { x: 0.8, y: 0.5 },
    { ...NO_KEYS, shift: true },
  );
  near(sides(state.boxes[0]), [0, 0, 0.4, 0.4]);
  near(sides(state.boxes[1]), [0.4, 0.4, 0.8, 0.8]);
});

test("a lasso catches what it touches but not the box it is drawn inside of", () => {
  const start = { boxes: [box(0, 0, 1, 1), box(0.2, 0.2, 0.4, 0.4), box(0.6, 0.6, 0.8, 0.8)], selected: [] };
  const { state } = lassoing(start, { x: 0.1, y: 0.1 }).update({ x: 0.3, y: 0.3 }, NO_KEYS);
  assert.deepEqual(state.selected, [1]);
});

test("after any gesture every box is a legal one with four decimals", () => {
  const random = seeded(11);
  const point = () => ({ x: random() * 1.2 - 0.1, y: random() * 1.2 - 0.1 });
  const inside = () => ({ x: random(), y: random() });
  let now = { boxes: [], selected: [] };
  for (let n = 0; n < 3000; n++) {
    const around = random() < 0.5 ? loose : snapping(now.boxes, { grid: { x: 1 / 16, y: 1 / 8 } });
    const keys = { shift: random() < 0.3, alt: random() < 0.3, ctrl: random() < 0.3 };
    const all = { ...now, selected: now.boxes.map((_, k) => k).filter(() => random() < 0.6) };
    const kinds = all.selected.length ? ["draw", "move", "resize"] : ["draw"];
    const kind = now.boxes.length > 12 ? "reset" : kinds[Math.floor(random() * kinds.length)];
    if (kind === "reset") now = { boxes: [], selected: [] };
    if (kind === "draw") now = finished(now, drawing(now, inside(), around).update(point(), keys));
    if (kind === "move") now = finished(all, moving(all, inside(), around, { copy: keys.alt }).update(point(), keys));
    if (kind === "resize") now = finished(all, resizing(all, HANDLES[n % 8], inside(), around).update(point(), keys));
    for (const one of now.boxes) {
      assert.deepEqual(boxOf(one, one), one);
      assert.ok(
        one.x0 >= 0 && one.y0 >= 0 && one.x1 <= 1 && one.y1 <= 1 && one.x1 > one.x0 && one.y1 > one.y0,
        JSON.stringify(one),
      );
    }
  }
});
