import { boxOf, HIGHEST } from "./boxes.mjs";
import { FormatError } from "./format_error.mjs";
import { heightOf, widthOf } from "./geometry.mjs";
import { readMask } from "./rle.mjs";

/**
 * Texts of layouts: the saved value, what can be imported, what can be exported. The saved value has a second home on
 *   the server, msd_core/boxes.py (its masks: rle.mjs and msd_core/painted.py). Both accept and refuse the same, which
 *   tests/data/boxes_verdicts.json holds them to: change both.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {import("./boxes.mjs").Box} Box
 * @typedef {{width: number, height: number}} Size
 * @typedef {"auto"|"x0y0x1y1"|"xywh"|"y0x0y1x1_1000"} AxisOrder
 */

const VERSION = 1;
const SIDES = /** @type {const} */ (["x0", "y0", "x1", "y1"]);

/** How deep lists and objects may lie in one another; a layout's lie 3 deep. */
const DEEPEST = 16;

/** The saved text: equal layouts are equal texts. @param {readonly Box[]} boxes */
export function layoutText(boxes) {
  return JSON.stringify({ version: VERSION, boxes: boxes.map((box) => boxOf(box, box)) });
}

/**
 * Boxes of a saved text or of a script's short form. Whatever is refused here is refused by the server, and the other
 * way round (tests/data/boxes_verdicts.json).
 * @param {string} text
 * @returns {Box[]}
 */
export function parseLayout(text) {
  const value = /^[ \t\n\r]*$/.test(text) ? null : parseJson(text);
  if (value === null || value === "") return [];
  const list = savedList(value);
  const boxes = list.map(savedBox);
  list.forEach((entry, k) => checkInside(sidesOf(entry), k));
  return boxes;
}

/** @param {any} value @returns {any[]} */
function savedList(value) {
  if (Array.isArray(value)) return value;
  if ("version" in Object(value) && value.version !== VERSION)
    throw new FormatError("newer_version", { version: JSON.stringify(value.version) });
  if (!Array.isArray(value.boxes)) throw new FormatError("no_boxes");
  return value.boxes;
}

/** @param {any} entry @param {number} k */
function savedBox(entry, k) {
  const box = k + 1;
  if (typeof entry !== "object" || entry === null) throw new FormatError("no_box", { box });
  if (Array.isArray(entry) && entry.length !== 4) throw new FormatError("not_four", { box, count: entry.length });
  const { label = "", color = "", locked, z = 0 } = entry;
  if (typeof label !== "string" || typeof color !== "string") throw new FormatError("no_text", { box });
  if (!Number.isInteger(z) || Math.abs(z) > HIGHEST) throw new FormatError("bad_z", { box, most: HIGHEST });
  const mask = "mask" in entry ? readMask(entry.mask, box) : undefined;
  return checkedBox(sidesOf(entry), k, { label, color, locked: locked === true, z, mask });
}

/** @param {any} entry @returns {any} */
const sidesOf = (entry) =>
  Array.isArray(entry) ? { x0: entry[0], y0: entry[1], x1: entry[2], y1: entry[3] } : entry;

/** @param {Rect} rect @param {number} k */
function checkInside(rect, k) {
  const side = SIDES.find((one) => rect[one] < 0 || rect[one] > 1);
  if (side) throw new FormatError("outside_side", { box: k + 1, side, value: rect[side] });
}

/** @param {any} rect @param {number} k @param {Partial<Box>} rest */
function checkedBox(rect, k, rest) {
  for (const side of SIDES) {
    if (typeof rect?.[side] !== "number" || !Number.isFinite(rect[side]))
      throw new FormatError("bad_side", { box: k + 1, side });
  }
  if (rect.x1 <= rect.x0 || rect.y1 <= rect.y0) throw new FormatError("empty_box", { box: k + 1 });
  if (rect.x1 <= 0 || rect.y1 <= 0 || rect.x0 >= 1 || rect.y0 >= 1)
    throw new FormatError("outside_box", { box: k + 1 });
  return boxOf(rect, rest);
}

/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value : "");

/** @param {string} source @returns {any} */
function parseJson(source) {
  let value;
  try {
    value = JSON.parse(source);
  } catch {
    throw new FormatError("no_json");
  }
  if (isDeeper(value, DEEPEST)) throw new FormatError("too_deep", { most: DEEPEST });
  return value;
}

/** Whether lists and objects lie in one another more than so many deep.
 * @param {any} value @param {number} most @returns {boolean} */
function isDeeper(value, most) {
  if (typeof value !== "object" || value === null) return false;
  return most === 0 || Object.values(value).some((inner) => isDeeper(inner, most - 1));
}

/**
 * Boxes of any text in a known form: a saved layout; lists of four numbers in a named order; core BOUNDING_BOX
 * (`{x, y, width, height}` in pixels), also one list per picture; `{bbox|box|box_2d|bounding_box: [...]}` as language
 *   models write it.
 * @param {string} source
 * @param {Size} size pixels of the picture, for forms in pixels
 * @param {AxisOrder} [order] the order of lists of four; `auto` takes x0, y0, x1, y1 (y0, x0, y1, x1 of 1000 for
 *   `box_2d`)
 * @returns {{boxes: Box[], form: "layout"|"pixels"|"fractions"|"thousandths"}}
 */
