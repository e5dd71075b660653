import assert from "node:assert/strict";
import { test } from "node:test";
import { drag, enclose, flood, inverted } from "../../web/layout/model/brushes.mjs";
import * as masks from "../../web/layout/model/masks.mjs";
import { halved, outlinesOf } from "../../web/layout/model/outlines.mjs";
import { seeded } from "./seeded.mjs";

const WHOLE = { x0: 0, y0: 0, x1: 1, y1: 1 };
const size = { width: 1024, height: 1024 };

/** A raster written as lines of "#" (inside) and ".". */
function drawn(...lines) {
  return { bits: Uint8Array.from(lines.join(""), (one) => Number(one === "#")), h: lines.length, w: lines[0].length };
}
const lines = ({ bits, h, w }) =>
  Array.from({ length: h }, (_, y) => Array.from(bits.subarray(y * w, y * w + w), (bit) => ".#"[bit]).join(""));
const count = ({ bits }) => bits.reduce((sum, bit) => sum + bit, 0);
const noise = (seed, h, w) => {
  const random = seeded(seed);
  return { bits: Uint8Array.from({ length: h * w }, () => Number(random() < 0.5)), h, w };
};

/** The area that closed lines enclose, holes taken off. */
const areaOf = (loops) =>
  loops.reduce((sum, loop) => {
    for (let k = 0; k < loop.length; k += 2) {
      const next = (k + 2) % loop.length;
      sum += (loop[k] * loop[next + 1] - loop[next] * loop[k + 1]) / 2;
    }
    return sum;
  }, 0);

test("a mask is the raster that it was made of, also after it was saved", () => {
  const raster = noise(1, 37, 61);
  const mask = masks.maskOf(raster);
  assert.equal(masks.rasterOf(mask), raster);
  assert.deepEqual(masks.rasterOf(structuredClone(mask)), raster);
  assert.deepEqual(mask.size, [37, 61]);
});

test("rasters are 128 pixels long, up to 256 in large boxes, in the shape of the box in the picture", () => {
  assert.deepEqual(masks.rasterSize({ x0: 0, y0: 0, x1: 0.25, y1: 0.125 }, size), { h: 64, w: 128 });
  assert.deepEqual(masks.rasterSize(WHOLE, size), { h: 256, w: 256 });
  assert.deepEqual(masks.rasterSize(WHOLE, { width: 768, height: 1536 }), { h: 256, w: 128 });
  assert.deepEqual(masks.rasterSize({ x0: 0, y0: 0, x1: 1, y1: 0.002 }, size), { h: 1, w: 256 });
});

test("a point is covered where its pixel is inside", () => {
  const box = { x0: 0.2, y0: 0.2, x1: 0.6, y1: 0.4, mask: masks.maskOf(drawn("#.", ".#")) };
  assert.equal(masks.covers(box, { x: 0.3, y: 0.25 }), true);
  assert.equal(masks.covers(box, { x: 0.5, y: 0.25 }), false);
  assert.equal(masks.covers(box, { x: 0.6, y: 0.4 }), true);
  assert.equal(masks.covers(box, { x: 0.7, y: 0.4 }), false);
  assert.equal(masks.covers({ ...box, mask: undefined }, { x: 0.5, y: 0.25 }), true);
});

test("growing by whole pixels keeps every pixel as it was", () => {
  const raster = noise(2, 64, 128);
  const from = { x0: 0.25, y0: 0.25, x1: 0.5, y1: 0.375 };
  const { rect, raster: larger } = masks.grown(raster, from, { x0: 0.2, y0: 0.25, x1: 0.6, y1: 0.4 });
  assert.ok(rect.x0 <= 0.2 && rect.x1 >= 0.6 && rect.y1 >= 0.4 && rect.y0 === 0.25);
  assert.equal(count(larger), count(raster));
  assert.deepEqual(masks.placed(larger, rect, from, 64, 128), raster);
});

test("growing ends at the picture and at 256 pixels", () => {
  const { rect, raster } = masks.grown(masks.plain(128, 128, 1), { x0: 0.4, y0: 0.4, x1: 0.5, y1: 0.5 }, WHOLE);
  for (const side of ["x0", "y0", "x1", "y1"]) assert.ok(Math.abs(rect[side] - WHOLE[side]) < 1e-9);
  assert.deepEqual([raster.h, raster.w], [256, 256]);
  assert.ok(Math.abs(count(raster) / 256 ** 2 - 0.01) < 0.002);
});

test("trimming keeps what is painted where it is", () => {
  const found = masks.trimmed(drawn("....", ".##.", "..#.", "...."), { x0: 0, y0: 0, x1: 0.8, y1: 0.4 });
  assert.deepEqual(lines(found.raster), ["##", ".#"]);
  assert.deepEqual(Object.values(found.rect).map((side) => Math.round(side * 10) / 10), [0.2, 0.1, 0.6, 0.3]);
  assert.equal(masks.trimmed(masks.plain(3, 3), WHOLE), null);
});

test("a cell is a region's from half coverage, and never are there none", () => {
  const half = masks.cellsOf(WHOLE, drawn("##..", "####"), 1, 4);
  assert.deepEqual([...half], [1, 1, 1, 1]);
  const less = masks.cellsOf({ x0: 0, y0: 0, x1: 0.49, y1: 1 }, drawn("#"), 1, 1);
  assert.deepEqual([...less], [1]);
  const shifted = masks.cellsOf({ x0: 0.25, y0: 0, x1: 0.74, y1: 1 }, drawn("#"), 1, 2);
  assert.deepEqual([...shifted], [1, 0]);
});

