"""What the image encoder gets to see of a subject."""

import re

import pytest
import torch

from msd_core.subject import SQUARE, Subject, cut_and_fit, prepare_views


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


def test_a_cut_out_is_cropped_to_what_is_more_than_half_masked():
    """Half-masked columns beside the subject fall away, darkened ones that are more than half stay."""
    mask = torch.zeros(1, 100, 400)
    mask[:, :, 100:300] = 0.5
    mask[:, :, 150:250] = 1
    assert prepare_views(torch.ones(1, 100, 400, 3), mask).min() == 1
    mask[:, :, 100:150] = 0.6
    views = prepare_views(torch.ones(1, 100, 400, 3), mask)[0, 200, :, 0]
    assert views[50].item() == pytest.approx(0.6, abs=0.01)
    assert views[-1].item() == 1


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


def with_alpha(image: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    return torch.cat([image, alpha[..., None]], dim=-1)


def disc(height: int, width: int) -> torch.Tensor:
    """A subject in the middle of its photo, with soft edges: `[1, h, w]`."""
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)[None, :]
    return (4 * (0.6 - (y**2 + x**2).sqrt())).clamp(0, 1)[None]


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_an_alpha_channel_cuts_out_as_a_mask_does(fit):
    image, alpha = photo(60, 90), disc(60, 90)
    cut_out = prepare_views(with_alpha(image, alpha), None, fit)
    assert torch.equal(cut_out, prepare_views(image, alpha, fit))
    assert not torch.equal(cut_out, prepare_views(image, None, fit))


def test_an_opaque_alpha_channel_changes_nothing():
    image = photo(60, 90)
    views = cut_and_fit(with_alpha(image, torch.ones(1, 60, 90)))
    assert torch.equal(views.pixels, prepare_views(image))
    assert views.cut is None


def test_of_alpha_and_mask_the_smaller_counts():
    """So what either cuts away is away, and an edge that both soften is not darker than with one of them."""
    image, alpha = photo(60, 90), disc(60, 90)
    assert torch.equal(prepare_views(with_alpha(image, alpha), alpha), prepare_views(image, alpha))
    left = torch.zeros(1, 60, 90)
    left[..., :45] = 1
    assert torch.equal(prepare_views(with_alpha(image, alpha), left), prepare_views(image, alpha * left))
    assert torch.equal(prepare_views(with_alpha(image, left), alpha), prepare_views(image, alpha * left))


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_a_mask_may_show_the_background_instead(fit):
    image, mask = photo(64, 96), (disc(64, 96) * 256).round() / 256
    assert torch.equal(prepare_views(image, 1 - mask, fit, "background"), prepare_views(image, mask, fit))
    assert torch.equal(prepare_views(image, mask, fit, "subject"), prepare_views(image, mask, fit))


def test_no_background_at_all_leaves_the_whole_photo():
    image, views = photo(60, 90), cut_and_fit(photo(60, 90), torch.zeros(1, 64, 64), mask_is="background")
    assert torch.equal(views.pixels, prepare_views(image))
    assert views.cut is None


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_the_preview_shows_what_the_encoder_sees_and_a_checkerboard_where_it_was_cut(fit):
    views = cut_and_fit(photo(60, 90), (disc(60, 90) > 0).float(), fit)
    preview = views.preview()
    away, kept = views.cut == 1, views.cut == 0
    assert away.any()
    assert kept.any()
    assert torch.equal(preview[kept], views.pixels[kept])
    assert views.pixels[away].mean() < 0.01
    grays = (preview - views.pixels)[away]
    assert torch.isclose(grays, torch.tensor(0.4)).any()
    assert (torch.isclose(grays, torch.tensor(0.4)) | torch.isclose(grays, torch.tensor(0.6))).all()
    assert preview.max() <= 1


