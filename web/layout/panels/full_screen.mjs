import { t } from "../host/texts.mjs";
import { element, overPage } from "./elements.mjs";

/**
 * A canvas over the whole page. Its root moves there out of its shell, which keeps its place in the node. The overlay
 *   belongs to a session, since undo makes another root: it takes whichever root is the present one.
 * @typedef {import("../host/session.mjs").Session} Session
 * @type {{session: Session, shade: HTMLElement} | null}
 */
let open = null;

/** Shows a root over the page, in place of one that was there. @param {Session} session @param {HTMLElement} root */
export function enterFull(session, root) {
  if (open && open.session !== session) leaveFull(open.session);
  // No dialog: while one is open, the frontend neither undoes nor runs.
  open ??= { session, shade: element("div", { class: "msd-full", role: "region" }) };
  open.shade.setAttribute("aria-label", t("canvas.full"));
  open.shade.replaceChildren(root);
  if (!open.shade.isConnected) overPage(open.shade);
  session.full = true;
}

/** Takes the overlay away, and puts the root back into its shell if there is one. @param {Session} session
 * @param {{shell: HTMLElement, root: HTMLElement}} [home] */
export function leaveFull(session, home) {
  session.full = false;
  if (open?.session !== session) return;
  open.shade.remove();
  open = null;
  home?.shell.append(home.root);
}
