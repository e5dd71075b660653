import { ACTIONS } from "../input/actions.mjs";
import { shownKey } from "../input/keys.mjs";
import { TOOLS } from "../input/tools.mjs";
import { t } from "../host/texts.mjs";
import { openDialog } from "./dialog.mjs";
import { element } from "./elements.mjs";

/**
 * The panel of all keys and gestures. Keys of actions come from the one table of actions, in its order.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {{keys: string[], text: string}} Row
 */

/** Actions by where they stand in the panel; whatever is not named here belongs to the boxes. */
const GROUPS = {
  view: ["snap", "grid", "thirds", "fit", "actual_pixels", "zoom_in", "zoom_out", "list", "full", "transfer", "keys"],
};

/** Keys of the page that act on the layout too. */
const PAGE = [
  { keys: ["Ctrl+Z"], text: "undo" },
  { keys: ["Ctrl+Y"], text: "redo" },
];

const PLACES = [
  { keys: ["Tab", "Shift+Tab"], text: "walk" },
  { keys: ["1 – 9"], text: "digit" },
  { keys: ["←↑↓→"], text: "move" },
  { keys: ["Shift+←↑↓→"], text: "move_far" },
  { keys: ["Ctrl+←↑↓→"], text: "resize" },
  { keys: ["Esc"], text: "escape" },
];

const POINTER = ["draw", "draw_over", "lasso", "behind", "copy", "axis", "aspect", "centre", "free", "pan", "menu"];

/** @param {LayoutCanvas} ui */
export function openKeys(ui) {
  const actions = Object.values(ACTIONS).filter(({ key }) => key);
  const isView = (/** @type {string} */ name) => GROUPS.view.includes(name);
  /** @param {(name: string) => boolean} belongs @returns {Row[]} */
  const rows = (belongs) =>
    actions
      .filter(({ name }) => belongs(name))
      .map(({ name, key }) => ({ keys: [String(key)], text: t(`action.${name}`) }));
  const named = (/** @type {{keys: string[], text: string}[]} */ list) =>
    list.map(({ keys, text }) => ({ keys, text: t(`keys.${text}`) }));
  const painting = [
    ...Object.entries(TOOLS).map(([tool, key]) => ({ keys: [key], text: t(`paint.${tool}`) })),
    { keys: ["[", "]"], text: t("paint.size") },
    { keys: ["C"], text: t("paint.cells") },
  ];
  openDialog(
    ui,
    t("keys.title"),
    [
      element(
        "div",
        { class: "msd-keys" },
        section("keys.boxes", [...rows((name) => !isView(name)), ...named(PAGE)]),
        section("keys.places", named(PLACES)),
        section("keys.pointer", POINTER.map((name) => ({ keys: [t(`keys.with_${name}`)], text: t(`keys.${name}`) }))),
        section("keys.painting", painting),
        section("keys.view", rows(isView)),
      ),
    ],
    "msd-keys-dialog",
  );
}

/** @param {string} title @param {Row[]} rows */
const section = (title, rows) =>
  element(
    "section",
    {},
    element("h4", {}, t(title)),
    element(
      "dl",
      {},
      ...rows.flatMap(({ keys, text }) => [
        element("dt", {}, ...keys.map((key) => element("kbd", {}, shownKey(key)))),
        element("dd", {}, text),
      ]),
    ),
  );
