"""Windows: a part of the frame shows its part of every region."""

import math
import random
from fractions import Fraction

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from msd_core.boxes import Box
from msd_core.cells import WHOLE, box_cells, mask_cells, pixel_window, within
from msd_core.layout import Region, region_cells
from tests import reference

CELL = 8


def random_side(draw: random.Random, cells: int) -> tuple[float, float]:
    """Two edges of a box: on cell edges, drawn with four decimals, or anywhere."""
    low, high = sorted(draw.sample(range(cells + 1), 2))
    return draw.choice([
        (low / cells, high / cells),
        tuple(sorted((draw.randrange(0, 5000) / 10000, draw.randrange(5000, 10001) / 10000))),
        tuple(sorted((draw.random(), draw.random()))),
    ])


def random_tile(draw: random.Random, cells: int) -> tuple[int, int]:
    """Offset and size of a tile in cells."""
    size = draw.randint(1, cells)
    return draw.randint(0, cells - size), size


def random_boxes_and_tiles(count):
    """Boxes, frames and tiles on the frame's cell edges: box, (rows, columns), (top, height), (left, width)."""
    draw = random.Random(0)
    for _ in range(count):
        rows, columns = draw.randint(2, 200), draw.randint(2, 200)
        (x0, x1), (y0, y1) = random_side(draw, columns), random_side(draw, rows)
        if x0 < x1 and y0 < y1:
            yield Box(x0, y0, x1, y1), (rows, columns), random_tile(draw, rows), random_tile(draw, columns)


def tile_window(frame, vertical, horizontal):
    """The window of a tile of cells."""
    return pixel_window(
        horizontal[0] * CELL, vertical[0] * CELL, horizontal[1] * CELL, vertical[1] * CELL, frame[1] * CELL,
        frame[0] * CELL,
    )


def cut(cells, vertical, horizontal):
    (top, height), (left, width) = vertical, horizontal
    return cells[top : top + height, left : left + width]


def test_on_cell_edges_a_tiles_cells_of_a_box_are_the_frames_cells_cut_out():
    for box, frame, vertical, horizontal in random_boxes_and_tiles(4000):
        window = tile_window(frame, vertical, horizontal)
        found = box_cells(box, vertical[1], horizontal[1], window)
        assert torch.equal(found, cut(box_cells(box, *frame), vertical, horizontal)), (box.edges, frame, window)


def test_a_tile_of_a_tile_on_cell_edges_shows_the_frames_cells_too():
    draw = random.Random(1)
    for box, frame, vertical, horizontal in random_boxes_and_tiles(1000):
        inner = [random_tile(draw, side[1]) for side in (vertical, horizontal)]
        window = within(
            tile_window(frame, vertical, horizontal), tile_window((vertical[1], horizontal[1]), *inner)
        )
        places = [(outer[0] + side[0], side[1]) for outer, side in zip((vertical, horizontal), inner, strict=True)]
        found = box_cells(box, inner[0][1], inner[1][1], window)
        assert torch.equal(found, cut(box_cells(box, *frame), *places)), (box.edges, frame, window)


def random_mask(draw: random.Random) -> torch.Tensor:
    """A rectangle of any size on pixels, soft or hard, so that some cells are covered to exactly half."""
    height, width = draw.randint(3, 40), draw.randint(3, 40)
    mask = torch.zeros(height, width)
    top, left = draw.randrange(height), draw.randrange(width)
    mask[top : draw.randint(top, height) + 1, left : draw.randint(left, width) + 1] = draw.choice([1.0, 0.75, 0.5])
    return mask


def test_on_cell_edges_a_tiles_cells_of_a_mask_are_the_frames_cells_cut_out():
    draw = random.Random(2)
    for _ in range(2000):
        mask = random_mask(draw)
        frame = draw.randint(2, 48), draw.randint(2, 48)
        vertical, horizontal = random_tile(draw, frame[0]), random_tile(draw, frame[1])
        window = tile_window(frame, vertical, horizontal)
        found = mask_cells(mask, vertical[1], horizontal[1], window)
        assert torch.equal(found, cut(mask_cells(mask, *frame), vertical, horizontal)), (mask.shape, frame, window)


