/** Pictures by address, loaded once and made small, so that painting them costs little. */

const LONGEST_SIDE = 512;
const KEPT = 160;

/** @typedef {HTMLCanvasElement} Picture */
/** @type {Map<string, Picture | "loading" | "failed">} */
const pictures = new Map();

/** @type {Set<() => void>} */
const listeners = new Set();

/** Calls back after a picture has arrived; returns how to stop. @param {() => void} callback */
export function onPicture(callback) {
  listeners.add(callback);
  return () => void listeners.delete(callback);
}

/**
 * The picture, or null while it loads or if it can't be had.
 * @param {string | null | undefined} url
 * @returns {Picture | null}
 */
export function pictureAt(url) {
  if (!url) return null;
  const known = pictures.get(url);
  if (known === undefined) load(url);
  return known instanceof HTMLCanvasElement ? known : null;
}

/** @param {string} url */
function load(url) {
  pictures.set(url, "loading");
  if (pictures.size > KEPT) pictures.delete(/** @type {string} */ (pictures.keys().next().value));
  const image = new Image();
  image.onload = () => {
    pictures.set(url, reduced(image));
    listeners.forEach((callback) => callback());
  };
  image.onerror = () => {
    pictures.set(url, "failed");
    // A file may appear later under the same address.
    setTimeout(() => pictures.get(url) === "failed" && pictures.delete(url), 5000);
  };
  image.src = url;
}

/** @param {HTMLImageElement} image @returns {Picture} */
function reduced(image) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.naturalWidth, image.naturalHeight, 1));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(Math.round(image.naturalWidth * scale), 1);
  canvas.height = Math.max(Math.round(image.naturalHeight * scale), 1);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** @type {Map<string, Picture>} */
const tints = new Map();

/**
 * A mask's white in one colour on nothing.
 * @param {string | null} url
 * @param {string} colour
 * @returns {Picture | null}
 */
export function tintedMask(url, colour) {
  const mask = pictureAt(url);
  if (!mask) return null;
  const key = `${url} ${colour}`;
  const known = tints.get(key);
  if (known) return known;
  const canvas = document.createElement("canvas");
  canvas.width = mask.width;
  canvas.height = mask.height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  context.drawImage(mask, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    pixels.data[at + 3] = pixels.data[at];
    pixels.data[at] = red;
    pixels.data[at + 1] = green;
    pixels.data[at + 2] = blue;
  }
  context.putImageData(pixels, 0, 0);
  if (tints.size > KEPT) tints.clear();
  tints.set(key, canvas);
  return canvas;
}
