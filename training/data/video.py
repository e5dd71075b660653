"""Frames of a video file, by PyAV: at any places, upright, with square pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from msd_core.packages import require_package

from .clips import Unreadable

BACK = (0.0, 2.0, 15.0)
"""How many seconds before a frame decoding begins, one after the other until it is met; then from the beginning."""


@dataclass(frozen=True)
class Video:
    """A clip as a video file."""

    name: str
    file: Path
    still: bool = False

    def frames(self, places: Sequence[float]) -> list[np.ndarray]:
        av = require_package("av", "av", "videos", "training")
        try:
            with self._opened(av) as container:
                if not container.streams.video:
                    raise Unreadable(f"{self.file} has no video stream")
                start, length = _span(container)
                return [self._frame(av, container, start, start + place * length) for place in places]
        except Unreadable:
            raise
        # PyAV's errors are of these kinds, and its own.
        except (av.FFmpegError, OSError, ValueError) as error:
            raise Unreadable(f"{self.file} can't be read ({getattr(error, 'strerror', None) or error})") from None

    def _opened(self, av: Any) -> Any:
        return av.open(str(self.file), metadata_errors="ignore")

    def _frame(self, av: Any, container: Any, start: float, second: float) -> np.ndarray:
        """The first frame that is not before a time, or the last that there is."""
        for back in BACK:
            stream = container.streams.video[0]
            container.seek(int(max(second - back, start) / stream.time_base), stream=stream)
            first, last = _decoded(container, second)
            # Some containers are sought behind the time, or past the last frame that can be decoded alone.
            if first is not None and (first.time or 0.0) <= second:
                return _pixels(last, stream.sample_aspect_ratio)
        with self._opened(av) as container:
            _, last = _decoded(container, second)
            if last is None:
                raise Unreadable(f"{self.file} has no frame at {second:.2f} s")
            return _pixels(last, container.streams.video[0].sample_aspect_ratio)


def _decoded(container: Any, second: float) -> tuple[Any, Any]:
    """Decode from where a container is: the first frame, and the first that is not before a time or the last."""
    first = last = None
    for frame in container.decode(container.streams.video[0]):
        first, last = first or frame, frame
        if frame.time is not None and frame.time >= second:
            break
    return first, last


def _span(container: Any) -> tuple[float, float]:
    """Where a video begins and how long it is up to its last frame, in seconds."""
    stream = container.streams.video[0]
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


def _pixels(frame: Any, aspect: Any) -> np.ndarray:
    """A frame upright and with square pixels, `[h, w, 3]` uint8.

    Args:
        aspect: how wide a pixel is for its height; None or 0 if the video does not tell.
    """
    width = max(round(frame.width * float(aspect or 1)), 1)
    pixels = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
