import { areaOn } from "./area.mjs";
import { arrow } from "./paint_overlap.mjs";
import { css, inkOn, rgbOf } from "./palette.mjs";
import { regionPath } from "./regions.mjs";

/**
 * Where auto layout has put subjects, with an arrow from each one's box. What fills a box lies there too.
 * @typedef {import("./paint.mjs").Scene} Scene
 */

const TAG = 16;

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintEnded(ctx, { ended, standing, boxes, colours, frame, theme }) {
  ended?.forEach((place, k) => {
    if (!place) return;
    const area = areaOn(place, frame);
    const region = regionPath(boxes[k].mask, area);
    const rgb = rgbOf(colours[k]) ?? [128, 128, 128];
    // Set off from any picture, as outlines of boxes are.
    for (const [colour, width] of /** @type {const} */ ([["rgba(0, 0, 0, 0.28)", 4.5], [css(rgb), 2.5]])) {
      ctx.strokeStyle = colour;
      ctx.lineWidth = width;
      ctx.stroke(region);
    }
    ctx.lineWidth = 1.5;
    arrow(ctx, areaOn(standing?.[k] ?? boxes[k], frame), area);
    number(ctx, area, String(k + 1), colours[k], theme.font);
  });
}

/** The box's number in the corner where boxes have none.
 * @param {CanvasRenderingContext2D} ctx @param {import("./area.mjs").Area} area @param {string} text
 * @param {string} colour @param {string} font */
function number(ctx, area, text, colour, font) {
  ctx.font = `600 11px ${font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const width = Math.max(ctx.measureText(text).width + 8, TAG);
  const [x, y] = [area.x + area.w - width, area.y + area.h - TAG];
  ctx.fillStyle = colour;
  ctx.fillRect(x, y, width, TAG);
  ctx.fillStyle = inkOn(colour);
  ctx.fillText(text, x + width / 2, y + TAG / 2 + 0.5);
}
