import { widgetBehind, writeValue } from "../host/build.mjs";
import { subjectsBehind } from "../host/graph.mjs";
import { t } from "../host/texts.mjs";
import { weightOf } from "../view/captions.mjs";
import { element, setText } from "./elements.mjs";

/**
 * A slider for the weight of the subject behind the selected box. While it is dragged only the tag shows it; the
 *   subject's node gets the value, and the history its step, when it is let go.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

const MOST = 3;
const STEP = 0.05;

/** @param {LayoutCanvas} ui @returns {{element: HTMLElement, update: () => void}} */
export function makeWeight(ui) {
  const words = element("span", { class: "msd-weight-words" });
  const slider = element("input", { type: "range", min: 0, max: MOST, step: STEP, "aria-label": t("weight.label") });
  const field = element("label", { class: "msd-weight-field" }, slider, words);

  const chosen = () => {
    const { selected } = ui.editor.shown;
    const k = selected.length === 1 ? selected[0] : -1;
    const subject = ui.editor.subjects?.[k];
    return subject && subject.part !== "empty" ? { k, subject } : null;
  };
  const keep = () => {
    const now = chosen();
    const node = now && subjectsBehind(ui.reader(), ui.node).nodes[now.k];
    ui.session.weight = null;
    if (node) writeValue(ui.reader(), node, "weight", Number(slider.value));
    ui.refresh();
    ui.invalidate();
  };
  slider.addEventListener("input", () => {
    const now = chosen();
    ui.session.weight = now && { id: now.subject.id, weight: Number(slider.value) };
    ui.invalidate();
  });
  slider.addEventListener("change", keep);
  slider.addEventListener("dblclick", () => {
    slider.value = "1";
    keep();
  });
  for (const type of ["keydown", "pointerdown", "wheel"])
    slider.addEventListener(type, (/** @type {Event} */ event) => event.stopPropagation());

  let asked = "";
  const update = () => {
    const now = chosen();
    field.hidden = !now;
    if (!now) return;
    const weight = weightOf(ui.editor, ui.session, now.k);
    slider.value = String(weight);
    slider.style.setProperty("--share", String(Math.min(weight / MOST, 1)));
    setText(words, `×${weight.toFixed(2)}`);
    // Who holds the value is asked once per subject, not with every move of the slider.
    const signature = `${now.k} ${JSON.stringify(now.subject)}`;
    if (signature === asked) return;
    asked = signature;
    const node = subjectsBehind(ui.reader(), ui.node).nodes[now.k];
    const { owner, widget } = node ? widgetBehind(ui.reader(), node, "weight") : { owner: null, widget: null };
    slider.disabled = !widget;
    field.title = widget ? t("weight.label") : t("weight.elsewhere", { node: owner?.title ?? "?" });
  };
  return { element: field, update };
}
