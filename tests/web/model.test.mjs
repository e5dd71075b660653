import assert from "node:assert/strict";
import { test } from "node:test";
import * as arrange from "../../web/layout/model/arrange.mjs";
import * as locks from "../../web/layout/model/locks.mjs";
import * as model from "../../web/layout/model/boxes.mjs";
import { finished, moving, resizing } from "../../web/layout/model/gestures.mjs";

const box = (x0, y0, x1, y1, rest) => model.boxOf({ x0, y0, x1, y1 }, rest);
const sides = ({ x0, y0, x1, y1 }) => [x0, y0, x1, y1];
const state = (boxes, selected = []) => ({ boxes, selected });
const size = { width: 1024, height: 512 };

test("operations leave the state they are given as it was", () => {
  const before = state([box(0.1, 0.1, 0.3, 0.3), box(0.5, 0.5, 0.8, 0.8)], [0]);
  const copy = structuredClone(before);
  model.removeSelected(before);
  model.nudge(before, 5, 5, size);
  model.reorder(before, 0, 1);
  model.patch(before, [0, 1], { color: "#ff0000" });
  arrange.align(before, "left");
  assert.deepEqual(before, copy);
});

test("an operation that changes nothing gives back the same state", () => {
  const before = state([box(0.1, 0.1, 0.3, 0.3)], []);
  assert.equal(model.removeSelected(before), before);
  assert.equal(model.select(before, []), before);
  assert.equal(model.reorder(before, 0, 5), before);
  assert.equal(model.append(before, []), before);
});

test("appended boxes are selected", () => {
  const after = model.append(state([box(0, 0, 0.5, 0.5)]), [box(0.5, 0.5, 1, 1), box(0, 0.5, 0.5, 1)]);
  assert.deepEqual(after.selected, [1, 2]);
});

test("removing keeps what is locked", () => {
  const after = model.removeSelected(state([box(0, 0, 1, 1, { locked: true }), box(0, 0, 0.5, 0.5)], [0, 1]));
  assert.equal(after.boxes.length, 1);
  assert.equal(after.boxes[0].locked, true);
});

test("reordering takes the selection along with its boxes", () => {
  const names = ["a", "b", "c", "d"].map((label, k) => box(k / 10, 0, 0.9, 0.9, { label }));
  const after = model.reorder(state(names, [0, 3]), 0, 2);
  assert.deepEqual(
    after.boxes.map((one) => one.label),
    ["b", "c", "a", "d"],
  );
  assert.deepEqual(after.selected, [2, 3]);
});

test("a selected group moves one place in the order and stops at the end", () => {
  const names = ["a", "b", "c", "d"].map((label, k) => box(k / 10, 0, 0.9, 0.9, { label }));
  const once = locks.reorderSelected(state(names, [1, 2]), 1);
  assert.deepEqual(
    once.boxes.map((one) => one.label),
    ["a", "d", "b", "c"],
  );
  assert.deepEqual(once.selected, [2, 3]);
  assert.equal(locks.reorderSelected(once, 1), once);
});

test("a nudge moves by whole pixels and forty of them do not drift", () => {
  let now = state([box(0.25, 0.25, 0.5, 0.5)], [0]);
  for (let n = 0; n < 40; n++) now = model.nudge(now, 1, 0, size);
  assert.equal(Math.round(now.boxes[0].x0 * size.width), 256 + 40);
  assert.equal(now.boxes[0].y0, 0.25);
});

test("a nudge of a group keeps its shape at the picture's edge", () => {
  const before = state([box(0, 0, 0.2, 0.2), box(0.7, 0, 0.99, 0.2)], [0, 1]);
  const after = model.nudge(before, 50, 0, size);
  assert.equal(after.boxes[1].x1, 1);
  assert.ok(Math.abs(after.boxes[0].x0 - 0.01) < 1e-9);
});

test("stretching never makes a box empty", () => {
  let now = state([box(0.25, 0.25, 0.26, 0.5)], [0]);
  for (let n = 0; n < 30; n++) now = model.stretch(now, -10, 0, size);
  assert.ok(now.boxes[0].x1 > now.boxes[0].x0);
});

