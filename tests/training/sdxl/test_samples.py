"""Samples cut to size: boxes follow the picture, and the UNet is told what was done."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from msd_core.headless.image_encoder import encoder_pixels
from msd_core.subject import prepare_views
from training.sdxl.samples import PreparedSamples, fit, views_of
from training.shards import Sample, Subject

RED, GREEN = (255, 0, 0), (0, 255, 0)


def sample(width: int, height: int, *boxes: tuple[float, float, float, float]) -> Sample:
    """Boxes in red and green on black."""
    target = np.zeros((height, width, 3), np.uint8)
    for (x0, y0, x1, y1), colour in zip(boxes, (RED, GREEN), strict=False):
        target[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = colour
    subjects = tuple(Subject("thing", box, np.full((8, 8, 3), 200, np.uint8)) for box in boxes)
    return Sample("one", "a thing", target, subjects)


@pytest.mark.parametrize("width, height", [(400, 200), (200, 400), (300, 300), (50, 90)])
def test_boxes_follow_the_picture(width, height):
    picture, placed, _ = fit(sample(width, height, (0.3, 0.25, 0.5, 0.5)), 128, 96)
    (_, (x0, y0, x1, y1)), = placed
    red = (picture.astype(int) @ [1, -1, -1] > 128).nonzero()
    found = red[1].min() / 128, red[0].min() / 96, (red[1].max() + 1) / 128, (red[0].max() + 1) / 96
    assert picture.shape == (96, 128, 3) and np.allclose(found, (x0, y0, x1, y1), atol=0.025)


def test_the_cut_lies_where_the_subjects_are_and_the_unet_is_told():
    _, placed, sizes = fit(sample(400, 200, (0.8, 0.2, 1.0, 0.8)), 100, 100)
    assert sizes == [200, 400, 0, 100, 100, 100]
    assert placed[0][1] == pytest.approx([0.6, 0.2, 1.0, 0.8])


def test_a_subject_that_is_mostly_cut_off_is_left_out():
    left, right = (0.0, 0.0, 0.2, 1.0), (0.7, 0.0, 1.0, 1.0)
    _, placed, _ = fit(sample(300, 100, left, right), 100, 100)
    assert [subject.box for subject, _ in placed] == [left]
    _, both, _ = fit(sample(300, 100, left, right), 300, 100)
    assert [box for _, box in both] == [pytest.approx(list(left)), pytest.approx(list(right))]


def test_a_subject_that_no_cut_can_hold_is_shown_as_far_as_it_goes():
    _, placed, _ = fit(sample(400, 100, (0.0, 0.0, 1.0, 1.0)), 100, 100)
    assert placed[0][1] == [0.0, 0.0, 1.0, 1.0]


def test_a_masked_subject_is_seen_as_the_nodes_show_it():
    picture, mask = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8), np.zeros((30, 40), bool)
    mask[5:20, 10:35] = True
    views = views_of(Subject("thing", (0.0, 0.0, 1.0, 1.0), picture, mask))
    cut = torch.from_numpy(picture[5:20, 10:35].copy()).float()[None] / 255
    torch.testing.assert_close(views, prepare_views(cut))


def test_an_empty_mask_names_its_sample():
    one = sample(64, 64, (0.0, 0.0, 1.0, 1.0))
    empty = Subject("thing", (0.0, 0.0, 1.0, 1.0), np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool))
    with pytest.raises(ValueError, match="Sample one: The mask is empty"):
        PreparedSamples([Sample("one", "a thing", one.target, (empty,))], 64, 64, 16)[0]


def test_what_is_prepared_is_what_the_encoder_takes():
    made = PreparedSamples([sample(64, 64, (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))], 64, 64, 16)[0]
    assert made.pixels.shape == (3, 64, 64) and made.boxes.shape == (2, 4) and made.sizes.tolist()[:2] == [64, 64]
    grey = prepare_views(torch.full((1, 8, 8, 3), 200 / 255))
    torch.testing.assert_close(made.pictures, encoder_pixels(grey, 16).expand(2, -1, -1, -1))
