import { areaOn } from "./area.mjs";
import { clipToShare } from "./paint_overlap.mjs";
import { paintHeat, paintPhoto } from "./paint_photo.mjs";
import { css, inkOn, rgbOf } from "./palette.mjs";
import { regionPath } from "./regions.mjs";

/**
 * One box: its fill, its subject's picture, its outline and the name tag in its corner.
 * @typedef {import("./paint.mjs").Scene} Scene
 * @typedef {import("./area.mjs").Area} Area
 */

const TAG_HEIGHT = 18;
const TAG_PADDING = 6;
const RADIUS = 3;
const MARK_WIDTH = 12;

/** @type {Map<string, number>} */
const textWidths = new Map();
/** @type {Map<string, string>} */
const shortTexts = new Map();

/** @param {Scene} scene @param {number} k @param {boolean} selected */
function looks(scene, k, selected) {
  const lit = selected || scene.hover === k;
  return { rgb: rgbOf(scene.colours[k]) ?? [128, 128, 128], spare: scene.unassigned(k), silent: scene.silent(k), lit };
}

/** What fills a region: its colour and its subject's picture. It lies where the region will act, or has.
 * @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {number} k @param {boolean} selected */
export function paintBody(ctx, scene, k, selected) {
  const { frame, options } = scene;
  const box = scene.boxes[k];
  const { rgb, spare, silent, lit } = looks(scene, k, selected);
  const linked = scene.masks[k];
  const acting = scene.acting[k];
  if (acting) {
    ctx.fillStyle = css(rgb, 0.45);
    return ctx.fill(regionPath(acting, frame), "evenodd");
  }
  if (linked) {
    ctx.globalAlpha = 0.45;
    linked.paint(ctx, frame);
    ctx.globalAlpha = 1;
    return;
  }
  const ended = scene.ended?.[k];
  const area = areaOn(ended ?? scene.standing?.[k] ?? box, frame);
  if (!common(area, scene.visible)) return;
  const region = regionPath(box.mask, area);
  ctx.save();
  if (!ended) clipToShare(ctx, scene, k);
  ctx.fillStyle = css(rgb, (options.fill / 100) * (spare || silent ? 0.5 : 1) + (lit ? 0.06 : 0) + (box.mask ? 0.12 : 0));
  ctx.fill(region, "evenodd");
  if (box.mask) ctx.clip(region, "evenodd");
  paintHeat(ctx, scene, k, area);
  paintPhoto(ctx, scene, k, area);
  ctx.restore();
}

/** The outline of a region, its box where that is more, and its tag.
 * @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {number} k @param {boolean} selected */
export function paintOutline(ctx, scene, k, selected) {
  const { frame, theme } = scene;
  const box = scene.boxes[k];
  const { rgb, spare, silent, lit } = looks(scene, k, selected);
  const area = areaOn(box, frame);
  const seen = common(area, scene.visible);
  if (!seen) return;
  const width = selected ? 2 : lit ? 1.75 : 1.25;
  const inner = {
    x: area.x + width / 2,
    y: area.y + width / 2,
    w: Math.max(area.w - width, 0),
    h: Math.max(area.h - width, 0),
  };
  const shared = scene.cutters[k].length > 0;
  if (box.mask || shared) {
    ctx.strokeStyle = css(rgb, lit ? 0.8 : 0.4);
    ctx.lineWidth = 1;
    ctx.setLineDash([2, 3]);
    ctx.strokeRect(inner.x, inner.y, inner.w, inner.h);
    ctx.setLineDash([]);
  }
  ctx.save();
  clipToShare(ctx, scene, k);
  const region = regionPath(box.mask, box.mask ? area : inner);
  // A dark line under the coloured one sets it off from any picture.
  ctx.strokeStyle = "rgba(0, 0, 0, 0.28)";
  ctx.lineWidth = width + 1.5;
  ctx.stroke(region);
  ctx.strokeStyle = css(rgb, silent ? 0.55 : spare && !lit ? 0.85 : 1);
  ctx.lineWidth = width;
  if (spare) ctx.setLineDash([5, 4]);
  ctx.stroke(region);
  ctx.restore();
  const marks = [...(silent ? [paintMuted] : []), ...(box.locked ? [paintLock] : [])];
  paintTag(ctx, seen, scene.titles[k], scene.colours[k], spare || silent, marks, theme.font, scene.visible);
}

