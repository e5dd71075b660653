import { element } from "./elements.mjs";
import { t } from "../host/texts.mjs";
import { patch } from "../model/boxes.mjs";
import { clamp } from "../model/geometry.mjs";
import { visiblePart } from "../view/viewport.mjs";
import { isComposing } from "../input/keys.mjs";

/**
 * Text fields over a box's tag. They are real inputs, so undo inside them is the text's own.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/**
 * @param {LayoutCanvas} ui
 * @param {number} k the box
 * @param {{value: string, label: string, placeholder: string, keep: (text: string) => void, next?: () => void}} how
 *   `keep`: what to do with another text; `next`: what follows after Enter
 */
export function openTagField(ui, k, { value, label, placeholder, keep, next }) {
  const { editor, stage } = ui;
  const box = editor.shown.boxes[k];
  if (!box) return;
  let done = false;
  /** @param {boolean} kept @param {boolean} [onward] */
  const close = (kept, onward = false) => {
    if (done) return;
    done = true;
    const had = document.activeElement === input;
    const text = input.value.trim();
    input.remove();
    if (kept && text !== value) keep(text);
    if (had) ui.focus();
    if (onward) next?.();
  };
  const input = element("input", {
    type: "text",
    class: "msd-rename",
    value,
    maxlength: 120,
    "aria-label": label,
    placeholder,
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      event.stopPropagation();
      const enter = event.key === "Enter";
      if (!isComposing(event) && (enter || event.key === "Escape")) close(enter, enter);
    },
    onpointerdown: (/** @type {Event} */ event) => event.stopPropagation(),
    onblur: () => close(true),
  });
  const { frame, extent } = stage;
  const visible = visiblePart(frame, extent);
  const width = Math.min(Math.max((box.x1 - box.x0) * frame.w, 110), visible.w);
  input.style.left = `${clamp(frame.x + box.x0 * frame.w, visible.x, visible.x + visible.w - width)}px`;
  input.style.top = `${clamp(frame.y + box.y0 * frame.h, visible.y, visible.y + visible.h - 24)}px`;
  input.style.width = `${width}px`;
  stage.holder.append(input);
  input.focus({ preventScroll: true });
  input.select();
}

/** The box's own name. @param {LayoutCanvas} ui @param {number} k */
export function openRename(ui, k) {
  const { editor } = ui;
  const box = editor.state.boxes[k];
  if (!box || editor.readOnly) return;
  openTagField(ui, k, {
    value: box.label,
    label: t("action.rename"),
    placeholder: editor.subjects?.[k]?.phrase || t("list.box", { number: k + 1 }),
    keep: (label) => editor.state.boxes[k] === box && editor.apply(patch(editor.state, [k], { label })),
  });
}
