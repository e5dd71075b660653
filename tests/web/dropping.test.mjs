import assert from "node:assert/strict";
import { test } from "node:test";
import { boxOf } from "../../web/layout/model/boxes.mjs";
import { landingAt, photoPlace, photoRect, withPhotos } from "../../web/layout/model/dropping.mjs";
import { areaOf, overlaps } from "../../web/layout/model/geometry.mjs";
import { freeSpot } from "../../web/layout/model/places.mjs";
import { boxesNeeded, NOBODY } from "../../web/layout/model/subjects.mjs";

const A = boxOf({ x0: 0, y0: 0, x1: 0.3, y1: 0.3 }, { label: "a" });
const B = boxOf({ x0: 0.35, y0: 0, x1: 0.65, y1: 0.3 }, { label: "b" });
const C = boxOf({ x0: 0.7, y0: 0, x1: 1, y1: 0.3 }, { label: "c" });
const RECT = { x0: 0.25, y0: 0.5, x1: 0.75, y1: 1 };
const state = (...boxes) => ({ boxes, selected: [] });
const labels = ({ boxes }) => boxes.map((box) => box.label);
const FRESH = { landing: { kind: "new", k: -1 }, rect: RECT };
const onto = (k) => ({ landing: { kind: "take", k }, rect: RECT });
const subject = (part = "acting") => ({ ...NOBODY, phrase: "x", part });

test("a photo's box has its aspect in pixels, a quarter of the frame, and lies inside", () => {
  for (const [photo, frame] of [[1, 1], [1.5, 1], [0.8, 1.6], [1.2, 0.4]]) {
    const rect = photoRect({ x: 0.98, y: 0.02 }, photo, frame);
    const [w, h] = [rect.x1 - rect.x0, rect.y1 - rect.y0];
    assert.ok(Math.abs((w / h) * frame - photo) < 1e-9);
    assert.ok(Math.abs(areaOf(rect) - 0.25) < 1e-9, `${photo} ${frame}`);
    assert.ok(rect.x0 >= 0 && rect.y0 >= 0 && rect.x1 <= 1 + 1e-9 && rect.y1 <= 1 + 1e-9);
  }
});

test("a very wide photo's box gets smaller rather than longer than the frame", () => {
  const rect = photoRect({ x: 0.5, y: 0.5 }, 10, 1);
  assert.ok(rect.x1 - rect.x0 < 0.93 && Math.abs((rect.x1 - rect.x0) / (rect.y1 - rect.y0) - 10) < 1e-6);
});

test("a drop lands on the box in front: one without a subject is taken, another's photo replaced", () => {
  const boxes = [A, B, C];
  const subjects = [subject(), subject("muted")];
  assert.deepEqual(landingAt(boxes, subjects, { x: 0.1, y: 0.1 }), { kind: "replace", k: 0 });
  assert.deepEqual(landingAt(boxes, subjects, { x: 0.5, y: 0.1 }), { kind: "replace", k: 1 });
  assert.deepEqual(landingAt(boxes, subjects, { x: 0.8, y: 0.1 }), { kind: "take", k: 2 });
  assert.deepEqual(landingAt(boxes, subjects, { x: 0.8, y: 0.9 }), { kind: "new", k: -1 });
  assert.deepEqual(landingAt(boxes, null, { x: 0.1, y: 0.1 }), { kind: "take", k: 0 });
});

test("as many boxes as subjects: the new box is the last", () => {
  const { state: next, sockets, added } = withPhotos(state(A, B), 2, [FRESH]);
  assert.deepEqual([labels(next), sockets, added, [...next.selected]], [["a", "b", ""], [2], 0, [2]]);
});

test("more boxes than subjects: the new box goes before the spare ones, to its socket's place", () => {
  const { state: next, sockets } = withPhotos(state(A, B, C), 1, [FRESH]);
  assert.deepEqual([labels(next), sockets], [["a", "", "b", "c"], [1]]);
  assert.deepEqual([next.boxes[1].x0, next.boxes[1].y0], [RECT.x0, RECT.y0]);
});

test("a spare box that is dropped on comes to its socket's place, the others keep their order", () => {
  const { state: next, sockets } = withPhotos(state(A, B, C), 1, [onto(2)]);
  assert.deepEqual([labels(next), sockets], [["a", "c", "b"], [1]]);
});

test("fewer boxes than subjects: the missing ones are drawn, so that the photo's box is its own", () => {
  const { state: next, sockets, added } = withPhotos(state(A), 3, [FRESH]);
  assert.deepEqual([next.boxes.length, sockets, added], [4, [3], 2]);
  assert.deepEqual([next.boxes[3].x0, next.boxes[3].y1], [RECT.x0, RECT.y1]);
});

test("a box whose socket is free between others keeps its place", () => {
  const { state: next, sockets } = withPhotos(state(A, B, C), 3, [onto(1)], (k) => k === 1);
  assert.deepEqual([labels(next), sockets], [["a", "b", "c"], [1]]);
});

test("several photos of one drop take one socket after the other", () => {
  const { state: next, sockets } = withPhotos(state(A, B, C), 1, [onto(2), FRESH]);
  assert.deepEqual([labels(next), sockets, [...next.selected]], [["a", "c", "", "b"], [1, 2], [1]]);
});

test("a further photo of a drop goes where nothing is", () => {
  const boxes = [photoRect({ x: 0.2, y: 0.2 }, 1, 1)];
  for (let n = 0; n < 3; n++) {
    const rect = photoPlace(boxes, { x: 0.2, y: 0.2 }, 1, 1);
    assert.ok(!boxes.some((box) => overlaps(box, rect)), String(n));
    boxes.push(rect);
  }
});

test("nodes are placed off everything that is there, and left of their taker", () => {
  const taken = [];
  const right = 1000;
  for (let n = 0; n < 12; n++) {
    const wanted = { x: 400, y: 100, w: 500, h: 300 };
    const spot = freeSpot([{ x: 300, y: 50, w: 400, h: 700 }, ...taken], wanted, { rightmost: right });
    const block = { ...wanted, ...spot };
    assert.ok(block.x + block.w <= right);
    for (const one of [{ x: 300, y: 50, w: 400, h: 700 }, ...taken])
      assert.ok(
        block.x >= one.x + one.w + 29 || one.x >= block.x + block.w + 29 || block.y >= one.y + one.h + 29 || one.y >= block.y + block.h + 29,
      );
    taken.push(block);
  }
});

test("where nothing is in the way a node goes where it is wanted", () => {
  assert.deepEqual(freeSpot([], { x: 5, y: 6, w: 10, h: 10 }), { x: 5, y: 6 });
});

test("muted subjects at the end need no box, those before an acting one do", () => {
  assert.equal(boxesNeeded([subject("muted"), subject(), subject("bypassed")]), 2);
  assert.equal(boxesNeeded([subject("muted")]), 0);
});