test("small boxes lie in front of large ones and Alt-click walks through the pile", () => {
  const pile = [box(0.4, 0.4, 0.6, 0.6), box(0, 0, 1, 1), box(0.2, 0.2, 0.8, 0.8)];
  const at = { x: 0.5, y: 0.5 };
  assert.deepEqual(model.boxesAt(pile, at), [0, 2, 1]);
  let now = state(pile);
  const seen = [];
  for (let n = 0; n < 4; n++) {
    now = model.selectNextAt(now, at);
    seen.push(now.selected[0]);
  }
  assert.deepEqual(seen, [0, 2, 1, 0]);
});

test("a duplicate lies beside its original, in the picture, unlocked", () => {
  const after = model.duplicateSelected(state([box(0.5, 0.5, 1, 1, { label: "cat", locked: true })], [0]));
  assert.equal(after.boxes.length, 2);
  assert.equal(after.boxes[1].label, "cat");
  assert.equal(after.boxes[1].locked, undefined);
  assert.notDeepEqual(sides(after.boxes[1]), sides(after.boxes[0]));
});

test("pasting the same box many times never covers another exactly, while there is room", () => {
  let now = state([]);
  for (let n = 0; n < 8; n++) now = model.append(now, model.displaced(now, [box(0.1, 0.1, 0.3, 0.3)]));
  assert.equal(new Set(now.boxes.map((one) => sides(one).join())).size, 8);
});

test("the free place of an empty layout is in the middle and the next one does not touch it", () => {
  const first = model.freePlace([]);
  assert.ok(Math.abs(first.x0 + first.x1 - 1) < 1e-9 && Math.abs(first.y0 + first.y1 - 1) < 1e-9);
  const second = model.freePlace([first]);
  assert.ok(
    second.x0 >= first.x1 - 1e-9 ||
      second.x1 <= first.x0 + 1e-9 ||
      second.y0 >= first.y1 - 1e-9 ||
      second.y1 <= first.y0 + 1e-9,
  );
});

test("numeric entry of x and y moves a box, of w and h moves its far side", () => {
  const before = state([box(0.2, 0.2, 0.6, 0.5)]);
  assert.deepEqual(sides(model.setField(before, 0, "x", 0.5).boxes[0]), [0.5, 0.2, 0.9, 0.5]);
  assert.deepEqual(sides(model.setField(before, 0, "x", 0.9).boxes[0]), [0.6, 0.2, 1, 0.5]);
  assert.deepEqual(sides(model.setField(before, 0, "h", 0.1).boxes[0]), [0.2, 0.2, 0.6, 0.3]);
});

test("a preset keeps names and colours", () => {
  const before = state([box(0.2, 0.2, 0.6, 0.5, { label: "cat", color: "#123456" })], [0]);
  const after = locks.relaid(before, [
    { x0: 0, y0: 0, x1: 0.5, y1: 1 },
    { x0: 0.5, y0: 0, x1: 1, y1: 1 },
  ]);
  assert.equal(after.boxes[0].label, "cat");
  assert.equal(after.boxes[0].color, "#123456");
  assert.deepEqual(after.selected, []);
});

test("one box aligns to the picture, several align to each other", () => {
  assert.deepEqual(sides(arrange.align(state([box(0.2, 0.2, 0.4, 0.4)], [0]), "right").boxes[0]), [0.8, 0.2, 1, 0.4]);
  const after = arrange.align(state([box(0.1, 0.1, 0.2, 0.2), box(0.5, 0.3, 0.9, 0.8)], [0, 1]), "bottom");
  assert.deepEqual(
    after.boxes.map((one) => one.y1),
    [0.8, 0.8],
  );
});

