import { element } from "./elements.mjs";
import { t } from "../host/texts.mjs";
import { patch } from "../model/boxes.mjs";
import { clamp } from "../model/geometry.mjs";
import { visiblePart } from "../view/viewport.mjs";
import { isComposing } from "../input/keys.mjs";

/**
 * A text field over a box's tag. It is a real input, so undo inside it is the text's own.
 * @param {import("../widget.mjs").LayoutCanvas} ui @param {number} k
 */
export function openRename(ui, k) {
  const { editor, stage } = ui;
  const box = editor.state.boxes[k];
  if (!box || editor.readOnly) return;
  let done = false;
  /** @param {boolean} keep */
  const close = (keep) => {
    if (done) return;
    done = true;
    const had = document.activeElement === input;
    const label = input.value.trim();
    input.remove();
    if (keep && label !== box.label && editor.state.boxes[k] === box) editor.apply(patch(editor.state, [k], { label }));
    if (had) ui.focus();
  };
  const input = element("input", {
    type: "text",
    class: "msd-rename",
    value: box.label,
    maxlength: 120,
    "aria-label": t("action.rename"),
    placeholder: editor.subjects?.[k]?.phrase || t("list.box", { number: k + 1 }),
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      event.stopPropagation();
      if (!isComposing(event) && (event.key === "Enter" || event.key === "Escape")) close(event.key === "Enter");
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
