/**
 * Outlines of rasters, to be drawn: closed lines, flat lists of x, y from 0 to 1 over the box.
 * @typedef {import("./masks.mjs").Raster} Raster
 * @typedef {Float32Array} Loop
 */

/** East, south, west, north: the way along a pixel's sides with the inside on the right. */
const STEP_X = [1, 0, -1, 0];
const STEP_Y = [0, 1, 0, -1];

/** Pixels of a raster's longer side from which on its outline is smoothed; those of a coarser one are meant. */
const SMOOTH_FROM = 48;

/**
 * What a point of a smooth outline takes of itself and its neighbours; from how many points on; and twice the area of the
 * triangle with its neighbours, in pixels, below which a point may go.
 */
const WEIGHTS = [1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9];
const SMALL = 12;
const STRAIGHT = 0.15;

/**
 * The lines between inside and outside; in a fine raster smoothed by less than a pixel, unless the pixels themselves
 * are to be seen.
 * @param {Raster} raster @param {boolean} [exact] @returns {Loop[]}
 */
export function outlinesOf({ bits, h, w }, exact = Math.max(h, w) < SMOOTH_FROM) {
  const ways = sidesOf(bits, h, w);
  /** @type {Loop[]} */
  const loops = [];
  for (let start = 0; start < ways.length; start++) {
    while (ways[start]) {
      const points = follow(ways, start, w, exact);
      loops.push(Float32Array.from(exact ? points : smoothed(points), (at, k) => at / (k % 2 ? h : w)));
    }
  }
  return loops;
}

/** For each corner of the pixels, which ways lead on along the edge of the inside: bit k for the k-th direction.
 * @param {Uint8Array} bits @param {number} h @param {number} w */
function sidesOf(bits, h, w) {
  const ways = new Uint8Array((h + 1) * (w + 1));
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const at = y * w + x;
      if (!bits[at]) continue;
      const corner = y * (w + 1) + x;
      if (y === 0 || !bits[at - w]) ways[corner] |= 1;
      if (x === w - 1 || !bits[at + 1]) ways[corner + 1] |= 2;
      if (y === h - 1 || !bits[at + w]) ways[corner + w + 2] |= 4;
      if (x === 0 || !bits[at - 1]) ways[corner + w + 1] |= 8;
    }
  }
  return ways;
}

/** Takes one closed way out of `ways`: its corners, or the middles of its sides, in pixels.
 * @param {Uint8Array} ways @param {number} start @param {number} w @param {boolean} exact */
function follow(ways, start, w, exact) {
  const middle = exact ? 0 : 0.5;
  const first = 31 - Math.clz32(ways[start] & -ways[start]);
  /** @type {number[]} */
  const points = [];
  let [corner, heading, before] = [start, first, -1];
  while (heading >= 0) {
    ways[corner] &= ~(1 << heading);
    // Of a straight run of corners only the first is needed.
    if (!exact || before !== heading) {
      points.push((corner % (w + 1)) + STEP_X[heading] * middle, Math.floor(corner / (w + 1)) + STEP_Y[heading] * middle);
    }
    before = heading;
    corner += STEP_X[heading] + STEP_Y[heading] * (w + 1);
    if (corner === start && (before + 1) % 4 === first) break;
    // To the right first: pixels that touch at a corner only are not joined.
    heading = [1, 0, 3].map((turn) => (before + turn) % 4).find((way) => ways[corner] & (1 << way)) ?? -1;
  }
  return points;
}

/** Each point as the mean of those around it, so that the stairs of slopes go; then without those that matter little.
 * @param {number[]} points x and y by turns @returns {number[]} */
function smoothed(points) {
  const count = points.length;
  if (count < 2 * SMALL) return points;
  const means = points.map((_, k) => {
    let sum = 0;
    for (let n = 0; n < WEIGHTS.length; n++) sum += WEIGHTS[n] * points[(k + 2 * (n - 2) + count) % count];
    return sum;
  });
  const kept = [means[0], means[1]];
  for (let k = 2; k < count; k += 2) {
    const [x, y] = [means[k], means[k + 1]];
    const [px, py] = [kept[kept.length - 2], kept[kept.length - 1]];
    const [nx, ny] = [means[(k + 2) % count], means[(k + 3) % count]];
    if (Math.abs((x - px) * (ny - y) - (y - py) * (nx - x)) > STRAIGHT) kept.push(x, y);
  }
  return kept;
}

/**
 * The part of a closed line on one side of a straight one: where `a x + b y >= c`.
 * @param {Loop} loop @param {number} a @param {number} b @param {number} c @returns {Loop}
 */
export function halved(loop, a, b, c) {
  /** @type {number[]} */
  const kept = [];
  for (let k = 0; k < loop.length; k += 2) {
    const next = (k + 2) % loop.length;
    const here = a * loop[k] + b * loop[k + 1] - c;
    const there = a * loop[next] + b * loop[next + 1] - c;
    if (here >= 0) kept.push(loop[k], loop[k + 1]);
    if (here >= 0 === there >= 0) continue;
    const share = here / (here - there);
    kept.push(loop[k] + share * (loop[next] - loop[k]), loop[k + 1] + share * (loop[next + 1] - loop[k + 1]));
  }
  return Float32Array.from(kept);
}
