import { FormatError } from "./format_error.mjs";

/**
 * Painted masks: a region's shape over its box, as COCO's compressed run-length encoding. The server reads the same
 *   (msd_core/painted.py, tests/data/boxes_verdicts.json).
 * Runs go down the columns, from the left one to the right one, and alternate between outside and inside, outside
 *   first. From the fourth on, a run is written as the difference to the one two before it. A number is written in
 *   groups of five bits, low ones first, as characters from "0" on; the sixth bit says that more follow, the fifth of
 *   the last is the sign.
 * @typedef {{readonly size: readonly [number, number], readonly counts: string}} Mask height, width, and the runs
 */

/** Pixels of a mask's longer side at most. */
export const MOST_PIXELS = 2048;

const FIRST = "0".charCodeAt(0);

/** Characters of a number at most: six hold every run and difference of runs that a mask can have. */
const LONGEST = 6;

/**
 * The mask in a layout's text, in the one form that is saved; undefined if it covers the whole box and so says nothing.
 * @param {any} value
 * @param {number} box the number of the box in sentences
 * @returns {Mask | undefined}
 */
export function readMask(value, box) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new FormatError("no_mask", { box });
  const { size, counts } = value;
  if (!Array.isArray(size) || size.length !== 2 || !size.every(isSide))
    throw new FormatError("mask_size", { box, most: MOST_PIXELS });
  const runs = typeof counts === "string" ? readRuns(counts) : null;
  if (!runs) throw new FormatError("mask_counts", { box });
  const [pixels, sum] = [size[0] * size[1], runs.reduce((all, run) => all + run, 0)];
  if (sum !== pixels) throw new FormatError("mask_sum", { box, sum, pixels });
  const inside = runs.reduce((all, run, k) => all + (k % 2 ? run : 0), 0);
  if (!inside) throw new FormatError("mask_empty", { box });
  return inside === pixels ? undefined : { size: [size[0], size[1]], counts: writeRuns(joined(runs)) };
}

/**
 * The mask of painted pixels, row by row; undefined if all are inside, so that the box needs none.
 * @param {ArrayLike<number | boolean>} plane what is not 0 is inside; something is
 * @param {number} height
 * @param {number} width
 * @returns {Mask | undefined}
 */
export function maskOf(plane, height, width) {
  const runs = [0];
  for (let column = 0; column < width; column++) {
    for (let row = 0; row < height; row++) {
      const inside = plane[row * width + column] ? 1 : 0;
      if (inside === runs.length % 2) runs.push(1);
      else runs[runs.length - 1]++;
    }
  }
  const whole = runs.length === 2 && runs[0] === 0;
  return whole ? undefined : { size: [height, width], counts: writeRuns(runs) };
}

/** A mask's pixels row by row, 1 inside and 0 outside. @param {Mask} mask @returns {Uint8Array} */
export function planeOf({ size: [height, width], counts }) {
  const plane = new Uint8Array(height * width);
  let place = 0;
  (readRuns(counts) ?? []).forEach((run, k) => {
    for (let n = 0; n < run; n++, place++)
      if (k % 2) plane[(place % height) * width + Math.floor(place / height)] = 1;
  });
  return plane;
}

/** @param {unknown} side */
const isSide = (side) => Number.isInteger(side) && Number(side) >= 1 && Number(side) <= MOST_PIXELS;

/** The runs of a text; null if it is none. @param {string} counts @returns {number[] | null} */
function readRuns(counts) {
  /** @type {number[]} */
  const runs = [];
  let place = 0;
  while (place < counts.length) {
    let [number, length, group] = [0, 0, 0];
    do {
      group = counts.charCodeAt(place) - FIRST;
      // Beyond the text's end it is NaN.
      if (!(group >= 0 && group < 64) || length === LONGEST) return null;
      number |= (group & 31) << (5 * length);
      place++;
      length++;
    } while (group & 32);
    if (group & 16) number -= 2 ** (5 * length);
    const run = runs.length > 2 ? number + runs[runs.length - 2] : number;
    if (run < 0) return null;
    runs.push(run);
  }
  return runs;
}

/** @param {readonly number[]} runs */
function writeRuns(runs) {
  let text = "";
  runs.forEach((run, k) => {
    let number = k > 2 ? run - runs[k - 2] : run;
    let more = true;
    while (more) {
      const group = number & 31;
      number >>= 5;
      more = number !== (group & 16 ? -1 : 0);
      text += String.fromCharCode(FIRST + (more ? group | 32 : group));
    }
  });
  return text;
}

/** Runs of which only the first may be empty. @param {readonly number[]} runs */
function joined(runs) {
  /** @type {number[]} */
  const result = [];
  runs.forEach((run, k) => {
    if (run === 0 && k) return;
    // Runs of an even number of others apart are of one kind.
    if (result.length && result.length % 2 !== k % 2) result[result.length - 1] += run;
    else result.push(run);
  });
  return result;
}
