import { handOn, usesVueNodes } from "../host/frontend.mjs";
import { actualPixels, isWhole, panned, zoomedAbout } from "../view/viewport.mjs";

/**
 * Moving about in the picture: zoom and pan, by wheel, fingers, drags and keys. While the canvas does not have the
 * focus, the wheel and the middle button are the node editor's.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {import("../view/viewport.mjs").Viewport} Viewport
 * @typedef {{clientX: number, clientY: number}} Place on the screen
 */

const STEP = 1.25;

/** How much nearer by a pixel that a wheel has turned; a pinch on a touch pad counts in smaller pixels. */
const WHEEL = 0.0016;
const PINCH = 0.01;
const LINE = 24;

/**
 * Canvases by their roots, with what each does of a drag.
 * @type {Map<Element, {ui: LayoutCanvas, drag: (event: PointerEvent) => void}>}
 */
const canvases = new Map();

let listening = false;

/** @param {LayoutCanvas} ui @returns {Viewport} */
const viewOf = (ui) => ui.stage.shownView;

/** @param {LayoutCanvas} ui @param {Viewport | null} view */
function look(ui, view) {
  ui.session.view = view && view.zoom === 1 ? null : view;
  ui.invalidate();
}

/** @param {LayoutCanvas} ui */
export const fit = (ui) => look(ui, null);

/** @param {LayoutCanvas} ui */
export const showActualPixels = (ui) => look(ui, actualPixels(viewOf(ui), ui.stage.extent, ui.stage.size));

/** About the middle of the stage. @param {LayoutCanvas} ui @param {1|-1} direction */
export function zoomBy(ui, direction) {
  const { extent } = ui.stage;
  zoom(ui, STEP ** direction, { x: extent.w / 2, y: extent.h / 2 });
}

/** @param {LayoutCanvas} ui @param {number} factor @param {{x: number, y: number}} at in stage pixels */
const zoom = (ui, factor, at) => look(ui, zoomedAbout(viewOf(ui), factor, at, ui.stage.extent, ui.stage.size));

/** @param {LayoutCanvas} ui @param {number} dx in stage pixels @param {number} dy */
const pan = (ui, dx, dy) => look(ui, panned(viewOf(ui), dx, dy, ui.stage.extent, ui.stage.size));

/** Whether a middle drag moves the view of the canvas, and not that of the node editor. @param {LayoutCanvas} ui */
const ownsPanning = (ui) => ui.session.full || (hasFocus(ui) && !isWhole(viewOf(ui)));

/** @param {LayoutCanvas} ui */
const hasFocus = (ui) => ui.root.contains(document.activeElement);

/**
 * Everything is heard at the window on its way down, since the node editor listens on the way down too.
 * @param {LayoutCanvas} ui @returns {() => void} how to stop
 */
export function listenToNavigation(ui) {
  canvases.set(ui.root, { ui, drag: viewDrags(ui) });
  listen();
  return () => void canvases.delete(ui.root);
}

/** Once for all canvases, and holding none of them. */
function listen() {
  if (listening) return;
  listening = true;
  window.addEventListener("wheel", turn, { capture: true, passive: false });
  for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"])
    window.addEventListener(type, (event) => onStage(event)?.drag(/** @type {PointerEvent} */ (event)), true);
  // The node editor pinches by touches.
  for (const type of ["touchstart", "touchmove", "touchend", "touchcancel"])
    window.addEventListener(type, (event) => onStage(event) && event.stopPropagation(), { capture: true, passive: true });
}

/** The canvas whose stage an event is on. @param {Event} event */
function onStage({ target }) {
  if (!(target instanceof HTMLCanvasElement)) return undefined;
  return canvases.get(target.closest(".msd-root") ?? target);
}

/**
 * Drags that move the view: with the middle button, with the space bar held, with two fingers. They are taken before
 * the canvas's other gestures, which end where two fingers begin.
 * @param {LayoutCanvas} ui @returns {(event: PointerEvent) => void}
 */
