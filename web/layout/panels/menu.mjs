import { ACTIONS, isOn, OCCASIONAL, perform } from "../input/actions.mjs";
import { shownKey } from "../input/keys.mjs";
import { element, icon, overPage } from "./elements.mjs";
import { t } from "../host/texts.mjs";
import { patch } from "../model/boxes.mjs";
import { colourNames, swatches } from "../view/palette.mjs";
import { resultsOf } from "../host/results.mjs";
import { setOption } from "../host/settings.mjs";

/**
 * Menus of actions, over everything, at a place of the screen. One is open at a time.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** @type {(() => void) | null} */
let closeOpen = null;

export const closeMenu = () => closeOpen?.();

/** @param {LayoutCanvas} ui @param {(string | null)[]} names @param {number} x @param {number} y */
export function openMenu(ui, names, x, y) {
  showMenu(
    ui,
    names.flatMap((name) => entryOf(ui, name)),
    x,
    y,
  );
}

/**
 * Where the background comes from, and how strong it is.
 * @param {LayoutCanvas} ui
 * @param {number} x
 * @param {number} y
 */
export function openBackgroundMenu(ui, x, y) {
  const { background, backgroundOpacity, heat } = ui.editor.options();
  const sources = ["live", "linked", "result", "preview", "off"].map((source) =>
    item(t(`background.${source}`), {
      on: source === background,
      run: () => setOption("background", source),
    }),
  );
  const slider = element("input", {
    type: "range",
    min: 0,
    max: 100,
    step: 1,
    value: backgroundOpacity,
    "aria-label": t("background.opacity"),
    oninput: (/** @type {any} */ event) => setOption("backgroundOpacity", Number(event.target.value)),
  });
  showMenu(
    ui,
    [
      element("label", { class: "msd-menu-slider" }, t("background.opacity"), slider),
      element("hr"),
      ...sources,
      ...(ui.around?.heat.length || resultsOf(ui.node).ended
        ? [element("hr"), item(t("background.heat"), { on: heat, run: () => setOption("heat", !heat) })]
        : []),
    ],
    x,
    y,
  );
}

/** @param {LayoutCanvas} ui @param {string | null} name @returns {HTMLElement[]} */
export function entryOf(ui, name) {
  if (name === null) return [element("hr")];
  if (name === "#colours") return ui.editor.state.selected.length && !ui.editor.readOnly ? [colourRow(ui)] : [];
  if (name.startsWith("#")) return [element("div", { class: "msd-menu-title" }, t(`menu.${name.slice(1)}`))];
  const action = ACTIONS[name];
  const usable = action.when(ui);
  if (OCCASIONAL.has(name) && !usable) return [];
  return [
    item(t(`action.${name}`), { key: action.key, on: isOn(name, ui), disabled: !usable, run: () => perform(ui, name) }),
  ];
}

/** @param {string} text @param {{key?: string, on?: boolean, disabled?: boolean, run: () => void}} how */
function item(text, { key = "", on = false, disabled = false, run }) {
  return element(
    "button",
    {
      type: "button",
      role: on ? "menuitemcheckbox" : "menuitem",
      "aria-checked": on ? "true" : null,
      tabindex: -1,
      class: "msd-menu-item",
      disabled,
      onclick: () => {
        closeMenu();
        run();
      },
    },
    element("span", { class: "msd-menu-mark" }, ...(on ? [icon("check")] : [])),
    element("span", {}, text),
    element("kbd", {}, shownKey(key)),
  );
}

/** @param {LayoutCanvas} ui */
function colourRow(ui) {
  /** @param {string} color */
  const paintWith = (color) => {
    closeMenu();
    ui.editor.apply(patch(ui.editor.state, ui.editor.state.selected, { color }));
  };
  const { palette } = ui.editor.options();
  const colours = swatches(palette).map((colour, n) => {
    const name = t(`colour.${colourNames(palette)[n]}`);
    const swatch = element("button", {
      type: "button",
      class: "msd-swatch",
      title: name,
      "aria-label": name,
      onclick: () => paintWith(colour),
    });
    swatch.style.setProperty("--swatch", colour);
    return swatch;
  });
  const own = element("input", {
    type: "color",
    class: "msd-swatch",
    title: t("menu.own_colour"),
    onchange: (/** @type {any} */ event) => paintWith(event.target.value),
  });
  const auto = element("button", {
    type: "button",
    class: "msd-swatch msd-swatch-auto",
    title: t("menu.automatic_colour"),
    onclick: () => paintWith(""),
  });
  return element("div", { class: "msd-swatches" }, auto, ...colours, own);
}

/** @param {LayoutCanvas} ui @param {HTMLElement[]} entries @param {number} x @param {number} y @returns {HTMLElement} */
export function showMenu(ui, entries, x, y) {
  closeMenu();
  const from = document.activeElement;
  const byKey = from?.matches(":focus-visible");
  const menu = element("div", { class: "msd-menu", role: "menu", tabindex: -1 }, ...entries);
  menu.dataset.theme = ui.root.dataset.theme;
  overPage(menu);
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 4))}px`;
  menu.style.top = `${Math.max(4, Math.min(y, innerHeight - height - 4))}px`;
  /** @param {Event} event */
  const outside = (event) => !menu.contains(/** @type {Node} */ (event.target)) && closeMenu();
  closeOpen = () => {
    closeOpen = null;
    window.removeEventListener("pointerdown", outside, true);
    window.removeEventListener("wheel", outside, true);
    menu.remove();
    ui.focus();
  };
  window.addEventListener("pointerdown", outside, true);
  window.addEventListener("wheel", outside, true);
  const items = () => /** @type {HTMLElement[]} */ ([...menu.querySelectorAll("button:not(:disabled), input")]);
  menu.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (event.key === "Escape") {
      closeMenu();
      // Nothing was done, so the focus goes back to where the menu was opened by key.
      if (byKey && from instanceof HTMLElement && ui.root.contains(from)) from.focus({ preventScroll: true });
    }
    const inField = /** @type {HTMLElement} */ (event.target).matches("input");
    const step = { ArrowDown: 1, ArrowUp: -1, Tab: event.shiftKey ? -1 : 1, Home: 0, End: 0 }[event.key];
    if (step === undefined || (inField && event.key !== "Tab")) return;
    event.preventDefault();
    const all = items();
    const at = all.indexOf(/** @type {any} */ (document.activeElement));
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length;
    all[event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : next]?.focus();
  });
  menu.addEventListener("contextmenu", (/** @type {Event} */ event) => event.preventDefault());
  (byKey ? (items()[0] ?? menu) : menu).focus({ preventScroll: true });
  return menu;
}
