import { css, rgbOf, swatches } from "./palette.mjs";

/**
 * The empty canvas: a photo that drops into a box, and a box that is being drawn.
 * @typedef {import("./paint.mjs").Scene} Scene
 */

const BOX = { w: 84, h: 62 };
const APART = 150;
const LEAST_WIDTH = 290;

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintEmpty(ctx, { visible, theme, options, hints, background }) {
  const [x, y] = [visible.x + visible.w / 2, visible.y + visible.h / 2];
  const pictured = hints.length === 2 && visible.w >= LEAST_WIDTH && visible.h >= 130;
  ctx.save();
  if (background) {
    ctx.fillStyle = theme.badge;
    ctx.beginPath();
    if (pictured) ctx.roundRect(x - 148, y - 72, 296, 142, 8);
    else ctx.roundRect(visible.x + 8, y - 22, visible.w - 16, 44, 6);
    ctx.fill();
  }
  const ink = background ? theme.badgeInk : theme.muted;
  ctx.font = `500 12px ${theme.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = ink;
  if (!pictured) ctx.fillText(hints.join(" "), x, y, visible.w - 24);
  else {
    ctx.fillText(hints[0], x - APART / 2, y + 46, APART - 8);
    ctx.fillText(hints[1], x + APART / 2, y + 46, APART - 8);
    const [first, second] = swatches(options.palette);
    dropped(ctx, x - APART / 2, y - 14, first, ink);
    drawn(ctx, x + APART / 2, y - 14, second, ink);
  }
  ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y the middle @param {string} colour */
function outline(ctx, x, y, colour) {
  const rgb = rgbOf(colour) ?? [128, 128, 128];
  ctx.fillStyle = css(rgb, 0.1);
  ctx.strokeStyle = css(rgb, 0.85);
  ctx.lineWidth = 1.5;
  ctx.setLineDash([5, 4]);
  ctx.fillRect(x - BOX.w / 2, y - BOX.h / 2, BOX.w, BOX.h);
  ctx.strokeRect(x - BOX.w / 2, y - BOX.h / 2, BOX.w, BOX.h);
  ctx.setLineDash([]);
}

/**
 * @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {string} colour
 * @param {string} ink
 */
function dropped(ctx, x, y, colour, ink) {
  outline(ctx, x, y, colour);
  ctx.save();
  ctx.translate(x + 6, y - 12);
  ctx.rotate(0.14);
  ctx.strokeStyle = ink;
  ctx.fillStyle = css(rgbOf(colour) ?? [128, 128, 128], 0.35);
  ctx.lineWidth = 1.5;
  ctx.lineJoin = "round";
  ctx.beginPath();
  ctx.roundRect(-25, -20, 50, 40, 4);
  ctx.fill();
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(-24, 14);
  ctx.lineTo(-9, -3);
  ctx.lineTo(3, 9);
  ctx.lineTo(10, 2);
  ctx.lineTo(24, 15);
  ctx.moveTo(15, -9);
  ctx.arc(12, -9, 3.5, 0, 2 * Math.PI);
  ctx.stroke();
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {string} colour
 * @param {string} ink
 */
function drawn(ctx, x, y, colour, ink) {
  outline(ctx, x, y, colour);
  const [left, top] = [x - BOX.w / 2, y - BOX.h / 2];
  ctx.strokeStyle = ink;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(left - 7, top);
  ctx.lineTo(left + 7, top);
  ctx.moveTo(left, top - 7);
  ctx.lineTo(left, top + 7);
  ctx.stroke();
  // The pointer that draws it.
  const [px, py] = [x + BOX.w / 2 - 1, y + BOX.h / 2 - 1];
  ctx.fillStyle = ink;
  ctx.beginPath();
  ctx.moveTo(px, py);
  for (const [dx, dy] of [[0, 17], [4.4, 13], [7.4, 19.4], [10.2, 18], [7.4, 12], [13, 11.6]]) ctx.lineTo(px + dx, py + dy);
  ctx.closePath();
  ctx.fill();
}
