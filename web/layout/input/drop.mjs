import { landingAt, photoRect } from "../model/dropping.mjs";
import { photoSource } from "../host/build.mjs";
import { subjectsBehind } from "../host/graph.mjs";
import { t } from "../host/texts.mjs";
import { takePhotos } from "./photos.mjs";

/**
 * Image files and pictures of web pages dragged onto the canvas. The page itself would open them as workflows; it is
 *   kept from that over the stage only.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 */

/** @param {LayoutCanvas} ui */
export function listenToDrop(ui) {
  const { holder } = ui.stage;
  /** @param {DragEvent} event */
  const over = (event) => {
    if (!mayHoldPictures(event.dataTransfer)) return;
    event.preventDefault();
    event.stopPropagation();
    const taken = showLanding(ui, event);
    if (event.dataTransfer) event.dataTransfer.dropEffect = taken ? "copy" : "none";
  };
  holder.addEventListener("dragenter", over);
  holder.addEventListener("dragover", over);
  holder.addEventListener("dragleave", (event) => {
    if (!holder.contains(/** @type {Node | null} */ (event.relatedTarget))) ui.landing.hide();
  });
  holder.addEventListener("drop", (event) => {
    const { dataTransfer } = event;
    if (!dataTransfer || !mayHoldPictures(dataTransfer)) return;
    event.preventDefault();
    event.stopPropagation();
    ui.landing.hide();
    const point = inside(ui.stage.pointAt(event));
    const files = picturesOf(dataTransfer);
    // What is dragged is only readable before the first wait.
    if (files.length) return void takePhotos(ui, files, point);
    const address = addressOf(dataTransfer);
    if (address) void fetchPicture(ui, address, (file) => takePhotos(ui, [file], point));
  });
}

/** @param {DataTransfer | null} data */
function mayHoldPictures(data) {
  if (!data) return false;
  const files = [...data.items].filter(({ kind }) => kind === "file");
  if (files.length) return files.some(({ type }) => type.startsWith("image/"));
  return data.types.includes("text/uri-list");
}

/** @param {DataTransfer} data @returns {File[]} */
export const picturesOf = (data) => [...data.files].filter(({ type }) => type.startsWith("image/"));

/** @param {DataTransfer} data */
const addressOf = (data) =>
  data
    .getData("text/uri-list")
    .split(/\r?\n/)
    .find((line) => line && !line.startsWith("#"));

/** @param {LayoutCanvas} ui @param {string} address @param {(file: File) => void} take */
async function fetchPicture(ui, address, take) {
  try {
    const url = new URL(address, location.href);
    const answer = await fetch(url);
    const blob = await answer.blob();
    if (!answer.ok || !blob.type.startsWith("image/")) throw new Error(address);
    const name = url.searchParams.get("filename") ?? decodeURIComponent(url.pathname.split("/").pop() ?? "");
    take(new File([blob], name || "image.png", { type: blob.type }));
  } catch {
    ui.tell("error", t("photo.no_picture"), t("photo.save_first"));
  }
}

/** @param {import("../model/geometry.mjs").Point} point */
const inside = ({ x, y }) => ({ x: Math.min(Math.max(x, 0), 1), y: Math.min(Math.max(y, 0), 1) });

/** Shows what a drop here would do. @param {LayoutCanvas} ui @param {DragEvent} event @returns {boolean} whether it would do anything */
function showLanding(ui, event) {
  const { editor } = ui;
  const point = inside(ui.stage.pointAt(event));
  const { boxes } = editor.shown;
  const landing = landingAt(boxes, editor.subjects, point);
  const { kind, k } = landing;
  const name = ui.titleOf(k) || t("list.box", { number: k + 1 });
  if (kind === "replace") {
    const reader = ui.reader();
    const subject = subjectsBehind(reader, ui.node).nodes[k];
    const { loader, source } = subject ? photoSource(reader, subject) : { loader: null, source: null };
    if (!loader) ui.landing.show(boxes[k], t("photo.elsewhere", { name, node: source?.title ?? "?" }), "refused");
    else ui.landing.show(boxes[k], t("photo.replace", { name }), kind);
    return loader !== null;
  }
  if (editor.readOnly) {
    ui.landing.show(photoRect(point, 1, editor.aspect), t("error.linked"), "refused");
    return false;
  }
  if (kind === "take") ui.landing.show(boxes[k], t("photo.take", { number: k + 1 }), kind);
  else ui.landing.show(photoRect(point, 1, editor.aspect), t("photo.new"), kind);
  return true;
}
