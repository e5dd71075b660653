/**
 * Marks on a raster, in place: the gesture that owns the raster calls these. Positions are in pixels of the raster.
 * @typedef {import("./masks.mjs").Raster} Raster
 * @typedef {import("./geometry.mjs").Point} Point
 */

/**
 * A round brush drawn from one point to another.
 * @param {Raster} raster @param {Point} from @param {Point} to
 * @param {Point} radius across and down: a raster's pixels need not be square in the picture
 * @param {0|1} value
 */
export function drag({ bits, h, w }, from, to, radius, value) {
  const [rx, ry] = [Math.max(radius.x, 0.6), Math.max(radius.y, 0.6)];
  const [ax, ay] = [from.x / rx, from.y / ry];
  const [dx, dy] = [to.x / rx - ax, to.y / ry - ay];
  const length = dx * dx + dy * dy;
  const top = Math.max(Math.floor(Math.min(from.y, to.y) - ry), 0);
  const bottom = Math.min(Math.ceil(Math.max(from.y, to.y) + ry), h);
  const left = Math.max(Math.floor(Math.min(from.x, to.x) - rx), 0);
  const right = Math.min(Math.ceil(Math.max(from.x, to.x) + rx), w);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const [px, py] = [(x + 0.5) / rx - ax, (y + 0.5) / ry - ay];
      const along = length ? Math.min(Math.max((px * dx + py * dy) / length, 0), 1) : 0;
      if ((px - along * dx) ** 2 + (py - along * dy) ** 2 <= 1) bits[y * w + x] = value;
    }
  }
}

/**
 * Everything that a closed line runs round, also where it crosses itself.
 * @param {Raster} raster @param {readonly Point[]} corners @param {0|1} value
 */
export function enclose({ bits, h, w }, corners, value) {
  for (let y = 0; y < h; y++) {
    const middle = y + 0.5;
    /** @type {{x: number, turn: number}[]} */
    const crossings = [];
    corners.forEach((a, k) => {
      const b = corners[(k + 1) % corners.length];
      if (a.y <= middle === b.y <= middle) return;
      crossings.push({ x: a.x + ((middle - a.y) / (b.y - a.y)) * (b.x - a.x), turn: a.y <= middle ? 1 : -1 });
    });
    crossings.sort((a, b) => a.x - b.x);
    let winding = 0;
    crossings.forEach(({ x, turn }, k) => {
      winding += turn;
      if (winding === 0 || k + 1 === crossings.length) return;
      const from = Math.max(Math.ceil(x - 0.5), 0);
      const to = Math.min(Math.ceil(crossings[k + 1].x - 0.5), w);
      if (to > from) bits.fill(value, y * w + from, y * w + to);
    });
  }
}

/** All pixels joined with one by their sides that are as it is.
 * @param {Raster} raster @param {number} x @param {number} y @param {0|1} value */
export function flood({ bits, h, w }, x, y, value) {
  if (x < 0 || y < 0 || x >= w || y >= h || bits[y * w + x] === value) return;
  const open = [y * w + x];
  while (open.length) {
    const at = /** @type {number} */ (open.pop());
    if (bits[at] === value) continue;
    const start = at - (at % w);
    let [low, high] = [at, at];
    while (low > start && bits[low - 1] !== value) low--;
    while (high < start + w - 1 && bits[high + 1] !== value) high++;
    bits.fill(value, low, high + 1);
    for (const step of [-w, w]) {
      for (let next = low + step; next <= high + step; next++) {
        const first = next === low + step || bits[next - 1] === value;
        if (next >= 0 && next < h * w && bits[next] !== value && first) open.push(next);
      }
    }
  }
}

/** @param {Raster} raster @returns {Raster} */
export const inverted = ({ bits, h, w }) => ({ bits: bits.map((bit) => 1 - bit), h, w });