/** What two areas share; null where they don't touch. @param {Area} a @param {Area} b @returns {Area | null} */
function common(a, b) {
  const [x, y] = [Math.max(a.x, b.x), Math.max(a.y, b.y)];
  const [w, h] = [Math.min(a.x + a.w, b.x + b.w) - x, Math.min(a.y + a.h, b.y + b.h) - y];
  return w > 0 && h > 0 ? { x, y, w, h } : null;
}

/**
 * @param {CanvasRenderingContext2D} ctx @param {Area} area @param {string} title @param {string} colour
 * @param {boolean} faint
 * @param {((ctx: CanvasRenderingContext2D, x: number, y: number) => void)[]} marks signs at the tag's end
 * @param {string} font @param {Area} frame */
function paintTag(ctx, area, title, colour, faint, marks, font, frame) {
  ctx.font = `600 11px ${font}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const marksWidth = marks.length * MARK_WIDTH;
  const number = title.split(" ", 1)[0];
  const room = area.w - 2 * TAG_PADDING - marksWidth;
  const text = room > 34 ? shortened(ctx, title, room) : number;
  const w = Math.min(widthOf(ctx, text) + 2 * TAG_PADDING + marksWidth, Math.max(area.w, 22));
  const roomy = area.h >= TAG_HEIGHT + 10 && area.w >= 22;
  const x = Math.min(area.x, frame.x + frame.w - w);
  const above = area.y - TAG_HEIGHT >= frame.y;
  const y = roomy ? area.y : above ? area.y - TAG_HEIGHT : Math.min(area.y + area.h, frame.y + frame.h - TAG_HEIGHT);
  ctx.beginPath();
  ctx.roundRect(x, y, w, TAG_HEIGHT, roomy ? [0, 0, RADIUS, 0] : RADIUS);
  ctx.globalAlpha = faint ? 0.55 : 1;
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.fillStyle = inkOn(colour);
  ctx.fillText(text, x + TAG_PADDING, y + TAG_HEIGHT / 2 + 0.5);
  marks.forEach((paintMark, n) => paintMark(ctx, x + w - TAG_PADDING + 5 - (n + 1) * MARK_WIDTH, y + 5));
}

/** A circle with a bar: left out of the run. @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y */
function paintMuted(ctx, x, y) {
  ctx.strokeStyle = ctx.fillStyle;
  ctx.lineWidth = 1.3;
  ctx.beginPath();
  ctx.arc(x + 3.5, y + 4.5, 3.8, 0, 2 * Math.PI);
  ctx.moveTo(x + 0.9, y + 1.9);
  ctx.lineTo(x + 6.1, y + 7.1);
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y */
function paintLock(ctx, x, y) {
  ctx.fillRect(x, y + 4, 7, 5);
  ctx.strokeStyle = ctx.fillStyle;
  ctx.lineWidth = 1.2;
  ctx.beginPath();
  ctx.arc(x + 3.5, y + 3.6, 2.1, Math.PI, 0);
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {string} text */
function widthOf(ctx, text) {
  const key = `${ctx.font}|${text}`;
  let width = textWidths.get(key);
  if (width === undefined) {
    if (textWidths.size > 2000) textWidths.clear();
    width = ctx.measureText(text).width;
    textWidths.set(key, width);
  }
  return width;
}

/**
 * The text, cut with an ellipsis to a width.
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} text
 * @param {number} room
 */
function shortened(ctx, text, room) {
  if (widthOf(ctx, text) <= room) return text;
  const key = `${ctx.font}|${Math.floor(room)}|${text}`;
  let short = shortTexts.get(key);
  if (short === undefined) {
    if (shortTexts.size > 2000) shortTexts.clear();
    let length = text.length - 1;
    while (length > 1 && ctx.measureText(`${text.slice(0, length)}…`).width > room) length--;
    short = `${text.slice(0, length).trimEnd()}…`;
    shortTexts.set(key, short);
  }
  return short;
}
