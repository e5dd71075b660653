import assert from "node:assert/strict";
import test from "node:test";

import {
  actualPixels,
  frameOf,
  isWhole,
  MARGIN,
  panned,
  scaleOf,
  settledView,
  visiblePart,
  WHOLE,
  zoomedAbout,
} from "../../web/layout/view/viewport.mjs";
import { seeded } from "./seeded.mjs";

const STAGE = { w: 400, h: 420 };
const SIZE = { width: 1024, height: 1024 };
const near = (a, b, within = 1e-9) => assert.ok(Math.abs(a - b) < within, `${a} is not ${b}`);

test("the whole picture lies in the middle of the stage, a margin from its nearer edges", () => {
  assert.deepEqual(frameOf(WHOLE, STAGE, SIZE), { x: 6, y: 16, w: 388, h: 388 });
  near(scaleOf(WHOLE, STAGE, SIZE), 388 / 1024);
});

test("zooming keeps what lies under the pointer wherever the picture fills the stage", () => {
  const random = seeded(3);
  for (let n = 0; n < 300; n++) {
    const size = { width: 700 + 600 * random(), height: 700 + 600 * random() };
    const view = settledView({ zoom: 3 + 3 * random(), x: 0.4 + 0.2 * random(), y: 0.4 + 0.2 * random() }, STAGE, size);
    const at = { x: 400 * random(), y: 420 * random() };
    const before = frameOf(view, STAGE, size);
    const after = frameOf(zoomedAbout(view, 1 + random(), at, STAGE, size), STAGE, size);
    near((at.x - before.x) / before.w, (at.x - after.x) / after.w);
    near((at.y - before.y) / before.h, (at.y - after.y) / after.h);
  }
});

test("no view goes past the picture's edges or farther than the whole of it", () => {
  const random = seeded(4);
  let view = WHOLE;
  for (let n = 0; n < 500; n++) {
    const at = { x: 400 * random(), y: 420 * random() };
    view = random() < 0.5
      ? zoomedAbout(view, 0.4 + 1.4 * random(), at, STAGE, SIZE)
      : panned(view, 900 * random() - 450, 900 * random() - 450, STAGE, SIZE);
    const { x, y, w, h } = frameOf(view, STAGE, SIZE);
    assert.ok(view.zoom >= 1 && view.zoom <= 8 * (1024 / 388) + 1e-9, view.zoom);
    for (const [start, length, room] of [[x, w, STAGE.w], [y, h, STAGE.h]]) {
      if (length <= room - 2 * MARGIN + 1e-9) near(start, (room - length) / 2, 1e-6);
      else assert.ok(start <= MARGIN + 1e-6 && start + length >= room - MARGIN - 1e-6);
    }
  }
  near(zoomedAbout(view, 1e-6, { x: 0, y: 0 }, STAGE, SIZE).zoom, 1);
  assert.deepEqual(zoomedAbout(view, 1e-6, { x: 0, y: 0 }, STAGE, SIZE), { ...WHOLE });
});

test("panning moves the picture by as many pixels as the pointer", () => {
  const view = zoomedAbout(WHOLE, 4, { x: 200, y: 210 }, STAGE, SIZE);
  const [before, after] = [view, panned(view, 30, -20, STAGE, SIZE)].map((one) => frameOf(one, STAGE, SIZE));
  near(after.x - before.x, 30);
  near(after.y - before.y, -20);
});

test("actual pixels are one to one, also of a picture smaller than the stage", () => {
  for (const side of [64, 256, 1024, 4096]) {
    const size = { width: side, height: side };
    near(scaleOf(actualPixels(WHOLE, STAGE, size), STAGE, size), 1);
    assert.equal(isWhole(actualPixels(WHOLE, STAGE, size)), side <= 388);
  }
});

test("a view that another stage or aspect no longer allows settles", () => {
  const view = settledView({ zoom: 1.2, x: 0, y: 1 }, STAGE, SIZE);
  assert.deepEqual(settledView({ zoom: 1, x: 0.1, y: 0.9 }, STAGE, SIZE), { ...WHOLE });
  const wide = settledView(view, { w: 1200, h: 420 }, SIZE);
  assert.equal(wide.x, 0.5);
});

test("the visible part is what frame and stage share", () => {
  assert.deepEqual(visiblePart({ x: -50, y: 10, w: 600, h: 100 }, STAGE), { x: 0, y: 10, w: 400, h: 100 });
});
