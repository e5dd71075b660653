import { fileUrl } from "./host/frontend.mjs";
import { t } from "./host/texts.mjs";
import { movable } from "./model/boxes.mjs";
import { relations } from "./model/overlap.mjs";
import { isSilent, isSpare } from "./model/subjects.mjs";
import { backgroundPicture } from "./view/background.mjs";
import { tagOf } from "./view/captions.mjs";
import { colourOf } from "./view/palette.mjs";
import { pictureAt, tintedMask } from "./view/pictures.mjs";

/**
 * What a canvas shows at the moment, for painting.
 * @typedef {import("./widget.mjs").FileRecord} FileRecord
 */

/**
 * @param {import("./widget.mjs").LayoutCanvas} ui
 * @returns {ReturnType<ConstructorParameters<typeof import("./view/stage.mjs").Stage>[1]>}
 */
export function sceneOf(ui) {
  const { editor, options, report, session } = ui;
  const { boxes, selected } = editor.shown;
  const subjects = editor.subjects;
  const colours = boxes.map((box, k) => colourOf(box, k, options.palette));
  const masks = ui.isLinked("masks") ? (report?.masks ?? []) : [];
  return {
    size: editor.size,
    boxes,
    selected,
    hover: editor.hover,
    movable: movable(editor.shown),
    ...relations(boxes, ui.overlap),
    nearest: ui.overlap === "nearest",
    standing: null,
    painting: ui.tools.shown,
    colours,
    options,
    titles: boxes.map((_, k) => tagOf(editor, session, k)),
    pictures: boxes.map((_, k) => (options.pictures === "off" ? null : pictureAt(subjects?.[k]?.picture))),
    masks: boxes.map((_, k) =>
      masks[k] ? tintedMask(fileUrl(/** @type {FileRecord} */ (masks[k])), colours[k]) : null,
    ),
    unassigned: (k) => isSpare(subjects, k),
    silent: (k) => isSilent(subjects?.[k]),
    guides: editor.draft?.guides ?? [],
    marquee: editor.draft?.marquee ?? null,
    active: editor.draft?.active ?? null,
    background: backgroundPicture(options.background, ui.background),
    readOnly: editor.readOnly,
    focused: session.focused,
    hint: editor.readOnly ? t("footer.linked_unknown") : t("canvas.hint"),
  };
}