test("a brush is round in the picture though a raster's pixels are not square", () => {
  const raster = masks.plain(40, 80);
  drag(raster, { x: 40, y: 20 }, { x: 40, y: 20 }, { x: 20, y: 10 }, 1);
  assert.ok(Math.abs(count(raster) - Math.PI * 200) < 20);
  drag(raster, { x: 10, y: 20 }, { x: 70, y: 20 }, { x: 4, y: 4 }, 0);
  assert.equal(raster.bits[20 * 80 + 40], 0);
  assert.equal(raster.bits[12 * 80 + 40], 1);
});

test("a brush finer than a pixel still leaves a trace", () => {
  const raster = masks.plain(8, 8);
  drag(raster, { x: 1, y: 1 }, { x: 7, y: 7 }, { x: 0.01, y: 0.01 }, 1);
  assert.ok(count(raster) >= 6);
});

test("a closed line encloses what it runs round, also twice", () => {
  const raster = masks.plain(4, 6);
  const corners = [[1, 1], [5, 1], [5, 3], [1, 3]].map(([x, y]) => ({ x, y }));
  enclose(raster, corners, 1);
  assert.deepEqual(lines(raster), ["......", ".####.", ".####.", "......"]);
  enclose(raster, [...corners, ...corners], 1);
  assert.equal(count(raster), 8);
  enclose(raster, [{ x: 2, y: 0 }, { x: 3, y: 0 }, { x: 3, y: 9 }, { x: 2, y: 9 }], 0);
  assert.deepEqual(lines(raster), ["......", ".#.##.", ".#.##.", "......"]);
});

test("flooding stops at what is painted and does not pass corners", () => {
  const raster = drawn("..#..", ".#.#.", "..#..");
  flood(raster, 2, 1, 1);
  assert.deepEqual(lines(raster), ["..#..", ".###.", "..#.."]);
  flood(raster, 0, 0, 1);
  assert.deepEqual(lines(raster), ["###..", "####.", "###.."].map((line, y) => (y === 1 ? "####." : line)));
  flood(raster, 0, 0, 0);
  assert.equal(count(raster), 0);
});

test("flooding reaches everything that is joined", () => {
  for (let seed = 0; seed < 20; seed++) {
    const raster = noise(seed, 17, 23);
    const before = { ...raster, bits: raster.bits.slice() };
    flood(raster, 0, 0, 1);
    for (let y = 0; y < 17; y++) {
      for (let x = 0; x < 23; x++) {
        const at = y * 23 + x;
        const reached = raster.bits[at] && !before.bits[at];
        if (!reached) continue;
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          const [nx, ny] = [x + dx, y + dy];
          if (nx >= 0 && ny >= 0 && nx < 23 && ny < 17) assert.equal(raster.bits[ny * 23 + nx], 1);
        }
      }
    }
  }
});

test("inverting twice changes nothing", () => {
  const raster = noise(5, 9, 7);
  assert.deepEqual(inverted(inverted(raster)), raster);
});

test("outlines of coarse rasters are their pixels exactly, holes and corners too", () => {
  for (const raster of [drawn("###", "#.#", "###"), drawn("#.", ".#"), drawn("#"), noise(7, 20, 30), noise(8, 31, 9)]) {
    const loops = outlinesOf(raster);
    assert.ok(Math.abs(areaOf(loops) * raster.h * raster.w - count(raster)) < 1e-3);
  }
  assert.equal(outlinesOf(drawn("###", "#.#", "###")).length, 2);
  assert.deepEqual(outlinesOf(drawn("##", "##")).map((loop) => [...loop]), [[0, 0, 1, 0, 1, 1, 0, 1]]);
});

test("outlines of fine rasters are exact too where their pixels are to be seen", () => {
  const raster = noise(11, 64, 64);
  assert.ok(Math.abs(areaOf(outlinesOf(raster, true)) * 64 * 64 - count(raster)) < 1e-2);
});

test("outlines of fine rasters are smooth, less than a pixel off, and straight runs are kept by their ends", () => {
  const raster = masks.plain(128, 128);
  drag(raster, { x: 64, y: 64 }, { x: 64, y: 64 }, { x: 50, y: 50 }, 1);
  const [loop] = outlinesOf(raster);
  assert.ok(Math.abs(areaOf([loop]) - Math.PI * (50 / 128) ** 2) < 0.004);
  for (let k = 0; k < loop.length; k += 2) assert.ok(Math.abs(Math.hypot(loop[k] - 0.5, loop[k + 1] - 0.5) * 128 - 50) < 1);
  const [square] = outlinesOf(masks.plain(64, 64, 1));
  assert.ok(square.length / 2 <= 24);
  assert.ok(Math.abs(areaOf([square]) - 1) < 0.005);
});

test("a line cut in two halves keeps the area of both", () => {
  const loops = outlinesOf(noise(9, 24, 24));
  const [near, far] = [1, -1].map((sign) => loops.map((loop) => halved(loop, 0.6 * sign, 0.8 * sign, 0.7 * sign)));
  assert.ok(Math.abs(areaOf(near) + areaOf(far) - areaOf(loops)) < 1e-4);
  for (const loop of near) for (let k = 0; k < loop.length; k += 2) assert.ok(0.6 * loop[k] + 0.8 * loop[k + 1] > 0.699);
});