def test_the_bars_of_pad_are_black_in_the_preview_too():
    mask = torch.zeros(1, 60, 90)
    mask[:, 20:40] = 1
    preview = cut_and_fit(torch.ones(1, 60, 90, 3), mask, "pad").preview()[0]
    assert preview[: SQUARE // 4].max() == 0
    assert preview[SQUARE // 2].min() == 1


def test_the_preview_of_an_uncut_photo_is_what_the_encoder_sees():
    views = cut_and_fit(photo(60, 90), fit="pad")
    assert torch.equal(views.preview(), views.pixels)


@pytest.mark.parametrize("change", [
    lambda mask: mask[0], lambda mask: mask[:, None], lambda mask: mask.bool(), lambda mask: mask.byte(),
    lambda mask: mask.half(), lambda mask: mask.bfloat16(), lambda mask: mask.double(),
], ids=["one plane", "a channel", "bool", "uint8", "half", "bfloat16", "double"])
@pytest.mark.parametrize("size", [(60, 90), (30, 50)])
def test_masks_of_every_form_cut_alike(change, size):
    image, mask = photo(60, 90), (disc(*size) > 0.5).float()
    assert torch.equal(prepare_views(image, change(mask)), prepare_views(image, mask))


def test_images_in_half_precision_are_read_as_they_are():
    image = photo(60, 90).half()
    assert torch.equal(prepare_views(image, disc(60, 90)), prepare_views(image.float(), disc(60, 90)))


def test_what_resizing_overshoots_is_clipped():
    image, mask = photo(60, 90), disc(60, 90)
    assert torch.equal(prepare_views(image * 1.4 - 0.2, mask * 1.4 - 0.2),
                       prepare_views((image * 1.4 - 0.2).clamp(-0.2, 1.2), (mask * 1.4 - 0.2).clamp(0, 1)))


HOLED = [
    (lambda mask: dict(masks=1 - mask), "The mask covers 100 % of the border and 33 % of the middle: .*to background"),
    (lambda mask: dict(masks=mask, mask_is="background"), "mask_is background the mask keeps 100 % .*to subject"),
    (lambda mask: dict(images=with_alpha(photo(60, 90), 1 - mask)), "The image is opaque on 100 % .*Invert Mask"),
]


@pytest.mark.parametrize("given, words", HOLED, ids=["a mask", "a mask of the background", "alpha"])
def test_a_cut_out_that_keeps_the_border_and_not_the_middle_is_warned_of_once(caplog, given, words):
    prepare_views(**(dict(images=photo(60, 90)) | given(disc(60, 90))))
    (said,) = caplog.messages
    assert re.search(words, said)
    assert caplog.records[0].name == "MS-Diffusion"
    assert caplog.records[0].levelname == "WARNING"


def test_several_views_are_warned_of_in_one_message(caplog):
    masks = torch.cat([disc(60, 90), 1 - disc(60, 90), 1 - disc(60, 90)])
    prepare_views(photo(60, 90).expand(3, -1, -1, -1), masks)
    assert len(caplog.messages) == 1


def subject_masks():
    """Right masks: in the middle, in a corner, cropped to the subject, cut off below, a ring, and the whole photo."""
    shape = disc(90, 90)
    corner = torch.zeros(1, 90, 90)
    corner[:, 45:, 45:] = disc(45, 45)
    ring = shape * (1 - torch.nn.functional.pad(disc(30, 30), (30, 30, 30, 30)))
    return {"middle": shape, "corner": corner, "cropped": shape[:, 20:70, 20:70], "bust": shape[:, 15:60],
            "ring": ring, "whole": torch.ones(1, 90, 90)}


@pytest.mark.parametrize("name", subject_masks())
def test_a_right_mask_is_not_warned_of_and_its_opposite_is(caplog, name):
    mask = subject_masks()[name]
    image = torch.ones(*mask.shape, 3)
    prepare_views(image, mask)
    prepare_views(image, 1 - mask, mask_is="background")
    prepare_views(with_alpha(image, mask))
    assert not caplog.messages
    if name in ("middle", "cropped", "bust"):
        prepare_views(image, 1 - mask)
        prepare_views(image, mask, mask_is="background")
        assert len(caplog.messages) == 2


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
    (torch.ones(1, 4, 4, 3), torch.full((1, 4, 4), 0.5), "largest value 0.5, needs more than 0.5"),
    (torch.ones(1, 4, 4, 4) * torch.tensor([1, 1, 1, 0.4]), None, "transparent everywhere .largest alpha 0.4,"),
    (torch.ones(2, 4, 4, 3), torch.stack([torch.ones(4, 4), torch.zeros(4, 4)]), "mask is empty .largest value 0,"),
])
def test_a_photo_that_shows_nothing_is_refused(image, mask, words):
    with pytest.raises(ValueError, match=words):
        prepare_views(image, mask)


def test_a_mask_that_is_all_background_is_refused():
    with pytest.raises(ValueError, match="white everywhere .smallest value 0.7, .*mask_is background, .*to subject"):
        prepare_views(photo(4, 4), torch.full((1, 4, 4), 0.7), mask_is="background")


