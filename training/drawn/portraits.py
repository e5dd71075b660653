"""Samples of drawn clips as the tiny set's image encoder knows sprites: on white, and not always alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..data.crops import cut_out
from ..references import SIDE, side_by_side
from ..shards import Sample, Shards, Subject

COMPANY = 0.3
"""How often a subject's picture shows a second sprite, so that only the phrase says which one is meant."""
ZOOM = (0.74, 0.95)
"""How much of its picture's side a sprite's square takes."""
WHOLE = (0.0, 0.0, 1.0, 1.0)


class Portraits:
    """Shards whose subjects stand on white, as the image encoder has learned them; the same at every look.

    It has one thing to learn from that a cut-out does not have: a picture of two, and a phrase that says which.
    """

    def __init__(self, shards: Shards | Sequence[Sample], company: float = COMPANY) -> None:
        self.shards, self.company = shards, company

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, number: int) -> Sample:
        sample, rng = self.shards[number], np.random.default_rng([number, 58])
        others: list[Subject] = []
        subjects = []
        for subject in sample.subjects:
            picture = portrait(subject, rng)
            if rng.random() < self.company:
                others = others or [one for one in self.shards[int(rng.integers(len(self)))].subjects]
                other = next((one for one in others if _noun(one) != _noun(subject)), None)
                if other is not None:
                    pair = [picture, portrait(other, rng)]
                    picture = side_by_side(*(pair if rng.random() < 0.5 else pair[::-1]), rng)
            subjects.append(replace(subject, picture=picture, mask=None))
        return replace(sample, subjects=tuple(subjects))


def portrait(subject: Subject, rng: np.random.Generator) -> np.ndarray:
    """A subject in the middle of a white square, `[SIDE, SIDE, 3]` uint8."""
    from PIL import Image

    mask = np.ones(subject.picture.shape[:2], bool) if subject.mask is None else subject.mask
    square = cut_out(subject.picture, WHOLE, mask)
    side = round(SIDE * rng.uniform(*ZOOM))
    small = np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS))
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    start = (SIDE - side) // 2
    picture[start : start + side, start : start + side] = small
    return picture


def _noun(subject: Subject) -> str:
    return subject.phrase.split()[-1]
