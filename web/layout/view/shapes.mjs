/**
 * Shapes taken from pictures, to be painted ones.
 * @typedef {import("../model/masks.mjs").Raster} Raster
 * @typedef {import("../model/masks.mjs").Shape} Shape
 */

const LONGEST_SIDE = 1024;
const CHANNELS = { red: 0, green: 1, blue: 2, alpha: 3 };

/** The shape in a picture; null if the picture can't be had, or says inside or outside everywhere.
 * @param {Shape} shape @returns {Promise<Raster | null>} */
export async function shapeIn({ url, channel, inverted }) {
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {});
  const { naturalWidth, naturalHeight } = image;
  if (!naturalWidth) return null;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(naturalWidth, naturalHeight));
  const [w, h] = [Math.max(Math.round(naturalWidth * scale), 1), Math.max(Math.round(naturalHeight * scale), 1)];
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(image, 0, 0, w, h);
  const { data } = context.getImageData(0, 0, w, h);
  const bits = Uint8Array.from({ length: w * h }, (_, at) => Number(data[4 * at + CHANNELS[channel]] >= 128 !== inverted));
  return bits.includes(0) && bits.includes(1) ? { bits, h, w } : null;
}
