import { paint } from "./paint.mjs";
import { onTheme, readTheme } from "./theme.mjs";
import { frameOf, settledView, visiblePart, WHOLE } from "./viewport.mjs";

/**
 * The canvas element: its pixels, where the frame lies on it, and when it is painted.
 * @typedef {import("../model/geometry.mjs").Point} Point
 */

const SHARPEST = 3;

/** Calls back when an element has another width; returns how to stop.
 * @param {Element} element @param {() => void} callback */
export function onWidth(element, callback) {
  const observer = new ResizeObserver(callback);
  observer.observe(element);
  return () => observer.disconnect();
}

export class Stage {
  /**
   * @param {HTMLElement} holder
   * @param {(stage: Stage) => Omit<import("./paint.mjs").Scene, "stage" | "frame" | "visible" | "pixel" | "theme">} scene
   * @param {() => import("./viewport.mjs").Viewport | null} view
   */
  constructor(holder, scene, view = () => null) {
    this.holder = holder;
    this.scene = scene;
    this.view = view;
    this.size = { width: 1, height: 1 };
    /** What the stage showed when it was painted last. */
    this.painted = WHOLE;
    /** Whether a drag moves the view, because the space bar is held. */
    this.grabbing = false;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "msd-canvas";
    this.canvas.tabIndex = 0;
    holder.append(this.canvas);
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    /** @type {import("./theme.mjs").Theme | null} */
    this.theme = null;
    this.aspect = 1;
    this.pending = 0;
    this.frame = { x: 0, y: 0, w: 1, h: 1 };
    // Within the frame that has the new size.
    this.observer = new ResizeObserver(() => this.repaint());
    this.observer.observe(holder);
    this.stopTheme = onTheme(() => {
      this.theme = null;
      this.invalidate();
    });
  }

  dispose() {
    this.observer.disconnect();
    this.stopTheme();
    cancelAnimationFrame(this.pending);
  }

  /** Paints now, for a caller that has waited for the screen's next frame already. */
  repaint() {
    cancelAnimationFrame(this.pending);
    this.pending = 0;
    this.paint();
  }

  /** Paints with the next frame of the screen. */
  invalidate() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.paint();
    });
  }

  /** Screen pixels that one CSS pixel of the canvas takes. */
  get sharpness() {
    const width = this.holder.clientWidth;
    const zoom = width ? this.canvas.getBoundingClientRect().width / width : 1;
    return window.devicePixelRatio * Math.min(Math.max(zoom, 0.5), SHARPEST);
  }

  /** Paints again if the zoom asks for other pixels than there are. */
  checkSharpness() {
    if (
      this.holder.clientWidth &&
      Math.abs(this.canvas.width - Math.round(this.holder.clientWidth * this.sharpness)) > 1
    )
      this.invalidate();
  }

  /** The stage in CSS pixels. @returns {import("./viewport.mjs").Extent} */
  get extent() {
    return { w: this.holder.clientWidth, h: this.holder.clientHeight };
  }

  /** What the stage shows, as it is allowed for this size. */
  get shownView() {
    return settledView(this.view() ?? WHOLE, this.extent, this.size);
  }

  paint() {
    const [w, h] = [this.holder.clientWidth, this.holder.clientHeight];
    if (!w || !h) return;
    const sharpness = this.sharpness;
    const [pixelsX, pixelsY] = [Math.round(w * sharpness), Math.round(h * sharpness)];
    if (this.canvas.width !== pixelsX || this.canvas.height !== pixelsY) {
      this.canvas.width = pixelsX;
      this.canvas.height = pixelsY;
    }
    this.theme ??= readTheme(this.holder);
    const scene = this.scene(this);
    this.size = scene.size;
    this.painted = this.shownView;
    this.frame = frameOf(this.painted, { w, h }, scene.size);
    this.context.setTransform(pixelsX / w, 0, 0, pixelsY / h, 0, 0);
    const visible = visiblePart(this.frame, { w, h });
    paint(this.context, { ...scene, stage: { w, h }, frame: this.frame, visible, pixel: this.reach(1), theme: this.theme });
  }

  /**
   * Where a pointer is, in fractions of the picture; outside of it below 0 or above 1.
   * @param {{clientX: number, clientY: number}} event
   * @returns {Point}
   */
  pointAt(event) {
    const { x, y } = this.pixelAt(event);
    return { x: (x - this.frame.x) / this.frame.w, y: (y - this.frame.y) / this.frame.h };
  }

  /** Where a pointer is, in the stage's CSS pixels. @param {{clientX: number, clientY: number}} event @returns {Point} */
  pixelAt(event) {
    const rect = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - rect.left) / rect.width) * this.holder.clientWidth,
      y: ((event.clientY - rect.top) / rect.height) * this.holder.clientHeight,
    };
  }

  /** Screen pixels as fractions of the picture. @param {number} pixels */
  reach(pixels) {
    const zoom = this.canvas.getBoundingClientRect().width / Math.max(this.holder.clientWidth, 1) || 1;
    return { x: pixels / zoom / this.frame.w, y: pixels / zoom / this.frame.h };
  }
}
