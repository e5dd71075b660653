import { paintBody, paintOutline } from "./paint_box.mjs";
import { paintEmpty } from "./paint_empty.mjs";
import { paintEnded } from "./paint_ended.mjs";
import { paintPainting } from "./paint_mask.mjs";
import { paintBorders, paintMoves, paintShared } from "./paint_overlap.mjs";
import { paintBadge, paintGuides, paintHandles, paintMarquee } from "./paint_marks.mjs";

/**
 * Painting a scene. Coordinates are the stage's CSS pixels; the frame is where the picture lies on the stage, and
 * `visible` the part of it that is on the stage, `pixel` one of the screen in fractions.
 * @typedef {import("../model/boxes.mjs").Box} Box
 * @typedef {import("./theme.mjs").Theme} Theme
 * @typedef {import("./pictures.mjs").Picture} Picture
 * @typedef {{x: number, y: number, w: number, h: number}} Frame
 * @typedef {{
 *   stage: {w: number, h: number}, frame: Frame, visible: Frame, pixel: {x: number, y: number}, size: {width: number, height: number},
 *   boxes: readonly Box[], selected: readonly number[], hover: number, movable: readonly number[],
 *   titles: string[], colours: string[], photos: string, pictures: (Picture | null)[],
 *   fits: import("../model/subjects.mjs").Fit[], masks: (Picture | null)[], heat: (Picture | null)[],
 *   unassigned: (k: number) => boolean, silent: (k: number) => boolean,
 *   order: readonly number[], shared: readonly [number, number][], cutters: readonly (readonly number[])[],
 *   acting: readonly (import("../model/rle.mjs").Mask | null)[], nearest: boolean, standing: readonly import("../model/geometry.mjs").Rect[] | null,
 *   ended: readonly (import("../model/geometry.mjs").Rect | null)[] | null,
 *   painting: import("./paint_mask.mjs").Painting | null,
 *   guides: import("../model/snapping.mjs").Guide[], marquee: import("../model/geometry.mjs").Rect | null,
 *   active: import("../model/geometry.mjs").Rect | null, background: Picture | null,
 *   options: import("../host/settings.mjs").Options, theme: Theme, readOnly: boolean, hints: string[],
 * }} Scene `order`: from back to front; `shared`: pairs whose shared part both act in; `cutters`: for each box those that
 *   take what they share with it, all of it or with `nearest` what is nearer to them; `standing`: where boxes will be moved;
 *   `ended`: where a run has put their subjects; `acting`: regions over the whole picture as a run has told them
 */

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paint(ctx, scene) {
  ctx.clearRect(0, 0, scene.stage.w, scene.stage.h);
  paintFrame(ctx, scene);
  ctx.save();
  ctx.beginPath();
  ctx.rect(scene.frame.x - 1, scene.frame.y - 1, scene.frame.w + 2, scene.frame.h + 2);
  ctx.clip();
  const chosen = new Set(scene.selected);
  const order = [...scene.order.filter((k) => !chosen.has(k)), ...scene.order.filter((k) => chosen.has(k))];
  for (const k of order) paintBody(ctx, scene, k, chosen.has(k));
  if (scene.ended) {
    paintEnded(ctx, scene);
  } else {
    paintShared(ctx, scene);
    paintBorders(ctx, scene);
    paintMoves(ctx, scene);
  }
  for (const k of order) paintOutline(ctx, scene, k, chosen.has(k));
  ctx.restore();
  paintGuides(ctx, scene);
  if (!scene.readOnly && !scene.painting) paintHandles(ctx, scene);
  paintPainting(ctx, scene);
  paintMarquee(ctx, scene);
  paintBadge(ctx, scene);
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
function paintFrame(ctx, scene) {
  const { frame, theme, background, options, size, boxes, hints } = scene;
  const { x, y, w, h } = frame;
  ctx.fillStyle = theme.frame;
  ctx.fillRect(x, y, w, h);
  if (background) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, w, h);
    ctx.clip();
    ctx.globalAlpha = options.backgroundOpacity / 100;
    const cover = Math.max(w / background.width, h / background.height);
    const [bw, bh] = [background.width * cover, background.height * cover];
    background.paint(ctx, { x: x + (w - bw) / 2, y: y + (h - bh) / 2, w: bw, h: bh });
    ctx.restore();
  }
  if (options.grid)
    lines(ctx, frame, gridPlaces(size.width, options.gridStep), gridPlaces(size.height, options.gridStep), theme.line);
  if (options.thirds) lines(ctx, frame, [1 / 3, 2 / 3], [1 / 3, 2 / 3], theme.lineStrong);
  ctx.strokeStyle = theme.frameEdge;
  ctx.lineWidth = 1;
  ctx.strokeRect(Math.round(x) - 0.5, Math.round(y) - 0.5, Math.round(w) + 1, Math.round(h) + 1);
  if (!boxes.length && hints.length) paintEmpty(ctx, scene);
}

/** @param {number} length @param {number} step */
const gridPlaces = (length, step) =>
  Array.from({ length: Math.max(Math.ceil(length / step) - 1, 0) }, (_, k) => ((k + 1) * step) / length);

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {Frame} frame
 * @param {number[]} xs
 * @param {number[]} ys
 * @param {string} colour
 */
function lines(ctx, { x, y, w, h }, xs, ys, colour) {
  ctx.beginPath();
  for (const at of xs) {
    ctx.moveTo(x + at * w, y);
    ctx.lineTo(x + at * w, y + h);
  }
  for (const at of ys) {
    ctx.moveTo(x, y + at * h);
    ctx.lineTo(x + w, y + at * h);
  }
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.stroke();
}
