"""Where regions may stand, and the cells that they have there."""

import pytest
import torch

from msd_core.auto_layout.places import Frame, Places
from msd_core.boxes import Box
from msd_core.layout import Region, region_cells
from msd_core.painted import PaintedMask

A, B = Region(Box(0.05, 0.1, 0.45, 0.62)), Region(Box(0.55, 0.2, 1.0, 0.9))
SIZES = [(10, 10), (20, 20), (32, 32), (64, 64), (38, 26), (19, 13), (7, 11)]


def at_home(places, images=1):
    homes = places.homes
    return (torch.tensor([[home.row if home else 0] * images for home in homes]),
            torch.tensor([[home.column if home else 0] * images for home in homes]))


@pytest.mark.parametrize("grid", [(10, 10), (32, 32), (26, 38)])
@pytest.mark.parametrize("height, width", SIZES)
def test_at_home_a_region_has_the_very_cells_of_its_box(grid, height, width):
    places = Places([A, B], Frame(*grid))
    cells = places.cells(*at_home(places, 3), height, width)
    assert torch.equal(cells, region_cells([A, B], height, width).expand(3, -1, -1, -1))


@pytest.mark.parametrize("height, width", SIZES)
def test_elsewhere_it_has_the_cells_of_its_box_moved_there(height, width):
    """Sideways alone, or along both axes; it begins with a cell of the grid and takes as few as its size allows."""
    places = Places([A], Frame(10, 10))
    (home,) = places.homes
    assert (home.rows, home.columns) == (6, 4)
    for row, column in ((0, 0), (home.row, 6), (4, home.column), (3, 4)):
        moved = places.cells(torch.tensor([[row]]), torch.tensor([[column]]), height, width)[0, 0]
        box = Box(*(round(edge, 9) for edge in places.box(0, row, column)))
        assert torch.equal(moved, region_cells([Region(box)], height, width)[0]), (row, column)
        assert box.x1 - box.x0 == pytest.approx(0.4) and box.y1 - box.y0 == pytest.approx(0.52)
    assert int(places.cells(torch.tensor([[4]]), torch.tensor([[6]]), 10, 10).sum()) == 6 * 4


def test_its_bounds_move_with_it():
    places = Places([A], Frame(10, 20, (0.2, 0.0, 1.0, 0.5)))
    (home,) = places.homes
    assert places.box(0, home.row, home.column) == pytest.approx((0.2, 0.1, 0.45, 0.5))
    assert places.box(0, home.row, 4) == pytest.approx((0.36, 0.1, 0.61, 0.5))


def test_windows_show_what_the_whole_frame_has_there():
    places = Places([A, B], Frame(16, 16))
    rows, columns = torch.tensor([[3], [8]]), torch.tensor([[2], [0]])
    whole = places.cells(rows, columns, 32, 32)
    for left, top, right, bottom in ((0.0, 0.0, 0.5, 0.5), (0.25, 0.5, 1.0, 1.0), (0.5, 0.0, 0.75, 1.0)):
        tile = places.cells(rows, columns, round(32 * (bottom - top)), round(32 * (right - left)),
                            ((left, top, right, bottom),))
        expected = whole[..., round(32 * top) : round(32 * bottom), round(32 * left) : round(32 * right)]
        assert torch.equal(tile, expected)
    wrapped = places.cells(rows, columns, 32, 32, ((0.5, 0.0, 1.5, 1.0), (-0.5, 0.0, 0.5, 1.0)))
    assert torch.equal(wrapped, whole.roll(16, -1))


def test_no_cell_has_two_subjects_and_the_nearer_middle_has_it():
    same = Region(Box(0.2, 0.2, 0.6, 0.6))
    places = Places([same, same], Frame(10, 10))
    cells = places.cells(torch.tensor([[2], [2]]), torch.tensor([[2], [4]]), 10, 10)[0]
    assert not (cells[0] & cells[1]).any()
    assert cells[0, 2:6, 2:5].all() and cells[1, 2:6, 5:8].all()
    assert int(cells.sum()) == 4 * 6


def test_one_drawn_inside_another_is_in_front_and_a_raised_one_before_both():
    outer, inner = Region(Box(0.1, 0.1, 0.9, 0.9)), Region(Box(0.4, 0.4, 0.6, 0.6))
    places = Places([outer, inner], Frame(10, 10))
    assert places.nested(0, 1) and places.nested(1, 0)
    cells = places.cells(*at_home(places), 10, 10)[0]
    assert int(cells[1].sum()) == 4 and int(cells[0].sum()) == 60
    raised = Places([Region(Box(0.1, 0.1, 0.9, 0.9, z=1)), inner], Frame(10, 10))
    assert not raised.cells(*at_home(raised), 10, 10)[0, 1].any()


def test_equal_boxes_are_not_nested():
    assert not Places([A, A], Frame(10, 10)).nested(0, 1)


def test_a_box_over_the_whole_frame_is_a_square_without_a_place():
    whole = Region(Box(0.0, 0.0, 1.0, 1.0))
    (home,) = Places([whole], Frame(20, 10)).homes
    assert not home.known
    assert home.rows == home.columns
    assert 0.15 < home.rows * home.columns / 200 < 0.3
    crowd = Places([whole] * 6, Frame(32, 32)).homes
    assert sum(one.rows * one.columns for one in crowd) <= 0.7 * 32 * 32


def test_what_has_no_part_in_the_frame_has_no_cells():
    places = Places([A, B], Frame(10, 10, (0.5, 0.0, 1.0, 1.0)))
    assert places.homes[0] is None
    assert places.box(0, 0, 0) is None
    cells = places.cells(*at_home(places), 10, 10)[0]
    assert not cells[0].any() and cells[1].any()
    assert not Places([A], Frame(10, 10), [False]).cells(torch.zeros(1, 1).long(), torch.zeros(1, 1).long(), 8, 8).any()


def shaped(kind):
    triangle = torch.ones(40, 40).tril()
    if kind == "painted":
        return Region(Box(0.0, 0.0, 0.5, 0.5, mask=PaintedMask.of(triangle)))
    mask = torch.zeros(80, 80)
    mask[:40, :40] = triangle
    return Region.from_mask(mask)


@pytest.mark.parametrize("kind", ["mask", "painted"])
def test_a_free_form_region_moves_in_its_own_shape(kind):
    region = shaped(kind)
    places = Places([region], Frame(10, 10))
    drawn = region.cells(20, 20)
    assert torch.equal(places.cells(*at_home(places), 20, 20)[0, 0], drawn)
    moved = places.cells(torch.tensor([[5]]), torch.tensor([[3]]), 20, 20)[0, 0]
    assert (moved ^ drawn.roll((10, 6), (0, 1))).sum() <= 10
    assert moved.sum() > 40
