/**
 * Layouts with a name. `name` is a key of the translations.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {{name: string, group: "paper"|"plain", rects: Rect[]}} Preset
 */

/** @param {...[number, number, number, number]} corners @returns {Rect[]} */
const rects = (...corners) => corners.map(([x0, y0, x1, y1]) => ({ x0, y0, x1, y1 }));

const SIDE_BY_SIDE = rects([0, 0.25, 0.5, 0.75], [0.5, 0.25, 1, 0.75]);
const THREE_ABREAST = rects([0, 0.25, 0.35, 0.75], [0.35, 0.25, 0.65, 0.75], [0.65, 0.25, 1, 0.75]);
const WORN = rects([0.25, 0.25, 0.75, 0.75], [0.25, 0.25, 0.75, 0.75]);
const IN_SCENE = rects([0.25, 0.25, 0.75, 0.75], [0, 0, 1, 1]);

/** The 13 combination types of MS-Bench (the paper's table 4) and DreamBench's single box. @type {Preset[]} */
const PAPER = [
  { name: "living_living", rects: SIDE_BY_SIDE },
  { name: "living_object", rects: SIDE_BY_SIDE },
  { name: "object_object", rects: SIDE_BY_SIDE },
  { name: "living_upwearing", rects: rects([0.25, 0.25, 0.75, 0.75], [0.25, 0, 0.75, 0.25]) },
  { name: "living_midwearing", rects: WORN },
  { name: "living_wholewearing", rects: WORN },
  { name: "midwearing_downwearing", rects: rects([0.25, 0.25, 0.75, 0.6], [0.25, 0.6, 0.75, 1]) },
  { name: "living_scene", rects: IN_SCENE },
  { name: "object_scene", rects: IN_SCENE },
  { name: "living_living_living", rects: THREE_ABREAST },
  { name: "object_object_object", rects: THREE_ABREAST },
  { name: "living_object_scene", rects: [...SIDE_BY_SIDE, ...rects([0, 0, 1, 1])] },
  {
    name: "upwearing_midwearing_downwearing",
    rects: rects([0.25, 0, 0.75, 0.25], [0.25, 0.25, 0.75, 0.6], [0.25, 0.6, 0.75, 1]),
  },
  { name: "dreambench", rects: rects([0.25, 0.25, 0.75, 0.75]) },
].map((preset) => ({ ...preset, group: "paper" }));

/** @type {Preset[]} */
const PLAIN = [
  { name: "whole", rects: rects([0, 0, 1, 1]) },
  { name: "halves_side", rects: rects([0, 0, 0.5, 1], [0.5, 0, 1, 1]) },
  { name: "halves_stacked", rects: rects([0, 0, 1, 0.5], [0, 0.5, 1, 1]) },
  { name: "thirds_side", rects: rects([0, 0, 0.3333, 1], [0.3333, 0, 0.6667, 1], [0.6667, 0, 1, 1]) },
  { name: "thirds_stacked", rects: rects([0, 0, 1, 0.3333], [0, 0.3333, 1, 0.6667], [0, 0.6667, 1, 1]) },
  { name: "quarters", rects: rects([0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]) },
].map((preset) => ({ ...preset, group: "plain" }));

export const PRESETS = [...PAPER, ...PLAIN];

/**
 * Presets with each layout once.
 * @typedef {Preset & {twins: string[]}} Distinct `twins`: the names of all with these boxes
 * @type {Distinct[]}
 */
export const DISTINCT = PRESETS.filter(({ rects }, k) => PRESETS.findIndex((one) => isTwin(one.rects, rects)) === k).map(
  (preset) => ({ ...preset, twins: PRESETS.filter(({ rects }) => isTwin(rects, preset.rects)).map(({ name }) => name) }),
);

/** @param {Rect[]} a @param {Rect[]} b */
function isTwin(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Sizes that SDXL was trained on, from square to wide; turned round they are tall. */
const WIDE_SIZES = [[1024, 1024], [1152, 896], [1216, 832], [1344, 768], [1536, 640]];

/** @type {{width: number, height: number}[]} */
export const SIZES = [
  ...WIDE_SIZES.map(([width, height]) => ({ width, height })),
  ...WIDE_SIZES.slice(1).map(([height, width]) => ({ width, height })),
];

/** @param {{width: number, height: number}} size */
export const sizeName = ({ width, height }) => `size_${width}x${height}`;

/**
 * `count` boxes of about square cells over the whole picture, a shorter last row in its middle.
 * @param {number} count @param {number} aspect width / height of the picture in pixels @returns {Rect[]}
 */
export function spread(count, aspect) {
  if (count < 1) return [];
  const columns = bestColumns(count, aspect);
  const rows = Math.ceil(count / columns);
  const gap = 0.03;
  const w = (1 - gap * (columns + 1)) / columns;
  const h = Math.min((1 - gap * (rows + 1)) / rows, rows === 1 ? 0.8 : 1);
  const top = (1 - rows * h - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, n) => {
    const row = Math.floor(n / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = (1 - inRow * w - (inRow - 1) * gap) / 2;
    const x0 = left + (n - row * columns) * (w + gap);
    const y0 = top + row * (h + gap);
    return { x0, y0, x1: x0 + w, y1: y0 + h };
  });
}

/**
 * The number of columns whose cells come nearest to a square without leaving many empty.
 * @param {number} count
 * @param {number} aspect
 */
function bestColumns(count, aspect) {
  let best = 1;
  let least = Infinity;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const squareness = Math.abs(Math.log((aspect * rows) / columns));
    const empty = (rows * columns - count) / count;
    if (squareness + empty < least - 1e-9) {
      least = squareness + empty;
      best = columns;
    }
  }
  return best;
}
