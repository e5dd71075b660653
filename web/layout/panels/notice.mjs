import { element, icon } from "./elements.mjs";
import { t } from "../host/texts.mjs";

/**
 * A message over the stage's lower edge with something to do about it. It stays until it is answered or done with.
 * @param {import("../widget.mjs").LayoutCanvas} ui
 * @returns {{show: (words: string, remedy: string, run: () => void, stands: () => boolean) => void, update: () => void}}
 *   `stands`: whether the message is still true
 */
export function makeNotice(ui) {
  /** @type {HTMLElement | null} */
  let shown = null;
  let still = () => false;
  const close = () => {
    shown?.remove();
    shown = null;
  };
  const stop = (/** @type {Event} */ event) => event.stopPropagation();
  return {
    show(words, remedy, run, stands) {
      close();
      still = stands;
      /** @param {() => void} [what] */
      const answer = (what) => () => {
        close();
        ui.focus();
        what?.();
      };
      shown = element(
        "div",
        { class: "msd-notice", role: "status", onpointerdown: stop, onkeydown: stop },
        element("span", {}, words),
        element("button", { type: "button", class: "msd-remedy", onclick: answer(run) }, remedy),
        element(
          "button",
          { type: "button", class: "msd-notice-close", title: t("notice.close"), "aria-label": t("notice.close"), onclick: answer() },
          icon("remove"),
        ),
      );
      if (shown) ui.stage.holder.append(shown);
    },
    update() {
      if (shown && !still()) close();
    },
  };
}
