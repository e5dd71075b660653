import { align, distribute, matchSize } from "../model/arrange.mjs";
import { copyOut, cut, paste } from "./clipboard.mjs";
import {
  append,
  boxOf,
  bringToFront,
  duplicateSelected,
  freePlace,
  movable,
  patch,
  removeSelected,
  selectAll,
  sendToBack,
} from "../model/boxes.mjs";
import { hasLocked, hasLockedSelected, relaid, reorderSelected } from "../model/locks.mjs";
import { accidents } from "../model/overlap.mjs";
import { fitted, turned, whole } from "../model/painting.mjs";
import { PRESETS, SIZES, sizeName, spread } from "../model/presets.mjs";
import { hasSubject } from "../view/captions.mjs";
import { addChain } from "./chain.mjs";
import { endedOf, hasEnded, land, nextImage } from "./ended.mjs";
import { choosePhotos } from "./photos.mjs";
import { separate } from "./overlaps.mjs";
import { takeOver, useShape } from "./regions.mjs";
import { sayLocked } from "./locks.mjs";
import { setOption } from "../host/settings.mjs";
import { giveSize } from "../host/surroundings.mjs";
import { hasCtrl, isShifted, keyName } from "./keys.mjs";
import { fit, showActualPixels, zoomBy } from "./navigation.mjs";

/**
 * Everything a user can do to a layout, once: toolbar, menus, keys and commands all take it from here.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {{name: string, key?: string, when: (ui: LayoutCanvas) => boolean, run: (ui: LayoutCanvas) => void,
 *   moves?: "selected"|"all"}} Action
 *   `name`: its text is `action.<name>`; `key`: as shown in menus, "Ctrl+Shift+K"; `moves`: the boxes that it would move,
 *   reorder or remove, but for locked ones
 */

/** @param {LayoutCanvas} ui */
const editable = (ui) => !ui.editor.readOnly;
/** @param {number} count */
const chosen = (count) => (/** @type {LayoutCanvas} */ ui) => editable(ui) && movable(ui.editor.state).length >= count;
/** @param {LayoutCanvas} ui */
const selectedAny = (ui) => editable(ui) && ui.editor.state.selected.length > 0;
const always = () => true;
/** @param {LayoutCanvas} ui */
const chosenPainted = (ui) => editable(ui) && movable(ui.editor.state).some((k) => ui.editor.state.boxes[k].mask);
/** @param {LayoutCanvas} ui */
const hasShape = (ui) => {
  const [k, ...others] = editable(ui) ? movable(ui.editor.state) : [];
  return k !== undefined && !others.length && Boolean(ui.editor.subjects?.[k]?.shape);
};

/**
 * @param {(state: import("../model/boxes.mjs").State) => import("../model/boxes.mjs").State} change
 * @returns {(ui: LayoutCanvas) => void}
 */
const changing = (change) => (ui) => ui.editor.apply(change(ui.editor.state));

