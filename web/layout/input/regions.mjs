import { inputSlot } from "../host/graph.mjs";
import { captureUndo, fileUrl, toast } from "../host/frontend.mjs";
import { REPLACING } from "../host/surroundings.mjs";
import { t } from "../host/texts.mjs";
import { boxOf } from "../model/boxes.mjs";
import { maskOf, placed, rasterSize } from "../model/masks.mjs";
import { shaped } from "../model/painting.mjs";
import { shapeIn } from "../view/shapes.mjs";

/**
 * Regions among each other and from elsewhere: how overlaps act, cut-outs and linked masks as painted ones.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

const PICTURE = { x0: 0, y0: 0, x1: 1, y1: 1 };

/** Gives the selected box the outline of its subject's cut-out. @param {LayoutCanvas} ui */
export async function useShape(ui) {
  const { editor } = ui;
  const { state } = editor;
  const [k] = state.selected;
  const source = editor.subjects?.[k]?.shape;
  const shape = source && (await shapeIn(source));
  if (!shape) return toast("info", t("paint.no_shape"));
  if (editor.state === state) editor.apply(shaped(state, k, shape, editor.size));
}

/** Takes linked boxes and masks over as drawn and painted ones and unlinks them, as one step.
 * @param {LayoutCanvas} ui */
export async function takeOver(ui) {
  const { editor, node, report } = ui;
  const { boxes } = editor.shown;
  const files = ui.isLinked("masks") ? (report?.masks ?? []) : [];
  const shapes = await Promise.all(
    boxes.map((_, k) => {
      const file = files[k];
      return file ? shapeIn({ url: fileUrl(file), channel: "red", inverted: false }) : null;
    }),
  );
  if (!editor.readOnly || editor.shown.boxes !== boxes) return;
  const made = boxes.map((box, k) => {
    const shape = shapes[k];
    const { h, w } = rasterSize(box, editor.size);
    return boxOf(box, { ...box, ...(shape ? { mask: maskOf(placed(shape, PICTURE, box, h, w)) } : {}) });
  });
  for (const name of REPLACING) if (ui.isLinked(name)) node.disconnectInput(inputSlot(node, name));
  editor.linked = null;
  editor.apply({ boxes: made, selected: [] });
  captureUndo();
}
