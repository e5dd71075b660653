/**
 * Pictures in a box: its subject's photo, and where the subject has acted.
 * @typedef {import("./paint.mjs").Scene} Scene
 * @typedef {{x: number, y: number, w: number, h: number}} Area
 */

const SMALLEST = 24;
const CORNER = 44;

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {number} k @param {Area} area */
export function paintPhoto(ctx, scene, k, area) {
  const picture = scene.pictures[k];
  if (!picture || Math.min(area.w, area.h) < SMALLEST) return;
  if (scene.photos === "corner") {
    const side = Math.min(CORNER, area.w * 0.4, area.h * 0.4);
    const fit = Math.min(side / picture.width, side / picture.height);
    const [w, h] = [picture.width * fit, picture.height * fit];
    ctx.globalAlpha = scene.silent(k) ? 0.35 : 0.95;
    picture.paint(ctx, { x: area.x + area.w - w - 4, y: area.y + area.h - h - 4, w, h });
  } else {
    const { into, part } = placed(scene.fits[k], picture.width / picture.height, area);
    ctx.globalAlpha = scene.silent(k) ? 0.22 : 0.8;
    picture.paint(ctx, into, part);
  }
  ctx.globalAlpha = 1;
}

/** The part of the subject's map that its box shows. @param {CanvasRenderingContext2D} ctx @param {Scene} scene
 * @param {number} k @param {Area} area */
export function paintHeat(ctx, scene, k, area) {
  scene.heat[k]?.paint(ctx, area, scene.boxes[k]);
}

/**
 * Where a photo lies in its box and which part of it, as the encoder takes it: stretched, whole, or its middle.
 * @param {import("../model/subjects.mjs").Fit} fit
 * @param {number} aspect of the photo
 * @param {Area} area
 * @returns {{into: Area, part: import("../model/geometry.mjs").Rect}}
 */
export function placed(fit, aspect, area) {
  const whole = { x0: 0, y0: 0, x1: 1, y1: 1 };
  const wider = aspect / (area.w / area.h);
  if (fit === "pad") {
    const [w, h] = [area.w * Math.min(wider, 1), area.h / Math.max(wider, 1)];
    return { into: { x: area.x + (area.w - w) / 2, y: area.y + (area.h - h) / 2, w, h }, part: whole };
  }
  if (fit === "crop") {
    const [x, y] = [(1 - 1 / Math.max(wider, 1)) / 2, (1 - Math.min(wider, 1)) / 2];
    return { into: area, part: { x0: x, y0: y, x1: 1 - x, y1: 1 - y } };
  }
  return { into: area, part: whole };
}
