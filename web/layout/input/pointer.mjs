import { drawing, lassoing, moving, resizing } from "../model/gestures.mjs";
import { handOn, usesVueNodes } from "../host/frontend.mjs";
import { select, selectNextAt, toggle } from "../model/boxes.mjs";

/**
 * Mouse, pen and touch on the canvas become gestures of the editor.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {import("../model/gestures.mjs").Modifiers} Modifiers
 */

const DRAG_STARTS_AT = 4;
const LONG_PRESS = 550;
const REACH = { mouse: 7, pen: 9, touch: 18 };

/** @param {PointerEvent | MouseEvent} event @returns {Modifiers} */
const keysOf = (event) => ({ shift: event.shiftKey, alt: event.altKey, ctrl: event.ctrlKey || event.metaKey });

/** @param {PointerEvent} event @param {number} [factor] */
const reachOf = (event, factor = 1) =>
  (REACH[/** @type {keyof typeof REACH} */ (event.pointerType)] ?? REACH.mouse) * factor;

/** @param {LayoutCanvas} ui */
export function listenToPointer(ui) {
  const { canvas } = ui.stage;
  /**
   * @typedef {{id: number, x: number, y: number, begin: () => void, click: () => void, begun: boolean,
   *   on: readonly object[]}} Press `on`: the boxes there were when it began
   * @type {Press | null}
   */
  let press = null;
  let longPress = 0;
  let panning = false;

  /** @param {PointerEvent} event */
  const down = (event) => {
    if (event.button === 1) return startPan(event);
    event.stopPropagation();
    if (event.button !== 0) return;
    ui.focus();
    if (ui.tools.down(event)) return canvas.setPointerCapture(event.pointerId);
    if (press) return abort();
    ui.editor.finish();
    canvas.setPointerCapture(event.pointerId);
    const on = ui.editor.state.boxes;
    press = { id: event.pointerId, x: event.clientX, y: event.clientY, begun: false, on, ...meaning(ui, event) };
    ui.editor.pressed = press;
    if (event.pointerType === "touch") {
      longPress = window.setTimeout(() => {
        abort();
        openMenuAt(event);
      }, LONG_PRESS);
    }
  };

  /** @param {PointerEvent} event */
  const move = (event) => {
    if (panning) return handOn("Move", event);
    if (!press) return ui.tools.move(event) || hover(ui, event);
    if (event.pointerId !== press.id) return;
    event.stopPropagation();
    if (isStale(press)) return abort();
    if (!press.begun) {
      const slack = event.pointerType === "touch" ? 2.5 * DRAG_STARTS_AT : DRAG_STARTS_AT;
      if (Math.hypot(event.clientX - press.x, event.clientY - press.y) < slack) return;
      clearTimeout(longPress);
      press.begun = true;
      press.begin();
    }
    ui.editor.update(ui.stage.pointAt(event), keysOf(event));
  };

  /** @param {PointerEvent} event */
  const up = (event) => {
    clearTimeout(longPress);
    if (panning && event.button === 1) {
      panning = false;
      return handOn("Up", event);
    }
    if (!press && ui.tools.up(event)) return event.stopPropagation();
    if (!press || event.pointerId !== press.id) return;
    event.stopPropagation();
    if (isStale(press)) return abort();
    const { begun, click } = press;
    press = null;
    ui.editor.pressed = null;
    if (begun) ui.editor.finish();
    else click();
    hover(ui, event);
  };

  /** What a press has begun was taken back, or the layout was changed from elsewhere. @param {Press} held */
  const isStale = (held) => ui.editor.pressed !== held || ui.editor.state.boxes !== held.on;

  const abort = () => {
    clearTimeout(longPress);
    press = null;
    ui.tools.lose();
    ui.editor.cancel();
  };

  /** The menu of the box in front, or of the selection that it belongs to. @param {MouseEvent} event */
  const openMenuAt = (event) => {
    const k = ui.editor.frontAt(ui.stage.pointAt(event));
    if (k >= 0 && !ui.editor.state.selected.includes(k)) ui.editor.select([k]);
    ui.focus();
    ui.openMenu(event.clientX, event.clientY);
  };

  /** The old renderer does not pan over widgets by itself. @param {PointerEvent} event */
  const startPan = (event) => {
    if (usesVueNodes() || ui.session.full) return;
    event.preventDefault();
    event.stopPropagation();
    panning = true;
    canvas.setPointerCapture(event.pointerId);
    handOn("Down", event);
  };

  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", abort);
  canvas.addEventListener("lostpointercapture", (event) => (press ? event.pointerId === press.id && abort() : ui.tools.lose()));
  canvas.addEventListener("pointerenter", () => ui.refresh());
  canvas.addEventListener("pointerleave", () => {
    ui.setHover(-1);
    ui.tools.leave();
  });
  canvas.addEventListener("dblclick", (event) => {
    event.stopPropagation();
    if (ui.tools.on) return ui.tools.close();
    const k = ui.editor.frontAt(ui.stage.pointAt(event));
    if (k >= 0 && !event.altKey) ui.edit(k);
  });
  canvas.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (!ui.editor.busy) openMenuAt(event);
  });
}

/**
 * What a press would begin if it becomes a drag, and what it does if it stays a click.
 * @param {LayoutCanvas} ui
 * @param {PointerEvent} event
 */
function meaning(ui, event) {
  const { editor, stage } = ui;
  const point = stage.pointAt(event);
  const keys = keysOf(event);
  const around = editor.surroundings(stage.reach(7));
  const { state } = editor;
  const handle =
    keys.ctrl || (keys.alt && state.selected.length === 0)
      ? null
      : editor.handleAt(point, stage.reach(1), reachOf(event));
  const { held, front } = editor.grabbedAt(point);
  const draw = () => editor.begin(drawing(state, point, around), state);
  const pick = () => {
    if (keys.alt) editor.apply(selectNextAt(state, point));
    else if (keys.shift) front >= 0 && editor.apply(toggle(state, front));
    else editor.select(front >= 0 ? [front] : []);
  };
  if (editor.readOnly) return { begin: () => editor.refused(), click: () => {} };
  if (handle) return { begin: () => editor.begin(resizing(state, handle, point, around), state), click: pick };
  if (keys.ctrl) return { begin: draw, click: () => front >= 0 && editor.apply(toggle(state, front)) };
  if (keys.shift) return { begin: () => editor.begin(lassoing(state, point), state), click: pick };
  const grabbed = held >= 0 ? held : front;
  if (grabbed >= 0) {
    const base = held >= 0 ? state : select(state, [front]);
    return {
      begin: () => editor.begin(moving(base, point, around, { copy: keys.alt }), keys.alt ? state : base),
      click: pick,
    };
  }
  return { begin: draw, click: pick };
}

const CURSORS = { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw" };

/** @param {LayoutCanvas} ui @param {PointerEvent} event */
function hover(ui, event) {
  if (event.pointerType === "touch") return;
  const { editor, stage } = ui;
  const point = stage.pointAt(event);
  const handle = event.ctrlKey ? null : editor.handleAt(point, stage.reach(1), reachOf(event));
  const { held, front } = editor.grabbedAt(point);
  const k = held >= 0 ? held : front;
  stage.canvas.style.cursor = editor.readOnly
    ? "default"
    : handle
      ? `${CURSORS[handle]}-resize`
      : event.ctrlKey || k < 0
        ? "crosshair"
        : "move";
  ui.setHover(handle ? -1 : k);
}
