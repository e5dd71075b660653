import { ACTIONS, perform } from "../input/actions.mjs";
import { t } from "../host/texts.mjs";
import { DISTINCT, SIZES, sizeName } from "../model/presets.mjs";
import { swatches } from "../view/palette.mjs";
import { element } from "./elements.mjs";
import { closeMenu, entryOf, showMenu } from "./menu.mjs";

/**
 * Layouts with a name, as small pictures of themselves, and sizes of the picture.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

const LONGEST = 46;

/** @param {LayoutCanvas} ui @param {number} x @param {number} y */
export function openPresets(ui, x, y) {
  const grid = (/** @type {"plain" | "paper"} */ wanted) =>
    element(
      "div",
      { class: "msd-cards" },
      ...DISTINCT.filter(({ group }) => group === wanted).map((preset) => presetCard(ui, preset)),
    );
  showMenu(
    ui,
    [
      ...entryOf(ui, "spread"),
      grid("plain"),
      element("div", { class: "msd-menu-title" }, t("menu.paper")),
      grid("paper"),
      element("div", { class: "msd-menu-title" }, t("menu.sizes")),
      element("div", { class: "msd-cards msd-cards-sizes" }, ...SIZES.map((size) => sizeCard(ui, size))),
    ],
    x,
    y,
  ).classList.add("msd-menu-cards");
}

/** @param {LayoutCanvas} ui @param {import("../model/presets.mjs").Distinct} preset */
function presetCard(ui, { name, rects, twins }) {
  const names = twins.map((one) => t(`action.preset_${one}`));
  const frame = thumbnail(ui.editor.aspect);
  const colours = swatches(ui.editor.options().palette);
  rects.forEach(({ x0, y0, x1, y1 }, k) => {
    const box = element("span", {});
    const places = { left: x0, top: y0, width: x1 - x0, height: y1 - y0 };
    for (const [side, share] of Object.entries(places)) box.style.setProperty(side, `${100 * share}%`);
    box.style.setProperty("--box", colours[k % colours.length]);
    frame.append(box);
  });
  return card(ui, `preset_${name}`, twins.length > 1 ? t(`twins.${name}`) : names[0], names.join(", "), frame);
}

/** @param {LayoutCanvas} ui @param {{width: number, height: number}} size */
function sizeCard(ui, size) {
  const text = `${size.width} × ${size.height}`;
  const made = card(ui, sizeName(size), text, text, thumbnail(size.width / size.height));
  const { width, height } = ui.editor.size;
  made.classList.toggle("msd-on", width === size.width && height === size.height);
  return made;
}

/** A small frame of an aspect. @param {number} aspect @returns {HTMLElement} */
function thumbnail(aspect) {
  const frame = element("span", { class: "msd-card-frame" });
  frame.style.setProperty("width", `${Math.round(LONGEST * Math.min(aspect, 1))}px`);
  frame.style.setProperty("height", `${Math.round(LONGEST / Math.max(aspect, 1))}px`);
  return frame;
}

/**
 * @param {LayoutCanvas} ui @param {string} action @param {string} text @param {string} title
 * @param {HTMLElement} picture
 */
const card = (ui, action, text, title, picture) =>
  element(
    "button",
    {
      type: "button",
      role: "menuitem",
      class: "msd-menu-item msd-card",
      title,
      disabled: !ACTIONS[action].when(ui),
      onclick: () => {
        closeMenu();
        perform(ui, action);
      },
    },
    element("span", { class: "msd-card-picture" }, picture),
    element("span", {}, text),
  );
