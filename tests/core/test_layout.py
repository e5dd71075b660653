"""Which cells of a feature map belong to a region, at any height and width."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from msd_core.boxes import Box
from msd_core.cells import area_average, box_cells, mask_cells
from msd_core.layout import Region, region_cells
from tests import reference
from tests.samples import BOX_SETS, MAPS

edges = st.floats(0, 1, width=32)
sizes = st.integers(1, 64)


@pytest.mark.parametrize("height, width", MAPS)
@pytest.mark.parametrize("name", BOX_SETS)
def test_box_cells_follow_the_floor_and_ceil_rule(name, height, width):
    for box in BOX_SETS[name]:
        assert torch.equal(box_cells(box, height, width), reference.box_cells(box.edges, height, width))


@given(edges, edges, edges, edges, sizes, sizes)
def test_every_box_holds_a_cell_and_agrees_with_the_reference(x0, x1, y0, y1, height, width):
    if x0 == x1 or y0 == y1:
        return
    box = Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    cells = box_cells(box, height, width)
    assert cells.any()
    assert torch.equal(cells, reference.box_cells(box.edges, height, width))


def test_products_are_taken_in_fp32():
    """Thirteen 22nds of 22 columns are a little less than thirteen in fp32, so that column 12 belongs too."""
    found = 0
    for size in range(3, 130):
        for column in range(1, size):
            first = (torch.tensor(column / size) * size).floor().long().item()
            found += first != column
            cells = box_cells(Box(column / size, 0.0, 1.0, 1.0), 1, size)[0]
            assert cells.nonzero()[0].item() == first
    assert found > 0


@given(st.integers(8, 256), st.integers(8, 256))
def test_neighbouring_boxes_on_a_cell_border_do_not_share_cells(height, width):
    columns = width // 2
    left, right = Box(0, 0, columns / width, 1), Box(columns / width, 0, 1, 1)
    assert not (box_cells(left, height, width) & box_cells(right, height, width))[:, : columns - 1].any()


def test_the_whole_frame_is_every_cell():
    assert all(box_cells(Box(0, 0, 1, 1), height, width).all() for height, width in MAPS)


def test_regions_stack_in_order():
    regions = [Region(box) for box in BOX_SETS["nested"]]
    cells = region_cells(regions, 9, 12)
    assert cells.shape == (2, 9, 12)
    assert torch.equal(cells[1], box_cells(regions[1].box, 9, 12))
    assert region_cells([], 9, 12).shape == (0, 9, 12)


@pytest.mark.parametrize("source", [(40, 30), (7, 7), (64, 64)])
@pytest.mark.parametrize("target", [(8, 6), (13, 19), (64, 64), (1, 1)])
def test_area_average_keeps_the_mean_and_the_bounds(source, target):
    image = torch.rand(source, generator=torch.Generator().manual_seed(0))
    small = area_average(image, *target)
    assert small.shape == target
    assert small.mean().item() == pytest.approx(image.double().mean().item(), abs=1e-12)
    assert small.min() >= image.min() - 1e-9
    assert small.max() <= image.max() + 1e-9


def test_area_average_is_plain_block_mean_where_sizes_divide():
    image = torch.rand(12, 18, generator=torch.Generator().manual_seed(1))
    blocks = image.double().reshape(4, 3, 6, 3).mean(dim=(1, 3))
    assert torch.allclose(area_average(image, 4, 6), blocks, atol=1e-12)


def test_a_mask_cell_belongs_from_half_coverage():
    mask = torch.zeros(8, 8)
    mask[:, :3] = 1
    assert mask_cells(mask, 4, 4).sum(dim=1).tolist() == [2, 2, 2, 2]
    mask[:, 2] = 0.9
    assert mask_cells(mask, 4, 4).sum(dim=1).tolist() == [1, 1, 1, 1]


def test_a_cell_covered_to_exactly_half_belongs_at_every_size():
    """Rounding may put such a coverage just below half, as in the second of twelve pixels' two cells."""
    tried = 0
    for pixels in range(2, 41):
        for cells in range(1, pixels):
            for column in range(cells):
                edge, rest = divmod((2 * column + 1) * pixels, 2 * cells)
                if rest == 0:
                    mask = torch.zeros(pixels, pixels)
                    mask[:, :edge] = 1
                    expected = [index <= column for index in range(cells)]
                    assert mask_cells(mask, cells, cells).tolist() == [expected] * cells, (pixels, cells, column)
                    tried += 1
    assert tried > 600


def test_a_cell_covered_to_almost_half_does_not_belong():
    mask = torch.full((4, 8), 0.49999)
    mask[:, :4] = 1
    assert mask_cells(mask, 2, 2).tolist() == [[True, False]] * 2


def test_a_mask_too_small_for_the_map_keeps_its_best_cell():
    mask = torch.zeros(64, 64)
    mask[50, 9] = 1
    cells = mask_cells(mask, 4, 4)
    assert cells.nonzero().tolist() == [[3, 0]]


def test_a_rectangular_mask_on_cell_borders_equals_the_box():
    mask = torch.zeros(32, 48)
    mask[8:24, 12:36] = 1
    region = Region.from_mask(mask)
    assert region.box.edges == (0.25, 0.25, 0.75, 0.75)
    for height, width in ((32, 48), (16, 24), (8, 12), (4, 4)):
        assert torch.equal(region.cells(height, width), box_cells(region.box, height, width))


@pytest.mark.parametrize("mask, words", [
    (torch.zeros(4, 4), ["covers nothing", "0"]),
    (torch.full((4, 4), 0.3), ["covers nothing", "0.3"]),
    (torch.full((4, 4), float("nan")), ["NaN"]),
])
def test_an_unusable_mask_is_refused(mask, words):
    with pytest.raises(ValueError) as caught:
        Region.from_mask(mask, "Mask 2")
    assert all(word in str(caught.value) for word in ["Mask 2", *words]), str(caught.value)
