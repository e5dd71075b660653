import assert from "node:assert/strict";
import { test } from "node:test";
import * as model from "../../web/layout/model/boxes.mjs";
import { finished } from "../../web/layout/model/gestures.mjs";
import { layoutText, parseLayout } from "../../web/layout/model/format.mjs";
import { covers, rasterOf } from "../../web/layout/model/masks.mjs";
import * as painting from "../../web/layout/model/painting.mjs";

const size = { width: 1024, height: 1024 };
const add = { size, erase: false, inside: false };
const away = { ...add, erase: true };
const box = model.boxOf({ x0: 0.25, y0: 0.25, x1: 0.75, y1: 0.75 }, { label: "cup", color: "#ff0000" });
const one = { boxes: [box], selected: [0] };
const p = (x, y) => ({ x, y });

/** What a stroke through points leaves. */
function stroked(state, stroke, ...points) {
  const draft = points.reduce((_, point) => stroke.update(point), null);
  return finished(state, draft);
}
const brush = (state, k, how, ...points) =>
  stroked(state, painting.brushing(state, k, points[0], { radius: 51.2, ...how }), ...points);
const share = ({ mask }) => (mask ? rasterOf(mask).bits.reduce((sum, bit) => sum + bit, 0) / rasterOf(mask).bits.length : 1);

test("the first stroke of the brush on a whole box is its region, and the box keeps its place and name", () => {
  const after = brush(one, 0, add, p(0.4, 0.5), p(0.6, 0.5));
  assert.deepEqual({ ...after.boxes[0], mask: undefined }, { ...box, mask: undefined });
  assert.ok(covers(after.boxes[0], p(0.5, 0.5)) && !covers(after.boxes[0], p(0.5, 0.7)));
  assert.equal(one.boxes[0].mask, undefined);
});

test("more strokes add to the region", () => {
  const first = brush(one, 0, add, p(0.35, 0.5));
  const second = brush(first, 0, add, p(0.65, 0.5));
  assert.ok(covers(second.boxes[0], p(0.35, 0.5)) && covers(second.boxes[0], p(0.65, 0.5)));
  assert.ok(!covers(second.boxes[0], p(0.5, 0.5)));
});

test("painting over the edge makes the box larger and leaves the rest of the region in place", () => {
  const first = brush(one, 0, add, p(0.35, 0.35));
  const second = brush(first, 0, add, p(0.7, 0.5), p(0.9, 0.5));
  const { x0, y0, x1, y1 } = second.boxes[0];
  assert.deepEqual([x0, y0, y1], [0.25, 0.25, 0.75]);
  assert.ok(x1 > 0.94 && x1 < 0.97);
  assert.ok(covers(second.boxes[0], p(0.9, 0.5)) && covers(second.boxes[0], p(0.35, 0.35)));
  assert.ok(!covers(second.boxes[0], p(0.35, 0.42)));
});

test("inside only, and the eraser, leave the box where it is", () => {
  const first = brush(one, 0, { ...add, inside: true }, p(0.5, 0.5), p(0.9, 0.5));
  assert.equal(first.boxes[0].x1, 0.75);
  const second = brush(first, 0, away, p(0.6, 0.5), p(1, 0.5));
  assert.equal(second.boxes[0].x1, 0.75);
  assert.ok(covers(second.boxes[0], p(0.5, 0.5)) && !covers(second.boxes[0], p(0.7, 0.5)));
});

test("the eraser on a whole box takes away from the whole", () => {
  const after = brush(one, 0, away, p(0.25, 0.25));
  assert.ok(share(after.boxes[0]) > 0.95 && share(after.boxes[0]) < 1);
});

test("a region is never empty: a stroke that takes the last away is not kept", () => {
  const first = brush(one, 0, add, p(0.5, 0.5));
  const stroke = painting.brushing(first, 0, p(0.5, 0.5), { ...away, radius: 400 });
  assert.equal(stroke.update(p(0.5, 0.5)).state, first);
  assert.equal(stroke.empty, true);
});

test("a region that is painted whole is a box without a mask", () => {
  const first = brush(one, 0, add, p(0.5, 0.5));
  const second = brush(first, 0, { ...add, inside: true, radius: 600 }, p(0.5, 0.5));
  assert.deepEqual(second.boxes[0], box);
});

test("a stroke without a box makes one around it, selected", () => {
  const after = brush(one, -1, add, p(0.8, 0.1), p(0.9, 0.1));
  assert.equal(after.boxes.length, 2);
  assert.deepEqual(after.selected, [1]);
  const { x0, x1, y0 } = after.boxes[1];
  assert.deepEqual([x0, x1, y0].map((side) => Math.round(side * 100)), [75, 95, 5]);
  assert.ok(Math.abs(share(after.boxes[1]) - (Math.PI / 4 + 1) / 2) < 0.02);
});

