import { MENUS } from "./input/actions.mjs";
import { onResults } from "./host/results.mjs";
import { listenToClipboard } from "./input/clipboard.mjs";
import { listenToDrop } from "./input/drop.mjs";
import { Editor } from "./model/editor.mjs";
import { element } from "./panels/elements.mjs";
import { makeFooter } from "./panels/footer.mjs";
import { layoutText } from "./model/format.mjs";
import { FormatError } from "./model/format_error.mjs";
import { enterFull, isFull, leaveFull } from "./panels/full_screen.mjs";
import { graphReader, isLinked, surroundingsOf } from "./host/surroundings.mjs";
import { app, captureUndo, isShown, outputsOf, toast } from "./host/frontend.mjs";
import { t } from "./host/texts.mjs";
import { openTransfer } from "./panels/transfer.mjs";
import { listenToKeyboard } from "./input/keyboard.mjs";
import { makeList } from "./panels/list.mjs";
import { makeNotice } from "./panels/notice.mjs";
import { closeMenu, openMenu } from "./panels/menu.mjs";
import { select } from "./model/boxes.mjs";
import { hasSubject, titleOf } from "./view/captions.mjs";
import { lightness, rgbOf } from "./view/palette.mjs";
import { onPicture } from "./view/pictures.mjs";
import { listenToPointer } from "./input/pointer.mjs";
import { listenToNavigation } from "./input/navigation.mjs";
import { askForPhrases, openPhrase } from "./panels/phrase.mjs";
import { openRename } from "./panels/rename.mjs";
import { sessionKey, sessionOf } from "./host/session.mjs";
import { makeToolBar } from "./panels/tools.mjs";
import { PaintTools } from "./input/tools.mjs";
import { onOptions, readOptions } from "./host/settings.mjs";
import { Landing } from "./view/landing.mjs";
import { sceneOf } from "./scene.mjs";
import { onWidth, Stage } from "./view/stage.mjs";
import { onTheme } from "./view/theme.mjs";
import { makeToolbar } from "./panels/toolbar.mjs";
import { makeZoom } from "./panels/zoom.mjs";

const MIN_WIDTH = 340;
const MIN_HEIGHT = 360;

/** A new node's width, and what its height has over that of its other widgets: a square layout fills the width. */
const FIRST_WIDTH = 420;
const FIRST_HEIGHT = 500;

/** From this width on the list stands beside the stage. */
const WIDE = 620;

/** The canvas widget of one layout node: it ties the editor to the page, the node and the graph. */
export class LayoutCanvas {
  /** @param {any} node @param {string} name @param {string} initial */
  constructor(node, name, initial) {
    this.node = node;
    this.key = "";
    this.disposed = false;
    this.wide = false;
    this.session = sessionOf(this.key);
    this.options = readOptions();
    /** @type {import("./host/surroundings.mjs").LayoutReport | null} */
    this.report = null;
    this.overlap = "mix";
    /** @type {import("./host/surroundings.mjs").Surroundings | null} */
    this.around = null;
    this.surrounded = "";
    this.editor = new Editor({
      options: () => this.options,
      publish: (text) => this.publish(text),
      changed: () => this.changed(),
      refused: () => toast("info", t("error.linked"), t("error.linked_detail")),
    });
    this.root = element("div", { class: "msd-root" });
    const holder = element("div", { class: "msd-stage" });
    this.stage = new Stage(
      holder,
      () => sceneOf(this),
      () => this.session.view,
    );
    this.landing = new Landing(this.stage);
    this.notice = makeNotice(this);
    /** Whether an encoder takes this layout. */
    this.chained = false;
    this.tools = new PaintTools(this);
    this.toolBar = makeToolBar(this);
    this.toolbar = makeToolbar(this);
    this.list = makeList(this);
    this.footer = makeFooter(this);
    this.zoom = makeZoom(this);
    holder.append(this.zoom.element);
    this.root.append(
      this.toolbar.element,
      this.toolBar.element,
      element("div", { class: "msd-body" }, holder, this.list.element),
      this.footer.element,
    );
    this.stage.canvas.setAttribute("role", "application");
    this.stage.canvas.setAttribute("aria-label", t("canvas.label"));
    listenToPointer(this);
    listenToKeyboard(this);
    listenToDrop(this);
    this.root.addEventListener("pointerdown", (/** @type {Event} */ event) => event.stopPropagation());
    this.root.addEventListener("focusin", () => void (this.session.focused = true));
    this.root.addEventListener("focusout", () =>
      setTimeout(() => {
        // A root that goes because of an undo has not lost the focus; the next one takes it up.
        if (!this.disposed && this.root.isConnected) this.session.focused = this.root.contains(document.activeElement);
      }, 50),
    );
    this.stops = [
      listenToClipboard(this),
      listenToNavigation(this),
      onWidth(this.root, () => this.root.clientWidth >= WIDE !== this.wide && this.invalidate()),
      onPicture(() => this.invalidate()),
      onResults(node, () => this.invalidate()),
      onTheme(() => this.invalidate()),
      onOptions(() => {
        this.options = readOptions();
        this.invalidate();
      }),
    ];
    this.widget = node.addDOMWidget(name, "MSD_CANVAS", this.root, {
      getValue: () => this.editor.text,
      setValue: (/** @type {unknown} */ value) =>
        this.editor.load(typeof value === "string" ? value : JSON.stringify(value ?? "")),
      getMinHeight: () => MIN_HEIGHT,
      hideOnZoom: false,
      hideInPanel: true,
      serialize: true,
    });
    this.widget.canvas = this;
    this.editor.load(initial);
  }

