import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";
import { hearValue } from "./watch.mjs";

/**
 * The only door to ComfyUI's frontend: everything the canvas asks of it, by the names that both renderers know. What is
 * private there says what breaks without it.
 */

export { api };

/** @param {string} id @param {any} [fallback] */
export const readSetting = (id, fallback) => app.extensionManager?.setting?.get(id) ?? fallback;

/** @param {string} id @param {any} value */
export const writeSetting = (id, value) => app.extensionManager?.setting?.set(id, value);

/** @param {"info"|"success"|"warn"|"error"} severity @param {string} summary @param {string} [detail] */
export function toast(severity, summary, detail = "") {
  app.extensionManager?.toast?.add({ severity, summary, detail, life: severity === "error" ? 7000 : 3500 });
}

/**
 * Makes the graph's present state one step of its undo history.
 * Without the tracker's `captureCanvasState`, an edit becomes a step only with the next click or key on the page.
 */
export function captureUndo() {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}

/**
 * Whether undo or redo is at work, which makes every node anew.
 * Without `_restoringState`, a canvas loses selection, focus and full screen with every undo.
 */
export const isRestoring = () =>
  Boolean(app.extensionManager?.workflow?.activeWorkflow?.changeTracker?._restoringState);

/** @type {Set<() => void>} */
const zoomListeners = new Set();

const announceZoom = () => zoomListeners.forEach((listener) => listener());

/** @type {object | null} */
let zoomHeard = null;

/**
 * Calls back after the node editor's zoom has changed; returns how to stop.
 * Without `ds.state`, a canvas gets sharp again only when the pointer enters it.
 * @param {() => void} callback
 */
export function onZoom(callback) {
  const state = app.canvas?.ds?.state;
  if (state && zoomHeard !== state) {
    zoomHeard = state;
    hearValue(state, "scale", announceZoom);
  }
  zoomListeners.add(callback);
  return () => void zoomListeners.delete(callback);
}

/**
 * The address of a file record as nodes return it.
 * @param {{filename: string, subfolder?: string, type?: string}} record
 */
export function fileUrl({ filename, subfolder = "", type = "input" }) {
  const query = new URLSearchParams({ filename, subfolder, type });
  return api.apiURL(`/view?${query}`);
}

/**
 * What a node sent to the page when it last ran.
 * Without `app.nodeOutputs`, a canvas that comes after the run knows nothing of it.
 * @param {any} node @returns {any} */
export function outputsOf(node) {
  const outer = node.graph === app.rootGraph || !node.graph?.id || node.graph.isRootGraph;
  const outputs = app.nodeOutputs ?? {};
  return outputs[outer ? String(node.id) : `${node.graph.id}:${node.id}`] ?? null;
}

/** The graph that holds all others. */
export const rootGraph = () => app.rootGraph ?? app.graph;

/** The link at an input, read the way that works on every kind of node. @param {any} node @param {number} slot */
export function linkAt(node, slot) {
  const read = globalThis.LiteGraph?.LGraphNode?.prototype?.getInputLink;
  return (read ? read.call(node, slot) : node.getInputLink?.(slot)) ?? null;
}

/** The element that a node's widget is on the page by. */
export const SHELL = "msd-layout-canvas";

/**
 * The element that the new renderer shows in a node. After an undo it may be the one of before, and stay.
 * Without `data-node-id`, the canvas of the newest frontends is dead after an undo in Nodes 2.0.
 * @param {any} node
 */
export const shellOnPage = (node) => document.querySelector(`[data-node-id="${node.id}"] ${SHELL}`);

/**
 * Whether the node editor shows the graph that a node is in.
 * Without `app.canvas.graph`, commands do not find the layout that is meant.
 * @param {any} node
 */
export const isShown = (node) => app.canvas?.graph === node.graph;

/** The nodes that are selected. Without `selectedItems`, commands take the layout that has the focus. @returns {any[]} */
export const selectedNodes = () => [...(app.canvas?.selectedItems ?? [])];

/**
 * The node editor's own canvas.
 * Without it, the focus that an undo gives it is not taken back.
 * @returns {HTMLCanvasElement | undefined}
 */
export const editorCanvas = () => app.canvas?.canvas;

/**
 * Hands a pointer event on to the node editor, which the old renderer keeps from it over widgets.
 * Without `processMouse…`, the middle button and the wheel do nothing over a canvas there.
 * @param {"Down"|"Move"|"Up"|"Wheel"} what @param {Event} event
 */
