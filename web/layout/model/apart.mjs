/**
 * Moving boxes apart: by as little as it takes until no two share anything, in size unchanged, inside the picture.
 *
 * As little as it takes is the smallest sum of squares of what each box moves, in pixels of the picture. Two boxes share
 *   nothing if one lies left of, right of, above or below the other. Which of these is searched for each pair that
 *   overlaps, the cheapest first; each choice is a problem with one answer along each axis. With a few boxes the search
 *   is complete; with many it ends after so many choices with the best that it has met.
 *
 * The server computes the same, step by step (msd_core/apart.py, tests/data/apart.json): change both.
 * @typedef {import("./geometry.mjs").Rect} Rect
 * @typedef {[number, number]} Order two boxes along an axis: the first ends before the second begins
 * @typedef {{wanted: number[], sizes: number[], free: boolean[]}} Axis the boxes along one axis, in units: where they
 *   begin, how long they are, which of them may move
 * @typedef {{starts: number[], pushes: number[], cost: number}} Answer where the boxes begin along one axis, how hard
 *   the picture's ends and the orders push, and what it costs
 * @typedef {{orders: Order[][], answers: Answer[], cost: number}} Choice which boxes lie before which, along x and along
 *   y, and where that puts them
 */

/** Units of an edge: edges are counted in the decimals in which they are saved. */
const UNITS = 10_000;

// In units: by how much two boxes may overlap and still share nothing, which rounding takes away; and how little a push
// must change to be found.
const OVERLAP = 1e-2;
const SETTLED = 1e-4;

// How often all pushes are gone round at most; how many ways to part two boxes are tried until boxes share nothing, and
// then, every time that a better way is met, how many more.
const SWEEPS = 400;
const CHOICES = 1500;
const MORE_CHOICES = 300;

/**
 * Boxes moved as little as it takes until they share nothing. Locked ones stay where they are.
 * @template {Rect & {locked?: boolean}} B
 * @param {readonly B[]} boxes
 * @param {{width: number, height: number}} size pixels of the picture
 * @returns {{boxes: B[], colliding: null} | {boxes: null, colliding: Order}} `colliding`: two boxes to blame where there
 *   is no room
 */
export function movedApart(boxes, { width, height }) {
  const free = boxes.map((box) => !box.locked);
  const axes = [
    axisOf(boxes.map((box) => [box.x0, box.x1]), free),
    axisOf(boxes.map((box) => [box.y0, box.y1]), free),
  ];
  const best = searched(axes, width / height);
  if (!best) return { boxes: null, colliding: colliding(axes) };
  const { orders, answers } = inFull(axes, best);
  const starts = axes.map((axis, n) => rounded(axis, orders[n], answers[n].starts));
  return { boxes: boxes.map((box, k) => placed(box, axes, starts, k)), colliding: null };
}

/** @param {number[][]} edges @param {boolean[]} free @returns {Axis} */
function axisOf(edges, free) {
  const wanted = edges.map(([low]) => unitsOf(low));
  return { wanted, sizes: edges.map(([, high], k) => unitsOf(high) - wanted[k]), free };
}

/** The best way to part the boxes that is met; null if none is. @param {Axis[]} axes @param {number} aspect */
function searched(axes, aspect) {
  const weights = [aspect * aspect, 1];
  /** @type {Choice | null} */
  let best = null;
  let left = CHOICES;

  /** Tries the ways to part the two boxes that overlap most, the cheapest first, and then what still overlaps.
   * @param {Choice} choice */
  function goOn(choice) {
    const pair = overlapping(axes, weights, choice);
    if (!pair) {
      [best, left] = [choice, MORE_CHOICES];
      return;
    }
    /** @type {Choice[]} */
    const ways = [];
    const back = /** @type {Order} */ ([pair[1], pair[0]]);
    for (const [axis, order] of /** @type {[number, Order][]} */ ([[0, pair], [0, back], [1, pair], [1, back]])) {
      if (left <= 0) continue;
      left--;
      const way = withOrder(axes, weights, choice, axis, order);
      if (way) ways.push(way);
    }
    ways.sort((a, b) => a.cost - b.cost);
    // What is no cheaper but for arithmetic is as good, and the one met first stays.
    for (const way of ways) if (best === null || way.cost < best.cost * (1 - 1e-6)) goOn(way);
  }

  goOn({ orders: [[], []], answers: axes.map(({ wanted }) => ({ starts: wanted, pushes: [], cost: 0 })), cost: 0 });
  return /** @type {Choice | null} */ (best);
}

