import { giveUpFocus, releaseFocus, takeFocusUp } from "./input/focus.mjs";
import { leaveBehind, sessionKey, takeUp, waiting } from "./host/session.mjs";
import { leaveFull } from "./panels/full_screen.mjs";
import { isShown, rootGraph, SHELL, shellOnPage } from "./host/frontend.mjs";
import { allGraphs } from "./host/graph.mjs";
import { layoutText } from "./model/format.mjs";
import { LayoutCanvas } from "./widget.mjs";

/**
 * The place of a canvas in its node. It lives as long as the node, holds the value, and has the element that the
 *   frontend puts on the page. The canvas itself is there only while the node is in a graph: frontends hold on to
 *   widgets of nodes that are long gone, and are not to hold more than this.
 */

const MIN_WIDTH = 340;
const MIN_HEIGHT = 360;

/** A new node's width, and what its height has over that of its other widgets: a square layout fills the width. */
const FIRST_WIDTH = 420;
const FIRST_HEIGHT = 500;

/** An element that says when it comes to the page. */
class Shell extends HTMLElement {
  /** @type {() => void} */
  placed = () => {};

  connectedCallback() {
    this.placed();
  }
}

if (!customElements.get(SHELL)) customElements.define(SHELL, Shell);

/** @type {WeakMap<object, Seat>} */
const seats = new WeakMap();

/** Seats whose nodes are in a graph. @type {Set<Seat>} */
const taken = new Set();

/** @returns {LayoutCanvas[]} */
export const allCanvases = () => [...taken].flatMap(({ canvas }) => canvas ?? []);

export class Seat {
  /** @param {any} node @param {string} name @param {string} initial */
  constructor(node, name, initial) {
    this.text = initial;
    this.key = "";
    /** @type {LayoutCanvas | null} */
    this.canvas = null;
    this.shell = /** @type {Shell} */ (document.createElement(SHELL));
    this.shell.placed = () => this.canvas?.placed();
    this.widget = node.addDOMWidget(name, "MSD_CANVAS", this.shell, {
      getValue: () => this.canvas?.editor.text ?? this.text,
      setValue: (/** @type {unknown} */ value) => this.take(value),
      getMinHeight: () => MIN_HEIGHT,
      hideOnZoom: false,
      hideInPanel: true,
      serialize: true,
    });
    Object.defineProperty(this.widget, "canvas", { configurable: true, get: () => this.canvas });
    seats.set(this.widget, this);
  }

  /** @param {unknown} value */
  take(value) {
    this.text = typeof value === "string" ? value : JSON.stringify(value ?? "");
    this.canvas?.editor.load(this.text);
  }

  /** The node has come into a graph, or was configured there. @param {any} node */
  settle(node) {
    if (!node.graph) return;
    if (!this.canvas) {
      this.canvas = new LayoutCanvas(node, this.widget);
      this.shell.replaceChildren(this.canvas.root);
      this.canvas.editor.load(this.text);
      taken.add(this);
    }
    // What configures the node goes on within the same turn.
    queueMicrotask(() => this.takeUp(node));
  }

  /** Goes on where the canvas of before an undo has stopped. @param {any} node */
  takeUp(node) {
    if (!this.canvas || !node.graph || this.key) return;
    this.key = sessionKey(node);
    sweep((other) => other !== this && other.key === this.key);
    const session = takeUp(this.key);
    if (session) this.canvas.resume(session);
    if (!this.shell.isConnected && isShown(node)) shellOnPage(node)?.replaceWith(this.shell);
    takeFocusUp(this.canvas);
    this.canvas.refresh();
    this.canvas.invalidate();
  }

  /** Whether its node is still in a graph that there is. */
  get stands() {
    const node = this.canvas?.node;
    return allGraphs(rootGraph()).includes(node?.graph) && node.graph.getNodeById(node.id) === node;
  }

  /** The node has left its graph. */
  leave() {
    const { canvas } = this;
    if (!canvas) return;
    this.text = canvas.editor.text;
    const returns = Boolean(this.key) && leaveBehind(this.key, canvas.session);
    giveUpFocus(canvas, returns);
    if (!returns) leaveFull(canvas.session);
    taken.delete(this);
    canvas.dispose();
    this.canvas = null;
    this.key = "";
    this.shell.replaceChildren();
  }
}

/** Nodes in a subgraph are not told that it goes. @param {(seat: Seat) => boolean} [which] */
function sweep(which = () => true) {
  for (const seat of taken) if (which(seat) && !seat.stands) seat.leave();
}

/** A graph is complete: what an undo has taken away for good is let go. */
export function letGo() {
  sweep();
  releaseFocus();
  for (const session of waiting()) leaveFull(session);
}

/** @param {any} node */
export const seatOf = (node) => node?.widgets?.map((/** @type {any} */ widget) => seats.get(widget)).find(Boolean);

/** @param {any} node @returns {LayoutCanvas | undefined} */
export const canvasOf = (node) => seatOf(node)?.canvas ?? undefined;

/** For `getCustomWidgets`. @param {any} node @param {string} name @param {any[]} data */
export function makeLayoutWidget(node, name, data) {
  const { widget } = new Seat(node, name, data?.[1]?.default ?? layoutText([]));
  return { widget, minWidth: MIN_WIDTH, minHeight: MIN_HEIGHT };
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
