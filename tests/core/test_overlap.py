"""Overlap: regions that share nothing, at every size of the map, in tiles and in views round the frame's edge."""

import random
from dataclasses import replace

import pytest
import torch

from msd_core.attention import RegionMasks
from msd_core.boxes import Box
from msd_core.cells import box_cells, mask_cells
from msd_core.embeds import SubjectEmbeds, SubjectTokens
from msd_core.layout import Layout, Region, region_cells
from msd_core.overlap import OVERLAPS, with_overlap
from msd_core.painted import PaintedMask
from tests.samples import BOX_SETS, MAPS

SIZES = [*MAPS, (1, 7), (2, 2), (3, 1), (64, 64), (37, 53)]


def laid(overlap, *boxes, width=1024, height=1024):
    return with_overlap([Region(box) for box in boxes], overlap, width, height)


def random_region(draw: random.Random) -> Region:
    """A box, a painted one or a mask of the frame, soft or hard."""
    x, y = (sorted(draw.sample(range(0, 10001, 25), 2)) for _ in range(2))
    box = Box(x[0] / 10000, y[0] / 10000, x[1] / 10000, y[1] / 10000, z=draw.choice([0, 0, 0, 1, -1]))
    kind = draw.choice(["box", "painted", "mask"])
    if kind == "box":
        return Region(box)
    plane = torch.rand(draw.randint(2, 9), draw.randint(2, 9), generator=torch.Generator().manual_seed(
        draw.randrange(10**6)))
    plane[draw.randrange(plane.shape[0]), draw.randrange(plane.shape[1])] = 1
    if kind == "painted":
        return Region(replace(box, mask=PaintedMask.of(plane)))
    return Region.from_mask(plane, z=box.z)


def random_layout(draw: random.Random, overlap: str) -> tuple[Region, ...] | None:
    """Two to five regions, as they share nothing; None if they can't."""
    regions = [random_region(draw) for _ in range(draw.randint(2, 5))]
    try:
        return with_overlap(regions, overlap, draw.choice([512, 1024, 1536]), 1024)
    except ValueError:
        return None


def layouts(overlap: str, count: int, seed: int):
    draw = random.Random(seed)
    while count:
        regions = random_layout(draw, overlap)
        if regions is not None:
            count -= 1
            yield draw, regions


def few_places(alone: torch.Tensor) -> list[int]:
    """Regions of which so many lie in so few cells that not each can have one of its own."""
    count = len(alone)
    places = [set(cells.flatten().nonzero().flatten().tolist()) for cells in alone]
    for chosen in range(1, 2**count):
        some = [k for k in range(count) if chosen >> k & 1]
        if len(set().union(*(places[k] for k in some))) < len(some):
            return some
    return []


def test_mix_leaves_every_region_as_it_is():
    for boxes in BOX_SETS.values():
        regions = [Region(box) for box in boxes]
        mixed = with_overlap(regions, "mix", 1024, 768)
        assert all(one is other for one, other in zip(mixed, regions, strict=True))
        for size in SIZES:
            expected = torch.stack([box_cells(box, *size) for box in boxes])
            assert torch.equal(region_cells(mixed, *size), expected)
    mask = torch.rand(9, 11, generator=torch.Generator().manual_seed(0))
    region, = with_overlap([Region.from_mask(mask)], "mix", 64, 64)
    for size in SIZES:
        assert torch.equal(region.cells(*size), mask_cells(mask, *size))


def test_in_front_is_what_has_the_larger_z_and_of_equal_ones_the_later():
    left, right = Box(0.0, 0.0, 0.75, 1.0), Box(0.25, 0.0, 1.0, 1.0)
    for z, front in ((0, 1), (1, 0), (-1, 1)):
        cells = region_cells(laid("front", replace(left, z=z), right), 4, 8)
        assert torch.equal(cells[front], box_cells((left, right)[front], 4, 8))
        assert torch.equal(cells[1 - front], ~cells[front])