/** @type {Action[]} */
const LIST = [
  { name: "add", key: "N", when: editable, run: changing((state) => append(state, [boxOf(freePlace(state.boxes))])) },
  {
    name: "edit",
    when: (ui) => ui.editor.state.selected.length === 1,
    run: (ui) => ui.edit(ui.editor.state.selected[0]),
  },
  {
    name: "phrase",
    key: "Enter",
    when: (ui) => ui.editor.state.selected.length === 1 && hasSubject(ui.editor, ui.editor.state.selected[0]),
    run: (ui) => ui.edit(ui.editor.state.selected[0]),
  },
  {
    name: "rename",
    key: "F2",
    when: (ui) => editable(ui) && ui.editor.state.selected.length === 1,
    run: (ui) => ui.rename(ui.editor.state.selected[0]),
  },
  { name: "duplicate", key: "Ctrl+D", when: selectedAny, run: changing(duplicateSelected) },
  { name: "cut", moves: "selected", key: "Ctrl+X", when: chosen(1), run: (ui) => void navigator.clipboard?.writeText(cut(ui)).catch(() => {}) },
  { name: "copy", key: "Ctrl+C", when: (ui) => ui.editor.shown.boxes.length > 0, run: copyOut },
  { name: "paste", key: "Ctrl+V", when: editable, run: (ui) => paste(ui) },
  { name: "remove", moves: "selected", key: "Delete", when: chosen(1), run: changing(removeSelected) },
  {
    name: "select_all",
    key: "Ctrl+A",
    when: (ui) => editable(ui) && ui.editor.state.boxes.length > 0,
    run: changing(selectAll),
  },
  { name: "lock", key: "L", when: selectedAny, run: toggleLock },
  { name: "earlier", moves: "selected", key: "PageUp", when: selectedAny, run: changing((state) => reorderSelected(state, -1)) },
  { name: "later", moves: "selected", key: "PageDown", when: selectedAny, run: changing((state) => reorderSelected(state, 1)) },
  .../** @type {const} */ (["left", "centre", "right", "top", "middle", "bottom"]).map((edge) => ({
    name: `align_${edge}`,
    moves: /** @type {const} */ ("selected"),
    when: chosen(1),
    run: changing((state) => align(state, edge)),
  })),
  { name: "distribute_x", moves: "selected", when: chosen(3), run: changing((state) => distribute(state, "x")) },
  { name: "distribute_y", moves: "selected", when: chosen(3), run: changing((state) => distribute(state, "y")) },
  { name: "match_size", moves: "selected", when: chosen(2), run: changing(matchSize) },
  { name: "apart", when: (ui) => editable(ui) && accidents(ui.editor.state.boxes).length > 0, run: separate },
  { name: "to_front", key: "Ctrl+]", when: selectedAny, run: changing(bringToFront) },
  { name: "to_back", key: "Ctrl+[", when: selectedAny, run: changing(sendToBack) },
  { name: "paint", key: "P", when: editable, run: (ui) => ui.tools.toggle() },
  {
    name: "turn_region",
    when: chosenPainted,
    run: changing((state) => movable(state).reduce(turned, state)),
  },
  { name: "reset_region", when: chosenPainted, run: changing((state) => whole(state, movable(state))) },
  { name: "fit_region", when: chosenPainted, run: changing((state) => fitted(state, movable(state))) },
  { name: "use_shape", when: hasShape, run: (ui) => void useShape(ui) },
  { name: "spread", moves: "all", when: editable, run: spreadSubjects },
  ...PRESETS.map(({ name, rects }) => ({
    name: `preset_${name}`,
    moves: /** @type {const} */ ("all"),
    when: editable,
    run: changing((state) => relaid(state, rects)),
  })),
  ...SIZES.map((size) => ({
    name: sizeName(size),
    when: (/** @type {LayoutCanvas} */ ui) => !ui.isLinked("width") && !ui.isLinked("height"),
    run: (/** @type {LayoutCanvas} */ ui) => giveSize(ui.node, size),
  })),
  {
    name: "clear",
    moves: "all",
    when: (ui) => editable(ui) && ui.editor.state.boxes.length > 0,
    run: changing((state) => relaid(state, [])),
  },
  {
    name: "make_mine",
    when: (ui) => ui.editor.readOnly && ui.editor.shown.boxes.length > 0,
    run: (ui) => void takeOver(ui),
  },
  { name: "land", moves: "all", when: (ui) => editable(ui) && hasEnded(ui), run: land },
  { name: "next_image", when: (ui) => (endedOf(ui)?.images ?? 1) > 1, run: nextImage },
  { name: "photo", key: "I", when: editable, run: choosePhotos },
  { name: "chain", when: (ui) => !ui.chained, run: addChain },
  { name: "snap", key: "S", when: always, run: (ui) => setOption("snap", !ui.editor.options().snap) },
  { name: "grid", key: "G", when: always, run: (ui) => setOption("grid", !ui.editor.options().grid) },
  { name: "thirds", key: "T", when: always, run: (ui) => setOption("thirds", !ui.editor.options().thirds) },
  { name: "fit", key: "0", when: always, run: fit },
  { name: "actual_pixels", key: "Shift+0", when: always, run: showActualPixels },
  { name: "zoom_in", key: "+", when: always, run: (ui) => zoomBy(ui, 1) },
  { name: "zoom_out", key: "-", when: always, run: (ui) => zoomBy(ui, -1) },
  { name: "list", key: "B", when: always, run: (ui) => ui.toggleList() },
  { name: "full", key: "F", when: always, run: (ui) => ui.toggleFull() },
  { name: "transfer", key: "J", when: always, run: (ui) => ui.openTransfer() },
  { name: "keys", key: "?", when: always, run: (ui) => ui.showKeys() },
];