function viewDrags(ui) {
  const { canvas } = ui.stage;
  /** @type {Map<number, Place>} */
  const fingers = new Map();
  /** @type {{drag: (to: Place[]) => void, pointers: Set<number>} | null} */
  let held = null;

  /** @param {PointerEvent} event */
  const down = (event) => {
    if (event.pointerType === "touch") fingers.set(event.pointerId, event);
    const pulls = (event.button === 1 && ownsPanning(ui)) || (event.button === 0 && ui.stage.grabbing);
    if (!held && pulls && !ui.editor.busy) held = { drag: panFrom(ui, event), pointers: new Set([event.pointerId]) };
    else if (fingers.size === 2) {
      // Whatever the first finger has begun ends with its capture.
      for (const id of fingers.keys()) if (canvas.hasPointerCapture(id)) canvas.releasePointerCapture(id);
      held = { drag: pinchFrom(ui, [...fingers.values()]), pointers: new Set(fingers.keys()) };
    }
    if (!held) return;
    take(event);
    ui.focus();
    for (const id of held.pointers) canvas.setPointerCapture(id);
    if (held.pointers.size === 1) canvas.style.cursor = "grabbing";
  };

  /** @param {PointerEvent} event */
  const move = (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
    if (held?.pointers.has(event.pointerId)) {
      take(event);
      held.drag(held.pointers.size === 2 ? [...fingers.values()] : [event]);
    } else if (ui.stage.grabbing && !ui.editor.busy) take(event);
  };

  /** @param {PointerEvent} event */
  const up = (event) => {
    fingers.delete(event.pointerId);
    if (!held?.pointers.has(event.pointerId)) return;
    take(event);
    held = null;
    canvas.style.cursor = ui.stage.grabbing ? "grab" : "";
  };

  return (event) => {
    if (event.type === "pointerdown") down(event);
    else if (event.type === "pointermove") move(event);
    else up(event);
  };
}

/** @param {Event} event */
function take(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** @param {LayoutCanvas} ui @param {Place} from @returns {(to: Place[]) => void} */
function panFrom(ui, from) {
  let last = ui.stage.pixelAt(from);
  return ([to]) => {
    const at = ui.stage.pixelAt(to);
    pan(ui, at.x - last.x, at.y - last.y);
    last = at;
  };
}

/**
 * The picture stays between two fingers. @param {LayoutCanvas} ui @param {Place[]} from
 * @returns {(to: Place[]) => void}
 */
function pinchFrom(ui, from) {
  let last = between(ui, from);
  return (to) => {
    const now = between(ui, to);
    const { extent, size } = ui.stage;
    const moved = panned(viewOf(ui), now.x - last.x, now.y - last.y, extent, size);
    look(ui, zoomedAbout(moved, now.apart / last.apart, now, extent, size));
    last = now;
  };
}

/** @param {LayoutCanvas} ui @param {Place[]} fingers */
function between(ui, fingers) {
  const [a, b] = fingers.map((finger) => ui.stage.pixelAt(finger));
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1) };
}

/** The space bar makes drags move the view. @param {LayoutCanvas} ui @param {boolean} held */
export function holdSpace(ui, held) {
  if (ui.stage.grabbing === held) return;
  ui.stage.grabbing = held;
  ui.stage.canvas.style.cursor = held ? "grab" : "";
}

/** The wheel over a canvas. @param {WheelEvent} event */
function turn(event) {
  const target = event.target instanceof Element ? event.target : null;
  const ui = canvases.get(target?.closest(".msd-root") ?? document.body)?.ui;
  if (!target || !ui) return;
  const scrolls = target.closest(".msd-list");
  if (scrolls && scrolls.scrollHeight > scrolls.clientHeight) return event.stopPropagation();
  const own = ui.session.full || (hasFocus(ui) && ui.stage.holder.contains(target));
  if (!own && usesVueNodes()) return;
  event.preventDefault();
  event.stopPropagation();
  if (!own) handOn("Wheel", event);
  else if (ui.stage.holder.contains(target)) turnOn(ui, event);
}

/** @param {LayoutCanvas} ui @param {WheelEvent} event */
function turnOn(ui, event) {
  const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE;
  const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
  if (event.shiftKey) return pan(ui, -(dx || dy), 0);
  const factor = Math.exp(-dy * (event.ctrlKey || event.metaKey ? PINCH : WHEEL));
  zoom(ui, Math.min(Math.max(factor, 0.5), 2), ui.stage.pixelAt(event));
}