def test_nearest_gives_a_cell_to_the_nearer_centre_in_pixels_of_the_frame():
    """The middles of the two lie half a width apart, and a third of a height: what is near depends on the aspect."""
    boxes = Box(0.0, 0.0, 0.75, 1.0), Box(0.25, 0.0, 1.0, 0.5)
    for width, height in ((1024, 1024), (2048, 512), (512, 2048)):
        cells = region_cells(laid("nearest", *boxes, width=width, height=height), 32, 32)
        for row in range(32):
            for column in range(32):
                x, y = (column + 0.5) / 32, (row + 0.5) / 32
                holding = [k for k, box in enumerate(boxes) if box_cells(box, 32, 32)[row, column]]
                far = {k: ((x - (boxes[k].x0 + boxes[k].x1) / 2) * width) ** 2
                       + ((y - (boxes[k].y0 + boxes[k].y1) / 2) * height) ** 2 for k in holding}
                nearest = min(holding, key=lambda k: (far[k], -k), default=None)
                assert [k for k in (0, 1) if cells[k, row, column]] == ([] if nearest is None else [nearest])


def test_of_two_centres_as_near_the_one_in_front_has_the_cell():
    left, right = Box(0.0, 0.0, 0.625, 1.0), Box(0.375, 0.0, 1.0, 1.0)
    for z, owner in ((0, 1), (1, 0)):
        cells = region_cells(laid("nearest", replace(left, z=z), right), 1, 9)[:, 0]
        assert cells[owner].sum() == 5 and cells[1 - owner].sum() == 4
        assert torch.equal(cells[0], ~cells[1])


@pytest.mark.parametrize("overlap", ["front", "nearest"])
def test_no_cell_has_two_owners_and_none_that_was_somebodys_has_none(overlap):
    for _, regions in layouts(overlap, 60, 0):
        for size in SIZES:
            cells = region_cells(regions, *size)
            alone = region_cells([region.alone for region in regions], *size)
            assert cells.any(dim=2).any(dim=1).all(), (regions, size)
            # On a map of a few cells two regions may both have nothing but one cell; then both have it.
            assert cells.sum(dim=0).max() == 1 or few_places(alone), (regions, size)
            assert (cells.any(dim=0) >= alone.any(dim=0)).all()
            assert torch.equal(cells, torch.stack([region.cells(*size) for region in regions]))


@pytest.mark.parametrize("overlap", ["front", "nearest"])
def test_on_cell_edges_a_tiles_cells_are_the_frames_cells_cut_out(overlap):
    for draw, regions in layouts(overlap, 80, 1):
        rows, columns = draw.randint(1, 40), draw.randint(1, 40)
        high, wide = draw.randint(1, rows), draw.randint(1, columns)
        top, left = draw.randint(0, rows - high), draw.randint(0, columns - wide)
        window = (left / columns, top / rows, (left + wide) / columns, (top + high) / rows)
        found = region_cells(regions, high, wide, window)
        frame = region_cells(regions, rows, columns)
        assert torch.equal(found, frame[:, top : top + high, left : left + wide]), (regions, (rows, columns), window)


@pytest.mark.parametrize("overlap", ["front", "nearest"])
def test_a_view_round_the_frames_edge_shows_the_frames_cells_turned(overlap):
    for draw, regions in layouts(overlap, 50, 2):
        rows, columns = draw.randint(2, 30), draw.randint(2, 30)
        left, size = draw.randrange(columns), draw.randint(1, columns)
        windows = [(edge / columns, 0.0, (edge + size) / columns, 1.0) for edge in (left, left - columns)]
        turned = region_cells(regions, rows, columns).roll(-left, dims=2)[:, :, :size]
        assert torch.equal(region_cells(regions, rows, size, *windows), turned), (regions, left, size)


@pytest.mark.parametrize("overlap", ["front", "nearest"])
def test_a_window_anywhere_shows_cells_of_one_owner_each(overlap):
    for draw, regions in layouts(overlap, 60, 3):
        x, y, size = draw.uniform(-0.4, 0.9), draw.uniform(-0.4, 0.9), draw.uniform(0.2, 1.4)
        windows = [(x, y, x + size, y + size), (x - 1, y, x + size - 1, y + size)][: draw.randint(1, 2)]
        cells = region_cells(regions, 16, 19, *windows)
        assert cells.sum(dim=0).max() <= 1, (regions, windows)


