import { resultsOf } from "../host/results.mjs";
import { t } from "../host/texts.mjs";
import { endedPlaces, landed } from "../model/ended.mjs";
import { movesOf } from "./overlaps.mjs";

/**
 * Where auto layout has put the subjects of the last run: shown as long as the boxes are those of that run.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** The boxes that a run gets: with `apart` it moves them. @param {LayoutCanvas} ui */
const boxesOfRun = (ui) => (ui.overlap === "apart" ? movesOf(ui)?.boxes : null) ?? ui.editor.shown.boxes;

/**
 * Where each box's subject ended in the image that is looked at, and which of how many that is.
 * @param {LayoutCanvas} ui
 * @returns {{places: (import("../model/geometry.mjs").Rect | null)[], image: number, images: number} | null}
 */
export function endedOf(ui) {
  const { ended } = resultsOf(ui.node);
  if (!ended || !ui.options.heat) return null;
  const places = endedPlaces(ended, boxesOfRun(ui));
  const image = ui.session.image % ended.images.length;
  return places && { places: places[image], image, images: places.length };
}

/** Whether a subject stands elsewhere than its box. @param {LayoutCanvas} ui */
export const hasEnded = (ui) => Boolean(endedOf(ui)?.places.some(Boolean));

/** Makes the places the layout. @param {LayoutCanvas} ui */
export function land(ui) {
  const ended = endedOf(ui);
  if (ended) ui.editor.apply(landed(ui.editor.state, ended.places));
}

/** Looks at the next image of the batch. @param {LayoutCanvas} ui */
export function nextImage(ui) {
  const { image, images } = endedOf(ui) ?? { image: -1, images: 1 };
  ui.session.image = (image + 1) % images;
  ui.invalidate();
}

/** @param {LayoutCanvas} ui @returns {{text: string, step: string | null} | null} what to say of it; `step`: which image */
export function endedWords(ui) {
  const ended = endedOf(ui);
  if (!ended) return null;
  const { image, images } = ended;
  return { text: t("footer.ended"), step: images > 1 ? `${image + 1} / ${images}` : null };
}