/** The two boxes, of those whose order is open, that would have to move most to part; null if none overlap.
 * @param {Axis[]} axes @param {number[]} weights @param {Choice} choice */
function overlapping(axes, weights, choice) {
  const parted = partedBy(choice.orders);
  /** @type {Order | null} */
  let found = null;
  let most = 0;
  for (const pair of pairsOf(axes[0].sizes.length)) {
    const [x, y] = axes.map((axis, n) => shared(axis, choice.answers[n].starts, pair));
    if (Math.min(x, y) <= OVERLAP || parted.has(keyOf(pair))) continue;
    const depth = Math.min(x * x * weights[0], y * y * weights[1]);
    if (depth > most) [found, most] = [pair, depth];
  }
  return found;
}

/** A choice with one more order; null if the picture has no room for it.
 * @param {Axis[]} axes @param {number[]} weights @param {Choice} choice @param {number} axis @param {Order} order
 * @returns {Choice | null} */
function withOrder(axes, weights, choice, axis, order) {
  const orders = choice.orders.map((one, n) => (n === axis ? [...one, order] : one));
  if (!bounds(axes[axis], orders[axis])) return null;
  const answers = choice.answers.map((one, n) => (n === axis ? solved(axes[axis], orders[axis], one) : one));
  return { orders, answers, cost: answers[0].cost * weights[0] + answers[1].cost * weights[1] };
}

/**
 * The starts nearest to those wanted, in squares, that keep the orders and the picture.
 * Each order, and each end of the picture, pushes as hard as it must; going round them again and again settles on the
 *   one answer (Hildreth). It begins with the pushes of the answer `before`, which had all of the orders but the last.
 * @param {Axis} axis @param {readonly Order[]} orders @param {Answer} before @returns {Answer}
 */
function solved({ wanted, sizes, free }, orders, before) {
  const count = sizes.length;
  const pushes = [...before.pushes];
  while (pushes.length < 2 * count + orders.length) pushes.push(0);
  const starts = [...before.starts];
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let largest = 0;
    for (let n = orders.length - 1; n >= 0; n--) {
      const [first, second] = orders[n];
      const share = Number(free[first]) + Number(free[second]);
      if (share === 0) continue;
      const change = Math.max((starts[first] + sizes[first] - starts[second]) / share, -pushes[2 * count + n]);
      pushes[2 * count + n] += change;
      if (free[first]) starts[first] -= change;
      if (free[second]) starts[second] += change;
      largest = Math.max(largest, Math.abs(change));
    }
    for (let box = 0; box < count; box++) {
      if (!free[box]) continue;
      for (const end of [0, 1]) {
        const missing = end ? starts[box] + sizes[box] - UNITS : -starts[box];
        const change = Math.max(missing, -pushes[2 * box + end]);
        pushes[2 * box + end] += change;
        starts[box] += end ? -change : change;
        largest = Math.max(largest, Math.abs(change));
      }
    }
    if (largest < SETTLED) break;
  }
  const cost = starts.reduce((sum, start, k) => sum + (start - wanted[k]) * (start - wanted[k]), 0);
  return { starts, pushes, cost };
}

/** From where to where each box may begin; null if there is no room for all.
 * @param {Axis} axis @param {readonly Order[]} orders */
function bounds({ wanted, sizes, free }, orders) {
  const low = wanted.map((start, k) => (free[k] ? 0 : start));
  const high = wanted.map((start, k) => (free[k] ? UNITS - sizes[k] : start));
  // A row of so many boxes has settled by then; what has not is a ring.
  let settled = false;
  for (let round = 0; round <= sizes.length && !settled; round++) {
    settled = true;
    for (const [first, second] of orders) {
      const after = low[first] + sizes[first];
      const before = high[second] - sizes[first];
      if (after > low[second]) [low[second], settled] = [after, false];
      if (before < high[first]) [high[first], settled] = [before, false];
    }
  }
  return settled && low.every((start, k) => start <= high[k] + OVERLAP) ? { low, high } : null;
}

