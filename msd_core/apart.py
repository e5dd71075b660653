"""Moving boxes apart: by as little as it takes until no two share anything, in size unchanged, inside the frame.

As little as it takes is the smallest sum of squares of what each box moves, in pixels of the frame. Two boxes share
nothing if one lies left of, right of, above or below the other. Which of these is searched for each pair that overlaps,
the cheapest first; each choice is a problem with one answer along each axis. With a few boxes the search is complete;
with many it ends after so many choices with the best that it has met.

The canvas computes the same, step by step (web/layout/model/apart.mjs, tests/data/apart.json): change both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .boxes import DECIMALS, Box

UNITS = 10**DECIMALS
"""Units of an edge: edges are counted in the decimals in which they are saved."""

# In units: by how much two boxes may overlap and still share nothing, which rounding takes away; and how little a push
# must change to be found.
OVERLAP, SETTLED = 1e-2, 1e-4
# How often all pushes are gone round at most; how many ways to part two boxes are tried until boxes share nothing, and
# then, every time that a better way is met, how many more.
SWEEPS, CHOICES, MORE_CHOICES = 400, 1500, 300


Order = tuple[int, int]
"""Two boxes along an axis: the first ends before the second begins."""


@dataclass(frozen=True)
class Axis:
    """The boxes along one axis, in units: where they begin, how long they are, which of them may move."""

    wanted: list[float]
    sizes: list[float]
    free: list[bool]


@dataclass(frozen=True)
class Answer:
    """Where the boxes begin along one axis, how hard the frame's ends and the orders push, and what it costs."""

    starts: list[float]
    pushes: list[float]
    cost: float


@dataclass(frozen=True)
class Choice:
    """Which boxes lie before which, along x and along y, and where that puts them."""

    orders: tuple[list[Order], list[Order]]
    answers: tuple[Answer, Answer]
    cost: float


def move_apart(boxes: Sequence[Box], width: int, height: int) -> tuple[Box, ...]:
    """Boxes moved as little as it takes until they share nothing. Locked ones stay where they are.

    Args:
        width, height: of the frame in pixels.

    Raises:
        ValueError: there is no room; two boxes that collide are named.
    """
    free = [not box.locked for box in boxes]
    axes = tuple(
        Axis([_units(box.edges[axis]) for box in boxes],
             [_units(box.edges[axis + 2]) - _units(box.edges[axis]) for box in boxes], free)
        for axis in (0, 1)
    )
    search = _Search(axes, width / height)
    search.go_on(Choice(([], []), tuple(Answer(list(axis.wanted), [], 0.0) for axis in axes), 0.0))
    if search.best is None:
        raise ValueError(_collision(boxes, _colliding(axes), width, height))
    found = _in_full(axes, search.best)
    starts = [
        _rounded(axis, orders, answer.starts)
        for axis, orders, answer in zip(axes, found.orders, found.answers, strict=True)
    ]
    return tuple(_placed(box, axes, starts, number) for number, box in enumerate(boxes))


