import { toast } from "../host/frontend.mjs";
import { t } from "../host/texts.mjs";
import { moveApart } from "../model/boxes.mjs";
import { FormatError } from "../model/format_error.mjs";
import { accidents, isScene } from "../model/overlap.mjs";

/**
 * What is done, shown and said about boxes that overlap.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {import("../model/boxes.mjs").Box} Box
 * @typedef {{boxes: readonly Box[] | null, problem: unknown}} Moves where boxes will stand, or why they can't be moved
 */

/** How many boxes are moved apart anew with every step of a gesture; more would hold it up. */
const AT_ONCE = 4;

/** @type {WeakMap<readonly Box[], {size: string, moves: Moves}>} */
const known = new WeakMap();

/** Where the boxes will stand with `apart`; null while many are being edited. @param {LayoutCanvas} ui @returns {Moves | null} */
export function movesOf({ editor }) {
  const { boxes } = editor.shown;
  const size = `${editor.size.width} ${editor.size.height}`;
  const last = known.get(boxes);
  if (last?.size === size) return last.moves;
  if (editor.draft && boxes.length > AT_ONCE) return null;
  const moves = movesIn(boxes, editor.size);
  known.set(boxes, { size, moves });
  return moves;
}

/** @param {readonly Box[]} boxes @param {{width: number, height: number}} size @returns {Moves} */
function movesIn(boxes, size) {
  try {
    return { boxes: moveApart({ boxes, selected: [] }, size).boxes, problem: null };
  } catch (problem) {
    return { boxes: null, problem };
  }
}

/**
 * Moves boxes until none overlap. One that is all of the picture stays, since others stand in it.
 * @param {LayoutCanvas} ui
 */
export function separate(ui) {
  const { state, size } = ui.editor;
  const moving = [...state.boxes.keys()].filter((k) => !isScene(state.boxes[k]));
  const { boxes, problem } = movesIn(moving.map((k) => state.boxes[k]), size);
  if (boxes) return ui.editor.apply({ ...state, boxes: state.boxes.map((box, k) => boxes[moving.indexOf(k)] ?? box) });
  const { first, second, ...rest } = problem instanceof FormatError ? problem.params : {};
  const numbers = { first: moving[Number(first) - 1] + 1, second: moving[Number(second) - 1] + 1 };
  toast("warn", t("error.no_room", { ...rest, ...numbers }));
}

/** What to say of boxes that overlap; null if nothing. @param {LayoutCanvas} ui @returns {{text: string, curable: boolean} | null} */
export function overlapWords(ui) {
  const { boxes } = ui.editor.shown;
  if (ui.isLinked("masks")) return null;
  if (ui.overlap === "apart") {
    const problem = ui.editor.readOnly ? null : movesOf(ui)?.problem;
    return problem ? { text: ui.sentenceOf(problem), curable: false } : null;
  }
  const pairs = ui.overlap === "mix" ? accidents(boxes) : [];
  if (!pairs.length) return null;
  const [a, b] = pairs[0];
  const one = t("footer.overlap", { a: a + 1, b: b + 1 });
  return { text: pairs.length > 1 ? t("footer.overlaps", { pairs: pairs.length }) : one, curable: !ui.editor.readOnly };
}
