/**
 * Places for new nodes in a graph, in its own units: x to the right, y downwards.
 * @typedef {{x: number, y: number, w: number, h: number}} Area
 */

/** @param {Area} a @param {Area} b @param {number} gap */
const near = (a, b, gap) =>
  a.x < b.x + b.w + gap && b.x < a.x + a.w + gap && a.y < b.y + b.h + gap && b.y < a.y + a.h + gap;

/**
 * The place nearest to the wanted one where a block keeps its distance from all that is there. Aside is nearer than
 *   down, and down than up, so that blocks form columns.
 * @param {readonly Area[]} taken
 * @param {Area} wanted
 * @param {{gap?: number, rightmost?: number}} [how] `rightmost`: where the block must end
 * @returns {{x: number, y: number}}
 */
export function freeSpot(taken, wanted, { gap = 30, rightmost = Infinity } = {}) {
  const { w, h } = wanted;
  const xs = [wanted.x, ...taken.flatMap((one) => [one.x - gap - w, one.x + one.w + gap])];
  const ys = [wanted.y, ...taken.flatMap((one) => [one.y - gap - h, one.y + one.h + gap])];
  let best = { x: wanted.x, y: wanted.y };
  let least = Infinity;
  for (const x of new Set(xs)) {
    if (x + w > rightmost) continue;
    for (const y of new Set(ys)) {
      const cost = 0.7 * Math.abs(x - wanted.x) + (y < wanted.y ? 2 : 1.2) * Math.abs(y - wanted.y);
      if (cost >= least || taken.some((one) => near({ x, y, w, h }, one, gap - 0.5))) continue;
      best = { x, y };
      least = cost;
    }
  }
  return best;
}
