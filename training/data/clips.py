"""Where frames come from: videos, folders of frames, still images. Anything with a name that gives frames will do."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from msd_core.bench.samples import PICTURE_SUFFIXES
from msd_core.headless.pictures import open_picture


class Unreadable(ValueError):
    """A clip can't be read; the message says why."""


class Clip(Protocol):
    """Something that shows the same things more than once.

    Attributes:
        name: its own within a data set; with the seed it decides which frames are drawn.
        still: whether it is a single picture, so that its subjects can only be cut from the target.
    """

    name: str
    still: bool

    def frames(self, places: Sequence[float]) -> list[np.ndarray]:
        """The frames at these places of it, 0 the beginning and 1 the end: `[h, w, 3]` uint8 each; of a still, one.

        Raises:
            Unreadable: it can't be read.
        """


@dataclass(frozen=True, eq=False)
class View:
    """One frame as the steps see it.

    Attributes:
        pixels: `[h, w, 3]` uint8.
        clip, place: where it comes from, for steps that know more of a clip than its pixels.
    """

    pixels: np.ndarray
    clip: Clip
    place: float

    @property
    def picture(self) -> Any:
        """The frame as a PIL image, of which no model has to guess where its channels are."""
        from PIL import Image

        return Image.fromarray(self.pixels)


@dataclass(frozen=True)
class FrameFolder:
    """A clip as a folder of picture files, in the order of the numbers in their names."""

    name: str
    folder: Path
    still: bool = False

    def frames(self, places: Sequence[float]) -> list[np.ndarray]:
        files = sorted(_pictures_in(self.folder), key=lambda file: _by_number(file.name))
        if not files:
            raise Unreadable(f"{self.folder} has no pictures")
        return [_read(files[number]) for number in _numbers(places, len(files))]


@dataclass(frozen=True)
class Still:
    """One picture. What is learnt of it is to copy and paste, which the paper takes videos to avoid."""

    name: str
    file: Path
    still: bool = True

    def frames(self, places: Sequence[float]) -> list[np.ndarray]:
        return [_read(self.file)]


def _numbers(places: Sequence[float], count: int) -> list[int]:
    """The numbers of `count` frames that are at or next to these places, each once as long as there are enough."""
    taken: list[int] = []
    for place in places:
        wanted = min(int(place * count), count - 1)
        free = [number for number in range(count) if number not in taken] or [wanted]
        taken.append(min(free, key=lambda number: abs(number - wanted)))
    return taken


def as_text(name: str) -> str:
    """A file's name, or words with one in them, as text; bytes that are none are spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _pictures_in(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES]


def _by_number(name: str) -> list[Any]:
    """So that frame 10 comes after frame 9."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _read(file: Path) -> np.ndarray:
    """A picture file's pixels, on white where it is transparent."""
    from PIL import Image

    try:
        picture = open_picture(file)
    except (ValueError, Image.DecompressionBombError) as error:
        raise Unreadable(str(error)) from None
    if picture.mode.startswith("I"):  # 16 bits of grey
        grey = (np.asarray(picture).astype(np.float32) / 257).clip(0, 255).round().astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    picture = picture.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    return np.array(Image.alpha_composite(ground, picture).convert("RGB"))
