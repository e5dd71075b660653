/**
 * Where a photo will land while it is dragged over the canvas, and what waits there while it is uploaded: an outline
 *   with a word in it, over the painted boxes.
 * @typedef {import("../model/geometry.mjs").Rect} Rect
 */

export class Landing {
  /** @param {import("./stage.mjs").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.element = document.createElement("div");
    this.element.className = "msd-landing";
    this.element.hidden = true;
    this.words = document.createElement("span");
    this.words.setAttribute("role", "status");
    this.element.append(this.words);
    stage.holder.append(this.element);
  }

  /**
   * @param {Rect} rect in fractions of the picture
   * @param {string} words
   * @param {"new" | "take" | "replace" | "refused" | "busy"} kind
   */
  show(rect, words, kind) {
    const { frame } = this.stage;
    const { element } = this;
    element.hidden = false;
    element.dataset.kind = kind;
    this.words.textContent = words;
    element.style.left = `${frame.x + rect.x0 * frame.w}px`;
    element.style.top = `${frame.y + rect.y0 * frame.h}px`;
    element.style.width = `${(rect.x1 - rect.x0) * frame.w}px`;
    element.style.height = `${(rect.y1 - rect.y0) * frame.h}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}