def test_a_region_that_only_a_coarse_map_loses_keeps_the_cell_where_most_of_it_is_seen():
    behind, front = Box(0.3, 0.0, 1.0, 1.0), Box(0.0, 0.0, 0.9, 1.0)
    fine = region_cells(laid("front", behind, front), 1, 10)[:, 0]
    assert fine[0].tolist() == [False] * 9 + [True]
    coarse = region_cells(laid("front", behind, front), 1, 4)[:, 0]
    assert coarse.tolist() == [[False, False, False, True], [True, True, True, False]]
    other = Box(0.85, 0.0, 1.0, 0.6)
    three = region_cells(laid("front", behind, front, other), 4, 4)
    assert three[0].nonzero().tolist() == [[3, 3]], "the visible part is largest at the bottom"
    assert three.sum(dim=0).max() == 1
    assert torch.equal(region_cells(laid("front", behind, front, other), 2, 2, (0.5, 0.5, 1.0, 1.0)), three[:, 2:, 2:])


def test_a_region_that_would_lose_its_only_cell_is_left_it():
    """On this map the front one has one cell, and all that is seen of the one behind lies in it."""
    cells = region_cells(laid("front", Box(0.1, 0.1, 0.9, 0.9), Box(0.15, 0.15, 0.95, 0.95)), 1, 1)
    assert cells.tolist() == [[[True]], [[True]]], "two regions in a map of one cell"
    cells = region_cells(laid("front", Box(0.0, 0.0, 0.52, 1.0), Box(0.02, 0.0, 0.5, 1.0)), 1, 2)[:, 0]
    assert cells.tolist() == [[False, True], [True, False]]


def test_what_is_wholly_hidden_is_refused_with_both_names():
    small, large = Box(0.2, 0.2, 0.4, 0.4, "dog"), Box(0.1, 0.1, 0.9, 0.9, "sky")
    for boxes, overlap, words in (
        ((small, large), "front", 'Box 1 ("dog") lies wholly behind box 2 ("sky") and would act nowhere'),
        ((small, large, Box(0, 0, 0.3, 0.3)), "front", "Box 1 (\"dog\") lies wholly behind box 2"),
        ((small, small), "nearest", 'Box 1 ("dog") lies wholly behind box 2 ("dog")'),
        ((replace(small, z=1), small), "nearest", "Box 2"),
    ):
        with pytest.raises(ValueError) as caught:
            laid(overlap, *boxes)
        told = str(caught.value)
        assert told.startswith(words) and "\n" not in told and "bring it to the front" in told
    laid("front", large, small)
    laid("nearest", small, replace(large, x1=0.91))


def test_of_a_sliver_that_no_map_shows_one_cell_is_left():
    behind, front = Box(0.2, 0.0, 0.512, 1.0), Box(0.0, 0.0, 0.511, 1.0)
    for overlap in ("front", "nearest"):
        regions = laid(overlap, behind, front)
        for size in SIZES[-2:]:
            cells = region_cells(regions, *size)
            assert cells.any(dim=2).any(dim=1).all() and cells.sum(dim=0).max() == 1
    cells = region_cells(laid("front", behind, front), 64, 64)
    assert cells[0].sum() == 1 and cells[0, :, 32].any()


def test_masks_hide_and_are_hidden_where_they_are_painted():
    ring = torch.ones(8, 8)
    ring[2:6, 2:6] = 0
    around = Box(0.0, 0.0, 1.0, 1.0, mask=PaintedMask.of(ring))
    inner = Box(0.25, 0.25, 0.75, 0.75)
    cells = region_cells(laid("front", inner, around), 8, 8)
    assert torch.equal(cells[0], box_cells(inner, 8, 8))
    assert torch.equal(cells[1], ~cells[0])
    with pytest.raises(ValueError, match="Box 1 lies wholly behind box 2"):
        laid("front", Box(0.05, 0.05, 0.2, 0.9), around)
    linked = with_overlap([Region(Box(0.0, 0.0, 0.5, 1.0)), Region.from_mask(ring)], "front", 64, 64)
    assert torch.equal(region_cells(linked, 8, 8)[1], ring.bool())
    assert not (region_cells(linked, 8, 8)[0] & ring.bool()).any()


