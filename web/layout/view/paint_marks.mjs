import { boundsOf } from "../model/geometry.mjs";
import { handlesOf } from "../model/handles.mjs";
import { inPixels } from "../model/format.mjs";

/**
 * What lies over the boxes while editing: handles, guides, the lasso, the size.
 * @typedef {import("./paint.mjs").Scene} Scene
 */

const HANDLE = 7;

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintHandles(ctx, { frame, boxes, movable, theme, active, marquee, pixel }) {
  const bounds = boundsOf(movable.map((k) => boxes[k]));
  if (!bounds || marquee) return;
  const [x, y] = [frame.x + bounds.x0 * frame.w, frame.y + bounds.y0 * frame.h];
  const [w, h] = [(bounds.x1 - bounds.x0) * frame.w, (bounds.y1 - bounds.y0) * frame.h];
  ctx.strokeStyle = theme.accent;
  ctx.lineWidth = 1;
  if (movable.length > 1) {
    ctx.setLineDash([3, 3]);
    ctx.strokeRect(x, y, w, h);
    ctx.setLineDash([]);
  }
  if (active && active.x0 === bounds.x0 && active.x1 === bounds.x1 && Math.min(w, h) < 24) return;
  ctx.fillStyle = theme.handle;
  ctx.lineWidth = 1.25;
  ctx.beginPath();
  for (const { at } of handlesOf(bounds, pixel)) {
    ctx.rect(frame.x + at.x * frame.w - HANDLE / 2, frame.y + at.y * frame.h - HANDLE / 2, HANDLE, HANDLE);
  }
  ctx.fill();
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintGuides(ctx, { frame, guides, theme }) {
  if (!guides.length) return;
  ctx.strokeStyle = theme.guide;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const { axis, at, from, to } of guides) {
    if (axis === "x") {
      ctx.moveTo(frame.x + at * frame.w, frame.y + from * frame.h);
      ctx.lineTo(frame.x + at * frame.w, frame.y + to * frame.h);
    } else {
      ctx.moveTo(frame.x + from * frame.w, frame.y + at * frame.h);
      ctx.lineTo(frame.x + to * frame.w, frame.y + at * frame.h);
    }
  }
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintMarquee(ctx, { frame, marquee, theme }) {
  if (!marquee) return;
  const [x, y] = [frame.x + marquee.x0 * frame.w, frame.y + marquee.y0 * frame.h];
  const [w, h] = [(marquee.x1 - marquee.x0) * frame.w, (marquee.y1 - marquee.y0) * frame.h];
  ctx.save();
  ctx.globalAlpha = 0.12;
  ctx.fillStyle = theme.accent;
  ctx.fillRect(x, y, w, h);
  ctx.restore();
  ctx.strokeStyle = theme.accent;
  ctx.lineWidth = 1;
  ctx.strokeRect(x, y, w, h);
}

/** The size in pixels, below what is being moved. @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintBadge(ctx, { frame, active, size, theme, stage }) {
  if (!active) return;
  const { x, y, w, h } = inPixels(active, size);
  const text = `${x}, ${y}   ${w} × ${h}`;
  ctx.font = `500 11px ${theme.font}`;
  const width = Math.ceil(ctx.measureText(text).width) + 14;
  const middle = frame.x + ((active.x0 + active.x1) / 2) * frame.w;
  const left = Math.min(Math.max(middle - width / 2, 2), stage.w - width - 2);
  const below = frame.y + active.y1 * frame.h + 8;
  const top = below + 20 > stage.h - 2 ? Math.min(frame.y + active.y1 * frame.h, stage.h) - 28 : below;
  ctx.beginPath();
  ctx.roundRect(left, top, width, 20, 4);
  ctx.fillStyle = theme.badge;
  ctx.fill();
  ctx.fillStyle = theme.badgeInk;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(text, left + width / 2, top + 10.5);
}
