import { Picture, pictureAt } from "./pictures.mjs";

/**
 * What lies under the boxes.
 * @typedef {"live" | "linked" | "result" | "preview" | "off"} Choice
 * @typedef {{picture: Picture, made: boolean}} Background `made`: a run has made it, with these boxes or earlier ones
 */

/** How much the aspect of a result may differ, in its logarithm: sizes are rounded on the way. */
const SAME_ASPECT = 0.09;

/**
 * The picture of the chosen kind that there is. A result of another shape than the layout, such as a cut-out, is none.
 * @param {Choice | string} choice
 * @param {string | null} linked the linked picture's address
 * @param {import("../host/results.mjs").Results} results
 * @param {{width: number, height: number}} size
 * @param {number} image which of a batch
 * @returns {Background | null}
 */
export function backgroundOf(choice, linked, results, size, image) {
  const fits = (/** @type {{width: number, height: number}} */ { width, height }) =>
    Math.abs(Math.log((width * size.height) / (height * size.width))) < SAME_ASPECT;
  const made = () => {
    const live = results.preview && choice !== "result" && fits(results.preview) ? previewPicture(results.preview) : null;
    for (const picture of live ? [live] : results.urls.map((batch) => pictureAt(batch[image] ?? batch[0]))) {
      // One that is still on its way is waited for: an older one would only flash up.
      if (!picture) return null;
      if (fits(picture)) return picture;
    }
    return null;
  };
  if (choice === "off") return null;
  const picture = choice === "linked" ? null : made();
  if (picture) return { picture, made: true };
  const under = choice === "live" || choice === "linked" ? pictureAt(linked) : null;
  return under && { picture: under, made: false };
}

/** @type {{canvas: HTMLCanvasElement, picture: Picture} | null} */
let previewed = null;

/** @param {HTMLCanvasElement} canvas */
function previewPicture(canvas) {
  if (previewed?.canvas !== canvas) previewed = { canvas, picture: new Picture(canvas, canvas.width, canvas.height) };
  return previewed.picture;
}
