import { ACTIONS, isOn, MENUS, perform } from "../input/actions.mjs";
import { shownKey } from "../input/keys.mjs";
import { rove } from "../input/tabbing.mjs";
import { element, icon } from "./elements.mjs";
import { t } from "../host/texts.mjs";
import { openBackgroundMenu, openMenu } from "./menu.mjs";
import { openPresets } from "./presets.mjs";

/**
 * The row of buttons over the canvas.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** @param {LayoutCanvas} ui @returns {{element: HTMLElement, update: () => void}} */
export function makeToolbar(ui) {
  /** @type {Map<string, HTMLButtonElement>} */
  const buttons = new Map();

  /** @param {string} name @param {string} [picture] */
  const button = (name, picture = name) => {
    const { key } = ACTIONS[name];
    const text = t(`action.${name}`);
    const made = element(
      "button",
      {
        type: "button",
        class: "msd-button",
        title: key ? `${text} (${shownKey(key)})` : text,
        "aria-keyshortcuts": key ? key.replace("Ctrl", "Control") : null,
        "aria-label": text,
        "data-action": name,
        onclick: () => perform(ui, name),
      },
      icon(picture),
    );
    buttons.set(name, made);
    return made;
  };

  /**
   * @param {string} name
   * @param {string} picture
   * @param {(x: number, y: number) => void} open
   * @param {boolean} [wide]
   */
  const opener = (name, picture, open, wide = false) => {
    const text = t(`toolbar.${name}`);
    return element(
      "button",
      {
        type: "button",
        class: "msd-button",
        title: text,
        "aria-label": text,
        "aria-haspopup": "menu",
        "data-menu": name,
        onclick: (/** @type {any} */ event) => {
          const rect = event.currentTarget.getBoundingClientRect();
          open(rect.left, rect.bottom + 4);
        },
      },
      icon(picture),
      ...(wide ? [element("span", { class: "msd-button-text" }, text)] : []),
    );
  };

  const add = button("add");
  const full = button("full", "expand");
  full.append(icon("shrink"));
  add.append(element("span", { class: "msd-button-text" }, t("toolbar.add")));
  const bar = element(
    "div",
    { class: "msd-toolbar", role: "toolbar", "aria-label": t("toolbar.label") },
    add,
    button("paint"),
    opener("presets", "presets", (x, y) => openPresets(ui, x, y), true),
    opener("arrange", "align", (x, y) => openMenu(ui, MENUS.arrange, x, y)),
    element("span", { class: "msd-spacer" }),
    button("snap"),
    button("grid"),
    opener("background", "image", (x, y) => openBackgroundMenu(ui, x, y)),
    button("list"),
    opener("more", "more", (x, y) => openMenu(ui, MENUS.more, x, y)),
    full,
  );

  const stops = rove(bar, "button", { next: "ArrowRight", previous: "ArrowLeft" });
  const update = () => {
    for (const [name, made] of buttons) {
      made.disabled = !ACTIONS[name].when(ui);
      const on = name === "list" ? ui.listShown : name === "full" ? ui.session.full : isOn(name, ui);
      made.classList.toggle("msd-on", on);
      if (["paint", "snap", "grid", "list", "full"].includes(name)) made.setAttribute("aria-pressed", String(on));
    }
    stops();
  };
  return { element: bar, update };
}
