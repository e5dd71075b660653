import { api, fileUrl, nodeOfRun, onQueued, rootGraph, workflowNow } from "./frontend.mjs";
import { allNodes } from "./graph.mjs";
import { isMadeWith } from "./made_with.mjs";
import { sessionKey } from "./session.mjs";
import { graphReader } from "./surroundings.mjs";

/**
 * Pictures of a run for under the boxes of the layouts it was made with: the step that is being sampled, and the last
 * results. Only what a run of this graph shows, at nodes below the layout, is one. And where a run that placed its
 * subjects itself has put them.
 * @typedef {import("../model/ended.mjs").Ended} Ended
 * @typedef {{preview: HTMLCanvasElement | null, urls: string[][], ended: Ended | null}} Results
 *   `urls`: the newest first, of each all images of the batch
 * @typedef {{node: any, changed: () => void}} Follower
 */

/** How many are kept, since the newest may be a cut-out of another shape. */
const KEPT = 4;

/** How many frames the page may take to name the workflow that it has loaded: two seconds. */
const LOADING_FRAMES = 120;

/** By the workflow that a layout is in, then by the layout. @type {WeakMap<object, Map<string, Results>>} */
const known = new WeakMap();

/** The workflow that each queued run is of. @type {Map<string, object>} */
const runs = new Map();

/** The run that the server is at. @type {string | undefined} */
let running;

/** @type {Set<Follower>} */
const followers = new Set();

let listening = false;

/** Calls back when a layout has another picture; returns how to stop. @param {any} node @param {() => void} changed */
export function onResults(node, changed) {
  listen();
  const follower = { node, changed };
  followers.add(follower);
  lookAgain(follower, workflowNow(), LOADING_FRAMES);
  return () => void followers.delete(follower);
}

/**
 * A canvas is made, and paints, before the page says which workflow it loads: until then what it finds is of the one
 * before, which may have a layout of the same number.
 * @param {Follower} follower @param {object} workflow the one of before @param {number} frames how many to wait
 */
function lookAgain(follower, workflow, frames) {
  if (!frames || !followers.has(follower)) return;
  if (workflowNow() !== workflow) follower.changed();
  else requestAnimationFrame(() => lookAgain(follower, workflow, frames - 1));
}

/** @param {any} layout @returns {Results} */
export function resultsOf(layout) {
  const workflow = workflowNow();
  const layouts = known.get(workflow) ?? new Map();
  known.set(workflow, layouts);
  const key = sessionKey(layout);
  const results = layouts.get(key) ?? { preview: null, urls: earlierResults(layout), ended: null };
  layouts.set(key, results);
  return results;
}

/** What the page still has of runs before this canvas looked. @param {any} layout */
function earlierResults(layout) {
  const reader = graphReader();
  return allNodes(reader.root)
    .filter((node) => reader.outputsOf(node)?.images?.[0]?.filename && isMadeWith(reader, node, layout))
    .map((node) => urlsOf(reader.outputsOf(node).images))
    .reverse()
    .slice(0, KEPT);
}

/** @param {any[]} records @returns {string[]} */
const urlsOf = (records) => records.filter((record) => record?.filename).map(fileUrl);

function listen() {
  if (listening) return;
  listening = true;
  onQueued((run) => runs.set(run, workflowNow()));
  api.addEventListener("graphCleared", () => known.delete(workflowNow()));
  api.addEventListener("executed", (/** @type {any} */ { detail }) => {
    const records = detail?.output?.images;
    if (!records?.[0]?.filename) return;
    const urls = urlsOf(records);
    show(detail.node, detail.prompt_id, (results) => {
      results.preview = null;
      results.urls = [urls, ...results.urls.filter(([first]) => first !== urls[0])].slice(0, KEPT);
    });
  });
  api.addEventListener("msdiffusion.regions", (/** @type {any} */ { detail }) => end(detail));
  api.addEventListener("execution_start", (/** @type {any} */ { detail }) => void (running = detail?.prompt_id));
  api.addEventListener("executing", (/** @type {any} */ { detail }) => forgetEnd(String(detail)));
  api.addEventListener("b_preview_with_metadata", (/** @type {any} */ { detail }) => void preview(detail));
  for (const end of ["execution_success", "execution_error", "execution_interrupted"])
    api.addEventListener(end, (/** @type {any} */ { detail }) => forgetPreviews(detail?.prompt_id));
}

/**
 * @param {unknown} id as the run names the node @param {string | undefined} run
 * @param {(results: Results) => void} change
 */
function show(id, run, change) {
  for (const { node, changed } of concerned(id, run)) {
    change(resultsOf(node));
    changed();
  }
}

/** @param {{layout: string | null, node: string, prompt_id: string} & Ended} told by a sampler, of the layout that it had */
function end({ layout: id, node, prompt_id, drawn, images }) {
  const layout = id === null || isElsewhere(prompt_id) ? null : nodeOfRun(rootGraph(), id);
  if (!layout || !images?.length) return;
  resultsOf(layout).ended = { node: String(node), drawn, images };
  for (const follower of followers) if (follower.node === layout) follower.changed();
}

/** A sampler is at work again, and will tell anew if subjects are still placed by it. @param {string} sampler */
function forgetEnd(sampler) {
  if (isElsewhere(running)) return;
  const old = [...(known.get(workflowNow())?.values() ?? [])].filter(({ ended }) => ended?.node === sampler);
  for (const results of old) results.ended = null;
  if (old.length) followers.forEach(({ changed }) => changed());
}

/** Whether a run is of another workflow than the page shows. @param {string | undefined} run */
const isElsewhere = (run) => run !== undefined && runs.has(run) && runs.get(run) !== workflowNow();

/**
 * Layouts that a node's picture was made with. @param {unknown} id @param {string | undefined} run
 * @returns {Follower[]}
 */
function concerned(id, run) {
  const shown = isElsewhere(run) ? null : nodeOfRun(rootGraph(), id);
  if (!shown) return [];
  const reader = graphReader();
  return [...followers].filter(({ node }) => node.graph && isMadeWith(reader, shown, node));
}

/** The number of the preview that is being decoded; one that arrives late is not shown. */
let latest = 0;

/** @param {{blob: Blob, nodeId?: string, realNodeId?: string, displayNodeId?: string, jobId?: string}} event */
async function preview({ blob, nodeId, realNodeId, displayNodeId, jobId }) {
  const id = nodeId ?? realNodeId ?? displayNodeId;
  if (!(blob instanceof Blob) || !concerned(id, jobId).length) return;
  const mine = ++latest;
  const bitmap = await createImageBitmap(blob).catch(() => null);
  if (!bitmap || mine !== latest) return bitmap?.close();
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  show(id, jobId, (results) => void (results.preview = canvas));
}

/** @param {string | undefined} run */
function forgetPreviews(run) {
  latest++;
  if (run) runs.delete(run);
  for (const { node, changed } of followers) {
    if (!node.graph) continue;
    const results = resultsOf(node);
    if (results.preview) changed();
    results.preview = null;
  }
}
