"""One clip, start to end: its frames, their descriptions, its samples as they stand in a tar, and what became of it."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..shards import Pictures, encode
from .assemble import assemble
from .clips import Clip, Unreadable, as_text
from .describe import describe
from .frames import draw_frames
from .settings import Settings
from .steps import StepFailed, Steps


class Stuck(RuntimeError):
    """It is not this clip or that: none can be made; the message says why."""


@dataclass(frozen=True)
class Made:
    """What became of a clip.

    Attributes:
        record: its name as "clip", "counts", and "why" it was unreadable or failed.
        parts: the key and the encoded sample of each.
    """

    record: dict[str, Any]
    parts: tuple[tuple[str, bytes], ...] = ()

    @property
    def name(self) -> str:
        return self.record["clip"]

    @property
    def failed(self) -> bool:
        return "clips failed" in self.record["counts"]


def make_clip(clip: Clip, steps: Steps, settings: Settings, pictures: Pictures = "png") -> Made:
    """Make a clip's samples. It depends on nothing but the clip, the steps and the settings."""
    counts: Counter[str] = Counter()
    try:
        views = draw_frames(clip, settings, counts)
        described = describe(views, steps, settings, counts)
        pairs = [(one, None) for one in described] if clip.still else zip(described[1:], described, strict=False)
        samples = [
            assemble(f"{key_of(clip.name)}-{number}", target, reference, settings, counts)
            for number, (target, reference) in enumerate(pairs)
        ]
        parts = tuple((sample.key, encode(sample, pictures)) for sample in samples if sample is not None)
    except Unreadable as error:
        return Made({"clip": clip.name, "counts": {"clips unreadable": 1}, "why": as_text(str(error))})
    except StepFailed as error:
        return Made({"clip": clip.name, "counts": {"clips failed": 1}, "why": as_text(str(error))})
    counts["clips with samples" if parts else "clips without a sample"] = 1
    return Made({"clip": clip.name, "counts": dict(sorted(counts.items()))}, parts)


def make_one_by_one(
    clips: Iterable[Clip], steps: Steps | Callable[[], Steps], settings: Settings, pictures: Pictures
) -> Iterator[Made]:
    """A plain loop on this machine; steps that are to be loaded are so only if there is a clip."""
    for clip in clips:
        if not isinstance(steps, Steps):
            steps = steps()
        yield make_clip(clip, steps, settings, pictures)


def key_of(name: str) -> str:
    """A clip's part of its samples' keys: readable, and its own whatever the name."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name.rsplit(".", 1)[0]).strip("-")[-48:]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:12]}".strip("-")