test("distributing gives equal gaps and leaves the outer boxes", () => {
  const before = state([box(0.8, 0, 1, 0.1), box(0, 0, 0.1, 0.1), box(0.15, 0, 0.35, 0.1)], [0, 1, 2]);
  const after = arrange.distribute(before, "x").boxes;
  assert.deepEqual(sides(after[0]), sides(before.boxes[0]));
  assert.deepEqual(sides(after[1]), sides(before.boxes[1]));
  assert.ok(Math.abs(after[2].x0 - after[1].x1 - (after[0].x0 - after[2].x1)) < 2e-4);
});

test("matched sizes are those of the first selected box and stay in the picture", () => {
  const after = arrange.matchSize(state([box(0, 0, 0.4, 0.2), box(0.9, 0.9, 1, 1)], [0, 1])).boxes[1];
  assert.deepEqual(sides(after), [0.6, 0.8, 1, 1]);
});

const MASK = { size: [2, 2], counts: "0120" };

test("what is painted, and its place in front, go where their box goes", () => {
  const painted = box(0.1, 0.1, 0.3, 0.3, { label: "a", z: 2, mask: MASK });
  const before = state([painted, box(0.5, 0.5, 0.8, 0.8)], [0]);
  const around = { lines: () => null, reach: 0 };
  const keys = { shift: false, alt: false, ctrl: false };
  const dragged = (gesture) => finished(before, gesture.update({ x: 0.4, y: 0.4 }, keys));
  const results = {
    nudge: model.nudge(before, 5, 5, size),
    stretch: model.stretch(before, 5, 5, size),
    field: model.setField(before, 0, "w", 0.5),
    align: arrange.align({ ...before, selected: [0, 1] }, "left"),
    patch: model.patch(before, [0], { color: "#ff0000" }),
    preset: locks.relaid(before, [{ x0: 0, y0: 0, x1: 1, y1: 1 }]),
    move: dragged(moving(before, { x: 0.2, y: 0.2 }, around)),
    resize: dragged(resizing(before, "se", { x: 0.3, y: 0.3 }, around)),
  };
  for (const [name, after] of Object.entries(results)) {
    assert.notDeepEqual(after.boxes, before.boxes, name);
    assert.deepEqual([after.boxes[0].mask, after.boxes[0].z], [MASK, 2], name);
  }
  const copy = model.duplicateSelected(before).boxes[2];
  assert.deepEqual([copy.mask, copy.z, copy.label], [MASK, 2, "a"]);
  assert.equal(model.reorder(before, 0, 1).boxes[1].mask, MASK);
});

test("an emptied mask or z leaves the box as one that never had any", () => {
  const before = state([box(0, 0, 1, 1, { z: 2, mask: MASK })], [0]);
  assert.deepEqual(model.patch(before, [0], { z: 0, mask: undefined }).boxes[0], box(0, 0, 1, 1));
});

test("brought to the front, boxes lie before all others and belong to the same subjects", () => {
  const three = ["a", "b", "c"].map((label) => box(0, 0, 1, 1, { label }));
  const front = model.bringToFront(state(three, [0]));
  assert.deepEqual(front.boxes.map(({ label, z }) => [label, z ?? 0]), [["a", 1], ["b", 0], ["c", 0]]);
  assert.deepEqual(model.frontOrder(front.boxes), [1, 2, 0]);
  assert.equal(model.bringToFront(front), front);
  const both = model.bringToFront(model.select(front, [0, 1]));
  assert.deepEqual(model.frontOrder(both.boxes), [2, 1, 0]);
  assert.deepEqual(both.selected, [0, 1]);
});

test("sent to the back, boxes lie behind all others, and no z grows without end", () => {
  let now = state(["a", "b", "c"].map((label) => box(0, 0, 1, 1, { label })), [2]);
  now = model.sendToBack(now);
  assert.deepEqual(model.frontOrder(now.boxes), [2, 0, 1]);
  for (let n = 0; n < 20; n++) now = model.bringToFront(model.select(now, [n % 3]));
  assert.ok(now.boxes.every(({ z = 0 }) => z >= 0 && z < 3));
  assert.deepEqual(model.frontOrder(now.boxes), [2, 0, 1]);
  const none = model.select(now, []);
  assert.equal(model.sendToBack(none), none);
});
