"""What the construction of a data set is told: the paper's choices where it names them, ours where it does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..shards import SUBJECTS

FRAMES = (2, 5)
"""How many frames the paper takes of a clip, least and most."""


def _setting(default: float, words: str) -> Any:
    return field(default=default, metadata={"words": words})


@dataclass(frozen=True)
class Settings:
    """The numbers of the construction. Shares and areas are of 1; each field's `words` say what it is.

    Raises:
        ValueError: one is out of its range.
    """

    seed: int = _setting(0, "which frames are drawn, with the clip's name")
    frames_per_clip: int = _setting(2, "frames of a clip, 2 to 5; each but the first is a target")
    apart: float = _setting(0.1, "least distance of two frames, as a share of the clip")
    longest: int = _setting(1536, "longest side of a frame in pixels; larger ones are made smaller")
    shortest: int = _setting(512, "least shorter side of a frame in pixels")
    blank: float = _setting(0.02, "least standard deviation of a frame's brightness")
    alike: float = _setting(0.01, "least mean difference of two frames' pixels")
    same: float = _setting(0.8, "IoU from which two phrases' boxes are one thing")
    smallest: float = _setting(0.02, "least area of a box, as a share of the frame")
    largest: float = _setting(0.9, "largest area of a box, as a share of the frame")
    proportions: float = _setting(4.0, "most that a box may be longer than wide, or wider than long")
    side: int = _setting(48, "least shorter side of a box in pixels")
    fill: float = _setting(0.1, "least share of a box that its mask covers")
    similar: float = _setting(0.6, "least cosine of the embeddings of one thing in two frames")
    found_again: int = _setting(1, "how many subjects of a sample must be found in the other frame")
    subjects: int = _setting(SUBJECTS, "subjects of a sample at most, 1 to 4")
    subject_side: int = _setting(512, "longest side of a subject's picture in pixels; larger ones are made smaller")

    def __post_init__(self) -> None:
        for name, low, high in (
            ("frames_per_clip", *FRAMES), ("apart", 0, 1 / max(self.frames_per_clip, 1)), ("subjects", 1, SUBJECTS),
            ("found_again", 0, SUBJECTS), ("similar", -1, 1), ("smallest", 0, 1), ("largest", self.smallest, 1),
            ("fill", 0, 1), ("same", 0, 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name.replace('_', '-')} is {value:g} but must be {low:g} to {high:g}: set it so.")

