import { brushing, enclosing, filled, whole } from "../model/painting.mjs";
import { movable } from "../model/boxes.mjs";
import { clamp } from "../model/geometry.mjs";
import { toast } from "../host/frontend.mjs";
import { t } from "../host/texts.mjs";

/**
 * The mode in which the pointer paints the region of the selected box. It stays on over undo, as the selection does.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {import("../model/geometry.mjs").Point} Point
 * @typedef {import("../model/painting.mjs").Stroke} Stroke
 * @typedef {"brush"|"eraser"|"lasso"|"polygon"|"fill"} Tool
 * @typedef {import("../host/session.mjs").Paint} Paint
 */

/** Tools and their keys, in the order of the bar. */
export const TOOLS = /** @type {Record<Tool, string>} */ ({ brush: "B", eraser: "E", lasso: "L", polygon: "O", fill: "G" });

/** Widths of the brush in pixels of the picture. */
export const THINNEST = 4;
export const THICKEST = 512;

const CLOSES_AT = 8;

/** Modifier keys say what a stroke does when it begins, not while it goes on. */
const STILL = { shift: false, alt: false, ctrl: false };

export class PaintTools {
  /** @param {LayoutCanvas} ui */
  constructor(ui) {
    this.ui = ui;
    /** The pointer that is pressed. @type {number | null} */
    this.pointer = null;
    /** @type {(Stroke & Partial<ReturnType<typeof enclosing>>) | null} */
    this.stroke = null;
    /** Where the pointer is, and where the last stroke ended. @type {Point | null} */
    this.at = null;
    /** @type {Point | null} */
    this.ended = null;
    this.erase = false;
    /** The boxes there were when the stroke began. @type {readonly object[]} */
    this.ground = [];
  }

  /** Whether the stroke still is the editor's, and on the boxes that it began on. */
  get running() {
    const { editor } = this.ui;
    return this.stroke !== null && editor.gesture === this.stroke && editor.state.boxes === this.ground;
  }

  get on() {
    return this.ui.session.paint.on && !this.ui.editor.readOnly;
  }

  /** @returns {Paint} */
  get settings() {
    return this.ui.session.paint;
  }

  /** The box that is painted; -1: a new one. */
  get target() {
    const { selected } = this.ui.editor.state;
    return selected.length === 1 ? selected[0] : -1;
  }

  toggle() {
    const { editor, session } = this.ui;
    this.cancel();
    session.paint.on = !session.paint.on;
    if (session.paint.on && !editor.state.selected.length && editor.state.boxes.length === 1) editor.select([0]);
    this.ended = null;
    this.ui.focus();
    this.ui.invalidate();
  }

  /** @param {Partial<Paint>} changes */
  set(changes) {
    if (changes.tool) this.cancel();
    Object.assign(this.settings, changes);
    this.ui.invalidate();
  }

  /** A wider or thinner brush. @param {number} factor */
  widen(factor) {
    const { brush } = this.settings;
    const next = factor > 1 ? Math.max(Math.round(brush * factor), brush + 1) : Math.min(Math.round(brush * factor), brush - 1);
    this.set({ brush: clamp(next, THINNEST, THICKEST) });
  }

  /** @returns {import("../view/paint_mask.mjs").Painting | null} */
  get shown() {
    if (!this.on) return null;
    const { tool, brush, cells } = this.settings;
    const erase = this.stroke ? this.erase : tool === "eraser";
    return { k: this.target, tool, at: this.at, radius: brush / 2, path: this.stroke?.path ?? [], erase, cells };
  }

  /** Takes a press of the pointer. @param {PointerEvent} event @returns {boolean} whether it is one of this mode */
  down(event) {
    if (!this.on || event.button !== 0) return false;
    const { editor, stage } = this.ui;
    const point = stage.pointAt(event);
    const { tool } = this.settings;
    if (this.stroke) {
      if (tool === "polygon") this.setCorner(point);
      else this.cancel();
      return true;
    }
    if (editor.draft) editor.finish();
    const k = this.target;
    this.erase = tool === "eraser" || event.altKey;
    const how = { size: editor.size, erase: this.erase, inside: event.ctrlKey || event.metaKey };
    if (editor.state.boxes[k]?.locked) toast("info", t("paint.locked"));
    else if (k < 0 && (this.erase || tool === "fill")) toast("info", t("paint.no_box"));
    else if (tool === "fill") this.fill(point, how);
    else {
      const from = event.shiftKey ? this.ended : null;
      const stroke =
        tool === "lasso" || tool === "polygon"
          ? enclosing(editor.state, k, point, { ...how, corners: tool === "polygon" })
          : brushing(editor.state, k, point, { ...how, radius: this.settings.brush / 2, from });
      editor.begin(stroke, editor.state);
      this.stroke = stroke;
      this.ground = editor.state.boxes;
      if (tool !== "polygon") this.pointer = event.pointerId;
      editor.update(point, STILL);
    }
    return true;
  }

