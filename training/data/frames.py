"""Which frames of a clip are taken: drawn by the seed and the clip's name, whatever else is built."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np

from .clips import Clip, View
from .crops import at_most
from .filters import frame_fault
from .settings import Settings
from .steps import ask


def seeded(name: str, seed: int) -> np.random.Generator:
    """A clip's own random numbers."""
    return np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:16]])


def draw_places(name: str, settings: Settings) -> list[float]:
    """Places in 0..1 of a clip, uniform among those that are far enough apart, in random order."""
    draw, count = seeded(name, settings.seed), settings.frames_per_clip
    free = np.sort(draw.uniform(0, 1 - (count - 1) * settings.apart, count))
    places = free + settings.apart * np.arange(count)
    return [float(place) for place in draw.permutation(places)]


def draw_frames(clip: Clip, settings: Settings, counts: Counter[str]) -> list[View]:
    """The frames of a clip, at their size at most, without those that nothing is learnt from.

    Raises:
        Unreadable: it can't be read.
        StepFailed: it broke otherwise.
    """
    places = [0.0] if clip.still else draw_places(clip.name, settings)
    views = []
    for place, pixels in zip(places, ask("frames", len(places), clip.frames, places), strict=True):
        pixels = at_most(pixels, settings.longest)
        fault = frame_fault(pixels, settings)
        counts["frames drawn"] += 1
        if fault:
            counts[f"frames {fault}"] += 1
        else:
            views.append(View(pixels, clip, place))
    return views
