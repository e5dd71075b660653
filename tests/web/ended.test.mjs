import assert from "node:assert/strict";
import test from "node:test";
import { endedPlaces, landed } from "../../web/layout/model/ended.mjs";

const box = (x0, y0, x1, y1, rest = {}) => ({ x0, y0, x1, y1, label: "", color: "", ...rest });
const A = box(0.1, 0.1, 0.5, 0.5, { label: "dog" });
const B = box(0.3, 0.3, 0.8, 0.7);
const edges = ({ x0, y0, x1, y1 }) => [x0, y0, x1, y1];
const ended = (drawn, ...images) => ({ node: "9", drawn: drawn.map(edges), images });
const LEFT = [0, 0.1, 0.4, 0.5];
const RIGHT = { x0: 0.5, y0: 0.3, x1: 1, y1: 0.7 };

test("each image tells where each box's subject ended, and nothing of those that stayed", () => {
  const told = ended([A, B], [edges(A), edges(RIGHT)], [LEFT, null]);
  assert.deepEqual(endedPlaces(told, [A, B]), [
    [null, RIGHT],
    [{ x0: 0, y0: 0.1, x1: 0.4, y1: 0.5 }, null],
  ]);
});

test("edges are told with four decimals", () => {
  const third = box(1 / 3, 0, 2 / 3, 1);
  const told = { node: "9", drawn: [[0.3333, 0, 0.6667, 1]], images: [[[0.3333, 0, 0.6667, 1]]] };
  assert.equal(endedPlaces(told, [third]), null, "it has stayed");
  assert.ok(endedPlaces({ ...told, images: [[[0.34, 0, 0.6734, 1]]] }, [third]));
});

test("boxes that were changed, removed or reordered since are not the run's", () => {
  const told = ended([A, B], [LEFT, edges(RIGHT)]);
  assert.equal(endedPlaces(told, [A, { ...B, x1: 0.81 }]), null);
  assert.equal(endedPlaces(told, [A]), null);
  assert.equal(endedPlaces(told, [B, A]), null);
});

test("boxes of subjects that did not act stay between the others, and two may be equal", () => {
  const [spare, whole] = [box(0, 0, 0.2, 0.2), box(0, 0, 1, 1)];
  const told = ended([A, B], [LEFT, edges(RIGHT)]);
  assert.deepEqual(endedPlaces(told, [A, spare, B, spare])[0].map(Boolean), [true, false, true, false]);
  const equal = ended([whole, whole], [LEFT, edges(RIGHT)]);
  assert.deepEqual(endedPlaces(equal, [whole, whole])[0][1], RIGHT);
});

test("made the layout, boxes keep all else that they have, and locked ones their place", () => {
  const mask = { size: [2, 2], counts: "04" };
  const state = { boxes: [{ ...A, z: 2, mask }, { ...B, locked: true }, B], selected: [1] };
  const next = landed(state, [RIGHT, RIGHT, null]);
  assert.deepEqual(next, { boxes: [{ ...A, z: 2, mask, ...RIGHT }, state.boxes[1], B], selected: [1] });
  assert.equal(landed(state, [null, RIGHT, null]), state);
});
