import { element, icon } from "./elements.mjs";
import { t } from "../host/texts.mjs";
import { sayLocked } from "../input/locks.mjs";
import { rove } from "../input/tabbing.mjs";
import { append, boxOf, freePlace, patch, select, toggle } from "../model/boxes.mjs";
import { movedInOrder } from "../model/locks.mjs";
import { counts, isSilent, isSpare, isUnsaid } from "../model/subjects.mjs";
import { colourOf } from "../view/palette.mjs";
import { boxInWords } from "./announcer.mjs";

/**
 * The list of boxes in the order of subjects: it selects, reorders, renames, locks and removes, and shows subjects
 *   without a box.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

const ROW_HEIGHT = 32;

/** How near to the list's edge a carried row scrolls it, and by how much in a frame. */
const EDGE = 22;
const SCROLL = 5;

/** @param {LayoutCanvas} ui @returns {{element: HTMLElement, update: () => void}} */
export function makeList(ui) {
  const list = element("div", {
    class: "msd-list",
    role: "listbox",
    "aria-label": t("list.label"),
    "aria-multiselectable": "true",
  });
  let shown = "";
  let scrolledTo = -1;
  const update = () => {
    list.hidden = !ui.listShown;
    if (list.hidden) return;
    const { shown: state, subjects, readOnly } = ui.editor;
    const rows = Math.max(state.boxes.length, subjects?.length ?? 0);
    const signature = JSON.stringify([
      state.boxes.map((box) => [box.label, box.color, box.locked]),
      subjects,
      readOnly,
      ui.editor.options().palette,
    ]);
    // The frame must stay where it is while something is dragged on it, so rows come and go only afterwards.
    if (signature !== shown && !ui.editor.busy) {
      shown = signature;
      const focused = [...list.children].indexOf(/** @type {Element} */ (document.activeElement));
      list.replaceChildren(
        ...Array.from({ length: rows }, (_, k) => (k < state.boxes.length ? boxRow(ui, k) : missingRow(ui, k))),
      );
      if (!rows) list.append(element("div", { class: "msd-list-empty" }, t("list.empty")));
      if (focused >= 0) /** @type {HTMLElement | undefined} */ (list.children[focused])?.focus({ preventScroll: true });
    }
    const only = state.selected.length === 1 ? state.selected[0] : -1;
    if (only !== scrolledTo) {
      scrolledTo = only;
      // By hand: scrollIntoView would also move the node editor.
      if (only >= 0)
        list.scrollTop = Math.min(
          Math.max(list.scrollTop, (only + 1) * ROW_HEIGHT + 6 - list.clientHeight),
          only * ROW_HEIGHT,
        );
    }
    state.boxes.forEach((_, k) => {
      const row = list.children[k];
      if (!row?.matches("[data-box]")) return;
      row.classList.toggle("msd-selected", state.selected.includes(k));
      row.setAttribute("aria-selected", String(state.selected.includes(k)));
      row.classList.toggle("msd-hovered", ui.editor.hover === k);
    });
    stops();
  };
  const stops = rove(list, "[role=option]", {
    next: "ArrowDown",
    previous: "ArrowUp",
    chosen: () => list.children[ui.editor.shown.selected[0]] ?? null,
    went: (row, event) => goTo(ui, row, event.shiftKey),
  });
  list.addEventListener("focusin", () => {
    const row = /** @type {HTMLElement} */ (document.activeElement);
    // A row reached by key is what the next key is about.
    if (row.matches(":focus-visible") && !ui.editor.state.selected.length) goTo(ui, row, false);
  });
  list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => operate(ui, event));
  list.addEventListener(
    "wheel",
    (/** @type {Event} */ event) => list.scrollHeight > list.clientHeight && event.stopPropagation(),
  );
  return { element: list, update };
}

/** Selects what a row stands for, more of it with Shift. @param {LayoutCanvas} ui @param {HTMLElement} row @param {boolean} more */
function goTo({ editor }, row, more) {
  const k = Number(row.dataset.box ?? -1);
  if (k >= 0 && !editor.busy) editor.select(more ? [...editor.state.selected, k] : [k]);
}