test("a straight line comes from where the last stroke ended", () => {
  const after = stroked(one, painting.brushing(one, 0, p(0.6, 0.6), { ...add, radius: 20, from: p(0.4, 0.4) }), p(0.6, 0.6));
  assert.ok(covers(after.boxes[0], p(0.5, 0.5)));
});

test("a lasso takes what it runs round, and with erase takes it away", () => {
  const round = [p(0.3, 0.3), p(0.6, 0.3), p(0.6, 0.6), p(0.3, 0.6)];
  const lasso = (state, how) => stroked(state, painting.enclosing(state, 0, round[0], { ...how, corners: false }), ...round);
  const added = lasso(one, add);
  assert.ok(covers(added.boxes[0], p(0.4, 0.4)) && !covers(added.boxes[0], p(0.7, 0.7)));
  const taken = lasso(one, away);
  assert.ok(!covers(taken.boxes[0], p(0.4, 0.4)) && covers(taken.boxes[0], p(0.7, 0.7)));
  assert.ok(Math.abs(share(added.boxes[0]) + share(taken.boxes[0]) - 1) < 1e-9);
});

test("a polygon is set corner by corner, the last can be taken back, and the first one closes it", () => {
  const stroke = painting.enclosing(one, 0, p(0.3, 0.3), { ...add, corners: true });
  stroke.add(p(0.6, 0.3));
  stroke.add(p(0.6, 0.35));
  stroke.back();
  stroke.add(p(0.6, 0.6));
  const reach = p(0.02, 0.02);
  assert.equal(stroke.isBack(p(0.31, 0.29), reach), true);
  assert.equal(stroke.isBack(p(0.35, 0.29), reach), false);
  const after = finished(one, stroke.update(p(0.3, 0.3)));
  assert.ok(covers(after.boxes[0], p(0.55, 0.4)) && !covers(after.boxes[0], p(0.4, 0.55)));
});

test("filling closes a ring, and with erase takes away what is joined", () => {
  const ring = [p(0.35, 0.35), p(0.65, 0.35), p(0.65, 0.65), p(0.35, 0.65), p(0.35, 0.35)];
  const painted = brush(one, 0, { ...add, radius: 20 }, ...ring);
  const full = painting.filled(painted, 0, p(0.5, 0.5), add);
  assert.ok(covers(full.boxes[0], p(0.5, 0.5)) && !covers(full.boxes[0], p(0.3, 0.3)));
  assert.equal(painting.filled(painted, 0, p(0.36, 0.35), away), null);
  assert.equal(painting.filled(one, 0, p(0.5, 0.5), add), one);
  assert.equal(painting.filled(painted, 0, p(0.1, 0.1), add), painted);
});

test("turning takes the rest of the box; a whole box stays", () => {
  const painted = brush(one, 0, add, p(0.5, 0.5));
  const rest = painting.turned(painted, 0);
  assert.ok(!covers(rest.boxes[0], p(0.5, 0.5)) && covers(rest.boxes[0], p(0.3, 0.3)));
  assert.equal(layoutText(painting.turned(rest, 0).boxes), layoutText(painted.boxes));
  assert.equal(painting.turned(one, 0), one);
});

test("boxes are whole again, and go round what is painted", () => {
  const painted = brush(one, 0, add, p(0.5, 0.5));
  assert.deepEqual(painting.whole(painted, [0]).boxes, [box]);
  assert.equal(painting.whole(one, [0]), one);
  const [fitted] = painting.fitted(painted, [0]).boxes;
  assert.deepEqual([fitted.x0, fitted.x1].map((side) => Math.round(side * 100)), [45, 55]);
  assert.equal(fitted.label, "cup");
  const again = painting.fitted({ boxes: [fitted], selected: [0] }, [0]);
  assert.deepEqual(again.boxes, [fitted]);
});

test("a shape keeps its proportions in the middle of its box", () => {
  const bits = new Uint8Array(100 * 200);
  for (let y = 20; y < 80; y++) bits.fill(1, y * 200 + 50, y * 200 + 80 + (y > 40 ? 0 : 0));
  bits[20 * 200 + 50] = 0;
  const [after] = painting.shaped(one, 0, { bits, h: 100, w: 200 }, size).boxes;
  assert.deepEqual([after.x0, after.y0, after.x1, after.y1], [0.375, 0.25, 0.625, 0.75]);
  assert.ok(share(after) > 0.99 && share(after) < 1);
});

test("a painted region survives its text", () => {
  const painted = brush(one, 0, add, p(0.4, 0.5), p(0.62, 0.44));
  const text = layoutText(painted.boxes);
  assert.equal(layoutText(parseLayout(text)), text);
  const moved = model.nudge(painted, 30, 0, size);
  assert.deepEqual(moved.boxes[0].mask, painted.boxes[0].mask);
});