class _Search:
    """The best way to part the boxes that has been met."""

    def __init__(self, axes: tuple[Axis, Axis], aspect: float) -> None:
        self.axes = axes
        self.weights = (aspect * aspect, 1.0)
        self.best: Choice | None = None
        self._left = CHOICES

    def go_on(self, choice: Choice) -> None:
        """Try the ways to part the two boxes that overlap most, the cheapest first, and then what still overlaps."""
        pair = self._overlapping(choice)
        if pair is None:
            self.best, self._left = choice, MORE_CHOICES
            return
        ways = []
        for axis, order in ((0, pair), (0, pair[::-1]), (1, pair), (1, pair[::-1])):
            if self._left > 0:
                self._left -= 1
                way = self._with(choice, axis, order)
                if way is not None:
                    ways.append(way)
        for way in sorted(ways, key=lambda way: way.cost):
            # What is no cheaper but for arithmetic is as good, and the one met first stays.
            if self.best is None or way.cost < self.best.cost * (1 - 1e-6):
                self.go_on(way)

    def _overlapping(self, choice: Choice) -> Order | None:
        """The two boxes, of those whose order is open, that would have to move most to part; None if none overlap."""
        found, most = None, 0.0
        parted = {frozenset(order) for orders in choice.orders for order in orders}
        for pair in _pairs(len(self.axes[0].sizes)):
            x, y = (_shared(axis, answer.starts, pair) for axis, answer in zip(self.axes, choice.answers, strict=True))
            if min(x, y) <= OVERLAP or frozenset(pair) in parted:
                continue
            depth = min(x * x * self.weights[0], y * y * self.weights[1])
            if depth > most:
                found, most = pair, depth
        return found

    def _with(self, choice: Choice, axis: int, order: Order) -> Choice | None:
        """A choice with one more order; None if the frame has no room for it."""
        orders, answers = [*choice.orders], [*choice.answers]
        orders[axis] = [*orders[axis], order]
        if _bounds(self.axes[axis], orders[axis]) is None:
            return None
        answers[axis] = _solved(self.axes[axis], orders[axis], answers[axis])
        cost = answers[0].cost * self.weights[0] + answers[1].cost * self.weights[1]
        return Choice(tuple(orders), tuple(answers), cost)


def _solved(axis: Axis, orders: Sequence[Order], before: Answer) -> Answer:
    """The starts nearest to those wanted, in squares, that keep the orders and the frame.

    Each order, and each end of the frame, pushes as hard as it must; going round them again and again settles on the
    one answer (Hildreth). It begins with the pushes of the answer `before`, which had all of the orders but the last.
    """
    count = len(axis.sizes)
    pushes = before.pushes or [0.0] * (2 * count)
    pushes = [*pushes, *[0.0] * (2 * count + len(orders) - len(pushes))]
    starts = list(before.starts)
    for _ in range(SWEEPS):
        largest = 0.0
        for number in range(len(orders) - 1, -1, -1):
            first, second = orders[number]
            share = (1 if axis.free[first] else 0) + (1 if axis.free[second] else 0)
            if share == 0:
                continue
            missing = starts[first] + axis.sizes[first] - starts[second]
            change = max(missing / share, -pushes[2 * count + number])
            pushes[2 * count + number] += change
            if axis.free[first]:
                starts[first] -= change
            if axis.free[second]:
                starts[second] += change
            largest = max(largest, abs(change))
        for box in range(count):
            if not axis.free[box]:
                continue
            for end in (0, 1):
                missing = starts[box] + axis.sizes[box] - UNITS if end else -starts[box]
                change = max(missing, -pushes[2 * box + end])
                pushes[2 * box + end] += change
                starts[box] += -change if end else change
                largest = max(largest, abs(change))
        if largest < SETTLED:
            break
    cost = 0.0
    for start, wanted in zip(starts, axis.wanted, strict=True):
        cost += (start - wanted) * (start - wanted)
    return Answer(starts, pushes, cost)


def _bounds(axis: Axis, orders: Sequence[Order]) -> tuple[list[float], list[float]] | None:
    """From where to where each box may begin; None if there is no room for all."""
    count = len(axis.sizes)
    low = [0.0 if axis.free[box] else axis.wanted[box] for box in range(count)]
    high = [UNITS - axis.sizes[box] if axis.free[box] else axis.wanted[box] for box in range(count)]
    # A row of so many boxes has settled by then; what has not is a ring.
    for _ in range(count + 1):
        settled = True
        for first, second in orders:
            after, before = low[first] + axis.sizes[first], high[second] - axis.sizes[first]
            if after > low[second]:
                low[second], settled = after, False
            if before < high[first]:
                high[first], settled = before, False
        if settled:
            break
    else:
        return None
    return (low, high) if all(low[box] <= high[box] + OVERLAP for box in range(count)) else None


