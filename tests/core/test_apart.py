"""Boxes moved apart: by as little as it takes, in size unchanged, inside the frame, as the canvas moves them."""

import itertools
import json
import random
from pathlib import Path

import numpy
import pytest

from msd_core.apart import move_apart
from msd_core.boxes import Box

# The canvas is held to the same file by tests/web/apart.test.mjs.
CASES = json.loads((Path(__file__).parents[1] / "data" / "apart.json").read_text("utf-8"))


def boxes_of(case) -> list[Box]:
    return [Box(*edges, locked=k in case.get("locked", ())) for k, edges in enumerate(case["boxes"])]


def share(a: Box, b: Box) -> bool:
    return min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0)


def moved_by(before, after, aspect: float) -> float:
    """The sum of squares of what each box moves, in heights of the frame."""
    return sum(
        ((b.x0 - a.x0) * aspect) ** 2 + (b.y0 - a.y0) ** 2 for a, b in zip(before, after, strict=True)
    )


def check(before, after) -> None:
    assert not any(share(a, b) for a, b in itertools.combinations(after, 2))
    for a, b in zip(before, after, strict=True):
        assert (b.x1 - b.x0, b.y1 - b.y0) == pytest.approx((a.x1 - a.x0, a.y1 - a.y0), abs=1e-9)
        assert (b.label, b.color, b.z, b.mask, b.locked) == (a.label, a.color, a.z, a.mask, a.locked)
        if a.locked:
            assert b.edges == a.edges


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_boxes_are_moved_to_where_the_canvas_moves_them(case):
    before = boxes_of(case)
    if "colliding" in case:
        with pytest.raises(ValueError, match="Box {} and box {} can't be moved apart".format(*case["colliding"])):
            move_apart(before, case["width"], case["height"])
        return
    after = move_apart(before, case["width"], case["height"])
    check(before, after)
    for box, edges in zip(after, case["moved"], strict=True):
        assert box.edges == pytest.approx(edges, abs=1e-9)


def test_boxes_that_stay_are_the_very_same():
    before = [Box(0.1, 0.1, 0.4, 0.4, "a"), Box(0.123456789, 0.6, 0.4, 0.9), Box(0.35, 0.65, 0.95, 0.95, locked=True)]
    after = move_apart(before, 1024, 512)
    assert after[0].edges == before[0].edges
    assert after[1].edges != before[1].edges
    assert after[2].edges == before[2].edges


def tenths(draw: random.Random, count: int) -> list[Box]:
    """Boxes on a grid of tenths, up to half a frame long."""
    placed = []
    for _ in range(count):
        (x, wide), (y, high) = ((draw.randint(0, 10 - size), size) for size in (draw.randint(2, 5), draw.randint(2, 5)))
        placed.append(Box(x / 10, y / 10, (x + wide) / 10, (y + high) / 10))
    return placed


def least_on_the_grid(boxes: list[Box], aspect: float) -> float:
    """What the best of all placements on the grid costs that share nothing, each of them tried."""
    places = []
    for box in boxes:
        wide, high = round((box.x1 - box.x0) * 10), round((box.y1 - box.y0) * 10)
        places.append([(x, y, x + wide, y + high) for x in range(11 - wide) for y in range(11 - high)])
    tried = [numpy.array(place).reshape([-1 if axis == k else 1 for axis in range(len(boxes))] + [4])
             for k, place in enumerate(places)]
    cost = sum(
        ((place[..., 0] / 10 - box.x0) * aspect) ** 2 + (place[..., 1] / 10 - box.y0) ** 2
        for place, box in zip(tried, boxes, strict=True)
    )
    for a, b in itertools.combinations(tried, 2):
        wide = numpy.minimum(a[..., 2], b[..., 2]) > numpy.maximum(a[..., 0], b[..., 0])
        high = numpy.minimum(a[..., 3], b[..., 3]) > numpy.maximum(a[..., 1], b[..., 1])
        cost = cost + numpy.where(wide & high, numpy.inf, 0)
    return float(cost.min())


@pytest.mark.parametrize("count, tries", [(2, 150), (3, 40)])
def test_no_placement_on_a_grid_moves_few_boxes_less(count, tries):
    draw = random.Random(count)
    impossible = 0
    for _ in range(tries):
        boxes, width = tenths(draw, count), draw.choice([512, 1024, 1536])
        least = least_on_the_grid(boxes, width / 1024)
        if least == numpy.inf:
            impossible += 1
            continue
        after = move_apart(boxes, width, 1024)
        check(boxes, after)
        # Whole units of 1e-4 are as exact as it gets.
        assert moved_by(boxes, after, width / 1024) <= least + 2e-3 * least**0.5 + 1e-6, boxes
    assert impossible < tries / 4


def test_two_boxes_move_half_of_what_they_overlap_along_the_shorter_way_where_the_frame_leaves_room():
    draw = random.Random(4)
    for _ in range(300):
        boxes = []
        for _ in range(2):
            wide, high = (draw.randint(500, 2500) for _ in range(2))
            x, y = draw.randint(3000, 7000 - wide), draw.randint(3000, 7000 - high)
            boxes.append(Box(x / 10000, y / 10000, (x + wide) / 10000, (y + high) / 10000))
        a, b = boxes
        way = max(min(a.x1 - b.x0, b.x1 - a.x0, a.y1 - b.y0, b.y1 - a.y0), 0.0)
        after = move_apart(boxes, 1024, 1024)
        check(boxes, after)
        assert moved_by(boxes, after, 1.0) == pytest.approx(way**2 / 2, abs=1e-7)


@pytest.mark.parametrize("count", [6, 9, 12, 16])
def test_many_boxes_are_moved_apart_too(count):
    draw = random.Random(count)
    for _ in range(2):
        boxes = []
        for _ in range(count):
            wide, high = (round(draw.uniform(0.5, 0.75) / count**0.5, 4) for _ in range(2))
            x, y = round(draw.uniform(0, 1 - wide), 4), round(draw.uniform(0, 1 - high), 4)
            boxes.append(Box(x, y, round(x + wide, 4), round(y + high, 4), f"{len(boxes)}", z=len(boxes)))
        check(boxes, move_apart(boxes, 1024, 1024))
    check([Box(0.4, 0.4, 0.6, 0.6)] * count, move_apart([Box(0.4, 0.4, 0.6, 0.6)] * count, 1024, 1024))


@pytest.mark.parametrize("boxes, words", [
    ([Box(0, 0, 0.6, 0.6, "dog"), Box(0.3, 0.3, 0.9, 0.9, "cat"), Box(0, 0, 0.1, 0.1)],
     'Box 1 ("dog") and box 2 ("cat") can\'t be moved apart, they measure 614x307 and 614x307 pixels in a frame of '
     "1024x512: make boxes smaller, or set overlap to front."),
    ([Box(0.1, 0.2, 0.5, 0.6, locked=True), Box(0.4, 0.2, 0.8, 0.6, locked=True)],
     "Box 1 and box 2 can't be moved apart while boxes are locked, they measure 410x205 and"),
])
def test_where_there_is_no_room_two_boxes_and_their_sizes_are_named(boxes, words):
    with pytest.raises(ValueError) as caught:
        move_apart(boxes, 1024, 512)
    assert str(caught.value).startswith(words) and "\n" not in str(caught.value)