  /** @param {Point} point @param {import("../model/painting.mjs").How} how */
  fill(point, how) {
    const { editor } = this.ui;
    const next = filled(editor.state, this.target, point, how);
    if (next) editor.apply(next);
    else toast("info", t("paint.empty"));
  }

  /** What is painted goes, the box stays. */
  reset() {
    const { editor } = this.ui;
    editor.apply(whole(editor.state, movable(editor.state)));
  }

  /** @param {Point} point */
  setCorner(point) {
    if (this.stroke?.isBack?.(point, this.ui.stage.reach(CLOSES_AT))) return this.finish();
    this.stroke?.add?.(point);
    this.ui.editor.update(point, STILL);
  }

  /** A double click ends a polygon. */
  close() {
    if (this.settings.tool === "polygon" && (this.stroke?.path.length ?? 0) > 3) this.finish();
  }

  /** @param {PointerEvent} event @returns {boolean} */
  move(event) {
    if (!this.on) return false;
    const { editor, stage } = this.ui;
    if (this.pointer !== null && event.pointerId !== this.pointer) return true;
    this.at = event.pointerType === "touch" && this.pointer === null ? null : stage.pointAt(event);
    if (this.stroke && !this.running) this.cancel();
    if (this.stroke) {
      if (this.pointer !== null) this.stroke.pass((event.getCoalescedEvents?.() ?? []).map((one) => stage.pointAt(one)));
      editor.update(stage.pointAt(event), STILL);
    }
    const ring = this.settings.tool === "brush" || this.settings.tool === "eraser";
    stage.canvas.style.cursor = ring ? "none" : "crosshair";
    this.ui.setHover(-1);
    this.ui.invalidate();
    return true;
  }

  /** @param {PointerEvent} event @returns {boolean} */
  up(event) {
    if (!this.on) return false;
    if (event.pointerId === this.pointer) this.finish();
    return true;
  }

  /** The pointer has left. */
  leave() {
    this.at = null;
    if (this.on) this.ui.invalidate();
  }

  /** Ends the stroke and keeps what it has painted. */
  finish() {
    const { stroke, running } = this;
    const { editor } = this.ui;
    if (!stroke || !running) return this.cancel();
    this.ended = this.at;
    this.drop();
    // A polygon ends with its corners, wherever the pointer is.
    if (this.settings.tool === "polygon") editor.update(stroke.path[0], STILL);
    if (stroke.empty && this.erase) toast("info", t("paint.empty"));
    editor.finish();
  }

  /** Ends the stroke as if it had never begun. */
  cancel() {
    const { stroke } = this;
    this.drop();
    if (stroke && this.ui.editor.gesture === stroke) this.ui.editor.cancel();
  }

  /** The pressed pointer has gone without being let go; a polygon, which needs none, stays. */
  lose() {
    if (this.pointer !== null) this.cancel();
  }

  drop() {
    this.stroke = null;
    this.pointer = null;
  }

  /**
   * @param {string} name of a key
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it is one of this mode
   */
  key(name, event) {
    if (!this.on || event.ctrlKey || event.metaKey || event.altKey) return false;
    const { ui, stroke } = this;
    // By its place where the keyboard has another sign there.
    const bracket = name === "[" || event.code === "BracketLeft" ? -1 : name === "]" || event.code === "BracketRight" ? 1 : 0;
    const tool = /** @type {Tool[]} */ (Object.keys(TOOLS)).find((one) => TOOLS[one].toLowerCase() === name);
    if (name === "escape" && stroke) this.cancel();
    else if (name === "escape") this.toggle();
    else if (bracket) this.widen((event.shiftKey ? 1.05 : 1.25) ** bracket);
    else if (name === "enter" && stroke) this.finish();
    else if (name === "enter") this.toggle();
    else if (name === "backspace" && stroke?.back) {
      stroke.back();
      if (this.at) ui.editor.update(this.at, STILL);
    } else if (stroke) return true;
    else if (tool) this.set({ tool });
    else if (name === "c") this.set({ cells: !this.settings.cells });
    else if (name === "delete" || name === "backspace") this.reset();
    else return false;
    return true;
  }
}
