import { MENUS } from "./input/actions.mjs";
import { onResults } from "./host/results.mjs";
import { listenToClipboard } from "./input/clipboard.mjs";
import { listenToDrop } from "./input/drop.mjs";
import { Editor } from "./model/editor.mjs";
import { makeAnnouncer } from "./panels/announcer.mjs";
import { closeDialogOf } from "./panels/dialog.mjs";
import { element } from "./panels/elements.mjs";
import { openKeys } from "./panels/keys.mjs";
import { makeFooter } from "./panels/footer.mjs";
import { FormatError } from "./model/format_error.mjs";
import { enterFull, leaveFull } from "./panels/full_screen.mjs";
import { graphReader, isLinked, surroundingsOf } from "./host/surroundings.mjs";
import { captureUndo, onNodeProperty, onZoom, outputsOf, toast } from "./host/frontend.mjs";
import { t } from "./host/texts.mjs";
import { openTransfer } from "./panels/transfer.mjs";
import { listenToFocus, takeFocusUp } from "./input/focus.mjs";
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
import { freshSession } from "./host/session.mjs";
import { makeToolBar } from "./panels/tools.mjs";
import { PaintTools } from "./input/tools.mjs";
import { onOptions, readOptions } from "./host/settings.mjs";
import { Landing } from "./view/landing.mjs";
import { sceneOf } from "./scene.mjs";
import { onWidth, Stage } from "./view/stage.mjs";
import { Watch } from "./host/watch.mjs";
import { onTheme } from "./view/theme.mjs";
import { makeToolbar } from "./panels/toolbar.mjs";
import { makeZoom } from "./panels/zoom.mjs";

/** From this width on the list stands beside the stage. */
const WIDE = 620;

/** Milliseconds without a change of zoom after which it counts as settled. */
const ZOOM_RESTS = 120;

/** The canvas widget of one layout node: it ties the editor to the page, the node and the graph. */
export class LayoutCanvas {
  /** @param {any} node @param {any} widget */
  constructor(node, widget) {
    this.node = node;
    this.widget = widget;
    this.disposed = false;
    this.wide = false;
    this.session = freshSession();
    this.options = readOptions();
    /** @type {import("./host/surroundings.mjs").LayoutReport | null} */
    this.report = null;
    /** @type {import("./model/overlap.mjs").Overlap} */
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
    this.announcer = makeAnnouncer(this);
    this.zoom = makeZoom(this);
    holder.append(this.zoom.element);
    this.root.append(
      this.toolbar.element,
      this.toolBar.element,
      element("div", { class: "msd-body" }, holder, this.list.element),
      this.footer.element,
      this.announcer.element,
    );
    this.stage.canvas.setAttribute("role", "application");
    this.stage.canvas.setAttribute("aria-label", t("canvas.label"));
    listenToPointer(this);
    listenToKeyboard(this);
    listenToDrop(this);
    this.root.addEventListener("pointerdown", (/** @type {Event} */ event) => event.stopPropagation());
    listenToFocus(this);
    this.watch = new Watch(() => this.look(), onNodeProperty);
    this.stops = [
      listenToClipboard(this),
      listenToNavigation(this),
      onWidth(this.root, () => {
        takeFocusUp(this);
        if (this.root.clientWidth >= WIDE !== this.wide) this.invalidate();
      }),
      onZoom(() => this.zoomed()),
      () => this.watch.stop(),
      onPicture(() => this.invalidate()),
      onResults(node, () => this.invalidate()),
      onTheme(() => this.invalidate()),
      onOptions(() => {
        this.options = readOptions();
        this.invalidate();
      }),
    ];
  }

  /** Goes on with the session of before an undo. @param {import("./host/session.mjs").Session} session */
  resume(session) {
    this.session = session;
    this.editor.state = select(this.editor.state, session.selected);
    if (session.full) enterFull(session, this.root);
  }

  /** Its element has come to the page. */
  placed() {
    takeFocusUp(this);
    if (this.stale) this.look();
  }

  dispose() {
    this.disposed = true;
    this.stops.forEach((stop) => stop());
    this.stage.dispose();
    closeMenu();
    closeDialogOf(this);
  }

  /** Makes a finished edit the node's value and one step of the undo history. @param {string} text */
  publish(text) {
    this.widget.callback?.(text);
    this.node.graph?.setDirtyCanvas?.(true, true);
    captureUndo();
  }

  changed() {
    this.session.selected = [...this.editor.state.selected];
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
    // What follows writes to the page; whoever read sizes after it would make the browser lay it out at once.
    this.stage.repaint();
    this.toolbar.update();
    this.toolBar.update();
    this.list.update();
    this.footer.update();
    this.announcer.update();
    this.notice.update();
    this.zoom.update();
  }

  /** Something that was read may have changed: reads again within this turn, or once there is something to see. */
  look() {
    if (this.looking) return;
    this.looking = true;
    queueMicrotask(() => {
      this.looking = false;
      this.stale = !this.root.isConnected;
      if (!this.stale) this.refresh();
    });
  }

  /** Reads width, height, subjects, links and the last run's report again, and watches the nodes that it read. */
  refresh() {
    if (!this.node.graph) return;
    /** @type {Set<any>} */
    const read = new Set([this.node]);
    const { editor, node } = this;
    this.report = outputsOf(node)?.msd_layout?.[0] ?? this.report;
    const around = surroundingsOf(node, this.report, this.session.agreed, (seen) => void read.add(seen));
    const now = JSON.stringify(around);
    if (now !== this.surrounded) {
      this.surrounded = now;
      this.around = around;
      this.chained = around.chained;
      this.overlap = around.overlap;
      Object.assign(editor, { size: around.size, subjects: around.subjects, linked: around.linked });
      this.invalidate();
    }
    this.watch.follow(read);
    this.stage.checkSharpness();
  }

  /** Gets as sharp as the node editor's zoom asks for, once that has come to rest. */
  zoomed() {
    clearTimeout(this.settling);
    this.settling = window.setTimeout(() => this.stage.checkSharpness(), ZOOM_RESTS);
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
    openKeys(this);
  }

  get listShown() {
    return this.session[this.wide ? "side" : "list"];
  }

  toggleList() {
    this.session[this.wide ? "side" : "list"] = !this.listShown;
    this.invalidate();
  }

  toggleFull() {
    if (this.session.full) leaveFull(this.session, { shell: this.widget.element, root: this.root });
    else enterFull(this.session, this.root);
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