  /** Takes up what an earlier canvas of the same node left, such as before an undo. */
  restore() {
    if (!this.node.graph) return;
    const key = sessionKey(this.node);
    if (key === this.key) return this.stayFull();
    this.key = key;
    this.session = sessionOf(key);
    this.editor.state = select(this.editor.state, this.session.selected);
    if (this.session.full) {
      if (isFull(key)) enterFull(key, this.root);
      else this.session.full = false;
    }
    if (this.session.focused) this.refocus();
    this.refresh();
    this.invalidate();
  }

  /** Keeps the overlay's root in it. */
  stayFull() {
    if (this.session.full && isFull(this.key) && !this.disposed) enterFull(this.key, this.root);
  }

  /** Takes the focus back after an undo, once this root is on the page, unless it went to something else meanwhile. */
  refocus(frames = 40) {
    const active = document.activeElement;
    if (this.disposed || frames === 0 || (active && active !== document.body && active !== app.canvas?.canvas)) return;
    if (this.root.isConnected && frames < 38) this.focus();
    else requestAnimationFrame(() => this.refocus(frames - 1));
  }

  dispose() {
    this.disposed = true;
    this.stops.forEach((stop) => stop());
    this.stage.dispose();
    closeMenu();
    // After an undo another root takes over within the same turn; only a node that is really gone closes the overlay.
    setTimeout(() => isFull(this.key) && !this.root.isConnected && leaveFull(this.key));
    setTimeout(() => !this.node.graph?.getNodeById?.(this.node.id) && leaveFull(this.key), 200);
  }

  /** Makes a finished edit the node's value and one step of the undo history. @param {string} text */
  publish(text) {
    this.widget.callback?.(text);
    this.node.graph?.setDirtyCanvas?.(true, true);
    captureUndo();
  }

  changed() {
    if (this.key) this.session.selected = [...this.editor.state.selected];
    this.invalidate();
  }

