"""Samples of shards as the frozen models take them: the target cut to size, each subject's picture as it is encoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from msd_core.headless.image_encoder import encoder_pixels
from msd_core.subject import prepare_views

from ..shards import Sample, Shards, Subject

LEAST = 0.5
"""How much of a subject's box the cut target must show."""


@dataclass(frozen=True)
class Prepared:
    """One sample.

    Attributes:
        caption: what the target shows.
        pixels: the target, uint8 `[3, H, W]`.
        pictures: of the subjects, normalised, `[n, 3, s, s]`.
        phrases: the subjects' names.
        boxes: fp32 `[n, 4]`, in 0..1 of the cut target.
        sizes: SDXL's six numbers `[6]`: height and width before anything was done, top and left of the cut, height and
            width of what was cut out.
    """

    caption: str
    pixels: Tensor
    pictures: Tensor
    phrases: tuple[str, ...]
    boxes: Tensor
    sizes: Tensor


def fit(sample: Sample, width: int, height: int) -> tuple[np.ndarray, list[tuple[Subject, list[float]]], list[int]]:
    """Scale a sample's target until it covers a size, and cut out the part that shows most of its subjects.

    Subjects of which less than half is left are left out, unless nothing else is there.

    Returns:
        The picture `[height, width, 3]`, the subjects with their boxes in it, and SDXL's six numbers.
    """
    from PIL import Image

    had_height, had_width = sample.target.shape[:2]
    scale = max(width / had_width, height / had_height)
    scaled = max(width, round(had_width * scale)), max(height, round(had_height * scale))
    boxes = np.array([subject.box for subject in sample.subjects]) * [*scaled, *scaled]
    left, top = _cut(boxes, scaled, (width, height))
    kept = _shown(boxes, left, top, width, height)
    if not kept:
        first = boxes[:1]
        left, top = _cut(first, scaled, (width, height))
        kept = _shown(boxes, left, top, width, height) or _shown(first, left, top, width, height, 0.0)
    picture = Image.fromarray(sample.target)
    if picture.size != scaled:
        picture = picture.resize(scaled, Image.Resampling.LANCZOS)
    picture = np.asarray(picture.crop((left, top, left + width, top + height)))
    subjects = [(sample.subjects[number], box) for number, box in kept]
    return picture, subjects, [had_height, had_width, top, left, height, width]


def _cut(boxes: np.ndarray, scaled: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Left and top of the cut: the middle of all boxes in its middle, as far as the picture reaches."""
    middle = (boxes[:, :2].min(0) + boxes[:, 2:].max(0)) / 2
    return tuple(int(min(max(0, round(m - side / 2)), have - side))
                 for m, side, have in zip(middle, size, scaled, strict=True))


def _shown(boxes: np.ndarray, left: int, top: int, width: int, height: int,
           least: float = LEAST) -> list[tuple[int, list[float]]]:
    """Which boxes are left in a cut, and as which parts of it."""
    found = []
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        cut = max(x0, left), max(y0, top), min(x1, left + width), min(y1, top + height)
        area = max(0.0, cut[2] - cut[0]) * max(0.0, cut[3] - cut[1])
        if area > 0 and area >= least * (x1 - x0) * (y1 - y0):
            edges = (cut[0] - left) / width, (cut[1] - top) / height, (cut[2] - left) / width, (cut[3] - top) / height
            found.append((number, [float(min(max(edge, 0.0), 1.0)) for edge in edges]))
    return found


def views_of(subject: Subject) -> Tensor:
    """A subject's picture as the nodes make it: `[1, 512, 512, 3]`, black outside of its mask and cut to it."""
    image = torch.from_numpy(subject.picture.astype(np.float32))[None] / 255
    mask = None if subject.mask is None else torch.from_numpy(subject.mask.astype(np.float32))[None]
    return prepare_views(image, mask)


class PreparedSamples(Dataset):
    """Samples of shards, prepared when asked for; what a loader's workers do."""

    def __init__(self, shards: Shards, width: int, height: int, picture: int) -> None:
        """
        Args:
            width, height: of the targets.
            picture: side of what the image encoder takes.
        """
        self.shards, self.width, self.height, self.picture = shards, width, height, picture

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, number: int) -> Prepared:
        """
        Raises:
            ValueError: the sample can't be read, or a subject's mask is empty.
        """
        sample = self.shards[number]
        picture, subjects, sizes = fit(sample, self.width, self.height)
        try:
            views = torch.cat([views_of(subject) for subject, _ in subjects])
        except ValueError as error:
            raise ValueError(f"Sample {sample.key}: {error}") from None
        return Prepared(
            sample.caption, torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))),
            encoder_pixels(views, self.picture), tuple(subject.phrase for subject, _ in subjects),
            torch.tensor([box for _, box in subjects], dtype=torch.float32), torch.tensor(sizes, dtype=torch.float32),
        )
