import { element } from "./elements.mjs";

/**
 * A canvas over the whole page. The root moves there and a placeholder keeps its place in the node; since undo makes
 *   a new
 * root, the overlay belongs to the node's key and takes whichever root is the present one.
 * @type {{key: string, shade: HTMLElement, root: HTMLElement, home: Comment} | null}
 */
let open = null;

/** Shows a root over the page; called again, it takes back a root that a renderer has put into its node meanwhile.
 * @param {string} key @param {HTMLElement} root */
export function enterFull(key, root) {
  if (open && open.key !== key) leaveFull(open.key);
  const before = open;
  if (before?.shade.contains(root)) return;
  const shade = before?.shade ?? element("div", { class: "msd-full" });
  // A root that no renderer has placed yet inherits the place of the one before it.
  const home = root.isConnected || !before ? document.createComment("layout canvas") : before.home;
  root.replaceWith(home);
  if (before && before.home !== home) before.home.remove();
  shade.replaceChildren(root);
  if (!shade.isConnected) document.body.append(shade);
  open = { key, shade, root, home };
}

/** @param {string} key */
export function leaveFull(key) {
  if (open?.key !== key) return;
  const { shade, root, home } = open;
  open = null;
  if (home.isConnected) home.replaceWith(root);
  shade.remove();
}

/** @param {string} key */
export const isFull = (key) => open?.key === key;
