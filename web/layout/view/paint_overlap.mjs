import { areaOn } from "./area.mjs";
import { css, rgbOf } from "./palette.mjs";
import { addNearer, regionPath } from "./regions.mjs";

/**
 * What boxes that overlap do to each other, drawn as it will act.
 * @typedef {import("./paint.mjs").Scene} Scene
 */

const STRIPE = 5;

/**
 * Leaves of the stage what a box does not lose to others.
 * @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {number} k
 */
export function clipToShare(ctx, scene, k) {
  for (const other of scene.cutters[k]) ctx.clip(restOf(scene, k, other), "evenodd");
}

/** While one box is dragged the others stay, and so does what they leave to each other.
 * @type {WeakMap<object, WeakMap<object, {key: string, path: Path2D}>>} */
const rests = new WeakMap();

/** The stage without what a box loses to another. @param {Scene} scene @param {number} k @param {number} other */
function restOf({ boxes, nearest, frame, stage }, k, other) {
  const [box, cutter] = [boxes[k], boxes[other]];
  const found = rests.get(box) ?? new WeakMap();
  rests.set(box, found);
  const key = `${nearest} ${frame.x} ${frame.y} ${frame.w} ${frame.h} ${stage.w} ${stage.h}`;
  const known = found.get(cutter);
  if (known?.key === key) return known.path;
  const path = new Path2D();
  path.rect(-1, -1, stage.w + 2, stage.h + 2);
  const area = areaOn(cutter, frame);
  if (nearest) addNearer(cutter.mask, area, areaOn(box, frame), path);
  else path.addPath(regionPath(cutter.mask, area));
  found.set(cutter, { key, path });
  return path;
}

/** Stripes in both colours where two boxes act together. @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintShared(ctx, { shared, boxes, frame, colours }) {
  for (const [a, b] of shared) {
    const areas = [areaOn(boxes[a], frame), areaOn(boxes[b], frame)];
    const [x, y] = [Math.max(areas[0].x, areas[1].x), Math.max(areas[0].y, areas[1].y)];
    const w = Math.min(areas[0].x + areas[0].w, areas[1].x + areas[1].w) - x;
    const h = Math.min(areas[0].y + areas[0].h, areas[1].y + areas[1].h) - y;
    const painted = [a, b].filter((k) => boxes[k].mask);
    if (painted.length) ctx.save();
    for (const k of painted) ctx.clip(regionPath(boxes[k].mask, areaOn(boxes[k], frame)), "evenodd");
    ctx.fillStyle = stripes(ctx, colours[a], colours[b]);
    ctx.fillRect(x, y, w, h);
    if (painted.length) ctx.restore();
  }
}

/** The line between two boxes that each keep what is nearer. @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintBorders(ctx, { cutters, nearest, boxes, frame, theme }) {
  if (!nearest) return;
  cutters.forEach((others, k) => {
    for (const other of others) {
      if (other < k || !cutters[other].includes(k)) continue;
      const [a, b] = [areaOn(boxes[k], frame), areaOn(boxes[other], frame)];
      const [x, y] = [(a.x + b.x) / 2 + (a.w + b.w) / 4, (a.y + b.y) / 2 + (a.h + b.h) / 4];
      const [dx, dy] = [b.x + b.w / 2 - a.x - a.w / 2, b.y + b.h / 2 - a.y - a.h / 2];
      const far = (frame.w + frame.h) / Math.hypot(dx, dy);
      ctx.save();
      ctx.clip(regionPath(boxes[k].mask, a), "evenodd");
      ctx.clip(regionPath(boxes[other].mask, b), "evenodd");
      ctx.strokeStyle = theme.text;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(x - dy * far, y + dx * far);
      ctx.lineTo(x + dy * far, y - dx * far);
      ctx.stroke();
      ctx.restore();
    }
  });
}

/** @type {Map<string, CanvasPattern>} */
const patterns = new Map();

/** @param {CanvasRenderingContext2D} ctx @param {string} first @param {string} second */
function stripes(ctx, first, second) {
  const key = `${first} ${second}`;
  const known = patterns.get(key);
  if (known) return known;
  // Drawn four times as large, so that zooming in does not blur it.
  const [sharp, side] = [4, 2 * STRIPE * 4];
  const tile = document.createElement("canvas");
  tile.width = tile.height = side;
  const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  context.lineWidth = side / Math.SQRT2 / 2;
  [first, second].forEach((colour, k) => {
    context.strokeStyle = css(rgbOf(colour) ?? [128, 128, 128], 0.55);
    context.beginPath();
    for (const shift of [-side, 0, side, 2 * side]) {
      const at = shift + (k * side) / 2;
      context.moveTo(at + side / 2, -side / 2);
      context.lineTo(at - 1.5 * side, 1.5 * side);
    }
    context.stroke();
  });
  const pattern = /** @type {CanvasPattern} */ (ctx.createPattern(tile, "repeat"));
  pattern.setTransform(new DOMMatrix().scale(1 / sharp));
  if (patterns.size > 200) patterns.clear();
  patterns.set(key, pattern);
  return pattern;
}

/** Where boxes will be moved, and whence. @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
export function paintMoves(ctx, { standing, boxes, colours, frame }) {
  standing?.forEach((place, k) => {
    const [from, to] = [areaOn(boxes[k], frame), areaOn(place, frame)];
    if (Math.hypot(from.x - to.x, from.y - to.y) < 0.5) return;
    ctx.strokeStyle = colours[k];
    ctx.lineWidth = 1.5;
    ctx.setLineDash([6, 3]);
    ctx.stroke(regionPath(boxes[k].mask, to));
    ctx.setLineDash([]);
    arrow(ctx, from, to);
  });
}

/** From the middle of one area to that of another.
 * @typedef {import("./area.mjs").Area} Area @param {CanvasRenderingContext2D} ctx @param {Area} from @param {Area} to */
export function arrow(ctx, from, to) {
  const [x0, y0, x1, y1] = [from.x + from.w / 2, from.y + from.h / 2, to.x + to.w / 2, to.y + to.h / 2];
  const angle = Math.atan2(y1 - y0, x1 - x0);
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  for (const turn of [-0.5, 0.5]) {
    ctx.moveTo(x1, y1);
    ctx.lineTo(x1 - 7 * Math.cos(angle + turn), y1 - 7 * Math.sin(angle + turn));
  }
  ctx.stroke();
}