def _in_full(axes: tuple[Axis, Axis], choice: Choice) -> Choice:
    """A choice with an order for every two boxes, those that never overlapped too: along the axis that parts them more.
    """
    orders = [*choice.orders[0]], [*choice.orders[1]]
    parted = {frozenset(order) for order in (*orders[0], *orders[1])}
    for pair in _pairs(len(axes[0].sizes)):
        if frozenset(pair) in parted:
            continue
        x, y = (_shared(axis, answer.starts, pair) for axis, answer in zip(axes, choice.answers, strict=True))
        axis = 0 if x <= y else 1
        starts = choice.answers[axis].starts
        orders[axis].append(pair if starts[pair[0]] <= starts[pair[1]] else pair[::-1])
    return Choice(orders, choice.answers, choice.cost)


def _rounded(axis: Axis, orders: Sequence[Order], starts: Sequence[float]) -> list[float]:
    """Starts moved by whole units, in order and inside the frame."""
    low, high = _bounds(axis, orders)
    rounded = [
        wanted + math.floor(start - wanted + 0.5) for start, wanted in zip(starts, axis.wanted, strict=True)
    ]
    for box in sorted(range(len(starts)), key=lambda box: (starts[box], box)):
        for first, second in orders:
            if second == box:
                low[box] = max(low[box], rounded[first] + axis.sizes[first])
        rounded[box] = max(min(rounded[box], high[box]), low[box])
    return rounded


def _placed(box: Box, axes: tuple[Axis, Axis], starts: Sequence[Sequence[float]], number: int) -> Box:
    """A box at its new place; one that stays is the very same."""
    edges = list(box.edges)
    for axis in (0, 1):
        start, wanted = starts[axis][number], axes[axis].wanted[number]
        if start != wanted:
            edges[axis] = max(start / UNITS, 0.0)
            edges[axis + 2] = min((start + axes[axis].sizes[number]) / UNITS, 1.0)
    x0, y0, x1, y1 = edges
    return replace(box, x0=x0, y0=y0, x1=x1, y1=y1)


def _units(edge: float) -> float:
    """An edge in units, a whole number where it is one but for arithmetic."""
    units = edge * UNITS
    whole = math.floor(units + 0.5)
    return float(whole) if abs(units - whole) < 1e-6 else units


def _pairs(count: int) -> list[Order]:
    return [(first, second) for first in range(count) for second in range(first + 1, count)]


def _shared(axis: Axis, starts: Sequence[float], pair: Order) -> float:
    """How much two boxes share along an axis; where it is negative, how far they lie apart."""
    first, second = pair
    ends = starts[first] + axis.sizes[first], starts[second] + axis.sizes[second]
    return min(ends) - max(starts[first], starts[second])


def _colliding(axes: tuple[Axis, Axis]) -> Order:
    """Two boxes to blame: two for which there is no room beside one another, or else the two that share most."""
    found, most = (0, 1), -1.0
    for pair in _pairs(len(axes[0].sizes)):
        if all(_bounds(axis, [order]) is None for axis in axes for order in (pair, pair[::-1])):
            return pair
        shared = max(_shared(axes[0], axes[0].wanted, pair), 0.0) * max(_shared(axes[1], axes[1].wanted, pair), 0.0)
        if shared > most:
            found, most = pair, shared
    return found


def _collision(boxes: Sequence[Box], pair: Order, width: int, height: int) -> str:
    (first, one), (second, other) = ((boxes[number].name(number), boxes[number]) for number in pair)
    sizes = " and ".join(
        f"{round((box.x1 - box.x0) * width)}x{round((box.y1 - box.y0) * height)}" for box in (one, other)
    )
    locked = " while boxes are locked" if any(box.locked for box in boxes) else ""
    return (
        f"{first[0].upper()}{first[1:]} and {second} can't be moved apart{locked}, they measure {sizes} pixels in a "
        f"frame of {width}x{height}: make boxes smaller, or set overlap to front."
    )