export const handOn = (what, event) => void app.canvas?.[`processMouse${what}`]?.(event);

/** What nodes say of themselves that a canvas shows. */
const SHOWN = new Set(["mode", "title"]);

/**
 * Calls back when a node of a graph has another mode or title; returns how to stop.
 * Without `node:property:changed`, one that a script sets shows with the next change by a user.
 * @param {EventTarget} events the graph's @param {() => void} callback
 */
export function onNodeProperty(events, callback) {
  /** @param {any} event */
  const listener = (event) => SHOWN.has(event.detail?.property) && callback();
  events.addEventListener("node:property:changed", listener);
  return () => events.removeEventListener("node:property:changed", listener);
}

/** Runs a command of the frontend's. @param {string} id */
export const runCommand = (id) => void app.extensionManager?.command?.execute(id);

export const usesVueNodes = () => Boolean(readSetting("Comfy.VueNodes.Enabled", false));

/**
 * Runs a change of several nodes, links and values as one step of the undo history. A node's place in the order of
 *   execution is saved with it and worked out anew when a graph is loaded: without working it out here, the first undo
 *   would take back nothing but that, and without the tracker's bracket it would be a step of its own.
 * @template T @param {() => T} change @returns {T}
 */
export function asOneStep(change) {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  tracker?.beforeChange?.();
  try {
    return change();
  } finally {
    for (const graph of [rootGraph(), ...(rootGraph()?.subgraphs?.values?.() ?? [])]) graph?.updateExecutionOrder?.();
    tracker?.afterChange?.();
    captureUndo();
  }
}

/** A node that is in no graph yet. Without it nothing can be built. @param {string} type @returns {any} */
export const createNode = (type) => globalThis.LiteGraph?.createNode(type) ?? null;

/**
 * Puts a picture into the server's input folder, as *Load Image* does; without it no photo can be dropped.
 * @param {File} file
 * @param {string} [subfolder]
 * @returns {Promise<string>} the value for *Load Image*: the name that the server gave it, with its folder
 */
export async function uploadImage(file, subfolder = "") {
  const body = new FormData();
  body.append("image", file, file.name);
  if (subfolder) body.append("subfolder", subfolder);
  const answer = await api.fetchApi("/upload/image", { method: "POST", body });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`.trim());
  const { name, subfolder: folder } = await answer.json();
  return folder ? `${folder}/${name}` : name;
}

/**
 * Gives a widget a value as its user would; without the callback *Load Image* shows the picture of before.
 * @param {any} node @param {any} widget @param {any} value
 */
export function giveValue(node, widget, value) {
  const values = widget.options?.values;
  // A file that was uploaded just now is not in the list that the server sent.
  if (Array.isArray(values) && !values.includes(value)) values.push(value);
  widget.value = value;
  widget.callback?.(value, app.canvas, node, node.pos);
  node.graph?.setDirtyCanvas?.(true, true);
}

const UNSAVED = {};

/** The workflow that the page shows, as an object to tell it from others by. @returns {object} */
export const workflowNow = () => app.extensionManager?.workflow?.activeWorkflow ?? UNSAVED;

/** @type {Set<(run: string) => void>} */
const queued = new Set();

/**
 * Calls back with the id of each run that this page queues. Its `promptQueued` has no id, and by `execution_start` another
 * workflow may be open: so the call is listened to, and goes on as it came. Without it pictures of a run of another open
 * workflow could be taken for this one's.
 * @param {(run: string) => void} callback
 */
export function onQueued(callback) {
  if (!queued.size && typeof api.queuePrompt === "function") {
    const { queuePrompt } = api;
    api.queuePrompt = async (/** @type {any[]} */ ...values) => {
      const answer = await queuePrompt.apply(api, values);
      if (answer?.prompt_id) queued.forEach((listener) => listener(answer.prompt_id));
      return answer;
    };
  }
  queued.add(callback);
}

/**
 * The node that a run means by an id, "5:2" for node 2 in the subgraph of node 5. @param {any} graph
 * @param {unknown} id
 */
export function nodeOfRun(graph, id) {
  const path = String(id ?? "").split(":");
  const last = path.pop();
  const inner = path.reduce((within, part) => within?.getNodeById(part)?.subgraph, graph);
  return inner?.getNodeById(last) ?? null;
}