def test_apart_moves_the_boxes_and_what_is_painted_and_shares_not_even_border_cells():
    diagonal = PaintedMask(2, 2, "0120")
    regions = laid("apart", Box(0.1, 0.2, 0.5, 0.6, "a", mask=diagonal), Box(0.3, 0.2, 0.7, 0.6, "b"))
    assert [region.box.edges for region in regions] == [(0.0, 0.2, 0.4, 0.6), (0.4, 0.2, 0.8, 0.6)]
    assert [region.box.label for region in regions] == ["a", "b"]
    assert regions[0].box.mask == diagonal
    plain = laid("apart", Box(0.1, 0.2, 0.5, 0.6), Box(0.3, 0.2, 0.7, 0.6))
    for size in SIZES:
        if size[0] * size[1] > 1:
            assert region_cells(plain, *size).sum(dim=0).max() == 1, size
    assert region_cells([region.alone for region in plain], 8, 8).sum(dim=0).max() == 2
    before = laid("apart", Box(0.1, 0.2, 0.5, 0.6, z=1), Box(0.3, 0.2, 0.7, 0.6))
    assert region_cells(before, 1, 8)[:, 0, 3].tolist() == [False, True], "the column is nearer to the second"


def test_apart_refuses_masks_of_the_frame_and_boxes_without_room_in_one_sentence():
    mask = Region.from_mask(torch.eye(4))
    for regions, words in (
        ([mask, Region(Box(0, 0, 1, 1))], "overlap is apart, which moves boxes, but 1 regions come from linked masks"),
        ([Region(Box(0, 0, 1, 1, "beach")), Region(Box(0.4, 0.5, 0.6, 1.0, "dog"))],
         'Box 1 ("beach") and box 2 ("dog") can\'t be moved apart, they measure 1024x512 and 205x256 pixels in a frame '
         "of 1024x512: make boxes smaller, or set overlap to front."),
    ):
        with pytest.raises(ValueError) as caught:
            with_overlap(regions, "apart", 1024, 512)
        assert str(caught.value).startswith(words) and "\n" not in str(caught.value)


def test_an_unknown_overlap_is_refused():
    with pytest.raises(ValueError, match="overlap is 'above' but must be one of mix, front, nearest, apart: choose"):
        laid("above", Box(0, 0, 1, 1))
    assert OVERLAPS[0] == "mix"


def test_regions_differ_by_the_company_they_are_in():
    boxes = Box(0.0, 0.0, 0.75, 1.0), Box(0.25, 0.0, 1.0, 1.0)
    front, nearest, again = (laid(overlap, *boxes) for overlap in ("front", "nearest", "front"))
    assert front == again
    for other in (nearest, laid("mix", *boxes), laid("front", boxes[0], replace(boxes[1], x0=0.5)),
                  laid("front", replace(boxes[0], z=1), boxes[1])):
        assert front[0] != other[0]
    assert nearest[0] != laid("nearest", *boxes, width=512)[0]
    assert nearest == laid("nearest", *boxes, width=512, height=512)


def test_a_box_without_a_subject_keeps_no_cell_from_the_others():
    boxes = Box(0.0, 0.0, 0.75, 1.0), Box(0.25, 0.0, 1.0, 1.0), Box(0.2, 0.0, 0.5, 1.0)
    layout = Layout(1024, 1024, laid("front", *boxes))
    assert layout.among([0, 1]) == laid("front", *boxes[:2])
    assert torch.equal(region_cells(layout.among([0, 2]), 4, 8), region_cells(laid("front", boxes[0], boxes[2]), 4, 8))
    plain = Layout(1024, 1024, laid("mix", *boxes))
    assert plain.among([0, 2]) == (plain.regions[0], plain.regions[2])
    assert plain.among([]) == ()


def test_the_masks_of_a_run_are_those_of_regions_that_share_nothing():
    regions = laid("nearest", Box(0.0, 0.0, 0.75, 1.0), Box(0.25, 0.0, 1.0, 0.5))
    tokens = [SubjectTokens(torch.zeros(1, 4, 6), region, "dog") for region in regions]
    embeds = SubjectEmbeds(tuple(tokens), None)
    masks, cpu = RegionMasks(embeds.regions, embeds.token_counts), torch.device("cpu")
    for size in SIZES[:4]:
        assert torch.equal(masks.cells(*size, (True, True), cpu), region_cells(regions, *size))
        reach = masks.reach(*size, (True, True), cpu, torch.float32)
        assert not reach.shared
        visible = reach.mask == 0
        assert visible[:, [0, 4]].sum(dim=1).max() == 1
