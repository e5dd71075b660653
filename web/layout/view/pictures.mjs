import { mix, rgbOf } from "./palette.mjs";

/**
 * Pictures by address, loaded once and kept in several sizes, so that each is painted sharp and cheaply.
 * @typedef {HTMLImageElement | HTMLCanvasElement} Source
 */

/** Longer sides of the copies. */
const SIDES = [128, 256, 512, 1024, 2048];
const KEPT = 160;

/** How many pixels copies may have in all. */
const BUDGET = 48e6;

/** A picture that is painted from the smallest copy that is sharp enough. */
export class Picture {
  /** @param {Source} source @param {number} width @param {number} height */
  constructor(source, width, height) {
    this.source = source;
    this.width = Math.max(width, 1);
    this.height = Math.max(height, 1);
    /** @type {Map<number, HTMLCanvasElement>} */
    this.copies = new Map();
  }

  /** Pixels that the copies take. */
  get weight() {
    return [...this.copies.values()].reduce((sum, copy) => sum + copy.width * copy.height, 0);
  }

  /** A copy to paint that many pixels of the longer side from. @param {number} side @returns {HTMLCanvasElement} */
  copyFor(side) {
    const longest = Math.max(this.width, this.height);
    const wanted = Math.min(SIDES.find((one) => one >= side) ?? SIDES[SIDES.length - 1], longest);
    const known = this.copies.get(wanted);
    if (known) return known;
    const copy = drawnOn(this.source, (this.width * wanted) / longest, (this.height * wanted) / longest);
    this.copies.set(wanted, copy);
    return copy;
  }

  /**
   * Paints a part of the picture, in fractions, into an area.
   * @param {CanvasRenderingContext2D} ctx
   * @param {{x: number, y: number, w: number, h: number}} area
   * @param {import("../model/geometry.mjs").Rect} [part]
   */
  paint(ctx, { x, y, w, h }, { x0, y0, x1, y1 } = { x0: 0, y0: 0, x1: 1, y1: 1 }) {
    const sharpness = ctx.getTransform().a;
    const side = this.width > this.height ? w / (x1 - x0) : h / (y1 - y0);
    const copy = this.copyFor(side * sharpness);
    const [cw, ch] = [copy.width, copy.height];
    ctx.drawImage(copy, x0 * cw, y0 * ch, (x1 - x0) * cw, (y1 - y0) * ch, x, y, w, h);
  }
}

/** @param {Source} source @param {number} width @param {number} height @returns {HTMLCanvasElement} */
function drawnOn(source, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(Math.round(width), 1);
  canvas.height = Math.max(Math.round(height), 1);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** In the order of their last use. @type {Map<string, Picture | "loading" | "failed">} */
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
  if (!(known instanceof Picture)) return null;
  pictures.delete(url);
  pictures.set(url, known);
  return known;
}

/** @param {string} url */
function load(url) {
  pictures.set(url, "loading");
  const image = new Image();
  image.onload = () => {
    pictures.set(url, new Picture(image, image.naturalWidth, image.naturalHeight));
    makeRoom();
    listeners.forEach((callback) => callback());
  };
  image.onerror = () => {
    pictures.set(url, "failed");
    // A file may appear later under the same address.
    setTimeout(() => pictures.get(url) === "failed" && pictures.delete(url), 5000);
  };
  image.src = url;
}

/** Lets go of pictures, and of copies, that have not been painted for longest. */
function makeRoom() {
  let weight = 0;
  const loaded = [...pictures].filter(([, picture]) => picture instanceof Picture).reverse();
  loaded.forEach(([url, picture], n) => {
    weight += /** @type {Picture} */ (picture).weight;
    if (n >= KEPT) pictures.delete(url);
    else if (weight > BUDGET) /** @type {Picture} */ (picture).copies.clear();
  });
}

/** @type {Map<string, Picture>} */
const tints = new Map();

/** @typedef {[number, number, number, number]} Rgba */

/**
 * A grey picture with each of its greys in a colour; null while it loads.
 * @param {string | null} url
 * @param {string} name of the colours
 * @param {(grey: number) => Rgba} colour
 * @returns {Picture | null}
 */
function coloured(url, name, colour) {
  const grey = pictureAt(url);
  if (!grey) return null;
  const key = `${url} ${name}`;
  const known = tints.get(key);
  if (known) return known;
  const canvas = drawnOn(grey.source, grey.width, grey.height);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const colours = Array.from({ length: 256 }, (_, value) => colour(value));
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set(colours[pixels.data[at]], at);
  context.putImageData(pixels, 0, 0);
  if (tints.size > KEPT) tints.clear();
  const picture = new Picture(canvas, canvas.width, canvas.height);
  tints.set(key, picture);
  return picture;
}

/** A mask's white in one colour on nothing. @param {string | null} url @param {string} colour "#rrggbb" */
export function tintedMask(url, colour) {
  const [red, green, blue] = rgbOf(colour) ?? [128, 128, 128];
  return coloured(url, colour, (grey) => [red, green, blue, grey]);
}

/** From cold to hot, dark to light, as the drawn maps have it. @type {import("./palette.mjs").Rgb[]} */
const HEAT = [[13, 8, 60], [86, 15, 120], [187, 55, 84], [249, 142, 9], [252, 255, 164]];

/** A map of where a subject acts: clear where it is cold. @param {string | null} url */
export const heatMap = (url) =>
  coloured(url, "heat", (grey) => {
    const at = (grey / 255) * (HEAT.length - 1);
    const low = Math.min(Math.floor(at), HEAT.length - 2);
    return [...mix(HEAT[low], HEAT[low + 1], at - low), 16 + 0.55 * grey];
  });
