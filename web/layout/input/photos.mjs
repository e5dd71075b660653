import { addSubject, hasSocket, linkSubject, photoSource, replacePhoto } from "../host/build.mjs";
import { asOneStep, uploadImage } from "../host/frontend.mjs";
import { subjectsBehind } from "../host/graph.mjs";
import { t } from "../host/texts.mjs";
import { boxOf } from "../model/boxes.mjs";
import { landingAt, photoPlace, photoRect, withPhotos } from "../model/dropping.mjs";
import { phraseOf } from "../model/file_names.mjs";

/**
 * Photos become subjects: uploaded, then built into the graph with their boxes as one step of the undo history.
 * @typedef {import("../widget.mjs").LayoutCanvas} LayoutCanvas
 * @typedef {import("../model/geometry.mjs").Point} Point
 * @typedef {import("../model/dropping.mjs").Landing} Landing
 * @typedef {{name: string, path: string, aspect: number, transparent: boolean, phrase: string}} Photo
 */

/** Pictures are looked through at this size for transparency. */
const LOOKED_AT = 192;

/** Share of transparent pixels below which a picture counts as whole. */
const HARDLY_ANY = 0.002;

/**
 * @param {LayoutCanvas} ui
 * @param {File[]} files
 * @param {Point | null} point where they were dropped; null: where there is room, or on the selected box
 * @param {string} [subfolder] of the server's input folder
 */
export async function takePhotos(ui, files, point, subfolder = "") {
  const { editor } = ui;
  const boxes = editor.shown.boxes;
  const landing = point ? landingAt(boxes, editor.subjects, point) : chosenBox(ui);
  const target = landing.kind === "new" ? null : boxes[landing.k];
  const place = point ?? { x: 0.5, y: 0.5 };
  if (landing.kind === "replace" && !isReplaceable(ui, landing.k)) return;
  if (landing.kind !== "replace" && editor.readOnly) return editor.refused();
  ui.landing.show(
    target ?? photoRect(place, 1, editor.aspect),
    t("photo.uploading", { name: files[0].name, more: files.length - 1 }),
    "busy",
  );
  const photos = (await Promise.all(files.map((file) => received(ui, file, subfolder)))).filter((photo) => photo !== null);
  ui.landing.hide();
  if (!photos.length) return;
  if (ui.disposed || !ui.node.graph) return ui.tell("error", t("photo.too_late"), t("photo.again"));
  editor.finish();
  ui.refresh();
  // The layout may have changed meanwhile: the box counts, not its number.
  const k = target ? editor.shown.boxes.indexOf(target) : -1;
  const now = /** @type {Landing} */ (k >= 0 ? { ...landing, k } : { kind: "new", k: -1 });
  build(ui, photos, now, place, point !== null);
}

/** The selected box if it has no subject. @param {LayoutCanvas} ui @returns {Landing} */
function chosenBox({ editor }) {
  const [k, ...more] = editor.shown.selected;
  const free = k !== undefined && !more.length && (editor.subjects?.[k]?.part ?? "empty") === "empty";
  return free ? { kind: "take", k } : { kind: "new", k: -1 };
}

/** Whether the k-th subject's photo can be replaced; if not, says why. @param {LayoutCanvas} ui @param {number} k */
function isReplaceable(ui, k) {
  const reader = ui.reader();
  const subject = subjectsBehind(reader, ui.node).nodes[k];
  const { loader, source } = subject ? photoSource(reader, subject) : { loader: null, source: null };
  if (!loader) {
    const name = ui.titleOf(k) || t("list.box", { number: k + 1 });
    ui.tell("warn", t("photo.elsewhere", { name, node: source?.title ?? "?" }));
  }
  return loader !== null;
}

/** @param {LayoutCanvas} ui @param {File} file @param {string} subfolder @returns {Promise<Photo | null>} */
async function received(ui, file, subfolder) {
  const looks = await looksOf(file);
  if (!looks) {
    ui.tell("error", t("photo.unreadable", { name: file.name }));
    return null;
  }
  try {
    const path = await uploadImage(file, subfolder);
    return { name: file.name, path, ...looks, phrase: phraseOf(file.name) };
  } catch (error) {
    ui.tell("error", t("photo.failed", { name: file.name }), String(/** @type {Error} */ (error).message ?? error));
    return null;
  }
}

/** @param {File} file */
async function looksOf(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  const { width, height } = bitmap;
  const scale = Math.min(1, LOOKED_AT / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(Math.round(width * scale), 1);
  canvas.height = Math.max(Math.round(height * scale), 1);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let clear = 0;
  for (let at = 3; at < data.length; at += 4) if (data[at] < 128) clear++;
  return { aspect: width / height, transparent: clear > HARDLY_ANY * (data.length / 4) };
}

/**
 * @param {LayoutCanvas} ui
 * @param {Photo[]} photos
 * @param {Landing} landing of the first; the others find themselves room
 * @param {Point} place
 * @param {boolean} exactly whether the first stands where the place is
 */
function build(ui, photos, landing, place, exactly) {
  const { editor } = ui;
  const reader = ui.reader();
  const { encoder, nodes } = subjectsBehind(reader, ui.node);
  const [first, ...rest] = photos;
  const fresh = landing.kind === "replace" ? rest : photos;
  const rects = placesFor(ui, fresh, landing, place, exactly);
  if (fresh.length && editor.readOnly) return editor.refused();
  /** The layout with the first photos. @param {number} count */
  const layout = (count) =>
    withPhotos(
      editor.state,
      nodes.length,
      fresh
        .slice(0, count)
        .map((photo, n) => ({ landing: photo === first ? landing : { kind: "new", k: -1 }, rect: rects[n] })),
      (k) => !nodes[k],
    );
  const { sockets } = layout(fresh.length);
  const built = asOneStep(() => {
    if (landing.kind === "replace") replacePhoto(reader, /** @type {any} */ (nodes[landing.k]), first);
    let before = nodes.findLast(Boolean) ?? null;
    let count = 0;
    for (const photo of fresh) {
      if (encoder && !hasSocket(encoder, sockets[count])) break;
      before = addSubject(encoder ?? ui.node, before, photo);
      if (encoder) linkSubject(before, encoder, sockets[count]);
      count++;
    }
    const { state, added } = layout(count);
    editor.apply(state);
    return { count, added };
  });
  ui.refresh();
  ui.invalidate();
  if (built.count < fresh.length) ui.tell("warn", t("photo.full", { count: nodes.length + built.count }));
  if (built.added) ui.tell("info", t("photo.boxes_added", { count: built.added }));
  if (built.count) ui.photosTaken(sockets.slice(0, built.count));
}

/** @param {LayoutCanvas} ui @param {Photo[]} photos @param {Landing} landing @param {Point} place @param {boolean} exactly */
function placesFor({ editor }, photos, landing, place, exactly) {
  const taken = [...editor.state.boxes];
  return photos.map((photo, n) => {
    const here = n === 0 && exactly && landing.kind === "new";
    const rect = here ? photoRect(place, photo.aspect, editor.aspect) : photoPlace(taken, place, photo.aspect, editor.aspect);
    if (n > 0 || landing.kind !== "take") taken.push(boxOf(rect));
    return rect;
  });
}

/** Asks for files, for those who can't drag. @param {LayoutCanvas} ui */
export function choosePhotos(ui) {
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", multiple: true });
  input.addEventListener("change", () => input.files?.length && void takePhotos(ui, [...input.files], null));
  input.click();
}
