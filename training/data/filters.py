"""What is no frame, no box and no mask to learn from, each with the name under which it is counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from msd_core.evaluation.placement import Detection, intersection_over_union
from msd_core.evaluation.regions import Edges

from .crops import at_most, crop, pixel_box
from .settings import Settings

THUMB = 32


def frame_fault(pixels: np.ndarray, settings: Settings) -> str | None:
    """Why a frame `[h, w, 3]` uint8 is left out, None if it is not."""
    if min(pixels.shape[:2]) < settings.shortest:
        return "too few pixels"
    if _thumb(pixels).mean(axis=-1).std() < settings.blank:
        return "blank"
    return None


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two frames' pixels in 0..1, on a small scale where noise says nothing."""
    return float(np.abs(_thumb(one) - _thumb(other)).mean())


def one_each(found: Sequence[Detection], same: float) -> list[Detection]:
    """The best detection of each phrase, and of boxes that are one thing the best: by falling score."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda one: (-one.score, one.phrase, one.box)):
        if any(one.phrase == other.phrase for other in kept):
            continue
        if kept and intersection_over_union([one.box], [other.box for other in kept]).max() >= same:
            continue
        kept.append(one)
    return kept


def box_fault(box: Edges, height: int, width: int, settings: Settings) -> str | None:
    """Why a box of a frame is left out, None if it is not."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    left, top, right, bottom = pixel_box(box, height, width)
    sides = sorted(((box[2] - box[0]) * width, (box[3] - box[1]) * height))
    if area < settings.smallest or min(right - left, bottom - top) < settings.side:
        return "too small"
    if area > settings.largest:
        return "too large"
    if sides[1] > settings.proportions * sides[0]:
        return "unbalanced"
    return None


def mask_fault(mask: np.ndarray, box: Edges, settings: Settings) -> str | None:
    """Why a thing with this mask `[h, w]` bool is left out, None if it is not."""
    part = at_most(crop(mask, box), settings.subject_side)  # as it is kept
    return None if part.any() and part.mean() >= settings.fill else "hardly in its mask"


def _thumb(pixels: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((THUMB, THUMB), Image.Resampling.BOX), np.float64) / 255
