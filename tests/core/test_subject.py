"""What the image encoder gets to see of a subject."""

import pytest
import torch

from msd_core.subject import SQUARE, Subject, prepare_views


def photo(height: int, width: int) -> torch.Tensor:
    """Red grows downwards, green to the right."""
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    x = torch.linspace(0, 1, width)[None, :].expand(height, width)
    return torch.stack([y, x, torch.zeros(height, width)], dim=-1)[None]


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("size", [(300, 500), (500, 300), (64, 64), (1, 9)])
def test_every_photo_becomes_the_same_square(fit, size):
    views = prepare_views(photo(*size), fit=fit)
    assert views.shape == (1, SQUARE, SQUARE, 3)
    assert 0 <= views.min() <= views.max() <= 1
    assert torch.equal(views, (views * 255).round() / 255)


def test_stretch_keeps_every_corner_of_a_wide_photo():
    views = prepare_views(photo(100, 400), fit="stretch")
    assert views[0, 0, -1, 1] > 0.99
    assert views[0, -1, 0, 0] > 0.99


def test_crop_keeps_the_middle_of_a_wide_photo():
    green = prepare_views(photo(100, 400), fit="crop")[0, 200, :, 1]
    assert green[0].item() == pytest.approx(0.375, abs=0.01)
    assert green[-1].item() == pytest.approx(0.625, abs=0.01)


def test_pad_adds_black_above_and_below_a_wide_photo():
    views = prepare_views(torch.ones(1, 100, 400, 3), fit="pad")[0]
    assert views[: SQUARE // 4].max() == 0
    assert views[-SQUARE // 4 :].max() == 0
    assert views[SQUARE // 2].min() == 1


@pytest.mark.parametrize("size", [(60, 90), (700, 1100)])
def test_stretching_equals_pillows_bicubic_to_a_rounding(size):
    image_module = pytest.importorskip("PIL.Image")
    pixels = torch.randint(0, 256, (*size, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    expected = image_module.fromarray(pixels.numpy()).resize((SQUARE, SQUARE), image_module.Resampling.BICUBIC)
    views = (prepare_views(pixels[None] / 255) * 255).round().to(torch.int16)[0]
    difference = (views - torch.tensor(bytearray(expected.tobytes()), dtype=torch.int16).view(SQUARE, SQUARE, 3)).abs()
    assert difference.max() <= 1


def test_a_mask_blackens_the_background_and_crops_to_the_subject():
    mask = torch.zeros(1, 100, 400)
    mask[:, 20:60, 100:200] = 1
    mask[:, 20:30, 100:120] = 0
    views = prepare_views(torch.ones(1, 100, 400, 3), mask)[0]
    assert views[-1].min() > 0.99
    assert views[:, -1].min() > 0.99
    assert views[: SQUARE // 8, : SQUARE // 8].max() == 0


def test_a_mask_of_another_size_is_scaled_to_the_photo():
    mask = torch.zeros(1, 10, 10)
    mask[:, :, 5:] = 1
    views = prepare_views(photo(100, 400), mask)[0]
    assert views[200, 40:, 1].min() > 0.48


def test_views_may_share_a_mask_or_have_one_each():
    images = torch.cat([photo(40, 40), photo(40, 40).flip(1)])
    one = torch.ones(1, 40, 40)
    assert torch.equal(prepare_views(images, one), prepare_views(images, one.expand(2, -1, -1)))
    with pytest.raises(ValueError, match="3 masks for 2 images"):
        prepare_views(images, one.expand(3, -1, -1))


def test_an_alpha_channel_is_dropped():
    image = torch.cat([photo(20, 20), torch.zeros(1, 20, 20, 1)], dim=-1)
    assert torch.equal(prepare_views(image), prepare_views(image[..., :3]))


def test_what_came_in_is_never_changed():
    image, mask = photo(30, 50), torch.ones(1, 30, 50)
    before = image.clone(), mask.clone()
    prepare_views(image, mask, "pad")
    assert torch.equal(image, before[0])
    assert torch.equal(mask, before[1])


@pytest.mark.parametrize("image, mask, words", [
    (torch.ones(4, 4, 3), None, r"\[4, 4, 3\]"),
    (torch.ones(0, 4, 4, 3), None, r"\[0, 4, 4, 3\]"),
    (torch.full((1, 4, 4, 3), float("nan")), None, "NaN"),
    (torch.ones(1, 4, 4, 3), torch.zeros(1, 4, 4), "largest value 0"),
])
def test_a_photo_that_shows_nothing_is_refused(image, mask, words):
    with pytest.raises(ValueError, match=words):
        prepare_views(image, mask)


@pytest.mark.parametrize("values, words", [
    (dict(phrase="  "), "must name the subject"),
    (dict(phrase="dog", weight=-0.5), "-0.5"),
    (dict(phrase="dog", weight=float("nan")), "nan"),
    (dict(phrase="dog", start=0.5, end=0.5), "starts at 0.5 and ends at 0.5"),
    (dict(phrase="dog", start=-0.1), "-0.1"),
    (dict(phrase="dog", end=1.5), "1.5"),
])
def test_a_subject_that_makes_no_sense_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Subject(torch.ones(1, SQUARE, SQUARE, 3), **values)
