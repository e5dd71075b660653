import { resultUrl, samplingPreview } from "../host/results.mjs";
import { pictureAt } from "./pictures.mjs";

/**
 * What lies under the boxes.
 * @param {"linked"|"result"|"preview"|"off"|string} source
 * @param {string | null} linked the linked picture's address
 * @returns {import("./pictures.mjs").Picture | null}
 */
export function backgroundPicture(source, linked) {
  if (source === "linked") return pictureAt(linked);
  if (source === "result") return pictureAt(resultUrl());
  if (source === "preview") return samplingPreview() ?? pictureAt(resultUrl());
  return null;
}