def test_a_mask_too_small_for_the_map_keeps_its_best_cell_in_the_tile_that_shows_it():
    mask = torch.zeros(64, 64)
    mask[50, 9] = 1
    assert mask_cells(mask, 2, 2, (0.0, 0.5, 0.5, 1.0)).nonzero().tolist() == [[1, 0]]
    assert not mask_cells(mask, 2, 2, (0.5, 0.5, 1.0, 1.0)).any()
    assert not mask_cells(mask, 2, 2, (0.0, 0.0, 0.5, 0.5)).any()


def test_a_mask_with_a_cell_of_its_own_elsewhere_gets_no_other_in_the_tile():
    mask = torch.zeros(64, 64)
    mask[:16, :16] = mask[50, 9] = 1
    assert not mask_cells(mask, 2, 2, (0.0, 0.5, 0.5, 1.0)).any()
    assert not mask_cells(mask, 3, 3, (0.02, 0.5, 0.5, 0.98)).any()


def test_off_cell_edges_a_tile_shows_the_cells_that_the_box_reaches_into():
    """Where edges of the box meet edges of the tile's cells in exact fractions, they meet in float64 too."""
    draw = random.Random(4)
    tried = 0
    for _ in range(6000):
        cell, width = draw.randint(1, 16), draw.randint(1, 24)
        left, frame = draw.randint(0, 100), draw.randint(100, 2000)
        right = left + cell * width
        if right > frame or not (frame % cell or left % cell):
            continue
        on_edges = [left + cell * column for column in range(width + 1)]
        ends = sorted(draw.choice(draw.choice([on_edges, range(frame + 1)])) for _ in range(2))
        if ends[0] == ends[1]:
            continue
        window = pixel_window(left, 0, right - left, 1, frame, 1)
        found = box_cells(Box(ends[0] / frame, 0.0, ends[1] / frame, 1.0), 1, width, window)
        expected = reference.window_box_cells(
            [Fraction(edge, frame) for edge in (ends[0], 0, ends[1], frame)], 1, width,
            [Fraction(edge, frame) for edge in (left, 0, right, frame)],
        )
        assert torch.equal(found, expected), (ends, left, right, frame, width)
        tried += 1
    assert tried > 3000


@pytest.mark.parametrize("x0, x1", [(0.4, 0.4 + 1e-9), (0.0, 1e-9), (1 - 1e-9, 1.0), (0.25 - 1e-9, 0.25 + 1e-9)])
@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-0.11, 1.13), (0.0, 0.97), (0.03, 1.0), (0.25, 1.3)])
def test_a_box_thinner_than_rounding_holds_one_cell_of_a_tile_that_shows_it(x0, x1, low, high):
    cells = box_cells(Box(x0, 0.0, x1, 1.0), 1, 8, (low, 0.0, high, 1.0))[0]
    shown = low <= (x0 + x1) / 2 < high
    assert cells.sum() == shown
    if shown:
        assert cells.nonzero().item() == min(math.floor(((x0 + x1) / 2 - low) / (high - low) * 8), 7)


@given(st.integers(1, 9), st.integers(1, 9), st.floats(-0.5, 0.9), st.floats(-0.5, 0.9), st.floats(0.1, 1.5),
       st.floats(0.1, 1.5), st.integers(0, 1000))
def test_a_window_anywhere_shows_the_cells_at_least_half_covered(height, width, x, y, wide, high, seed):
    mask = (torch.rand(9, 11, generator=torch.Generator().manual_seed(seed)) > 0.6).float()
    window = (x, y, x + wide, y + high)
    coverage = reference.window_coverage(mask, height, width, window)
    clear = (coverage - 0.5).abs() > 1e-5
    cells = mask_cells(mask, height, width, window)
    assume((coverage > 0.6).any())
    assert torch.equal(cells[clear], coverage[clear] > 0.5)


