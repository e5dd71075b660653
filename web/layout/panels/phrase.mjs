import { widgetBehind, writeValue } from "../host/build.mjs";
import { subjectsBehind } from "../host/graph.mjs";
import { perform } from "../input/actions.mjs";
import { t } from "../host/texts.mjs";
import { openTagField } from "./rename.mjs";

/**
 * The phrase of the subject behind a box, written over its tag. It is the subject node's own value.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/**
 * @param {LayoutCanvas} ui
 * @param {number} k
 * @param {number[]} [rest] boxes that follow after Enter
 */
export function openPhrase(ui, k, rest = []) {
  const reader = ui.reader();
  const node = subjectsBehind(reader, ui.node).nodes[k];
  if (!node) return;
  const { owner, widget } = widgetBehind(reader, node, "phrase");
  if (!widget) {
    const name = ui.titleOf(k) || t("list.box", { number: k + 1 });
    return ui.tell("info", t("phrase.elsewhere", { name, node: owner.title }));
  }
  openTagField(ui, k, {
    value: String(widget.value ?? ""),
    label: t("action.phrase"),
    placeholder: t("phrase.placeholder"),
    keep: (phrase) => {
      if (!node.graph) return;
      writeValue(ui.reader(), node, "phrase", phrase);
      ui.refresh();
      ui.invalidate();
    },
    next: rest.length ? () => openPhrase(ui, rest[0], rest.slice(1)) : undefined,
  });
}

/** Asks for the phrases of subjects that photos have become, and says so where nothing takes them yet. @param {LayoutCanvas} ui @param {number[]} boxes */
export function askForPhrases(ui, boxes) {
  if (!ui.chained)
    ui.notice.show(
      t("chain.missing"),
      t("chain.add"),
      () => perform(ui, "chain"),
      () => !ui.chained,
    );
  openPhrase(ui, boxes[0], boxes.slice(1));
}