/** Enter and the space bar on a row. @param {LayoutCanvas} ui @param {KeyboardEvent} event */
function operate(ui, event) {
  const { editor } = ui;
  const row = /** @type {HTMLElement} */ (event.target);
  if (!row.matches("[role=option]") || (event.key !== "Enter" && event.key !== " ") || editor.busy) return;
  event.preventDefault();
  const k = Number(row.dataset.box ?? -1);
  if (k < 0) row.querySelector("button")?.click();
  else if (event.key === " ") editor.apply(toggle(editor.state, k));
  else {
    editor.select([k]);
    ui.edit(k);
  }
}

/** @param {LayoutCanvas} ui @param {number} k */
function boxRow(ui, k) {
  const { editor } = ui;
  const box = editor.shown.boxes[k];
  const subject = editor.subjects?.[k];
  const spare = isSpare(editor.subjects, k);
  const colour = colourOf(box, k, editor.options().palette);
  /** What a button of the row does; the stage has the focus afterwards. @param {() => void} run */
  const after = (run) => () => {
    if (editor.busy) return;
    ui.focus();
    run();
  };
  const name = element("span", { class: "msd-row-name" }, ui.titleOf(k) || t("list.box", { number: k + 1 }));
  const row = element(
    "div",
    { class: `msd-row${spare ? " msd-spare" : ""}${isSilent(subject) ? " msd-silent" : ""}`, role: "option", tabindex: -1, "data-box": k, ...spoken(ui, k, boxInWords(editor, k)) },
    element("span", { class: "msd-grip", title: t("list.drag") }, icon("grip")),
    element("span", { class: "msd-number", style: { "--box": colour } }, String(k + 1)),
    thumbnail(subject?.picture),
    name,
    ...(subject && subject.weight !== 1
      ? [element("span", { class: "msd-weight", title: t("list.weight") }, `×${trim(subject.weight)}`)]
      : []),
    ...(spare ? [element("span", { class: "msd-mark" }, t("list.no_subject"))] : partMark(subject)),
  );
  if (!editor.readOnly) {
    row.append(
      rowButton(
        box.locked ? "lock" : "unlock",
        t(box.locked ? "list.unlock" : "list.lock"),
        after(() => editor.apply(patch(editor.state, [k], { locked: !box.locked }))),
        Boolean(box.locked),
      ),
      rowButton(
        "remove",
        t("action.remove"),
        after(() => {
          if (editor.state.boxes[k].locked) sayLocked(ui);
          else editor.apply({ boxes: editor.state.boxes.filter((_, n) => n !== k), selected: [] });
        }),
      ),
    );
    name.addEventListener("dblclick", () => ui.edit(k));
    row.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => pressRow(ui, row, k, event));
  }
  row.addEventListener("pointerenter", () => ui.setHover(k));
  row.addEventListener("pointerleave", () => ui.setHover(-1));
  return row;
}

/** What keeps a subject from acting. @param {import("../model/subjects.mjs").Subject | undefined} subject */
function partMark(subject) {
  if (isUnsaid(subject)) return [element("span", { class: "msd-mark", title: t("subject.unsaid_why") }, t("subject.unsaid"))];
  if (!subject || subject.part === "acting" || subject.part === "empty") return [];
  const word = t(`subject.${subject.part}`);
  const kind = isSilent(subject) ? "msd-muted" : "msd-mark";
  return [element("span", { class: kind, title: t(`subject.${subject.part}_why`) }, ...(isSilent(subject) ? [icon("muted")] : []), word)];
}

/** @param {LayoutCanvas} ui @param {number} k */
function missingRow(ui, k) {
  const subject = ui.editor.subjects?.[k];
  const silent = !subject || !counts(subject);
  return element(
    "div",
    {
      class: `msd-row msd-missing${silent ? " msd-silent" : ""}`,
      role: "option",
      tabindex: -1,
      "aria-selected": "false",
      ...spoken(ui, k, [t("list.subject", { number: k + 1 }), subject?.phrase, t("list.no_box")].filter(Boolean).join(", ")),
    },
    element("span", { class: "msd-grip" }),
    element("span", { class: "msd-number" }, String(k + 1)),
    thumbnail(subject?.picture),
    element("span", { class: "msd-row-name" }, subject?.phrase || t("list.subject", { number: k + 1 })),
    ...(silent ? partMark(subject) : [element("span", { class: "msd-mark" }, t("list.no_box"))]),
    element(
      "button",
      {
        type: "button",
        class: "msd-row-add",
        tabindex: -1,
        disabled: ui.editor.readOnly,
        onclick: () => {
          ui.focus();
          addBoxesUpTo(ui, k + 1);
        },
      },
      t("list.add_box"),
    ),
  );
}

