/** Line icons on a field of 16 by 16. @type {Record<string, string>} */
const PATHS = {
  add: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  presets: "M2.5 3.5h11v9h-11zM7 3.5v9M7 8h6.5",
  align: "M2.5 2v12M5 4.5h8v2.5H5zM5 9.5h5v2.5H5z",
  snap: "M3.5 2.5v5a4.5 4.5 0 0 0 9 0v-5h-3v5a1.5 1.5 0 0 1-3 0v-5zM3.5 5.2h3M9.5 5.2h3",
  grid: "M2.5 2.5h11v11h-11zM6.2 2.5v11M9.8 2.5v11M2.5 6.2h11M2.5 9.8h11",
  image: "M2.5 3h11v10h-11zM2.5 11l3.2-3.2 2.6 2.6 1.9-1.9 3.3 3.2M10.6 5.9h.1",
  list: "M6 4h7.5M6 8h7.5M6 12h7.5M2.5 4h.8M2.5 8h.8M2.5 12h.8",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  expand: "M9.5 2.5h4v4M13.2 2.8 9.4 6.6M6.5 13.5h-4v-4M2.8 13.2l3.8-3.8",
  shrink: "M13.5 6.5h-4v-4M9.8 6.2l3.7-3.7M2.5 9.5h4v4M6.2 9.8l-3.7 3.7",
  lock: "M4 7.5h8v6H4zM5.7 7.5V5.2a2.3 2.3 0 0 1 4.6 0v2.3",
  unlock: "M4 7.5h8v6H4zM5.7 7.5V5.2a2.3 2.3 0 0 1 4.4-1",
  muted: "M13 8A5 5 0 1 1 3 8a5 5 0 0 1 10 0M4.5 4.5l7 7",
  remove: "M4 4l8 8M12 4l-8 8",
  up: "M4 10l4-4 4 4",
  down: "M4 6l4 4 4-4",
  check: "M3.5 8.5l3 3 6-7",
  paint: "M13.5 2.5 7.6 8.9M6.6 8.4c-1.5-.1-2.5.8-2.7 2.2-.1 1-.6 1.6-1.4 1.9 2.6 1.1 5.3.3 5.7-2 .1-1-.5-2-1.6-2.1",
  brush: "M13.5 2.5 7.6 8.9M6.6 8.4c-1.5-.1-2.5.8-2.7 2.2-.1 1-.6 1.6-1.4 1.9 2.6 1.1 5.3.3 5.7-2 .1-1-.5-2-1.6-2.1",
  eraser: "M9 3.2 13 7.2 7.5 12.7H5.2L2.8 10.3zM6 6.2l4 4M7.5 12.7h5.5",
  lasso: "M6.2 10.4c-2.3-.3-3.9-1.6-3.9-3.4C2.3 4.8 4.9 3 8 3s5.7 1.7 5.7 3.900S11.1 10.6 8 10.600M6.3 9a1.5 1.5 0 1 0 .1 2.900c1-.1 1.4-1 .9-1.900M6.4 11.900c.2.9-.2 1.6-1.1 2.1",
  polygon: "M3 5.5 8.5 2.5 13.2 6.5 11.5 12.8 4.6 12z",
  fill: "M7.3 2.6 12.5 7.8 7.6 12.7 2.8 7.9 7.8 2.900M3 8h9.300M13.6 10.200c.7 1 1 1.6 1 2.100a1 1 0 0 1-2 0c0-.5.3-1.1 1-2.1",
  overlap: "M2.5 2.5h7.5v7.5h-7.5zM6 6h7.5v7.5h-7.5z",
  turn_region: "M8 2.500v11M8 2.500a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5h4.500M8 8h5.500M8 11h4.5",
  reset_region: "M3 6.500V3.500M3 6.500h3M3.2 6.300a5.2 5.2 0 1 1-.4 3",
  grip: "M6 4h.1M10 4h.1M6 8h.1M10 8h.1M6 12h.1M10 12h.1",
};

/** @param {keyof typeof PATHS | string} name @returns {SVGSVGElement} */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `msd-icon msd-icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name] ?? "");
  svg.append(path);
  return svg;
}

/**
 * An element with attributes and children. Text is text and `style` is an object of properties, each set by itself:
 *   what comes from a file can end neither of them.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "style") for (const [property, one] of Object.entries(value)) made.style.setProperty(property, one);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * Writes a text where it is another: each writing makes the browser lay out the page anew. @param {Element} owner
 * @param {string} text
 */
export function setText(owner, text) {
  if (owner.textContent !== text) owner.textContent = text;
}

/**
 * Puts a window or a menu over the page. A place of its own within the canvas would not do, a popover neither: the
 * graph hides a canvas whose node is out of sight, and undo makes it anew.
 * @param {HTMLElement} shown
 */
export const overPage = (shown) => document.body.append(shown);
