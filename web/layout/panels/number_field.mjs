import { isComposing } from "../input/keys.mjs";
import { valueOfSum } from "../model/arithmetic.mjs";
import { setField } from "../model/boxes.mjs";
import { inPixels } from "../model/format.mjs";
import { heightOf, round4, widthOf } from "../model/geometry.mjs";
import { t } from "../host/texts.mjs";
import { element } from "./elements.mjs";

/**
 * A number of the selected box that can be typed, also as a sum, and stepped with the arrow keys. Steps move the box at
 *   once and are one step of the history until the key is let go.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {"x"|"y"|"w"|"h"} Field
 */

/** A step in fractions. */
const FRACTION_STEP = 0.01;

/** @param {LayoutCanvas} ui @param {import("../model/geometry.mjs").Rect} rect @param {Field} field */
export function shownValue(ui, rect, field) {
  if (ui.session.pixels) return inPixels(rect, ui.editor.size)[field];
  return round4({ x: rect.x0, y: rect.y0, w: widthOf(rect), h: heightOf(rect) }[field]);
}

/** @param {LayoutCanvas} ui @param {Field} field @returns {HTMLInputElement} */
export function numberInput(ui, field) {
  const { editor } = ui;
  const unitOf = () => (ui.session.pixels ? editor.size[field === "x" || field === "w" ? "width" : "height"] : 1);
  /** The box that the field stands for. */
  const chosen = () => {
    const { boxes, selected } = editor.shown;
    return selected.length === 1 && !boxes[selected[0]].locked ? selected[0] : -1;
  };
  const shown = () => shownValue(ui, editor.shown.boxes[chosen()], field);
  /** @param {boolean} typed whether the text is the user's and not yet the box's */
  const mark = (typed) => {
    if (typed) input.dataset.typed = "true";
    else delete input.dataset.typed;
  };

  const keep = () => {
    const typed = Boolean(input.dataset.typed);
    mark(false);
    if (editor.draft && !editor.busy) editor.finish();
    const value = valueOfSum(input.value);
    const k = chosen();
    if (typed && k >= 0 && value !== null && value !== shown()) editor.apply(setField(editor.state, k, field, value / unitOf()));
    ui.invalidate();
  };
  const revert = () => {
    mark(false);
    editor.cancel();
    ui.invalidate();
  };
  /** @param {number} steps */
  const step = (steps) => {
    const k = chosen();
    if (k < 0 || editor.busy) return;
    const from = (input.dataset.typed ? valueOfSum(input.value) : null) ?? shown();
    mark(false);
    const size = ui.session.pixels ? 1 : FRACTION_STEP;
    editor.hold(setField(editor.shown, k, field, (from + steps * size) / unitOf()));
    input.value = String(shown());
  };

  const input = element("input", {
    type: "text",
    inputmode: "decimal",
    "data-field": field,
    "aria-label": t(`footer.${field}`),
    spellcheck: "false",
    autocomplete: "off",
    oninput: () => mark(true),
    onblur: keep,
    onfocus: () => input.select(),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      if (isComposing(event)) return;
      const steps = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (steps) {
        event.preventDefault();
        step(steps * (event.shiftKey ? 10 : 1));
      } else if (event.key === "Enter" || event.key === "Escape") {
        if (event.key === "Enter") keep();
        else revert();
        ui.focus();
      }
    },
    onkeyup: (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "ArrowUp" || event.key === "ArrowDown") keep();
    },
  });
  return input;
}