/** How a row is announced. @param {LayoutCanvas} ui @param {number} k @param {string} words */
const spoken = ({ editor }, k, words) => ({
  "aria-label": words,
  "aria-posinset": k + 1,
  "aria-setsize": Math.max(editor.shown.boxes.length, editor.subjects?.length ?? 0),
});

/** Boxes for the subjects up to a number. @param {LayoutCanvas} ui @param {number} count */
export function addBoxesUpTo({ editor }, count) {
  let next = editor.state;
  while (next.boxes.length < count) next = append(next, [boxOf(freePlace(next.boxes))]);
  editor.apply(next);
}

/** @param {string | null | undefined} url */
const thumbnail = (url) =>
  url
    ? element("img", { class: "msd-thumb", src: url, alt: "", draggable: "false" })
    : element("span", { class: "msd-thumb" });

/** @param {string} picture @param {string} text @param {() => void} run @param {boolean} [on] */
const rowButton = (picture, text, run, on = false) =>
  element(
    "button",
    {
      type: "button",
      class: `msd-row-button${on ? " msd-on" : ""}`,
      title: text,
      "aria-label": text,
      tabindex: -1,
      onpointerdown: (/** @type {Event} */ event) => event.stopPropagation(),
      onclick: run,
    },
    icon(picture),
  );

/** @param {number} weight */
const trim = (weight) => String(Math.round(weight * 100) / 100);

/**
 * A press selects; a drag carries the row to another place.
 * @param {LayoutCanvas} ui
 * @param {HTMLElement} row
 * @param {number} k
 * @param {PointerEvent} event
 */
function pressRow(ui, row, k, event) {
  const { editor } = ui;
  event.stopPropagation();
  if (event.button !== 0 || editor.busy) return;
  if (event.shiftKey || event.ctrlKey || event.metaKey) editor.apply(toggle(editor.state, k));
  else editor.apply(select(editor.state, [k]));
  row.setPointerCapture(event.pointerId);
  const rows = /** @type {HTMLElement[]} */ ([...(row.parentElement?.children ?? [])]);
  const scale = row.getBoundingClientRect().height / ROW_HEIGHT || 1;
  const list = /** @type {HTMLElement} */ (row.parentElement);
  const scrolled = list.scrollTop;
  let to = k;
  let at = event.clientY;
  let scrolling = 0;
  const held = {};
  editor.pressed = held;
  /** @param {PointerEvent} moved */
  const move = (moved) => {
    at = moved.clientY;
    place();
    scrolling ||= requestAnimationFrame(scroll);
  };
  const scroll = () => {
    const { top, bottom } = list.getBoundingClientRect();
    const before = list.scrollTop;
    if (editor.pressed === held && row.classList.contains("msd-carried"))
      list.scrollTop += at < top + EDGE * scale ? -SCROLL : at > bottom - EDGE * scale ? SCROLL : 0;
    scrolling = list.scrollTop === before ? 0 : requestAnimationFrame(scroll);
    if (scrolling) place();
  };
  const place = () => {
    if (editor.pressed !== held) return;
    const last = editor.state.boxes.length - 1;
    const pulled = (at - event.clientY) / scale + list.scrollTop - scrolled;
    const offset = Math.min(Math.max(pulled, -k * ROW_HEIGHT), (last - k) * ROW_HEIGHT);
    if (Math.abs(pulled) < 5 && to === k) return;
    to = k + Math.round(offset / ROW_HEIGHT);
    row.classList.add("msd-carried");
    row.style.transform = `translateY(${offset}px)`;
    rows.forEach((other, n) => {
      if (other === row) return;
      const shift = n > k && n <= to ? -ROW_HEIGHT : n < k && n >= to ? ROW_HEIGHT : 0;
      other.style.transform = shift ? `translateY(${shift}px)` : "";
    });
  };
  const up = () => {
    cancelAnimationFrame(scrolling);
    row.removeEventListener("pointermove", move);
    row.classList.remove("msd-carried");
    for (const other of rows) other.style.transform = "";
    ui.focus();
    if (editor.pressed !== held) return;
    editor.pressed = null;
    if (to !== k) {
      const next = movedInOrder(editor.state, k, to);
      if (next.boxes[to] !== editor.state.boxes[k]) sayLocked(ui);
      editor.apply(next);
    }
    editor.changed();
  };
  row.addEventListener("pointermove", move);
  row.addEventListener("lostpointercapture", up, { once: true });
}
