import { fileUrl } from "./host/frontend.mjs";
import { resultsOf } from "./host/results.mjs";
import { t } from "./host/texts.mjs";
import { movable } from "./model/boxes.mjs";
import { endedOf } from "./input/ended.mjs";
import { movesOf } from "./input/overlaps.mjs";
import { relations } from "./model/overlap.mjs";
import { isSilent, isSpare } from "./model/subjects.mjs";
import { backgroundOf } from "./view/background.mjs";
import { tagOf } from "./view/captions.mjs";
import { colourOf } from "./view/palette.mjs";
import { heatMap, pictureAt, tintedMask } from "./view/pictures.mjs";

/**
 * What a canvas shows at the moment, for painting.
 * @param {import("./widget.mjs").LayoutCanvas} ui
 * @returns {ReturnType<ConstructorParameters<typeof import("./view/stage.mjs").Stage>[1]>}
 */
export function sceneOf(ui) {
  const { around, editor, options, report, session } = ui;
  const { boxes, selected } = editor.shown;
  const { size, subjects } = editor;
  const colours = boxes.map((box, k) => colourOf(box, k, options.palette));
  // Linked masks have no boxes that the page could compare; a run says where they act.
  const told = ui.isLinked("masks") ? report : null;
  const acting = told?.overlap === ui.overlap ? (told.regions ?? []) : [];
  const masks = acting.length ? [] : (told?.masks ?? []);
  const heat = options.heat ? (around?.heat ?? []) : [];
  const ended = endedOf(ui);
  const background = backgroundOf(options.background, around?.background ?? null, resultsOf(ui.node), size, ended?.image ?? 0);
  // Photos that fill their boxes would hide what a run has made of them.
  const photos = options.pictures === "auto" ? (background?.made || heat.length ? "corner" : "fill") : options.pictures;
  return {
    size,
    boxes,
    selected,
    hover: editor.hover,
    movable: movable(editor.shown),
    ...relations(boxes, told ? "apart" : ui.overlap),
    acting: boxes.map((_, k) => acting[k] ?? null),
    nearest: ui.overlap === "nearest",
    standing: ui.overlap === "apart" && !told ? (movesOf(ui)?.boxes ?? null) : null,
    ended: ended?.places ?? null,
    painting: ui.tools.shown,
    colours,
    options,
    photos,
    titles: boxes.map((_, k) => tagOf(editor, session, k)),
    pictures: boxes.map((_, k) => (photos === "off" ? null : pictureAt(subjects?.[k]?.picture))),
    fits: boxes.map((_, k) => subjects?.[k]?.fit ?? "stretch"),
    masks: boxes.map((_, k) => (masks[k] ? tintedMask(fileUrl(masks[k]), colours[k]) : null)),
    heat: boxes.map((_, k) => (heat[k] ? heatMap(heat[k]) : null)),
    unassigned: (k) => isSpare(subjects, k),
    silent: (k) => isSilent(subjects?.[k]),
    guides: editor.draft?.guides ?? [],
    marquee: editor.draft?.marquee ?? null,
    active: editor.draft?.active ?? null,
    background: background?.picture ?? null,
    readOnly: editor.readOnly,
    hints: editor.readOnly ? [t("footer.linked_unknown")] : [t("canvas.drop"), t("canvas.draw")],
  };
}