export const ACTIONS = /** @type {Record<string, Action>} */ (
  Object.fromEntries(LIST.map((action) => [action.name, action]))
);

/** @type {Record<string, string>} */
const BY_KEY = {
  ...Object.fromEntries(LIST.flatMap(({ name, key }) => (key ? [[key.toLowerCase(), name]] : []))),
  backspace: "remove",
  // A box without a subject has only a name to edit.
  enter: "edit",
  "shift+1": "fit",
  "=": "zoom_in",
};

/** @param {KeyboardEvent} event @returns {Action | undefined} */
export function actionForKey(event) {
  if (event.altKey) return undefined;
  const shift = isShifted(event) ? "shift+" : "";
  return ACTIONS[BY_KEY[`${hasCtrl(event) ? "ctrl+" : ""}${shift}${keyName(event)}`]];
}

/**
 * Does an action where it may be done: the one way for buttons, menus, keys and commands. The stage has the focus
 *   afterwards, unless the action has opened something that takes it.
 * @param {LayoutCanvas} ui
 * @param {string} name
 */
export function perform(ui, name) {
  const { editor } = ui;
  if (editor.busy) return;
  if (editor.draft) editor.finish();
  ui.focus();
  const { moves, when, run } = ACTIONS[name];
  const stays = moves && !editor.readOnly && (moves === "all" ? hasLocked : hasLockedSelected)(editor.state);
  if (when(ui)) run(ui);
  if (stays) sayLocked(ui);
}

/** Menus as lists of action names; null is a line, a list is a group under its first entry's title. */
export const MENUS = {
  arrange: [
    "align_left",
    "align_centre",
    "align_right",
    null,
    "align_top",
    "align_middle",
    "align_bottom",
    null,
    "distribute_x",
    "distribute_y",
    "match_size",
    null,
    "earlier",
    "later",
    "to_front",
    "to_back",
    null,
    "apart",
  ],
  more: [
    "photo",
    "chain",
    null,
    "transfer",
    "select_all",
    "clear",
    null,
    "thirds",
    "snap",
    "grid",
    null,
    "fit",
    "actual_pixels",
    "zoom_in",
    "zoom_out",
    null,
    "keys",
  ],
  context: [
    "make_mine",
    "land",
    "next_image",
    "add",
    "photo",
    "phrase",
    "rename",
    "#colours",
    null,
    "cut",
    "copy",
    "paste",
    "duplicate",
    "remove",
    null,
    "paint",
    "use_shape",
    "fit_region",
    "turn_region",
    "reset_region",
    null,
    "lock",
    "earlier",
    "later",
    "to_front",
    "to_back",
    "apart",
    null,
    "transfer",
    "full",
  ],
};

/** Actions that menus leave out where they may not be done. */
export const OCCASIONAL = new Set(["make_mine", "land", "next_image"]);

/** Whether an action is a switch that is on. @param {string} name @param {LayoutCanvas} ui */
export function isOn(name, ui) {
  if (name === "snap" || name === "grid" || name === "thirds") return ui.editor.options()[name];
  if (name === "paint") return ui.tools.on;
  if (name === "lock") return ui.editor.state.selected.some((k) => ui.editor.state.boxes[k].locked);
  return false;
}

/** @param {LayoutCanvas} ui */
function toggleLock({ editor }) {
  const { state } = editor;
  const locked = !state.selected.some((k) => state.boxes[k].locked);
  editor.apply(patch(state, state.selected, { locked }));
}

/** @param {LayoutCanvas} ui */
function spreadSubjects({ editor }) {
  const count = editor.subjects?.length || editor.state.boxes.length || 2;
  editor.apply(relaid(editor.state, spread(count, editor.aspect)));
}
