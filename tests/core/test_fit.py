"""The fit against what slow, obvious code finds."""

import itertools

import pytest
import torch

from msd_core.auto_layout import fit as module
from msd_core.auto_layout.fit import Fit
from msd_core.auto_layout.places import Frame, Places
from msd_core.boxes import Box
from msd_core.layout import Region

WHOLE = Region(Box(0.0, 0.0, 1.0, 1.0))
CPU = torch.device("cpu")


def blobs(height, width, centres, columns=None, strength=4.0):
    """Maps with one blob for each centre, `[1, h, w, columns]`, over a floor of 1."""
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    maps = torch.ones(1, height, width, columns or len(centres))
    for k, (across, down) in enumerate(centres):
        maps[0, ..., k] += strength * torch.exp(-((x - across) ** 2 + (y - down) ** 2) / (2 * 0.1**2))
    return maps


def fitted(regions, maps, height, width, fixed=None):
    places = Places(regions, Frame(height, width))
    fit = Fit(places, maps.shape[0], fixed or [False] * len(regions), 0.3, CPU)
    rows, columns = fit.places(fit.score(maps))
    return places, rows, columns


def middles(places, rows, columns, image=0):
    boxes = [places.box(k, int(rows[k, image]), int(columns[k, image])) for k in range(len(rows))]
    return [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in boxes]


@pytest.mark.parametrize("height, width", [(10, 10), (32, 32), (38, 26), (15, 27)])
@pytest.mark.parametrize("centres", [[(0.3, 0.6)], [(0.25, 0.3), (0.7, 0.65)], [(0.2, 0.25), (0.75, 0.3), (0.5, 0.8)]])
def test_without_boxes_regions_stand_where_their_maps_are(height, width, centres):
    maps = blobs(height, width, centres, len(centres) + 2)
    places, rows, columns = fitted([WHOLE] * len(centres), maps, height, width)
    for (x, y), (a, b) in zip(middles(places, rows, columns), centres, strict=True):
        assert abs(x - a) < 0.12 and abs(y - b) < 0.12


def overlap(places, first, second):
    """The share of the first region that the second holds."""
    (a, b), (c, d) = first, second
    one, other = places
    height = max(min(a + one.rows, c + other.rows) - max(a, c), 0)
    width = max(min(b + one.columns, d + other.columns) - max(b, d), 0)
    return height * width / (one.rows * one.columns)


@pytest.mark.parametrize("seed", range(12))
def test_two_regions_hold_nearly_what_the_best_of_all_pairs_of_places_hold(seed):
    generator = torch.Generator().manual_seed(seed)
    regions = [Region(Box(0.1, 0.1, 0.5, 0.4)), Region(Box(0.3, 0.2, 0.6, 0.8))]
    size = 8
    maps = torch.rand(1, size, size, 4, generator=generator) ** 4 + 0.01
    places = Places(regions, Frame(size, size))
    fit = Fit(places, 1, [False, False], 0.3, CPU)
    score = fit.score(maps)
    rows, columns = fit.places(score)

    def worth(spots):
        held = sum(
            float(score[0, y : y + home.rows, x : x + home.columns, k].mean())
            for k, (home, (y, x)) in enumerate(zip(places.homes, spots, strict=True))
        )
        away = sum(float(fit._turns[0].bias[0, y, x] if k == 0 else fit._turns[1].bias[0, y, x])
                   for k, (y, x) in enumerate(spots))
        shared = (overlap(places.homes, *spots) + overlap(places.homes[::-1], *spots[::-1])) * module.APART
        return held + away - shared / 2

    spots = [list(itertools.product(range(size - home.rows + 1), range(size - home.columns + 1)))
             for home in places.homes]
    best = max(worth(pair) for pair in itertools.product(*spots))
    found = worth([(int(rows[k, 0]), int(columns[k, 0])) for k in range(2)])
    assert found >= 0.99 * best


def test_flat_maps_leave_boxes_that_are_apart_where_they_are_and_push_others_apart():
    flat = torch.ones(1, 10, 10, 2)
    apart = [Region(Box(0.0, 0.2, 0.4, 0.6)), Region(Box(0.5, 0.5, 0.9, 0.9))]
    places, rows, columns = fitted(apart, flat, 10, 10)
    assert [(int(rows[k]), int(columns[k])) for k in range(2)] == [(home.row, home.column) for home in places.homes]
    together = [Region(Box(0.2, 0.3, 0.6, 0.7)), Region(Box(0.3, 0.3, 0.7, 0.7))]
    places, rows, columns = fitted(together, flat, 10, 10)
    assert not (places.cells(rows, columns, 10, 10)[0].sum(dim=(1, 2)) != 16).any()


def test_one_drawn_inside_another_is_not_pushed_out():
    regions = [Region(Box(0.2, 0.2, 0.8, 0.8)), Region(Box(0.4, 0.4, 0.6, 0.6))]
    places, rows, columns = fitted(regions, blobs(10, 10, [(0.5, 0.5), (0.5, 0.5)]), 10, 10)
    for x, y in middles(places, rows, columns):
        assert abs(x - 0.5) <= 0.11 and abs(y - 0.5) <= 0.11


def test_the_box_draws_a_region_to_itself():
    """Of two equal blobs that of the box is taken."""
    maps = blobs(10, 10, [(0.25, 0.5)], 2) + blobs(10, 10, [(0.75, 0.5)], 2) - 1
    for box, side in ((Box(0.0, 0.3, 0.4, 0.7), 0.25), (Box(0.6, 0.3, 1.0, 0.7), 0.75)):
        places, rows, columns = fitted([Region(box)], maps, 10, 10)
        assert abs(middles(places, rows, columns)[0][0] - side) < 0.12


def test_what_is_fixed_stays_and_the_others_make_room():
    box = Region(Box(0.3, 0.3, 0.7, 0.7))
    places, rows, columns = fitted([box, box], blobs(10, 10, [(0.5, 0.5), (0.5, 0.5)]), 10, 10, [True, False])
    assert (int(rows[0]), int(columns[0])) == (3, 3)
    cells = places.cells(rows, columns, 10, 10)[0]
    assert int(cells[0].sum()) >= 12 and int(cells[1].sum()) >= 8


def test_each_image_is_fitted_as_if_it_were_alone():
    maps = torch.cat([blobs(10, 10, [(0.2, 0.2), (0.8, 0.8)]), blobs(10, 10, [(0.8, 0.3), (0.2, 0.7)]),
                      torch.rand(1, 10, 10, 2, generator=torch.Generator().manual_seed(1))])
    _, rows, columns = fitted([WHOLE] * 2, maps, 10, 10)
    for image in range(3):
        _, row, column = fitted([WHOLE] * 2, maps[image : image + 1], 10, 10)
        assert torch.equal(rows[:, image], row[:, 0]) and torch.equal(columns[:, image], column[:, 0])


def test_maps_of_any_scale_and_empty_ones_are_fitted():
    maps = blobs(10, 10, [(0.3, 0.3), (0.7, 0.7)], 3)
    maps[..., 2] = 0
    _, rows, columns = fitted([WHOLE] * 2, maps, 10, 10)
    _, scaled, across = fitted([WHOLE] * 2, maps * torch.tensor([1e-4, 1e3, 1.0]), 10, 10)
    assert torch.equal(rows, scaled) and torch.equal(columns, across)
    places, rows, columns = fitted([WHOLE] * 2, torch.zeros(1, 10, 10, 2), 10, 10)
    assert not (places.cells(rows, columns, 10, 10)[0].sum(dim=0) > 1).any()
