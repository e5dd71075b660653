"""Layout accuracy: do the subjects stand where their boxes are, by an open-vocabulary detector's word.

For each phrase the detector gives boxes with scores. Of one picture, with the boxes that were asked for `b_1 ... b_n`:

- mIoU: `1/n sum_j IoU(b_j, d(j))`, d the one-to-one assignment of detections of the same phrase that makes the sum
  largest; a subject without a detection counts 0 (as in LayoutGPT, Feng et al., 2023, and MIGC, Zhou et al., 2024).
- AP50: average precision at IoU 0.5 over the whole run: detections by falling score, each right if it meets a box of
  its phrase that none before it met; the area under precision over recall, with precision made monotone (PASCAL VOC,
  Everingham et al., 2010).
- counts: the share of a picture's phrases with as many detections as subjects.

Subjects whose box is the whole picture are scenes, which no detector finds as a thing: they are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .regions import Edges

WHOLE = 0.98
"""Share of the picture from which a box is a scene's."""


@dataclass(frozen=True)
class Detection:
    """One thing that a detector has found: its phrase, its box in fractions of the picture, its score 0..1."""

    phrase: str
    box: Edges
    score: float


@dataclass(frozen=True)
class Placement:
    """How one picture keeps its layout.

    Attributes:
        miou: mean IoU of the boxes with their detections, None if all subjects are scenes.
        counts: share of phrases with the right number of detections, None likewise.
        wanted: how many boxes were asked for.
        verdicts: each detection's score and whether it is right at IoU 0.5, for `average_precision`.
    """

    miou: float | None
    counts: float | None
    wanted: int
    verdicts: tuple[tuple[float, bool], ...]


def is_scene(box: Edges) -> bool:
    """Whether a box is the whole picture."""
    return (box[2] - box[0]) * (box[3] - box[1]) >= WHOLE


def intersection_over_union(a: Sequence[Edges], b: Sequence[Edges]) -> Tensor:
    """IoU of all pairs, `[n, m]`."""
    first, second = (torch.tensor(boxes, dtype=torch.float64).view(-1, 4) for boxes in (a, b))
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(dim=-1) for boxes in (first, second)]
    return shared / (areas[0][:, None] + areas[1][None, :] - shared).clamp(min=1e-12)


def judge_placement(phrases: Sequence[str], boxes: Sequence[Edges], detections: Sequence[Detection]) -> Placement:
    """Compare a picture's detections with the boxes that were asked for.

    Args:
        phrases, boxes: one for each subject.
        detections: everything found under these phrases.
    """
    wanted: dict[str, list[Edges]] = {}
    for phrase, box in zip(phrases, boxes, strict=True):
        if not is_scene(box):
            wanted.setdefault(phrase, []).append(box)
    total, right, verdicts = 0.0, 0, []
    for phrase, asked in wanted.items():
        found = sorted((one for one in detections if one.phrase == phrase), key=lambda one: -one.score)
        overlaps = intersection_over_union(asked, [one.box for one in found])
        total += best_assignment(overlaps)
        right += len(found) == len(asked)
        free = torch.ones(len(asked), dtype=torch.bool)
        for column, one in enumerate(found):
            left = torch.where(free, overlaps[:, column], torch.tensor(-1.0, dtype=torch.float64))
            best = int(left.argmax())
            hit = bool(left[best] >= 0.5)
            if hit:
                free[best] = False
            verdicts.append((one.score, hit))
    count = sum(len(asked) for asked in wanted.values())
    if not count:
        return Placement(None, None, 0, ())
    return Placement(total / count, right / len(wanted), count, tuple(verdicts))


def best_assignment(values: Tensor) -> float:
    """The largest sum of `[n, m]` non-negative values with at most one in each row and column."""
    rows, columns = values.shape
    if rows > columns:
        values, rows, columns = values.T, columns, rows
    # By sets of rows, as a picture has few subjects: best[s] is the best of rows s over the columns so far.
    best = {0: 0.0}
    for column in range(columns):
        grown = dict(best)
        for taken, value in best.items():
            for row in range(rows):
                if not taken >> row & 1:
                    key = taken | 1 << row
                    grown[key] = max(grown.get(key, 0.0), value + float(values[row, column]))
        best = grown
    return max(best.values())


def average_precision(placements: Sequence[Placement]) -> float | None:
    """AP50 over many pictures; None if none of them has a box to meet."""
    wanted = sum(placement.wanted for placement in placements)
    if not wanted:
        return None
    verdicts = sorted((v for placement in placements for v in placement.verdicts), key=lambda verdict: -verdict[0])
    hits = torch.tensor([hit for _, hit in verdicts], dtype=torch.float64)
    if not len(hits):
        return 0.0
    found = hits.cumsum(0)
    precision = found / torch.arange(1, len(hits) + 1)
    precision = precision.flip(0).cummax(0).values.flip(0)
    return float((precision * hits).sum() / wanted)
