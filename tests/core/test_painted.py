"""Painted masks: COCO's run lengths, and which cells of a feature map the shape has that they give a box."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from msd_core.boxes import Box
from msd_core.cells import area_average, box_cells, mask_cells
from msd_core.layout import Region
from msd_core.painted import PaintedMask
from tests import reference


def disc(height: int, width: int, radius: float = 1.0) -> torch.Tensor:
    """The ellipse in a grid, as large a part of it as `radius` says."""
    y, x = torch.arange(1, 2 * height, 2)[:, None] - height, torch.arange(1, 2 * width, 2)[None, :] - width
    return (y * width) ** 2 + (x * height) ** 2 <= (radius * height * width) ** 2


# Written by pycocotools 2.0.11.
COCO = [
    (disc(16, 12), "5684M2N2Nb10^N2N2N3LM"),
    (disc(128, 128, 60 / 64),
     "ha0`0[3:G8I6J6K4L4L4L4M2M4M2M4M2N2N2N2N2N2N2N2N2N2N2O0O2N2O0O2N2O0O2O0O2O0O2O0O2O000O2O000O2O00000O2O0000"
     "000O2O000000000000000000000000000001N100000001N1000001N10001N10001N101N101N101N101N2N101N2N101N2N2N2N2N2N"
     "2N2N2N2N2N3L3N3L3N3L4L4L4L5J6J7H9F]>"),
    (torch.arange(128)[None, :].expand(128, -1) < 1, "0P4Pl?"),
    (torch.eye(5) > 0, "0150000000"),
    (torch.eye(2) > 0, "0120"),
]


@pytest.mark.parametrize("plane, counts", COCO, ids=["ellipse", "disc", "column", "diagonal of 5", "diagonal of 2"])
def test_masks_are_written_and_read_as_cocos_own_tools_do(plane, counts):
    assert PaintedMask.of(plane) == PaintedMask(*plane.shape, counts)
    assert PaintedMask.of(plane).counts == counts
    assert torch.equal(PaintedMask(*plane.shape, counts).plane, plane)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([0.02, 0.5, 0.98]))
def test_what_is_written_reads_back_the_same(height, width, seed, share):
    plane = torch.rand(height, width, generator=torch.Generator().manual_seed(seed)) < share
    plane[seed % height, seed % width] = True
    mask = PaintedMask.of(plane)
    assert torch.equal(mask.plane, plane)
    assert PaintedMask.read(mask.value()) == mask


@pytest.mark.parametrize("counts", ["000120", "P0120", "0120N"])
def test_equal_masks_are_equal_texts_whatever_form_they_came_in(counts):
    assert PaintedMask(2, 2, counts) == PaintedMask(2.0, 2, "0120")
    assert PaintedMask(2, 2, counts).counts == "0120"


def test_a_mask_of_the_whole_box_is_the_box():
    full = PaintedMask.of(torch.ones(3, 5))
    assert full.full
    assert Region(Box(0.1, 0.2, 0.7, 0.9, mask=full)) == Region(Box(0.1, 0.2, 0.7, 0.9))


def random_painted(draw: random.Random, cells: int = 24) -> tuple[Box, torch.Tensor]:
    """A box, on cell edges or anywhere, and what is painted in it."""
    sides = []
    for _ in range(2):
        low, high = sorted(draw.sample(range(cells + 1), 2))
        sides.append(draw.choice([(low / cells, high / cells), tuple(sorted((draw.random(), draw.random())))]))
    plane = torch.rand(draw.randint(1, 12), draw.randint(2, 12), generator=torch.Generator().manual_seed(
        draw.randrange(10**6))) < draw.choice([0.1, 0.5, 0.9])
    plane[draw.randrange(plane.shape[0]), 0], plane[draw.randrange(plane.shape[0]), 1] = draw.sample([True, False], 2)
    (x0, x1), (y0, y1) = sides
    return Box(x0, y0, x1, y1, mask=PaintedMask.of(plane)), plane


def relative(window, box: Box):
    """A window in fractions of a box instead of the frame."""
    width, height = box.x1 - box.x0, box.y1 - box.y0
    return ((window[0] - box.x0) / width, (window[1] - box.y0) / height,
            (window[2] - box.x0) / width, (window[3] - box.y0) / height)


def test_a_cells_coverage_is_the_exact_area_of_the_mask_laid_over_its_box():
    draw = random.Random(0)
    for _ in range(200):
        box, plane = random_painted(draw)
        height, width = draw.randint(1, 14), draw.randint(1, 14)
        x, y, size = draw.uniform(-0.4, 0.9), draw.uniform(-0.4, 0.9), draw.uniform(0.2, 1.4)
        for window in ((0.0, 0.0, 1.0, 1.0), (x, y, x + size, y + size)):
            found = area_average(plane, height, width, window, box.edges)
            expected = reference.window_coverage(plane, height, width, relative(window, box))
            assert torch.allclose(found, expected, atol=1e-9), (box.edges, plane.shape, window)


def test_a_cell_belongs_to_what_is_painted_from_half_and_no_region_is_empty():
    draw = random.Random(1)
    for _ in range(400):
        box, plane = random_painted(draw)
        height, width = draw.randint(1, 24), draw.randint(1, 24)
        cells = Region(box).cells(height, width)
        coverage = reference.window_coverage(plane, height, width, relative((0.0, 0.0, 1.0, 1.0), box))
        assert cells.any()
        if (coverage > 0.5 + 1e-6).any():
            clear = (coverage - 0.5).abs() > 1e-6
            assert torch.equal(cells[clear], coverage[clear] > 0.5), (box, height, width)
        elif (coverage < 0.5 - 1e-6).all():
            assert cells.sum() == 1
            assert coverage[cells].item() == pytest.approx(coverage.max().item(), abs=1e-9)


def test_a_mask_moves_and_scales_with_its_box():
    mask = PaintedMask.of(disc(32, 32))
    small = Region(Box(0.25, 0.25, 0.5, 0.5, mask=mask)).cells(64, 64)
    moved = Region(Box(0.5, 0.375, 0.75, 0.625, mask=mask)).cells(64, 64)
    assert torch.equal(moved, small.roll((8, 16), dims=(0, 1)))
    assert torch.equal(Region(Box(0.5, 0.5, 1.0, 1.0, mask=mask)).cells(32, 32)[16:, 16:], small[16:32, 16:32])


def test_a_mask_over_the_whole_frame_is_the_same_region_as_that_mask_linked():
    plane = disc(40, 30, 0.8)
    painted = Region(Box(0, 0, 1, 1, mask=PaintedMask.of(plane)))
    for size in ((8, 6), (13, 19), (64, 64), (1, 1)):
        assert torch.equal(painted.cells(*size), mask_cells(plane.float(), *size))


def test_on_cell_edges_a_tiles_cells_of_a_painted_region_are_the_frames_cells_cut_out():
    draw = random.Random(2)
    for _ in range(1500):
        region = Region(random_painted(draw)[0])
        rows, columns = draw.randint(2, 40), draw.randint(2, 40)
        high, wide = draw.randint(1, rows), draw.randint(1, columns)
        top, left = draw.randint(0, rows - high), draw.randint(0, columns - wide)
        window = (left / columns, top / rows, (left + wide) / columns, (top + high) / rows)
        found = region.cells(high, wide, window)
        assert torch.equal(found, region.cells(rows, columns)[top : top + high, left : left + wide]), (region, window)


def test_a_view_round_the_frames_edge_shows_the_cells_of_a_painted_region_turned():
    draw = random.Random(3)
    for _ in range(300):
        region = Region(random_painted(draw)[0])
        rows, columns = draw.randint(2, 40), draw.randint(2, 40)
        left, size = draw.randrange(columns), draw.randint(1, columns)
        windows = [(edge / columns, 0.0, (edge + size) / columns, 1.0) for edge in (left, left - columns)]
        turned = region.cells(rows, columns).roll(-left, dims=1)[:, :size]
        assert torch.equal(region.cells(rows, size, *windows), turned), (region, left, size)


def test_regions_differ_by_what_is_painted_of_them():
    box = (0.1, 0.2, 0.7, 0.9)
    ellipse, diagonal = (PaintedMask.of(plane) for plane in (disc(8, 8), torch.eye(8)))
    assert Region(Box(*box, mask=ellipse)) == Region(Box(*box, mask=PaintedMask.of(disc(8, 8))))
    assert Region(Box(*box, mask=ellipse)) != Region(Box(*box, mask=diagonal))
    assert Region(Box(*box, mask=ellipse)) != Region(Box(*box))


def test_a_box_without_a_mask_has_the_cells_that_it_had():
    box = Box(0.1, 0.2, 0.73, 0.9, "dog", "#ff0000", True, 5)
    assert torch.equal(Region(box).cells(13, 17), box_cells(box, 13, 17))
