"""Frames of a video file, by PyAV: at any places, upright, with square pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .clips import Unreadable
from .loading import require


@dataclass(frozen=True)
class Video:
    """A clip as a video file."""

    name: str
    file: Path
    still: bool = False

    def frames(self, places: Sequence[float]) -> list[np.ndarray]:
        av = require("av", "av", "videos")
        try:
            with av.open(str(self.file), metadata_errors="ignore") as container:
                if not container.streams.video:
                    raise Unreadable(f"{self.file} has no video stream")
                stream = container.streams.video[0]
                start, length = _span(container, stream)
                return [self._frame(container, stream, start + place * length) for place in places]
        except Unreadable:
            raise
        # PyAV's errors are of these kinds, and its own.
        except (av.FFmpegError, OSError, ValueError) as error:
            raise Unreadable(f"{self.file} can't be read ({getattr(error, 'strerror', None) or error})") from None

    def _frame(self, container: Any, stream: Any, second: float) -> np.ndarray:
        """The first frame that is not before a time, or the last that there is."""
        last = None
        container.seek(int(second / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            last = frame
            if frame.time is not None and frame.time >= second:
                break
        if last is None:
            raise Unreadable(f"{self.file} has no frame at {second:.2f} s")
        return _pixels(last)


def _span(container: Any, stream: Any) -> tuple[float, float]:
    """Where a video begins and how long it is up to its last frame, in seconds."""
    start = float((stream.start_time or 0) * stream.time_base)
    if stream.duration:
        length = float(stream.duration * stream.time_base)
    elif container.duration:
        length = container.duration / 1_000_000
    else:
        times = [frame.time for frame in container.decode(stream) if frame.time is not None]
        if not times:
            raise Unreadable("it has no frames")
        return times[0], times[-1] - times[0]
    rate = stream.average_rate
    return start, max(length - (1 / float(rate) if rate else 0), 0.0)


def _pixels(frame: Any) -> np.ndarray:
    """A frame upright and with square pixels, `[h, w, 3]` uint8."""
    width, aspect = frame.width, frame.sample_aspect_ratio
    if aspect and aspect > 0:
        width = max(round(width * float(aspect)), 1)
    pixels = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
