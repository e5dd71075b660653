import { ACTIONS, perform } from "../input/actions.mjs";
import { element, icon } from "./elements.mjs";
import { t } from "../host/texts.mjs";
import { THICKEST, THINNEST, TOOLS } from "../input/tools.mjs";

/**
 * The bar of painting tools. It lies over the toolbar, so that none of the picture is hidden while it is painted on.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** The slider's places: a step is the same share of the width everywhere. */
const PLACES = 100;
const RANGE = Math.log(THICKEST / THINNEST);

/** @param {LayoutCanvas} ui @returns {{element: HTMLElement, update: () => void}} */
export function makeToolBar(ui) {
  const { tools } = ui;

  /** @param {string} text @param {string} key @param {string} picture @param {Record<string, any>} more */
  const button = (text, key, picture, more) =>
    element(
      "button",
      { type: "button", class: "msd-button", title: key ? `${text} (${key})` : text, "aria-label": text, ...more },
      icon(picture),
    );

  const chosen = Object.entries(TOOLS).map(([tool, key]) =>
    button(t(`paint.${tool}`), key, tool, {
      role: "radio",
      "data-tool": tool,
      title: `${t(`paint.${tool}`)} (${key}): ${t(`paint.how_${tool}`)}`,
      onclick: () => {
        tools.set({ tool });
        ui.focus();
      },
    }),
  );
  const size = element("input", {
    type: "range",
    min: 0,
    max: PLACES,
    step: 1,
    "aria-label": t("paint.size"),
    title: `${t("paint.size")} ([ ])`,
    oninput: () => tools.set({ brush: Math.round(THINNEST * Math.exp((RANGE * Number(size.value)) / PLACES)) }),
    onchange: () => ui.focus(),
  });
  const width = element("output", { class: "msd-tools-width" });
  const acting = ["turn_region", "reset_region"].map((name) => {
    const { key = "" } = ACTIONS[name];
    return button(t(`action.${name}`), key, name, { "data-action": name, onclick: () => run(name) });
  });
  const cells = button(t("paint.cells"), "C", "grid", {
    "data-do": "cells",
    onclick: () => {
      tools.set({ cells: !tools.settings.cells });
      ui.focus();
    },
  });
  const done = element(
    "button",
    { type: "button", class: "msd-button msd-tools-done", title: `${t("paint.done")} (Esc)`, onclick: () => run("paint") },
    t("paint.done"),
  );

  /** @param {string} name */
  const run = (name) => {
    tools.cancel();
    perform(ui, name);
  };

  const bar = element(
    "div",
    { class: "msd-tools", role: "toolbar", "aria-label": t("paint.label") },
    element("span", { class: "msd-tools-group", role: "radiogroup", "aria-label": t("paint.label") }, ...chosen),
    element("label", { class: "msd-tools-size" }, size, width),
    element("span", { class: "msd-spacer" }),
    ...acting,
    cells,
    done,
  );

  const update = () => {
    bar.hidden = !tools.on;
    if (bar.hidden) return;
    const { tool, brush } = tools.settings;
    for (const made of chosen) {
      const on = made.dataset.tool === tool;
      made.classList.toggle("msd-on", on);
      made.setAttribute("aria-checked", String(on));
    }
    const sized = tool === "brush" || tool === "eraser";
    size.disabled = !sized;
    size.value = String(Math.round((Math.log(brush / THINNEST) / RANGE) * PLACES));
    width.textContent = sized ? String(brush) : "";
    for (const made of acting) made.disabled = !ACTIONS[made.dataset.action].when(ui);
    cells.classList.toggle("msd-on", tools.settings.cells);
    cells.setAttribute("aria-pressed", String(tools.settings.cells));
  };
  return { element: bar, update };
}
