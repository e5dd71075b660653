import { ACTIONS, perform } from "../input/actions.mjs";
import { endedWords } from "../input/ended.mjs";
import { overlapWords } from "../input/overlaps.mjs";
import { element, icon, setText } from "./elements.mjs";
import { boundsOf } from "../model/geometry.mjs";
import { t } from "../host/texts.mjs";
import { addBoxesUpTo } from "./list.mjs";
import { numberInput, shownValue } from "./number_field.mjs";
import { makeWeight } from "./weight.mjs";
import { boxesNeeded, counts, isSilent, isUnsaid, placesOf } from "../model/subjects.mjs";

/**
 * The line under the canvas: the selected box in numbers, or how boxes and subjects stand.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {import("./number_field.mjs").Field} Field
 * @typedef {{text: string, warning: boolean, remedy?: string, run?: () => void,
 *   step?: string | null}} Status `step`: which image of a batch it is about
 */

/** @param {LayoutCanvas} ui @returns {{element: HTMLElement, update: () => void}} */
export function makeFooter(ui) {
  const fields = /** @type {Field[]} */ (["x", "y", "w", "h"]).map((field) => ({
    field,
    input: numberInput(ui, field),
  }));
  const unit = element("button", {
    type: "button",
    class: "msd-unit",
    title: t("footer.unit"),
    onclick: () => {
      ui.session.pixels = !ui.session.pixels;
      ui.focus();
      ui.invalidate();
    },
  });
  const weight = makeWeight(ui);
  const numbers = element(
    "div",
    { class: "msd-numbers" },
    ...fields.map(({ field, input }) => element("label", {}, element("span", {}, field.toUpperCase()), input)),
    unit,
    weight.element,
  );
  const words = element("span", { class: "msd-words", role: "status" });
  const remedy = element("button", { type: "button", class: "msd-remedy" });
  let run = () => {};
  remedy.addEventListener("click", () => {
    ui.focus();
    run();
  });
  const step = element("button", { type: "button", class: "msd-unit", title: t("action.next_image"), onclick: () => perform(ui, "next_image") });
  const overlap = element(
    "button",
    { type: "button", class: "msd-button msd-overlap", onclick: () => perform(ui, "apart") },
    icon("overlap"),
  );
  const footer = element("div", { class: "msd-footer" }, numbers, overlap, words, step, remedy);

  const update = () => {
    const { state, selected } = chosen(ui);
    numbers.hidden = !selected;
    words.hidden = Boolean(selected);
    setText(unit, ui.session.pixels ? "px" : "0–1");
    for (const { field, input } of fields) {
      const only = state.selected.length === 1 ? state.boxes[state.selected[0]] : null;
      input.disabled = !only || Boolean(only.locked);
      const title = only?.locked ? t("locked.stays") : "";
      if (input.title !== title) input.title = title;
      if (!selected || (document.activeElement === input && input.dataset.typed)) continue;
      const value = String(shownValue(ui, selected, field));
      if (input.value !== value) input.value = value;
    }
    weight.update();
    // While numbers take the words' place, a sign says it.
    const shared = selected && !ui.editor.readOnly ? overlapStatus(ui) : null;
    overlap.hidden = !shared;
    overlap.title = [shared?.text, shared?.remedy].filter(Boolean).join(": ");
    overlap.setAttribute("aria-label", overlap.title);
    overlap.disabled = !shared?.remedy;
    const status = statusOf(ui);
    setText(words, status.text);
    words.classList.toggle("msd-warning", status.warning);
    remedy.hidden = Boolean(selected) || !status.remedy;
    setText(remedy, status.remedy ?? "");
    step.hidden = Boolean(selected) || !status.step;
    setText(step, status.step ?? "");
    run = status.run ?? (() => {});
  };
  return { element: footer, update };
}

/** @param {LayoutCanvas} ui */
function chosen({ editor }) {
  const state = editor.shown;
  return { state, selected: boundsOf(state.selected.map((k) => state.boxes[k])) };
}

/** @param {LayoutCanvas} ui @returns {Status | null} */
function overlapStatus(ui) {
  const words = overlapWords(ui);
  if (!words) return null;
  const remedy = words.curable ? { remedy: t("action.apart"), run: () => perform(ui, "apart") } : {};
  return { text: words.text, warning: true, ...remedy };
}

/** @param {LayoutCanvas} ui @returns {Status | null} */
function endedStatus(ui) {
  const words = endedWords(ui);
  if (!words) return null;
  const remedy = ACTIONS.land.when(ui) ? { remedy: t("action.land"), run: () => perform(ui, "land") } : {};
  return { ...words, warning: false, ...remedy };
}

/** @param {LayoutCanvas} ui @returns {Status} */
function statusOf(ui) {
  const { editor } = ui;
  const boxes = editor.shown.boxes.length;
  if (editor.problem) return { text: ui.sentenceOf(editor.problem), warning: true };
  if (editor.readOnly) {
    const text = boxes ? t("footer.linked", { boxes }) : t("footer.linked_unknown");
    return {
      text,
      warning: false,
      ...(boxes ? { remedy: t("action.make_mine"), run: () => perform(ui, "make_mine") } : {}),
    };
  }
  if (ui.tools.on && !editor.state.selected.length) return { text: t("paint.new"), warning: false };
  const overlap = overlapStatus(ui);
  if (editor.subjects === null)
    return overlap ?? { text: t(boxes ? "footer.boxes" : "footer.none", { boxes }), warning: false };
  if (!ui.chained) return { text: t("footer.unchained"), warning: true, remedy: t("chain.add"), run: () => perform(ui, "chain") };
  const unseen = editor.subjects.findIndex(({ part }) => part === "no_photo");
  if (unseen >= 0) return { text: t("footer.no_photo", { number: unseen + 1 }), warning: true };
  const subjects = boxesNeeded(editor.subjects);
  if (subjects > boxes) {
    return {
      text: t("footer.boxes_missing", { boxes, subjects }),
      warning: true,
      remedy: t("footer.add_missing"),
      run: () => addBoxesUpTo(ui, subjects),
    };
  }
  const first = endedStatus(ui) ?? overlap;
  if (first) return first;
  const unsaid = editor.subjects.find(isUnsaid);
  if (unsaid) return { text: t("footer.unsaid", { phrase: unsaid.phrase }), warning: true };
  if (editor.subjects.some(isSilent)) {
    const [acting, silent] = [counts, isSilent].map((which) => placesOf(editor.subjects ?? [], which));
    return { text: acting ? t("footer.who_stands", { acting, silent }) : t("footer.all_silent"), warning: false };
  }
  if (boxes > subjects) return { text: t("footer.boxes_spare", { boxes, subjects }), warning: true };
  return { text: t("footer.matched", { boxes, subjects }), warning: false };
}
