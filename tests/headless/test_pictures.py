"""Subjects from picture files: cut-outs, masks, views, and what photos of cameras and phones bring along."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from msd_core.headless.pictures import load_subject
from msd_core.subject import prepare_views


@pytest.fixture
def pixels() -> np.ndarray:
    """A photo `[40, 60, 3]` of noise."""
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.fixture
def shape() -> np.ndarray:
    """Where the subject is, `[40, 60]`: away from the borders."""
    shape = np.zeros((40, 60), np.uint8)
    shape[10:30, 15:35] = 255
    return shape


def saved(array: np.ndarray, path, **settings) -> str:
    Image.fromarray(array).save(path, **settings)
    return str(path)


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32) / 255)[None]


def test_a_photo_becomes_what_the_nodes_make_of_it(pixels, tmp_path) -> None:
    subject = load_subject(saved(pixels, tmp_path / "a.png"), "dog", fit="pad", weight=0.5, start=0.1, end=0.9)
    assert torch.equal(subject.views, prepare_views(tensor(pixels), None, "pad"))
    assert (subject.phrase, subject.weight, subject.start, subject.end) == ("dog", 0.5, 0.1, 0.9)


@pytest.mark.parametrize("kind", ["RGBA", "LA", "palette"])
def test_a_transparent_background_is_cut_away(kind, pixels, shape, tmp_path) -> None:
    picture = Image.fromarray(np.dstack([pixels, shape]))
    if kind == "LA":
        picture = picture.convert("LA")
    if kind == "palette":
        picture = Image.fromarray(pixels).quantize(255)
        index = np.asarray(picture).copy()
        index[shape == 0] = 255
        transparent = Image.fromarray(index, "P")
        transparent.putpalette((picture.getpalette() + [0] * 768)[:768])
        picture = transparent
        picture.info["transparency"] = 255
    file = tmp_path / "cut.png"
    picture.save(file)
    shown = np.asarray(Image.open(file).convert("RGBA"))
    expected = prepare_views(tensor(shown[..., :3]), tensor(shape))
    assert torch.equal(load_subject(file, "dog").views, expected)
    assert not torch.equal(expected, prepare_views(tensor(shown[..., :3])))


def test_a_mask_cuts_the_subject_out_and_counts_together_with_alpha(pixels, shape, tmp_path) -> None:
    other = np.zeros_like(shape)
    other[20:36, 20:50] = 255
    mask, both = saved(other, tmp_path / "mask.png"), tensor(shape) * tensor(other)
    inverse = saved(255 - other, tmp_path / "inverse.png")
    photo, cut = saved(pixels, tmp_path / "a.png"), saved(np.dstack([pixels, shape]), tmp_path / "cut.png")
    assert torch.equal(load_subject(photo, "dog", mask=mask).views, prepare_views(tensor(pixels), tensor(other)))
    assert torch.equal(load_subject(cut, "dog", mask=mask).views, prepare_views(tensor(pixels), both))
    assert torch.equal(
        load_subject(cut, "dog", mask=inverse, mask_is="background").views, prepare_views(tensor(pixels), both)
    )


def test_what_is_transparent_of_a_mask_is_not_of_the_subject(pixels, shape, tmp_path) -> None:
    photo, white = saved(pixels, tmp_path / "a.png"), np.full_like(pixels, 255)
    mask = saved(np.dstack([white, shape]), tmp_path / "mask.png")
    assert torch.equal(load_subject(photo, "dog", mask=mask).views, prepare_views(tensor(pixels), tensor(shape)))


def test_a_mask_of_another_size_fits_the_photo(pixels, shape, tmp_path) -> None:
    small = np.asarray(Image.fromarray(shape).resize((30, 20), Image.Resampling.NEAREST))
    files = saved(np.dstack([pixels, np.full((40, 60), 255, np.uint8)]), tmp_path / "a.png"), tmp_path / "mask.png"
    mask = saved(small, files[1])
    assert torch.equal(load_subject(files[0], "dog", mask=mask).views, prepare_views(tensor(pixels), tensor(small)))


def test_several_views_share_a_mask_or_have_one_each(pixels, shape, tmp_path) -> None:
    files = [saved(pixels, tmp_path / "a.png"), saved(pixels[::-1], tmp_path / "b.png")]
    masks = [saved(shape, tmp_path / "ma.png"), saved(shape[::-1], tmp_path / "mb.png")]
    a, b = tensor(pixels), tensor(pixels[::-1].copy())
    one = torch.cat([prepare_views(a, tensor(shape)), prepare_views(b, tensor(shape))])
    each = torch.cat([prepare_views(a, tensor(shape)), prepare_views(b, tensor(shape[::-1].copy()))])
    assert torch.equal(load_subject(files, "dog", mask=masks[0]).views, one)
    assert torch.equal(load_subject(files, "dog", mask=masks).views, each)
    with pytest.raises(ValueError, match="'dog' has 2 masks for 3 pictures: give one mask, or one for each"):
        load_subject([*files, files[0]], "dog", mask=masks)


def test_views_of_different_sizes_are_one_subject(pixels) -> None:
    pictures = [Image.fromarray(pixels), Image.fromarray(pixels[:30, :20])]
    assert load_subject(pictures, "dog").views.shape == (2, 512, 512, 3)


def test_a_photo_that_a_phone_has_turned_stands_upright(pixels, tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    turned = load_subject(saved(pixels, tmp_path / "a.png", exif=exif), "dog").views
    assert torch.equal(turned, prepare_views(tensor(np.rot90(pixels, -1).copy())))


def test_sixteen_bits_of_grey_keep_their_brightness(pixels, tmp_path) -> None:
    grey = pixels[..., 0].astype(np.uint16) * 257
    expected = prepare_views(tensor(np.dstack([pixels[..., 0]] * 3)))
    assert (load_subject(saved(grey, tmp_path / "a.png"), "dog").views - expected).abs().max() < 1 / 200


def test_a_cut_out_that_leaves_nothing_is_refused(pixels, shape, tmp_path) -> None:
    cut = saved(np.dstack([pixels, shape]), tmp_path / "cut.png")
    beside = saved(255 - shape, tmp_path / "beside.png")
    with pytest.raises(ValueError, match="'dog': The mask, with mask_is subject, and .* have no pixel in common"):
        load_subject(cut, "dog", mask=beside)
    assert load_subject(cut, "dog", mask=beside, mask_is="background").views.any()
    empty = saved(np.dstack([pixels, shape * 0]), tmp_path / "empty.png")
    with pytest.raises(ValueError, match="'dog': The image is transparent everywhere"):
        load_subject(empty, "dog")


def test_what_is_no_picture_is_refused(tmp_path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"a.png can't be read \(cannot identify.*name a PNG, JPEG or WebP"):
        load_subject(tmp_path / "a.png", "dog")
    with pytest.raises(ValueError, match=r"b.png can't be read \(there is no such file\)"):
        load_subject(tmp_path / "b.png", "dog")
    with pytest.raises(ValueError, match=r"can't be read"):
        load_subject(tmp_path, "dog")
    with pytest.raises(ValueError, match="There are 0 pictures of a subject but it needs 1 or more"):
        load_subject([], "dog")
    with pytest.raises(ValueError, match="'dog': fit is 'squeeze' but must be one of stretch, pad, crop"):
        load_subject(Image.new("RGB", (8, 8)), "dog", fit="squeeze")
