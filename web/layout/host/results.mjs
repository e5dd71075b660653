import { allNodes } from "./graph.mjs";
import { api, fileUrl, rootGraph } from "./frontend.mjs";

/** Pictures of the run for under the boxes: the last result and what is being sampled. */

/** @type {string | null} */
let lastResult = null;

/** @type {HTMLCanvasElement | null} */
let preview = null;

/** @type {Set<() => void>} */
const listeners = new Set();

let listening = false;

/** Calls back when one of the pictures has changed; returns how to stop. @param {() => void} callback */
export function onBackground(callback) {
  listen();
  listeners.add(callback);
  return () => void listeners.delete(callback);
}

/** The address of the last picture that a run showed. */
export const resultUrl = () => lastResult;

/** The picture of the step that is being sampled; null between runs. */
export const samplingPreview = () => preview;

const announce = () => listeners.forEach((callback) => callback());

function listen() {
  if (listening) return;
  listening = true;
  api.addEventListener("executed", (/** @type {any} */ event) => {
    const record = event.detail?.output?.images?.[0];
    if (!record?.filename || isSource(event.detail.node)) return;
    lastResult = fileUrl(record);
    preview = null;
    announce();
  });
  api.addEventListener("b_preview", (/** @type {any} */ event) => void showPreview(event.detail));
}

/** Loaders show their own file; that is no result. @param {unknown} id */
function isSource(id) {
  const inner = String(id).split(":").pop();
  const node = allNodes(rootGraph()).find((one) => String(one.id) === inner);
  return (
    node?.widgets?.some((/** @type {any} */ widget) => widget.name === "image" && typeof widget.value === "string") ??
    false
  );
}

/** @param {unknown} blob */
async function showPreview(blob) {
  if (!(blob instanceof Blob) || !listeners.size) return;
  const bitmap = await createImageBitmap(blob).catch(() => null);
  if (!bitmap) return;
  preview = document.createElement("canvas");
  preview.width = bitmap.width;
  preview.height = bitmap.height;
  preview.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  announce();
}