export function importLayout(source, size, order = "auto") {
  const value = parseJson(stripFence(source).trim() || "null");
  if (value && !Array.isArray(value) && Array.isArray(value.boxes) && isSaved(value.boxes) && order === "auto") {
    return { boxes: savedList(value).map(savedBox), form: "layout" };
  }
  const entries = flatEntries(
    Array.isArray(value) ? value : (value?.boxes ?? value?.bounding_boxes ?? (value ? [value] : null)),
  );
  if (!entries.length) throw new FormatError("nothing_found");
  const found = entries.map((entry) => looseRect(entry, order));
  const thousandths = found.some((one) => one.thousandths);
  const pixels =
    !thousandths && found.some(({ rect, pixels }) => pixels || Math.max(rect.x0, rect.y0, rect.x1, rect.y1) > 1.5);
  const [unitX, unitY] = thousandths ? [1000, 1000] : pixels ? [size.width, size.height] : [1, 1];
  const boxes = found.map(({ rect, label, color }, k) =>
    checkedBox({ x0: rect.x0 / unitX, y0: rect.y0 / unitY, x1: rect.x1 / unitX, y1: rect.y1 / unitY }, k, {
      label,
      color,
    }),
  );
  return { boxes, form: thousandths ? "thousandths" : pixels ? "pixels" : "fractions" };
}

/** Language models put JSON between fences. @param {string} source */
const stripFence = (source) => source.replace(/^\s*```\w*\s*/, "").replace(/\s*```\s*$/, "");

/** @param {any[]} boxes */
const isSaved = (boxes) =>
  boxes.every((box) =>
    Array.isArray(box)
      ? box.length === 4 && box.every((side) => Math.abs(side) <= 1.5)
      : typeof box?.x1 === "number" && box.x1 <= 1.5,
  );

/**
 * Entries of a list; of a list of lists (one per frame of a video) those of the first.
 * @param {any} value
 * @returns {any[]}
 */
function flatEntries(value) {
  if (!Array.isArray(value)) throw new FormatError("no_boxes");
  const numbers = value.length === 4 && value.every((entry) => typeof entry === "number");
  if (numbers) return [value];
  const frames = value.length > 0 && Array.isArray(value[0]) && typeof value[0][0] !== "number";
  return frames ? flatEntries(value[0]) : value;
}

/** @param {any} entry @param {AxisOrder} order */
function looseRect(entry, order) {
  const list = Array.isArray(entry) ? entry : (entry?.bbox ?? entry?.box ?? entry?.bounding_box ?? entry?.box_2d);
  const label =
    text(entry?.label ?? entry?.name ?? entry?.desc ?? entry?.metadata?.text ?? entry?.metadata?.label ?? "") ||
    text(entry?.metadata?.desc);
  const color = text(entry?.color ?? entry?.metadata?.palette?.[0]);
  if (Array.isArray(list)) {
    const chosen = order !== "auto" ? order : entry?.box_2d ? "y0x0y1x1_1000" : "x0y0x1y1";
    return { rect: rectOf(list, chosen), label, color, pixels: false, thousandths: chosen === "y0x0y1x1_1000" };
  }
  if (typeof entry?.width === "number" && typeof entry?.x === "number") {
    const { x, y, width, height } = entry;
    const pixels = Math.max(x, y, width, height) > 1.5;
    return { rect: { x0: x, y0: y, x1: x + width, y1: y + height }, label, color, pixels, thousandths: false };
  }
  const rect = {
    x0: entry?.x0 ?? entry?.x1,
    y0: entry?.y0 ?? entry?.y1,
    x1: entry?.x0 === undefined ? entry?.x2 : entry?.x1,
    y1: entry?.y0 === undefined ? entry?.y2 : entry?.y1,
  };
  return { rect, label, color, pixels: false, thousandths: false };
}

/** A number, also one written as text; everything else is none. @param {any} side */
const numberOf = (side) => (typeof side === "number" || (typeof side === "string" && side.trim()) ? Number(side) : NaN);

/** @param {any[]} list @param {AxisOrder} order @returns {Rect} */
function rectOf(list, order) {
  const [a, b, c, d] = list.map(numberOf);
  if (order === "xywh") return { x0: a, y0: b, x1: a + c, y1: b + d };
  if (order === "y0x0y1x1_1000") return { x0: b, y0: a, x1: d, y1: c };
  return { x0: a, y0: b, x1: c, y1: d };
}

/**
 * Core BOUNDING_BOX just as the node's own output is (tests/data/bounding_boxes.json): one frame of boxes in whole
 *   pixels, x to the right, y downwards, names under `metadata`.
 * @param {readonly Box[]} boxes
 * @param {Size} size
 */
export function boundingBoxText(boxes, size) {
  const entries = boxes.map((box) => {
    const x = Math.min(whole(box.x0 * size.width), size.width - 1);
    const y = Math.min(whole(box.y0 * size.height), size.height - 1);
    return {
      x,
      y,
      width: Math.max(whole(box.x1 * size.width) - x, 1),
      height: Math.max(whole(box.y1 * size.height) - y, 1),
      metadata: { type: "obj", text: "", desc: box.label, palette: box.color ? [box.color] : [] },
    };
  });
  return JSON.stringify([entries], null, 2);
}

/** The nearest whole number, of two as near the even one, as the server rounds. @param {number} value */
function whole(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2) ? below + 1 : below;
}

/** The saved form, one box a line, to be read by people. @param {readonly Box[]} boxes */
export function readableText(boxes) {
  const lines = boxes.map((box) => `    ${JSON.stringify(boxOf(box, box))}`);
  return `{\n  "version": ${VERSION},\n  "boxes": [${lines.length ? `\n${lines.join(",\n")}\n  ` : ""}]\n}`;
}

/** Sides of a box in whole pixels of the picture. @param {Rect} rect @param {Size} size */
export const inPixels = (rect, size) => ({
  x: Math.round(rect.x0 * size.width),
  y: Math.round(rect.y0 * size.height),
  w: Math.round(widthOf(rect) * size.width),
  h: Math.round(heightOf(rect) * size.height),
});
