import { t } from "../host/texts.mjs";

/**
 * What is written on a box, and of whom.
 * @typedef {import("../model/editor.mjs").Editor} Editor
 * @typedef {import("../host/session.mjs").Session} Session
 */

/** Whether somebody stands behind the k-th box, muted or not. @param {Editor} editor @param {number} k */
export const hasSubject = ({ subjects }, k) => (subjects?.[k]?.part ?? "empty") !== "empty";

/** What the k-th box is called: its own name and its subject's phrase. @param {Editor} editor @param {number} k */
export function titleOf({ shown, subjects }, k) {
  const names = [shown.boxes[k]?.label, subjects?.[k]?.phrase].filter(Boolean);
  return [...new Set(names)].join(" · ");
}

/**
 * The weight of the k-th box's subject, also while its slider is dragged.
 * @param {Editor} editor @param {Session} session @param {number} k
 */
export function weightOf({ subjects }, { weight }, k) {
  const subject = subjects?.[k];
  return (weight && weight.id === subject?.id ? weight.weight : subject?.weight) ?? 1;
}

/** The text of the tag: the number that a run goes by first. @param {Editor} editor @param {Session} session @param {number} k */
export function tagOf(editor, session, k) {
  const weight = Math.round(weightOf(editor, session, k) * 100) / 100;
  const part = editor.subjects?.[k]?.part ?? "acting";
  return [
    k + 1,
    titleOf(editor, k),
    weight === 1 ? "" : `×${weight}`,
    part === "acting" || part === "empty" ? "" : `(${t(`subject.${part}`)})`,
  ]
    .filter(Boolean)
    .join(" ");
}
