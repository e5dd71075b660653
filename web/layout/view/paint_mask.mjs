import { cellsOf, rasterOf } from "../model/masks.mjs";
import { cellPath } from "./regions.mjs";

/**
 * What lies over the boxes while a region is painted: the line of the stroke, the brush, the cells that will act.
 * @typedef {import("./paint.mjs").Scene} Scene
 * @typedef {import("../model/geometry.mjs").Point} Point
 * @typedef {{
 *   k: number, tool: string, at: Point | null, radius: number, path: readonly Point[], erase: boolean, cells: boolean,
 * }} Painting `k`: the box, -1 for a new one; `at`: where the pointer is, in fractions; `radius`: of the brush, in
 *   pixels of the picture
 */

/** Pixels of the picture per cell of the finest layer that subjects act in. */
const CELL = 16;

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintPainting(ctx, scene) {
  if (!scene.painting) return;
  if (scene.painting.cells) paintCells(ctx, scene);
  paintStroke(ctx, scene);
  paintBrush(ctx, scene);
}

/** @type {{key: string, path: Path2D} | null} */
let lastCells = null;

/** What the selected region is to a run: all cells that are at least half inside.
 * @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
function paintCells(ctx, { painting, boxes, frame, size }) {
  const box = painting && boxes[painting.k];
  if (!box?.mask) return;
  const [w, h] = [Math.ceil(size.width / CELL), Math.ceil(size.height / CELL)];
  const key = JSON.stringify([box, frame, size]);
  if (lastCells?.key !== key) lastCells = { key, path: cellPath({ bits: cellsOf(box, rasterOf(box.mask), h, w), h, w }, frame) };
  ctx.fillStyle = "rgba(255, 255, 255, 0.16)";
  ctx.fill(lastCells.path, "evenodd");
  twice(ctx, "#ffffff", lastCells.path);
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
function paintStroke(ctx, { painting, frame, theme }) {
  const path = painting?.path ?? [];
  if (!painting || path.length < 2) return;
  ctx.beginPath();
  for (const { x, y } of path) ctx.lineTo(frame.x + x * frame.w, frame.y + y * frame.h);
  ctx.lineJoin = "round";
  twice(ctx, theme.accent);
  if (painting.tool !== "polygon") return;
  ctx.fillStyle = theme.handle;
  for (const { x, y } of path.slice(0, -1)) {
    ctx.beginPath();
    ctx.arc(frame.x + x * frame.w, frame.y + y * frame.h, 3, 0, 7);
    ctx.fill();
    ctx.stroke();
  }
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
function paintBrush(ctx, { painting, frame, size }) {
  if (!painting?.at || (painting.tool !== "brush" && painting.tool !== "eraser")) return;
  const [x, y] = [frame.x + painting.at.x * frame.w, frame.y + painting.at.y * frame.h];
  ctx.beginPath();
  ctx.arc(x, y, Math.max((painting.radius / size.width) * frame.w, 1), 0, 7);
  if (painting.erase) ctx.setLineDash([4, 3]);
  twice(ctx, "#ffffff");
  ctx.setLineDash([]);
}

/** A line that shows on any picture. @param {CanvasRenderingContext2D} ctx @param {string} colour @param {Path2D} [path] */
function twice(ctx, colour, path) {
  for (const [style, width] of /** @type {[string, number][]} */ ([["rgba(0, 0, 0, 0.55)", 3], [colour, 1.25]])) {
    ctx.strokeStyle = style;
    ctx.lineWidth = width;
    if (path) ctx.stroke(path);
    else ctx.stroke();
  }
}
