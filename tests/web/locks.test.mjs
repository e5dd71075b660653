import assert from "node:assert/strict";
import test from "node:test";
import * as locks from "../../web/layout/model/locks.mjs";
import { seeded } from "./seeded.mjs";

const box = (label, locked = false) => ({ x0: 0.1, y0: 0.1, x1: 0.4, y1: 0.4, label, color: "", ...(locked ? { locked } : {}) });
const state = (words, selected = []) => ({
  boxes: [...words].map((letter) => box(letter, letter === letter.toUpperCase())),
  selected,
});
const names = ({ boxes }) => boxes.map(({ label }) => label).join("");
const RECTS = [
  { x0: 0, y0: 0, x1: 0.5, y1: 1 },
  { x0: 0.5, y0: 0, x1: 1, y1: 1 },
];

test("a preset goes round locked boxes and leaves those that it has no place for", () => {
  const before = state("aBcD");
  const after = locks.relaid(before, RECTS);
  assert.equal(names(after), "aBD");
  assert.equal(after.boxes[0].x1, 0.5);
  assert.equal(after.boxes[1], before.boxes[1]);
  assert.equal(names(locks.relaid(before, [])), "BD");
});

test("an import in place of what is there goes round locked boxes and loses none of its own", () => {
  assert.equal(names(locks.replaced(state("aBc"), state("xyz").boxes)), "xByz");
  assert.equal(names(locks.replaced(state("aBc"), state("x").boxes)), "xB");
  assert.equal(names(locks.replaced(state("ab"), state("xyz").boxes)), "xyz");
});

test("in the order of subjects a locked box keeps its place, and others pass it", () => {
  assert.equal(names(locks.movedInOrder(state("aBcd"), 0, 3)), "cBda");
  assert.equal(names(locks.movedInOrder(state("aBcd"), 3, 0)), "dBac");
  assert.equal(names(locks.movedInOrder(state("aBcd"), 0, 1)), "aBcd");
  assert.equal(names(locks.movedInOrder(state("aBcd"), 1, 3)), "aBcd");
  assert.equal(names(locks.reorderSelected(state("aBcd", [0]), 1)), "cBad");
  assert.equal(names(locks.reorderSelected(state("aBcd", [1]), 1)), "aBcd");
  assert.deepEqual(locks.reorderSelected(state("aBcd", [0, 1]), 1).selected, [1, 2]);
});

test("whatever is moved in the order, no locked box moves and none is lost", () => {
  const random = seeded(7);
  const letters = "abcdefgh";
  for (let n = 0; n < 500; n++) {
    const length = 1 + Math.floor(random() * letters.length);
    const words = [...letters.slice(0, length)].map((one) => (random() < 0.3 ? one.toUpperCase() : one)).join("");
    const before = state(words, [Math.floor(random() * length)]);
    const moved =
      random() < 0.5
        ? locks.movedInOrder(before, Math.floor(random() * length), Math.floor(random() * length))
        : locks.reorderSelected(before, random() < 0.5 ? 1 : -1);
    assert.deepEqual([...names(moved)].sort(), [...words].sort());
    before.boxes.forEach((one, k) => one.locked && assert.equal(moved.boxes[k], one));
    assert.equal(moved.boxes[moved.selected[0]], before.boxes[before.selected[0]]);
  }
});
