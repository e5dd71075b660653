"""All metrics of some pictures in one call, with whatever encoders are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .detectors import Detector
from .encoders import ImageEncoder, TextImageEncoder
from .fidelity import joint_fidelity, mean_fidelity, subject_similarities, text_fidelity
from .placement import judge_placement
from .regions import Edges, crop_regions, region_similarities, swapped

KEPT_REFERENCES = 4096


@dataclass(frozen=True)
class ShownSubject:
    """One subject as it was asked for.

    Attributes:
        phrase: its name in words.
        photos: its reference pictures, each `[h, w, 3]` in 0..1.
        box: where it was to stand, None if that was not said.
        name: under which the photos' embeddings are kept from one call to the next; "" for not at all.
    """

    phrase: str
    photos: tuple[Tensor, ...]
    box: Edges | None = None
    name: str = ""


@dataclass
class Scorer:
    """Scores pictures. An encoder that is None leaves its metrics out.

    Attributes:
        clip: for CLIP-I and CLIP-T.
        dino: for DINO and M-DINO.
        region: for the scores per region; None takes dino, and clip if there is no dino.
        detector: for layout accuracy.
    """

    clip: TextImageEncoder | None = None
    dino: ImageEncoder | None = None
    region: ImageEncoder | None = None
    detector: Detector | None = None
    _kept: dict[tuple[int, str], Tensor] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.region is None:
            self.region = self.dino or self.clip
        if self.region is None and self.detector is None:
            raise ValueError("No encoder and no detector are given but scores need one: give CLIP, DINO or a detector.")

    def names(self) -> dict[str, str]:
        """What measures what."""
        used = {"clip": self.clip, "dino": self.dino, "region": self.region, "detector": self.detector}
        return {name: one.name for name, one in used.items() if one is not None}

    def score(self, pictures: Tensor, prompt: str, subjects: Sequence[ShownSubject]) -> list[dict[str, Any]]:
        """Score pictures of one prompt and the same subjects.

        Args:
            pictures: `[b, h, w, 3]` in 0..1.
            prompt: what they are to show.
            subjects: whom they are to show.

        Returns:
            For each picture the values by name, of `clip_i`, `clip_t`, `dino`, `m_dino`, `region`, `swap`, `miou`,
            `counts`, as far as they can be had, and what they are made of: `clip_i_each`, `dino_each` and
            `region_each` by subject, `swap_each`, and `verdicts` and `wanted` for `average_precision`.
        """
        rows: list[dict[str, Any]] = [{} for _ in pictures]
        if self.clip is not None:
            seen = self.clip.images(pictures)
            _write(rows, clip_t=text_fidelity(seen, self.clip.texts([prompt])))
            if subjects:
                each = subject_similarities(seen, self._references(self.clip, subjects))
                _write(rows, clip_i=mean_fidelity(each), clip_i_each=each)
        if self.dino is not None and subjects:
            each = subject_similarities(self.dino.images(pictures), self._references(self.dino, subjects))
            _write(rows, dino=mean_fidelity(each), m_dino=joint_fidelity(each), dino_each=each)
        boxes = [subject.box for subject in subjects if subject.box is not None]
        if boxes and len(boxes) == len(subjects):
            if self.region is not None:
                self._score_regions(rows, pictures, subjects, boxes)
            if self.detector is not None:
                self._score_placement(rows, pictures, subjects, boxes)
        return rows

    def _score_regions(
        self, rows: list[dict[str, Any]], pictures: Tensor, subjects: Sequence[ShownSubject], boxes: list[Edges]
    ) -> None:
        references = self._references(self.region, subjects)
        crops = self.region.images(torch.cat([crop_regions(picture, boxes) for picture in pictures]))
        for row, own in zip(rows, crops.split(len(boxes)), strict=True):
            similarities = region_similarities(own, references)
            each = similarities.diagonal()
            verdicts = swapped(similarities, boxes)
            told = [verdict for verdict in verdicts if verdict is not None]
            row |= {"region": float(each.mean()), "region_each": each.tolist(),
                    "swap": sum(told) / len(told) if told else None, "swap_each": verdicts}

    def _score_placement(
        self, rows: list[dict[str, Any]], pictures: Tensor, subjects: Sequence[ShownSubject], boxes: list[Edges]
    ) -> None:
        phrases = [subject.phrase for subject in subjects]
        for row, found in zip(rows, self.detector.detect(pictures, phrases), strict=True):
            placement = judge_placement(phrases, boxes, found)
            row |= {"miou": placement.miou, "counts": placement.counts, "wanted": placement.wanted,
                    "verdicts": [list(verdict) for verdict in placement.verdicts]}

    def _references(self, encoder: ImageEncoder, subjects: Sequence[ShownSubject]) -> list[Tensor]:
        return [self._reference(encoder, subject) for subject in subjects]

    def _reference(self, encoder: ImageEncoder, subject: ShownSubject) -> Tensor:
        """The embeddings of a subject's photos, `[photos, d]`."""
        key = id(encoder), subject.name
        if subject.name and key in self._kept:
            return self._kept[key]
        found = torch.cat([encoder.images(photo[None]) for photo in subject.photos])
        if subject.name and len(self._kept) < KEPT_REFERENCES:
            self._kept[key] = found
        return found


def _write(rows: list[dict[str, Any]], **values: Tensor) -> None:
    for name, column in values.items():
        for row, value in zip(rows, column.tolist(), strict=True):
            row[name] = value
