import { boxOf } from "../model/boxes.mjs";
import { asOneStep, fileUrl, giveValue, linkAt, outputsOf, rootGraph } from "./frontend.mjs";
import { inputSlot, pictureBehind, subjectsBehind, subjectsOf, valueOf } from "./graph.mjs";
import { heatMapsOf } from "./made_with.mjs";
import { isSaid } from "../model/phrases.mjs";
import { promptsOf } from "./prompts.mjs";

/**
 * What the layout node sends to the page when it has run, as `ui={"msd_layout": [...]}` with one entry:
 * @typedef {{filename: string, subfolder?: string, type?: string}} FileRecord
 * @typedef {{
 *   width: number, height: number,
 *   background?: FileRecord | null,
 *   boxes?: {x0: number, y0: number, x1: number, y1: number, label?: string, color?: string}[],
 *   masks?: (FileRecord | null)[], overlap?: string, regions?: import("../model/rle.mjs").Mask[],
 * }} LayoutReport `background`: the linked picture; `boxes`: those in effect, also when they came over a link;
 *   `masks`: one grey picture per region where masks are linked
 * @typedef {{
 *   size: {width: number, height: number}, subjects: import("../model/subjects.mjs").Subject[] | null,
 *   linked: import("../model/boxes.mjs").Box[] | null, background: string | null, heat: string[], chained: boolean,
 *   overlap: import("../model/overlap.mjs").Overlap,
 * }} Surroundings `linked`: boxes that replace the drawn ones; `chained`: whether an encoder takes the layout; `background`, `heat`: addresses of pictures
 */

/** Inputs whose boxes replace the drawn ones. */
export const REPLACING = ["boxes", "bounding_boxes", "masks"];

const UNKNOWN_LENGTH = 1024;

export const graphReader = () => ({ root: rootGraph(), linkAt, fileUrl, outputsOf });

/** @param {any} node @param {string} name */
export function isLinked(node, name) {
  const slot = inputSlot(node, name);
  return slot >= 0 && linkAt(node, slot) !== null;
}

/**
 * What surrounds a layout node now.
 * @param {any} node @param {LayoutReport | null} report
 * @param {Set<string>} agreed linked sides that a run has had as the graph says; more may come
 * @param {(node: any) => void} [visit] hears of every node that is read
 * @returns {Surroundings}
 */
export function surroundingsOf(node, report, agreed, visit) {
  const reader = { ...graphReader(), visit };
  const behind = subjectsBehind(reader, node);
  const subjects = subjectsOf(reader, node, behind);
  const prompts = behind.encoder && promptsOf(reader, behind.encoder);
  const replaced = REPLACING.some((name) => isLinked(node, name));
  return {
    size: {
      width: lengthOf(reader, node, "width", report, agreed),
      height: lengthOf(reader, node, "height", report, agreed),
    },
    subjects: subjects?.map((one) => (prompts && !isSaid(one.phrase, prompts) ? { ...one, unsaid: true } : one)) ?? null,
    chained: behind.encoder !== null,
    overlap: /** @type {any} */ (String(valueOf(reader, node, "overlap") ?? "mix")),
    linked: replaced ? (report?.boxes ?? []).map((box) => boxOf(box, box)) : null,
    background: linkedBackground(reader, node, report),
    heat: heatMapsOf(reader, node),
  };
}

/** Gives the picture another size, as one step. @param {any} node @param {{width: number, height: number}} size */
export function giveSize(node, size) {
  asOneStep(() => {
    for (const name of /** @type {const} */ (["width", "height"])) {
      const widget = node.widgets?.find((/** @type {any} */ one) => one.name === name);
      if (widget) giveValue(node, widget, size[name]);
    }
  });
}

/**
 * The linked node's own picture, else what the last run saw, else the photo it was made of.
 * @param {import("./graph.mjs").Reader} reader @param {any} node @param {LayoutReport | null} report
 */
function linkedBackground(reader, node, report) {
  if (!isLinked(node, "background")) return null;
  const seen = report?.background;
  return (
    pictureBehind(reader, node, "background", 0) ?? (seen ? fileUrl(seen) : pictureBehind(reader, node, "background"))
  );
}

/**
 * A side of the picture. Where it is linked, the widget it seems to come from tells it, unless a run has said otherwise
 * and that widget has never agreed with one.
 * @param {import("./graph.mjs").Reader} reader @param {any} node @param {"width"|"height"} name
 * @param {LayoutReport | null} report @param {Set<string>} agreed
 */
function lengthOf(reader, node, name, report, agreed) {
  const found = Number(valueOf(reader, node, name) ?? NaN);
  const seen = Number.isFinite(found) && found > 0 ? found : null;
  const reported = report?.[name];
  if (!isLinked(node, name) || !reported) return seen ?? UNKNOWN_LENGTH;
  if (seen === reported) agreed.add(name);
  return seen !== null && agreed.has(name) ? seen : reported;
}
