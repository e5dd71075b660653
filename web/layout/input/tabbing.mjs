/** The ways of the Tab and arrow keys through what can have the focus. */

const FOCUSABLE = "button, input, select, textarea, canvas, a[href], [tabindex]";

/** @param {Element} one */
const isReachable = (one) =>
  one instanceof HTMLElement && !(/** @type {any} */ (one).disabled) && one.getClientRects().length > 0;

/** What the Tab key reaches in an element, in order. @param {Element} within @returns {HTMLElement[]} */
const tabStops = (within) =>
  /** @type {HTMLElement[]} */ ([...within.querySelectorAll(FOCUSABLE)].filter(
    (one) => isReachable(one) && /** @type {HTMLElement} */ (one).tabIndex >= 0,
  ));

/** Keeps the Tab key within an element: past the last stop comes the first. @param {Element} within @param {KeyboardEvent} event */
export function wrapTab(within, event) {
  if (event.key !== "Tab" || event.ctrlKey || event.altKey || event.defaultPrevented) return;
  const stops = tabStops(within);
  if (!stops.length) return event.preventDefault();
  const at = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const leaves = event.shiftKey ? at <= 0 : at === stops.length - 1;
  if (!leaves) return;
  event.preventDefault();
  stops[event.shiftKey ? stops.length - 1 : 0].focus({ preventScroll: true });
}

/**
 * A group that the Tab key reaches once and in which the arrow keys go on.
 * @param {HTMLElement} group
 * @param {string} selector of its members
 * @param {{next: string, previous: string, chosen?: () => Element | null, went?: (to: HTMLElement, event: KeyboardEvent) => void}} how
 *   `next`, `previous`: the keys; `chosen`: the member that Tab reaches; `went`: hears of a step
 * @returns {() => void} to be called after members have changed
 */
export function rove(group, selector, { next, previous, chosen = () => null, went = () => {} }) {
  const members = () => /** @type {HTMLElement[]} */ ([...group.querySelectorAll(selector)].filter(isReachable));
  /** @param {HTMLElement} one */
  const mark = (one) => {
    for (const other of group.querySelectorAll(selector)) /** @type {HTMLElement} */ (other).tabIndex = other === one ? 0 : -1;
  };
  group.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
    const all = members();
    const at = all.findIndex((one) => one.contains(document.activeElement));
    const to = { [next]: at + 1, [previous]: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const one = all[Math.min(Math.max(to, 0), all.length - 1)];
    mark(one);
    one.focus({ preventScroll: true });
    went(one, event);
  });
  group.addEventListener("focusin", ({ target }) => {
    const one = /** @type {HTMLElement | null} */ (/** @type {Element} */ (target).closest(selector));
    if (one) mark(one);
  });
  return () => {
    const all = members();
    if (all.some((one) => one === document.activeElement)) return;
    const now = all.find((one) => one === chosen()) ?? all.find((one) => one.tabIndex === 0) ?? all[0];
    if (now) mark(now);
  };
}
