"""Windows: a crop of the frame shows its part of every region."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from msd_core.boxes import Box
from msd_core.layout import WHOLE, Region, pixel_window, region_cells, within


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 7), st.integers(0, 7), st.sampled_from(["box", "mask"]))
def test_a_windows_cells_are_the_frames_cells_cut_out(rows, columns, top, left, kind):
    """Where window edges fall on cell edges, cropping before or after is the same."""
    top, left = min(top, 8 - rows), min(left, 8 - columns)
    box = Box(0.23, 0.31, 0.77, 0.64)
    mask = torch.zeros(40, 40)
    mask[9:25, 13:31] = 1
    region = Region(box) if kind == "box" else Region.from_mask(mask)
    window = (left / 8, top / 8, (left + columns) / 8, (top + rows) / 8)
    cut = region.cells(8, 8)[top : top + rows, left : left + columns]
    assert torch.equal(region.cells(rows, columns, window), cut)


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