def test_what_lies_outside_the_frame_shows_no_subject():
    everywhere = [Region(Box(0.0, 0.0, 1.0, 1.0)), Region.from_mask(torch.ones(8, 8))]
    cells = region_cells(everywhere, 8, 8, (-0.5, 0.5, 0.5, 1.5))
    for own in cells:
        assert own.nonzero().tolist() == [[row, column] for row in range(4) for column in range(4, 8)]
    assert not region_cells(everywhere, 8, 8, (1.0, 0.0, 2.0, 1.0)).any()
    assert not region_cells(everywhere, 7, 7, (-1.1, 0.0, -0.1, 1.0)).any()


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_a_view_round_the_frames_edge_shows_the_frames_cells_turned(kind):
    """The frame pushed to the right by any number of cells, as a pair of shifted copies of one window."""
    draw = random.Random(3)
    for _ in range(300):
        rows, columns = draw.randint(2, 40), draw.randint(2, 40)
        (x0, x1), (y0, y1) = random_side(draw, columns), random_side(draw, rows)
        if x0 >= x1 or y0 >= y1:
            continue
        region = Region(Box(x0, y0, x1, y1)) if kind == "box" else Region.from_mask(random_mask(draw))
        left, size = draw.randrange(columns), draw.randint(1, columns)
        windows = [(edge / columns, 0.0, (edge + size) / columns, 1.0) for edge in (left, left - columns)]
        turned = region.cells(rows, columns).roll(-left, dims=1)[:, :size]
        assert torch.equal(region.cells(rows, size, *windows), turned), (region, left, size)


def test_a_cell_across_the_frames_edge_sums_the_coverage_of_both_sides():
    """The cell from seven eighths to one eighth: covered in a third of it on either side, so in two thirds."""
    mask = torch.zeros(24, 24)
    mask[:, :2] = mask[:, 9:15] = mask[:, -2:] = 1
    view = (0.875, 0.0, 1.875, 1.0), (-0.125, 0.0, 0.875, 1.0)
    assert mask_cells(mask, 4, 4, *view)[0].tolist() == [True, False, True, False]
    for window in view:
        assert not mask_cells(mask, 4, 4, window)[0, 0]


def test_a_mask_too_small_for_a_view_round_the_frames_edge_keeps_one_cell():
    """Off cell edges the two sides cut the frame into other cells. On the right one cell holds the large spot whole; on
    the left it would lie in two, and the small spot would be fuller.
    """
    mask = torch.zeros(10, 100)
    mask[:, 80:82] = 1
    mask[:, 40:42] = 0.75
    view = (0.61, 0.0, 1.51, 1.0), (-0.39, 0.0, 0.51, 1.0)
    assert mask_cells(mask, 1, 3, *view).tolist() == [[True, False, False]]
    assert mask_cells(mask, 1, 3, view[1]).tolist() == [[False, False, True]]


def test_a_cell_across_the_frames_edge_belongs_to_a_box_on_either_side():
    box = Box(0.9, 0.0, 1.0, 1.0)
    assert box_cells(box, 1, 4, (0.875, 0.0, 1.875, 1.0), (-0.125, 0.0, 0.875, 1.0))[0].tolist() == [
        True, False, False, False,
    ]


def test_a_region_outside_the_window_has_no_cell():
    regions = [Region(Box(0.0, 0.0, 0.4, 1.0)), Region(Box(0.6, 0.0, 1.0, 1.0))]
    cells = region_cells(regions, 6, 6, (0.5, 0.0, 1.0, 1.0))
    assert not cells[0].any()
    assert cells[1].any()


def test_windows_nest():
    assert within(WHOLE, (0.25, 0.5, 0.75, 1.0)) == (0.25, 0.5, 0.75, 1.0)
    assert within((0.5, 0.0, 1.0, 1.0), (0.5, 0.25, 1.0, 0.75)) == (0.75, 0.25, 1.0, 0.75)


def test_pixel_windows_are_fractions_and_stay_inside():
    assert pixel_window(256, 0, 256, 512, 1024, 1024) == (0.25, 0.0, 0.5, 0.5)
    with pytest.raises(ValueError, match="768..1280.*1024"):
        pixel_window(768, 0, 512, 512, 1024, 1024)
