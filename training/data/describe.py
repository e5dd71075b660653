"""One frame, described: its caption, and the things in it with their phrases, boxes, masks and embeddings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from msd_core.evaluation.placement import Detection
from msd_core.evaluation.regions import Edges

from .clips import View
from .filters import box_fault, mask_fault, one_each
from .settings import Settings
from .steps import Steps, ask


@dataclass(frozen=True, eq=False)
class Thing:
    """Something in a frame.

    Attributes:
        phrase: its name, in the words of the frame's caption.
        box: where it is, in fractions of the frame.
        score: the detector's, 0..1.
        mask: `[h, w]` bool of the frame.
        embedding: `[d]`, of length 1.
    """

    phrase: str
    box: Edges
    score: float
    mask: np.ndarray
    embedding: np.ndarray


@dataclass(frozen=True, eq=False)
class Description:
    """What a frame shows; things in the order in which the caption names them."""

    view: View
    caption: str
    things: tuple[Thing, ...]


def describe(views: Sequence[View], steps: Steps, settings: Settings, counts: Counter[str]) -> list[Description]:
    """Describe a clip's frames.

    Args:
        counts: where it is counted what was left out and why.

    Raises:
        StepFailed: a step could not do its work.
    """
    captions = ask("captions", len(views), steps.captions, views) if views else []
    return [_describe(view, caption, steps, settings, counts)
            for view, caption in zip(views, captions, strict=True)]


def _describe(view: View, caption: str, steps: Steps, settings: Settings, counts: Counter[str]) -> Description:
    phrases = list(dict.fromkeys(ask("entities", None, steps.entities, caption))) if caption else []
    if not phrases:
        counts["frames without a caption" if not caption else "frames without an entity"] += 1
        return Description(view, caption, ())
    counts["entities named"] += len(phrases)
    found = ask("boxes", None, _found, steps, view, phrases)
    counts["entities not found"] += len(phrases) - len({one.phrase for one in found})
    best = one_each(found, settings.same)
    counts["entities one thing with another"] += len({one.phrase for one in found}) - len(best)
    height, width = view.pixels.shape[:2]
    kept = []
    for one in sorted(best, key=lambda one: phrases.index(one.phrase)):
        if fault := box_fault(one.box, height, width, settings):
            counts[f"entities {fault}"] += 1
        else:
            kept.append(one)
    masks = ask("masks", len(kept), _masks, steps, view, [one.box for one in kept]) if kept else []
    faults = [mask_fault(mask, one.box, settings) for one, mask in zip(kept, masks, strict=True)]
    for fault in filter(None, faults):
        counts[f"entities {fault}"] += 1
    kept = [(one, mask) for one, mask, fault in zip(kept, masks, faults, strict=True) if not fault]
    counts["entities kept"] += len(kept)
    if not kept:
        counts["frames without a thing"] += 1
        return Description(view, caption, ())
    boxes, masks = [one.box for one, _ in kept], [mask for _, mask in kept]
    embeddings = ask("embeddings", len(kept), _embeddings, steps, view, boxes, masks)
    counts["frames described"] += 1
    return Description(view, caption, tuple(
        Thing(one.phrase, one.box, one.score, mask, embedding)
        for (one, mask), embedding in zip(kept, embeddings, strict=True)
    ))


def _found(steps: Steps, view: View, phrases: Sequence[str]) -> list[Detection]:
    found = [one for one in steps.boxes(view, phrases) if one.phrase in phrases]
    for x0, y0, x1, y1 in (one.box for one in found):
        if not (0 <= x0 <= x1 <= 1 and 0 <= y0 <= y1 <= 1):
            raise ValueError(f"the box {[x0, y0, x1, y1]} is not in 0..1")
    return found


def _masks(steps: Steps, view: View, boxes: Sequence[Edges]) -> list[np.ndarray]:
    masks = [np.asarray(mask) for mask in steps.masks(view, boxes)]
    for mask in masks:
        if mask.dtype != bool or mask.shape != view.pixels.shape[:2]:
            raise ValueError(f"a mask is {mask.dtype} {list(mask.shape)} and not bool {list(view.pixels.shape[:2])}")
    return masks


def _embeddings(steps: Steps, view: View, boxes: Sequence[Edges], masks: Sequence[np.ndarray]) -> np.ndarray:
    found = np.asarray(steps.embeddings(view, boxes, masks))
    lengths = np.linalg.norm(found.astype(np.float64), axis=-1) if len(found) == len(boxes) else np.ones(1)
    wrong = lengths[~(abs(lengths - 1) < 0.01)]  # one that is no number is in it
    if len(wrong):
        raise ValueError(f"a vector is not of length 1 but {wrong[0]:g}")
    return found