/** A choice with an order for every two boxes, those that never overlapped too: along the axis that parts them more.
 * @param {Axis[]} axes @param {Choice} choice @returns {Choice} */
function inFull(axes, choice) {
  const orders = choice.orders.map((one) => [...one]);
  const parted = partedBy(orders);
  for (const pair of pairsOf(axes[0].sizes.length)) {
    if (parted.has(keyOf(pair))) continue;
    const [x, y] = axes.map((axis, n) => shared(axis, choice.answers[n].starts, pair));
    const axis = x <= y ? 0 : 1;
    const { starts } = choice.answers[axis];
    orders[axis].push(starts[pair[0]] <= starts[pair[1]] ? pair : [pair[1], pair[0]]);
  }
  return { ...choice, orders };
}

/** Starts moved by whole units, in order and inside the picture.
 * @param {Axis} axis @param {readonly Order[]} orders @param {readonly number[]} starts */
function rounded(axis, orders, starts) {
  const { low, high } = /** @type {{low: number[], high: number[]}} */ (bounds(axis, orders));
  const result = starts.map((start, k) => axis.wanted[k] + Math.floor(start - axis.wanted[k] + 0.5));
  for (const box of [...starts.keys()].sort((a, b) => starts[a] - starts[b] || a - b)) {
    for (const [first, second] of orders)
      if (second === box) low[box] = Math.max(low[box], result[first] + axis.sizes[first]);
    result[box] = Math.max(Math.min(result[box], high[box]), low[box]);
  }
  return result;
}

/** A box at its new place; one that stays is the very same.
 * @template {Rect} B
 * @param {B} box @param {Axis[]} axes @param {number[][]} starts @param {number} k @returns {B} */
function placed(box, axes, starts, k) {
  const [x, y] = starts.map((one) => one[k]);
  if (x === axes[0].wanted[k] && y === axes[1].wanted[k]) return box;
  const moved = { ...box };
  if (x !== axes[0].wanted[k]) [moved.x0, moved.x1] = edgesFrom(x, axes[0].sizes[k]);
  if (y !== axes[1].wanted[k]) [moved.y0, moved.y1] = edgesFrom(y, axes[1].sizes[k]);
  return moved;
}

/** @param {number} start @param {number} size */
const edgesFrom = (start, size) => [Math.max(start / UNITS, 0), Math.min((start + size) / UNITS, 1)];

/** An edge in units, a whole number where it is one but for arithmetic. @param {number} edge */
function unitsOf(edge) {
  const units = edge * UNITS;
  const whole = Math.floor(units + 0.5);
  return Math.abs(units - whole) < 1e-6 ? whole : units;
}

/** @param {number} count @returns {Order[]} */
const pairsOf = (count) =>
  Array.from({ length: count }, (_, first) =>
    Array.from({ length: count - first - 1 }, (_, n) => /** @type {Order} */ ([first, first + 1 + n])),
  ).flat();

/** Which pairs have an order. @param {readonly Order[][]} orders */
const partedBy = (orders) => new Set(orders.flat().map(keyOf));

/** @param {Order} pair */
const keyOf = ([a, b]) => Math.min(a, b) * 65536 + Math.max(a, b);

/** How much two boxes share along an axis; where it is negative, how far they lie apart.
 * @param {Axis} axis @param {readonly number[]} starts @param {Order} pair */
const shared = ({ sizes }, starts, [first, second]) =>
  Math.min(starts[first] + sizes[first], starts[second] + sizes[second]) - Math.max(starts[first], starts[second]);

/** Two boxes to blame: two for which there is no room beside one another, or else the two that share most.
 * @param {Axis[]} axes @returns {Order} */
function colliding(axes) {
  /** @type {Order} */
  let found = [0, 1];
  let most = -1;
  for (const pair of pairsOf(axes[0].sizes.length)) {
    const orders = /** @type {Order[]} */ ([pair, [pair[1], pair[0]]]);
    if (axes.every((axis) => orders.every((order) => !bounds(axis, [order])))) return pair;
    const [x, y] = axes.map((axis) => Math.max(shared(axis, axis.wanted, pair), 0));
    if (x * y > most) [found, most] = [pair, x * y];
  }
  return found;
}
