import { finished } from "./gestures.mjs";
import { layoutText, parseLayout } from "./format.mjs";
import { boxesAt, EMPTY, movable, select } from "./boxes.mjs";
import { covers } from "./masks.mjs";
import { snapLines } from "./snapping.mjs";
import { boundsOf, contains } from "./geometry.mjs";
import { handleAt } from "./handles.mjs";

/**
 * The layout being edited: its state, the draft of the gesture under way, and what surrounds it. No DOM.
 * The value that a run or a save can see is `text`; it changes once per finished gesture, never during one.
 * @typedef {import("./boxes.mjs").Box} Box
 * @typedef {import("./boxes.mjs").State} State
 * @typedef {import("./geometry.mjs").Point} Point
 * @typedef {import("./geometry.mjs").Handle} Handle
 * @typedef {import("./gestures.mjs").Draft} Draft
 * @typedef {import("./gestures.mjs").Gesture} Gesture
 * @typedef {import("./gestures.mjs").Modifiers} Modifiers
 * @typedef {import("../host/settings.mjs").Options} Options
 * @typedef {import("./subjects.mjs").Subject} Subject
 */

export class Editor {
  /**
   * @param {{options: () => Options, publish: (text: string) => void, changed: () => void, refused: () => void}} around
   */
  constructor({ options, publish, changed, refused }) {
    this.options = options;
    this.publish = publish;
    this.changed = changed;
    this.refused = refused;
    /** @type {State} */
    this.state = EMPTY;
    this.text = layoutText([]);
    /** The text's defect, if it has one; the text is kept until the user edits. @type {Error | null} */
    this.problem = null;
    /** @type {Draft | null} */
    this.draft = null;
    /** @type {Gesture | null} */
    this.gesture = null;
    /** What a pointer holds down, even before it has become a gesture. @type {object | null} */
    this.pressed = null;
    /** @type {State} */
    this.base = EMPTY;
    this.size = { width: 1024, height: 1024 };
    /** @type {Subject[] | null} null: no encoder is fed by this layout, and no subject waits for one */
    this.subjects = null;
    /** Boxes that come over a link and replace the drawn ones; null without such a link. @type {Box[] | null} */
    this.linked = null;
    this.hover = -1;
  }

  get readOnly() {
    return this.linked !== null;
  }

  /** Whether a pointer is at work; until it is done, nothing else changes the layout. */
  get busy() {
    return this.pressed !== null || this.gesture !== null;
  }

  /** What is on the canvas now. @returns {State} */
  get shown() {
    if (this.linked) return { boxes: this.linked, selected: [] };
    return this.draft?.state ?? this.state;
  }

  get aspect() {
    return this.size.width / this.size.height;
  }

  /** Takes a saved text; the selection stays where boxes stay. @param {string} text */
  load(text) {
    if (text === this.text && !this.problem) return;
    this.cancel();
    this.text = text;
    try {
      this.state = select({ boxes: parseLayout(text), selected: [] }, this.state.selected);
      this.problem = null;
    } catch (error) {
      this.state = EMPTY;
      this.problem = /** @type {Error} */ (error);
    }
    this.changed();
  }

  /** Keeps a new state; one that changes boxes is published. @param {State} next */
  apply(next) {
    if (this.readOnly && next.boxes !== this.state.boxes) return this.refused();
    const before = this.text;
    const edited = next.boxes !== this.state.boxes;
    this.state = next;
    if (edited) {
      this.text = layoutText(next.boxes);
      this.problem = null;
    }
    this.changed();
    if (this.text !== before) this.publish(this.text);
  }

  /** @param {Iterable<number>} indices */
  select(indices) {
    this.apply(select(this.state, indices));
  }

  /**
   * Starts a gesture on a state (the present one with perhaps another selection).
   * @param {Gesture} gesture
   * @param {State} base
   */
  begin(gesture, base) {
    this.draft = null;
    this.gesture = gesture;
    this.base = base;
  }

  /** @param {Point} point @param {Modifiers} keys */
  update(point, keys) {
    if (!this.gesture) return;
    this.draft = this.gesture.update(point, keys);
    this.changed();
  }

  /** Ends the gesture and keeps its result. */
  finish() {
    const { draft, base } = this;
    this.pressed = null;
    this.gesture = null;
    this.draft = null;
    if (draft) this.apply(finished(base, draft));
    else this.changed();
  }

  /** Ends the gesture as if it had never begun. */
  cancel() {
    const had = this.draft !== null;
    this.pressed = null;
    this.gesture = null;
    this.draft = null;
    if (had) this.changed();
  }

  /**
   * Shows a state that is not kept yet, such as boxes under a held arrow key; `finish` keeps it.
   * @param {State} next
   */
  hold(next) {
    if (this.readOnly) return this.refused();
    if (this.gesture || next === this.shown) return;
    this.base = this.draft ? this.base : this.state;
    this.draft = { state: next, guides: [], marquee: null, active: null };
    this.changed();
  }

  /**
   * What gestures snap to.
   * @param {{x: number, y: number}} reach in fractions
   * @returns {import("./gestures.mjs").Surroundings}
   */
  surroundings(reach) {
    const { snap, snapBoxes, snapThirds, grid, gridStep } = this.options();
    return {
      aspect: this.aspect,
      reach,
      lines: (moving) => {
        if (!snap && !grid) return null;
        const step = { x: gridStep / this.size.width, y: gridStep / this.size.height };
        const others = snap && snapBoxes ? this.state.boxes.filter((_, k) => !moving.includes(k)) : [];
        return snapLines({ others, picture: snap, thirds: snap && snapThirds, grid: grid ? step : null });
      },
    };
  }

  /**
   * The handle of the selection that a point means.
   * @param {Point} point
   * @param {{x: number, y: number}} pixel a screen pixel in fractions
   * @param {number} reach screen pixels from which a handle is reached
   * @returns {Handle | null}
   */
  handleAt(point, pixel, reach) {
    if (this.readOnly) return null;
    const bounds = boundsOf(movable(this.state).map((k) => this.state.boxes[k]));
    return bounds && handleAt(bounds, point, pixel, reach);
  }

  /** The box that a press at a point means: a selected one there first, then the one in front; locked ones let through.
   * @param {Point} point */
  grabbedAt(point) {
    const { boxes, selected } = this.state;
    const front = this.frontAt(point);
    const under = selected.filter((k) => !boxes[k].locked && contains(boxes[k], point));
    // Where nothing is painted a selected box is still held, unless that means another one.
    const held = under.find((k) => covers(boxes[k], point)) ?? (front < 0 ? under[0] : undefined);
    return { held: held ?? -1, front };
  }

  /** @param {Point} point */
  frontAt(point) {
    const boxes = this.shown.boxes;
    return boxesAt(boxes, point).find((k) => !boxes[k].locked) ?? -1;
  }
}
