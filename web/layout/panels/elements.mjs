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
 * An element with attributes and children.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}