@pytest.mark.parametrize("mask_is, other", [("subject", "background"), ("background", "subject")])
def test_an_alpha_channel_and_its_opposite_as_a_mask_are_refused(mask_is, other):
    alpha = disc(60, 90)
    mask = 1 - alpha if mask_is == "subject" else alpha
    words = f"mask_is {mask_is}, and the image's alpha channel have no pixel in common.*set mask_is to {other}"
    with pytest.raises(ValueError, match=words):
        prepare_views(with_alpha(photo(60, 90), alpha), mask, mask_is=mask_is)


@pytest.mark.parametrize("inputs, words", [
    (dict(images=photo(4, 4) * 255), "The image holds values from 0 to 255 but pixels lie in 0..1: scale"),
    (dict(images=(photo(4, 4) * 255).byte()), "The image holds values from 0 to 255 but"),
    (dict(images=photo(4, 4) * 2 - 1), "The image holds values from -1 to 1 but pixels lie in 0..1"),
    (dict(images=with_alpha(photo(4, 4), torch.full((1, 4, 4), 255.0))), "The image holds values from 0 to 255"),
    (dict(images=torch.ones(1, 3, 4, 9)), r"shape \[1, 3, 4, 9\] but must be \[views, height, width, 3 or 4\]"),
    (dict(images=torch.ones(1, 4, 4, 2)), r"shape \[1, 4, 4, 2\]"),
    (dict(images=torch.ones(1, 0, 4, 3)), r"shape \[1, 0, 4, 3\]"),
    (dict(masks=torch.full((1, 4, 4), 255.0)), "The mask holds values from 255 to 255 but a mask lies in 0..1: scale"),
    (dict(masks=torch.full((1, 4, 4), 255).byte()), "The mask holds values from 255 to 255"),
    (dict(masks=torch.full((1, 4, 4), 255.0).half()), "The mask holds values from 255 to 255"),
    (dict(masks=0.0 - torch.eye(4)[None]), "The mask holds values from -1 to 0"),
    (dict(masks=torch.ones(1, 3, 4, 4)), r"The mask has the shape \[1, 3, 4, 4\] but must be \[masks, height, width\]"),
    (dict(masks=torch.ones(1, 4, 4, 1)), r"The mask has the shape \[1, 4, 4, 1\]"),
    (dict(masks=torch.ones(4)), r"The mask has the shape \[4\]"),
    (dict(masks=torch.ones(1, 0, 4)), r"The mask has the shape \[1, 0, 4\]"),
    (dict(masks=torch.ones(0, 4, 4)), "There are 0 masks for 1 images"),
    (dict(masks=torch.ones(2, 1, 4, 4)), "There are 2 masks for 1 images"),
    (dict(masks=torch.ones(1, 4, 4), mask_is="object"), "mask_is is 'object' but must be one of subject, background"),
    (dict(fit="squeeze"), "fit is 'squeeze' but must be one of stretch, pad, crop"),
])
def test_images_and_masks_that_cannot_be_read_are_refused_in_one_sentence(inputs, words):
    with pytest.raises(ValueError, match=words) as caught:
        prepare_views(**(dict(images=photo(4, 4)) | inputs))
    said = str(caught.value)
    assert said.count(": ") == 1
    assert said.endswith(".")
    assert ". " not in said
    assert "\n" not in said


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("size", [(4, 4), (9, 7)])
def test_one_bad_value_in_image_or_mask_is_refused(bad, size):
    image, mask = torch.ones(2, 4, 4, 3), torch.ones(2, *size)
    bad_image, bad_mask = image.clone(), mask.clone()
    bad_image[1, 2, 3, 0] = bad_mask[1, 2, 3] = bad
    with pytest.raises(ValueError, match="The image holds NaN or infinite values.*: check"):
        prepare_views(bad_image, mask)
    with pytest.raises(ValueError, match="The mask holds NaN or infinite values.*: check"):
        prepare_views(image, bad_mask)


@pytest.mark.parametrize("values, words", [
    (dict(phrase="  "), "must name the subject"),
    (dict(phrase="dog", weight=-0.5), "-0.5"),
    (dict(phrase="dog", weight=float("nan")), "nan"),
    (dict(phrase="dog", start=0.5, end=0.5), "starts at 0.5 and ends at 0.5"),
    (dict(phrase="dog", weight=float("inf")), "inf"),
    (dict(phrase="dog", start=-0.1), "-0.1"),
    (dict(phrase="dog", end=1.5), "1.5"),
    (dict(phrase="dog", start=float("nan")), "starts at nan"),
    (dict(phrase="dog", end=float("nan")), "ends at nan"),
])
def test_a_subject_that_makes_no_sense_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Subject(torch.ones(1, SQUARE, SQUARE, 3), **values)
