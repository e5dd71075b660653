import { openDialog } from "./dialog.mjs";
import { element } from "./elements.mjs";
import { boundingBoxText, importLayout, readableText } from "../model/format.mjs";
import { toast } from "../host/frontend.mjs";
import { t } from "../host/texts.mjs";
import { append, displaced } from "../model/boxes.mjs";
import { hasLocked, replaced } from "../model/locks.mjs";
import { sayLocked } from "../input/locks.mjs";

/**
 * The window for taking a layout out as text and bringing one in.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {import("../model/format.mjs").AxisOrder} AxisOrder
 */

/** @param {LayoutCanvas} ui */
export function openTransfer(ui) {
  const { editor } = ui;
  const area = element("textarea", {
    class: "msd-text",
    spellcheck: "false",
    rows: 14,
    "aria-label": t("transfer.text"),
  });
  const found = element("div", { class: "msd-found", role: "status" });
  const form = select("transfer.form", { layout: "transfer.form_layout", boxes: "transfer.form_boxes" });
  const order = select("transfer.order", {
    auto: "transfer.order_auto",
    x0y0x1y1: "transfer.order_x0y0x1y1",
    xywh: "transfer.order_xywh",
    y0x0y1x1_1000: "transfer.order_y0x0y1x1",
  });
  const file = element("input", { type: "file", accept: ".json,.txt,application/json", hidden: true });

  const write = () => {
    const { boxes } = editor.shown;
    area.value = form.value === "boxes" ? boundingBoxText(boxes, editor.size) : readableText(boxes);
    read();
  };
  const read = () => {
    try {
      const result = importLayout(area.value, editor.size, /** @type {AxisOrder} */ (order.value));
      found.textContent = t(`transfer.found_${result.form}`, { boxes: result.boxes.length });
      found.classList.remove("msd-warning");
      return result.boxes;
    } catch (error) {
      found.textContent = ui.sentenceOf(error);
      found.classList.add("msd-warning");
      return null;
    }
  };
  /** @param {boolean} replace */
  const bringIn = (replace) => {
    const boxes = read();
    if (!boxes) return;
    close();
    const stay = replace && hasLocked(editor.state);
    editor.apply(replace ? replaced(editor.state, boxes) : append(editor.state, displaced(editor.state, boxes)));
    if (stay) sayLocked(ui);
  };
  const copyOut = async () => {
    try {
      await navigator.clipboard.writeText(area.value);
      toast("success", t("transfer.copied"));
    } catch {
      area.select();
      document.execCommand("copy");
    }
  };
  const save = () => {
    const link = element("a", {
      href: URL.createObjectURL(new Blob([area.value], { type: "application/json" })),
      download: "layout.json",
    });
    link.click();
    URL.revokeObjectURL(link.href);
  };
  file.addEventListener("change", async () => {
    area.value = (await file.files?.[0]?.text()) ?? "";
    file.value = "";
    read();
  });

  /** @param {string} key @param {() => void} run @param {string} [kind] @param {boolean} [disabled] */
  const button = (key, run, kind = "", disabled = false) =>
    element(
      "button",
      { type: "button", class: `msd-dialog-button ${kind}`, onclick: run, disabled, "data-do": key },
      t(`transfer.${key}`),
    );
  const { close } = openDialog(ui, t("transfer.title"), [
    element("div", { class: "msd-dialog-row" }, label("transfer.form", form), label("transfer.order", order)),
    area,
    found,
    element(
      "div",
      { class: "msd-dialog-row" },
      button("copy", copyOut),
      button("save", save),
      button("load", () => file.click()),
      file,
      element("span", { class: "msd-spacer" }),
      button("append", () => bringIn(false), "", editor.readOnly),
      button("replace", () => bringIn(true), "msd-primary", editor.readOnly),
    ),
  ]);
  form.addEventListener("change", write);
  order.addEventListener("change", read);
  area.addEventListener("input", read);
  write();
  area.focus();
}

/** @param {string} key @param {Record<string, string>} options @returns {HTMLSelectElement} */
const select = (key, options) =>
  element(
    "select",
    { "aria-label": t(key) },
    ...Object.entries(options).map(([value, text]) => element("option", { value }, t(text))),
  );

/** @param {string} key @param {HTMLElement} control */
const label = (key, control) => element("label", {}, element("span", {}, t(key)), control);
