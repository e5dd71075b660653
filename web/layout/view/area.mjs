/**
 * A place on the stage, in its CSS pixels.
 * @typedef {{x: number, y: number, w: number, h: number}} Area
 */

/** Where a box lies on the stage. @param {import("../model/geometry.mjs").Rect} box @param {Area} frame @returns {Area} */
export const areaOn = (box, frame) => ({
  x: frame.x + box.x0 * frame.w,
  y: frame.y + box.y0 * frame.h,
  w: (box.x1 - box.x0) * frame.w,
  h: (box.y1 - box.y0) * frame.h,
});
