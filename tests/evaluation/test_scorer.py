"""All metrics in one call."""

import math

import pytest
import torch

from msd_core.evaluation.placement import Detection
from msd_core.evaluation.scorer import Scorer, ShownSubject

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
RED, GREEN = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])


class MeanColour:
    """A picture's vector is its mean colour; a caption's is the colours that it names."""

    name = "mean colour"

    def __init__(self):
        self.seen = 0

    def images(self, pictures):
        self.seen += len(pictures)
        return pictures.mean(dim=(1, 2))

    def texts(self, captions):
        return torch.stack([RED * ("red" in caption) + GREEN * ("green" in caption) for caption in captions])


class Finds:
    name = "finds"

    def detect(self, pictures, phrases):
        return [[Detection(phrases[0], LEFT, 0.9)] for _ in pictures]


def picture(left, right):
    canvas = torch.zeros(8, 8, 3)
    canvas[:, :4], canvas[:, 4:] = left, right
    return canvas


def subjects(**more):
    photo = [colour.expand(6, 5, 3).clone() for colour in (RED, GREEN)]
    return [ShownSubject("red", (photo[0],), LEFT, **more), ShownSubject("green", (photo[1],), RIGHT)]


def test_every_metric_of_a_right_and_of_a_swapped_picture():
    scorer = Scorer(clip=MeanColour(), dino=MeanColour(), detector=Finds())
    right, exchanged = scorer.score(torch.stack([picture(RED, GREEN), picture(GREEN, RED)]), "red, green", subjects())
    half = math.sqrt(0.5)
    for row in (right, exchanged):
        assert row["clip_t"] == pytest.approx(1)
        assert row["clip_i"] == row["dino"] == pytest.approx(half)
        assert row["m_dino"] == pytest.approx(0.5)
        assert row["dino_each"] == pytest.approx([half, half])
        assert (row["miou"], row["counts"], row["wanted"], row["verdicts"]) == (0.5, 0.5, 2, [[0.9, True]])
    # What the paper's four can't tell, the regions can.
    assert (right["region"], right["swap"]) == (pytest.approx(1), 0)
    assert (exchanged["region"], exchanged["swap"], exchanged["swap_each"]) == (pytest.approx(0), 1, [True, True])


def test_what_has_no_encoder_is_left_out():
    row = Scorer(dino=MeanColour()).score(picture(RED, GREEN)[None], "red", subjects())[0]
    assert "clip_t" not in row and "miou" not in row and "m_dino" in row and "region" in row
    bare = Scorer(clip=MeanColour()).score(picture(RED, GREEN)[None], "red", [])[0]
    assert set(bare) == {"clip_t"}
    with pytest.raises(ValueError, match="No encoder and no detector"):
        Scorer()


def test_without_boxes_there_are_no_regions():
    told = [ShownSubject(one.phrase, one.photos) for one in subjects()]
    assert "region" not in Scorer(dino=MeanColour()).score(picture(RED, GREEN)[None], "red", told)[0]


def test_a_named_reference_is_encoded_once():
    encoder = MeanColour()
    scorer = Scorer(dino=encoder)
    for _ in range(3):
        scorer.score(picture(RED, GREEN)[None], "red", subjects(name="the red one"))
    # Per call a picture, two crops, and the nameless reference for each of both uses; once the named one.
    assert encoder.seen == 3 * 5 + 1
