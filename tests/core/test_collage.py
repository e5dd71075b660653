"""Collages: where each cut-out lies, to the pixel, and what of its old background comes along: nothing."""

import pytest
import torch

from msd_core.boxes import Box
from msd_core.collage import GREY, paste
from msd_core.layout import Layout, Region
from msd_core.painted import PaintedMask
from msd_core.subject import Reference, cut_and_fit

RED, GREEN, WHITE = (torch.tensor(colour) for colour in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0, 1.0)))


def photo(height: int, width: int, colour: torch.Tensor = RED, fit: str = "stretch") -> Reference:
    """A photo of one colour, all of it the subject."""
    return Reference(colour.expand(height, width, 3), None, fit)


def layout(*boxes: Box, width: int = 80, height: int = 60) -> Layout:
    return Layout(width, height, tuple(Region(box) for box in boxes))


def bounds(mask: torch.Tensor) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a mask `[H, W]` covers; what lies in them must be covered wholly."""
    rows, columns = mask.any(dim=1).nonzero()[:, 0], mask.any(dim=0).nonzero()[:, 0]
    left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    assert torch.allclose(mask[top:bottom, left:right], torch.ones(bottom - top, right - left))
    return left, top, right, bottom


@pytest.mark.parametrize("size, placing, expected", [
    ((10, 20), "whole", (20, 25, 60, 45)),
    ((20, 10), "whole", (30, 15, 50, 55)),
    ((400, 400), "whole", (20, 15, 60, 55)),
    ((1, 3), "whole", (20, 28, 60, 41)),
    ((10, 20), "fill", (20, 15, 60, 55)),
    ((1, 900), "fill", (20, 15, 60, 55)),
])
def test_a_cut_out_lies_in_the_middle_of_its_box_in_its_own_aspect(size, placing, expected):
    made = paste(layout(Box(0.25, 0.25, 0.75, 11 / 12)), {0: photo(*size)}, placing=placing)
    assert made.pixels.shape == (1, 60, 80, 3)
    assert bounds(made.mask[0]) == expected
    inside = made.mask[0] > 0
    assert torch.allclose(made.pixels[0][inside], RED.expand(int(inside.sum()), 3), atol=1e-6)
    assert torch.equal(made.pixels[0][~inside], torch.full((int((~inside).sum()), 3), GREY))


def test_filling_keeps_the_middle_of_a_wide_photo():
    stripes = torch.stack([RED] * 10 + [GREEN] * 10 + [WHITE] * 10).expand(10, 30, 3)
    made = paste(layout(Box(0, 0, 0.5, 2 / 3)), {0: Reference(stripes, None, "pad")}, placing="fill")
    assert torch.equal(made.pixels[0, :40, :40], GREEN.expand(40, 40, 3))


@pytest.mark.parametrize("fit, expected", [
    ("pad", (0, 20, 80, 40)), ("crop", (0, 0, 80, 60)), ("stretch", (0, 0, 80, 60)),
])
def test_a_collage_can_go_by_each_subjects_own_fit(fit, expected):
    made = paste(layout(Box(0, 0, 1, 1)), {0: photo(10, 40, fit=fit)}, placing="subject")
    assert bounds(made.mask[0]) == expected


def test_stretching_shows_all_of_the_photo_and_cropping_its_middle():
    halves = torch.stack([RED] * 120 + [GREEN] * 120).expand(60, 240, 3)
    stretched, cropped = (
        paste(layout(Box(0, 0, 0.5, 1)), {0: Reference(halves, None, fit)}, placing="subject").pixels[0, 30]
        for fit in ("stretch", "crop")
    )
    for row in (stretched, cropped):
        assert torch.allclose(row[:18], RED.expand(18, 3), atol=1e-6)
        assert torch.allclose(row[22:40], GREEN.expand(18, 3), atol=1e-6)


def test_a_box_thinner_than_a_pixel_gets_one():
    made = paste(layout(Box(0.5, 0.5, 0.501, 0.501)), {0: photo(9, 9)})
    assert bounds(made.mask[0]) == (40, 30, 41, 31)


@pytest.mark.parametrize("z, above", [((0, 0), GREEN), ((1, 0), RED), ((0, 3), GREEN)])
def test_the_box_in_front_covers_the_other(z, above):
    boxes = Box(0, 0, 0.75, 1, z=z[0]), Box(0.25, 0, 1, 1, z=z[1])
    made = paste(layout(*boxes), {0: photo(6, 6), 1: photo(6, 6, GREEN)}, placing="fill")
    assert torch.equal(made.pixels[0, :, 20:60], above.expand(60, 40, 3))
    assert torch.equal(made.pixels[0, :, :20], RED.expand(60, 20, 3))
    assert torch.equal(made.pixels[0, :, 60:], GREEN.expand(60, 20, 3))


def test_a_subject_left_out_leaves_the_others_in_their_boxes():
    boxes = Box(0, 0, 0.5, 1), Box(0.5, 0, 1, 1)
    made = paste(layout(*boxes), {1: photo(6, 6, GREEN)}, placing="fill")
    assert bounds(made.mask[0]) == (40, 0, 80, 60)


def test_a_cut_out_is_seen_only_in_what_is_painted_of_its_box():
    plane = torch.zeros(6, 8, dtype=torch.bool)
    plane[2:4, 2:6] = True
    box = Box(0.5, 0, 1, 1, mask=PaintedMask.of(plane))
    made = paste(layout(box), {0: photo(6, 6)}, placing="fill")
    assert bounds(made.mask[0]) == (50, 20, 70, 40)
    whole = paste(layout(box), {0: photo(6, 6)})
    assert bounds(whole.mask[0]) == (50, 20, 70, 40)


def test_a_linked_masks_soft_edge_is_the_collages():
    mask = torch.zeros(60, 80)
    mask[10:30, 10:50], mask[30, 10:50] = 1, 0.25
    shaped = Layout(80, 60, (Region.from_mask(torch.cat([mask[:30], mask[30:] * 2])),))
    made = paste(shaped, {0: photo(6, 6)}, placing="fill")
    assert torch.allclose(made.mask[0, 10:31, 30], torch.tensor([1.0] * 20 + [0.5]))
    assert torch.allclose(made.pixels[0, 30, 30], 0.5 * RED + 0.5 * GREY)


def disc(side: int, softness: float) -> torch.Tensor:
    """A disc's mask whose edge is so many pixels wide."""
    along = torch.arange(side) - (side - 1) / 2
    return ((side * 0.4 - (along[:, None] ** 2 + along**2).sqrt()) / softness + 0.5).clamp(0, 1)


