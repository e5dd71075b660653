"""What scores say in words: names, means over pictures, and a report to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .placement import Placement, average_precision

COLUMNS = {
    "clip_i": "CLIP-I", "dino": "DINO", "m_dino": "M-DINO", "clip_t": "CLIP-T", "clip_t_gain": "CLIP-T gain",
    "region": "region", "swap": "swapped", "collapse": "collapsed", "miou": "mIoU", "ap50": "AP50", "counts": "counts",
}
"""Metric to its heading."""

Row = dict[str, Any]


def placements(rows: Sequence[Row]) -> list[Placement]:
    """The detections of pictures' scores, for `average_precision`."""
    return [Placement(None, None, row["wanted"], tuple((score, hit) for score, hit in row["verdicts"]))
            for row in rows if "verdicts" in row]


def mean_scores(rows: Sequence[Row]) -> dict[str, float]:
    """Each metric's mean over the pictures that have it, and AP50 over all of them."""
    found = {}
    for metric in COLUMNS:
        values = [row[metric] for row in rows if row.get(metric) is not None]
        if metric == "ap50":
            values = [precision for precision in (average_precision(placements(rows)),) if precision is not None]
        if values:
            found[metric] = sum(values) / len(values)
    return found


def picture_scores(row: Row) -> Row:
    """A picture's scores without what only many pictures need."""
    return {name: value for name, value in row.items() if name not in ("verdicts", "wanted")}


def as_report(rows: Sequence[Row], phrases: Sequence[str], measured_by: Mapping[str, str]) -> str:
    """A line for each picture, one for the mean of several, and what measured.

    Args:
        rows: what `Scorer.score` gives.
        phrases: the subjects'.
        measured_by: what `Scorer.names` gives.
    """
    lines = [f"image {number}: {_told(row)}{_regions(row, phrases)}" for number, row in enumerate(rows, 1)]
    if len(rows) > 1:
        lines.append(f"mean of {len(rows)}: {_told(mean_scores(rows))}")
    return "\n".join([*lines, "", *(f"{what}: {name}" for what, name in measured_by.items())])


def _told(scores: Mapping[str, Any]) -> str:
    return ", ".join(f"{heading} {scores[metric]:.3f}" for metric, heading in COLUMNS.items()
                     if scores.get(metric) is not None)


def _regions(row: Row, phrases: Sequence[str]) -> str:
    """Each subject's region score, and who looks like another."""
    if "region_each" not in row:
        return ""
    each = zip(phrases, row["region_each"], row["swap_each"], strict=True)
    return "; in its region " + ", ".join(
        f"{phrase} {score:.3f}{' (nearer to another)' if verdict else ''}" for phrase, score, verdict in each
    )