  invalidate() {
    if (!this.stage || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.update();
    });
  }

  update() {
    const surface = rgbOf(getComputedStyle(this.root).getPropertyValue("--msd-stage"));
    this.root.dataset.theme = surface && lightness(surface) > 0.5 ? "light" : "dark";
    this.wide = this.root.clientWidth >= WIDE;
    this.root.classList.toggle("msd-wide", this.wide);
    this.toolbar.update();
    this.toolBar.update();
    this.list.update();
    this.footer.update();
    this.notice.update();
    this.stage.repaint();
    this.zoom.update();
  }

  /** Reads width, height, subjects, links and the last run's report again. Cheap enough to be called often. */
  refresh() {
    if (!this.node.graph) return;
    const { editor, node } = this;
    this.report = outputsOf(node)?.msd_layout?.[0] ?? this.report;
    const around = surroundingsOf(node, this.report);
    const now = JSON.stringify(around);
    if (now !== this.surrounded) {
      this.surrounded = now;
      this.around = around;
      this.chained = around.chained;
      this.overlap = around.overlap;
      Object.assign(editor, { size: around.size, subjects: around.subjects, linked: around.linked });
      this.invalidate();
    }
    this.stage.checkSharpness();
  }

  reader() {
    return graphReader();
  }

  /** @param {string} name */
  isLinked(name) {
    return isLinked(this.node, name);
  }

  /** @param {number} k */
  titleOf(k) {
    return titleOf(this.editor, k);
  }

  /** @param {number} k */
  setHover(k) {
    if (this.editor.hover === k) return;
    this.editor.hover = k;
    this.invalidate();
  }

  focus() {
    this.stage.canvas.focus({ preventScroll: true });
  }

  /** @param {number} k */
  rename(k) {
    openRename(this, k);
  }

  /** What stands in the tag: the subject's phrase, else the box's own name. @param {number} k */
  edit(k) {
    if (hasSubject(this.editor, k)) openPhrase(this, k);
    else this.rename(k);
  }

  /** @param {number[]} boxes of subjects that photos have become */
  photosTaken(boxes) {
    askForPhrases(this, boxes);
  }

  /** @param {"info"|"success"|"warn"|"error"} severity @param {string} summary @param {string} [detail] */
  tell(severity, summary, detail) {
    toast(severity, summary, detail);
  }

  /** @param {number} x @param {number} y */
  openMenu(x, y) {
    openMenu(this, MENUS.context, x, y);
  }

  openTransfer() {
    openTransfer(this);
  }

  showKeys() {
    toast("info", t("keys.title"), t("keys.text"));
  }

  get listShown() {
    return this.session[this.wide ? "side" : "list"];
  }

  toggleList() {
    this.session[this.wide ? "side" : "list"] = !this.listShown;
    this.invalidate();
  }

  toggleFull() {
    this.session.full = !this.session.full;
    if (this.session.full) enterFull(this.key, this.root);
    else leaveFull(this.key);
    this.focus();
    this.invalidate();
  }

  /** What is wrong, in the user's language. @param {unknown} error */
  sentenceOf(error) {
    return error instanceof FormatError ? t(`error.${error.key}`, error.params) : String(error);
  }

  /** @param {string} key @param {unknown} error */
  complain(key, error) {
    toast("error", t(key), this.sentenceOf(error));
  }
}

/** For `getCustomWidgets`. @param {any} node @param {string} name @param {any[]} data */
export function makeLayoutWidget(node, name, data) {
  const canvas = new LayoutCanvas(node, name, data?.[1]?.default ?? layoutText([]));
  return { widget: canvas.widget, minWidth: MIN_WIDTH, minHeight: MIN_HEIGHT };
}

/**
 * Gives a new node the size in which a square layout fills its width, and a least width; layout.css has it for the new
 * renderer, which asks no node.
 * @param {any} node
 */
export function keepRoom(node) {
  const { computeSize } = node;
  node.computeSize = function (/** @type {any[]} */ ...values) {
    const size = computeSize.apply(this, values);
    size[0] = Math.max(size[0], MIN_WIDTH);
    return size;
  };
  if (node.size[0] >= FIRST_WIDTH) return;
  node.setSize([FIRST_WIDTH, Math.max(node.size[1], node.computeSize()[1] - MIN_HEIGHT + FIRST_HEIGHT)]);
}

/** @param {any} node @returns {LayoutCanvas | undefined} */
export const canvasOf = (node) =>
  node?.widgets?.find((/** @type {any} */ widget) => widget.canvas instanceof LayoutCanvas)?.canvas;

/**
 * The new renderer may leave the element of before an undo on the page; the present one takes its place.
 * @param {any} node @param {LayoutCanvas} canvas @param {number} frames how long to wait for the old one
 */
export function rehome(node, canvas, frames) {
  if (canvas.root.isConnected || canvas.disposed || frames === 0) return;
  const old = document.querySelector(`[data-node-id="${node.id}"] .msd-root`);
  if (old && isShown(node)) {
    const focused = old.contains(document.activeElement);
    old.replaceWith(canvas.root);
    if (focused) canvas.focus();
  } else requestAnimationFrame(() => rehome(node, canvas, frames - 1));
}