@pytest.mark.parametrize("softness", [1e-3, 1, 4], ids=["hard", "smooth", "soft"])
@pytest.mark.parametrize("side", [40, 120, 400], ids=["enlarged", "as it is", "shrunk"])
def test_no_rim_of_the_old_background_comes_along(side, softness):
    """A red disc photographed on white, its edge pixels mixed as a camera mixes them, on a black ground."""
    mask = disc(side, softness)
    picture = mask[..., None] * RED + (1 - mask[..., None]) * WHITE
    reference = cut_and_fit(picture[None], mask[None]).reference
    made = paste(layout(Box(0, 0, 1, 1), width=120, height=120), {0: reference}, torch.zeros(1, 120, 120, 3))
    assert made.pixels[..., 1:].max() <= 1 / 255
    assert torch.allclose(made.pixels[..., 0], made.mask, atol=1e-5)
    assert ((made.mask > 0) & (made.mask < 1)).any()


def test_what_is_half_transparent_all_over_keeps_its_colour():
    glass = Reference(GREEN.expand(20, 20, 3), torch.full((20, 20), 0.6), "pad")
    made = paste(layout(Box(0, 0, 1, 1), width=20, height=20), {0: glass}, torch.zeros(1, 20, 20, 3))
    assert torch.allclose(made.pixels, 0.6 * GREEN.expand(1, 20, 20, 3))
    assert torch.allclose(made.mask, torch.full((1, 20, 20), 0.6))


def test_every_picture_of_a_background_batch_gets_the_cut_outs():
    ground = torch.rand(3, 60, 80, 3, generator=torch.Generator().manual_seed(0))
    before = ground.clone()
    made = paste(layout(Box(0, 0, 0.5, 0.5)), {0: photo(30, 40)}, ground)
    assert made.pixels.shape == (3, 60, 80, 3)
    assert made.mask.shape == (3, 60, 80)
    outside = made.mask == 0
    assert torch.equal(made.pixels[outside], ground[outside])
    assert torch.equal(made.pixels[:, :30, :40], RED.expand(3, 30, 40, 3))
    assert torch.equal(ground, before)


def test_a_background_of_another_size_is_stretched_to_the_frame_and_lets_grey_through_its_alpha():
    halves = torch.zeros(1, 10, 10, 4)
    halves[:, :, 5:] = torch.tensor([0.0, 1.0, 0.0, 1.0])
    made = paste(layout(Box(0, 0, 0.1, 0.1)), {}, halves)
    assert torch.equal(made.pixels[0, 30, :32], torch.full((32, 3), GREY))
    assert torch.equal(made.pixels[0, 30, 48:], GREEN.expand(32, 3))


def test_several_views_show_the_first():
    views = torch.stack([RED.expand(10, 10, 3), GREEN.expand(10, 10, 3)])
    made = paste(layout(Box(0, 0, 1, 1)), {0: cut_and_fit(views).reference}, placing="fill")
    assert torch.equal(made.pixels[0], RED.expand(60, 80, 3))


@pytest.mark.parametrize("call, words", [
    (lambda: paste(layout(), {}, placing="stretch"), "fit is 'stretch' but must be one of whole, fill, subject"),
    (lambda: paste(layout(), {}, torch.zeros(8, 8, 3)), r"The background has the shape \[8, 8, 3\] but must be"),
    (lambda: paste(layout(), {}, torch.full((1, 8, 8, 3), 255.0)), "The background holds values from 255 to 255 but"),
])
def test_what_makes_no_collage_is_refused_in_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
