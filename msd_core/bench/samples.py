"""What a benchmark asks for: samples of a prompt and subjects, and the pictures that show these."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..evaluation.regions import Edges

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
SEEDS = 2**63


@dataclass(frozen=True)
class Picture:
    """One reference picture.

    Attributes:
        name: its own, within the benchmark.
        source: a file, or what draws it as a PIL image.
    """

    name: str
    source: Path | Callable[[], Any]

    def open(self) -> Any:
        """The picture as PIL reads it, with an alpha channel if it has one.

        Raises:
            ValueError: its file can't be read.
        """
        from ..headless.pictures import open_picture

        return open_picture(self.source) if isinstance(self.source, Path) else self.source()


@dataclass(frozen=True)
class WantedSubject:
    """One subject of a sample.

    Attributes:
        phrase: its name in words, as in the prompt.
        box: where it is to stand.
        pictures: what the adapter is shown, one or more views.
        photos: what the result is measured against.
    """

    phrase: str
    box: Edges
    pictures: tuple[Picture, ...]
    photos: tuple[Picture, ...]

    @classmethod
    def of(cls, phrase: str, box: Edges, picture: Picture) -> WantedSubject:
        """A subject that is measured against the picture that the adapter is shown."""
        return cls(phrase, box, (picture,), (picture,))


@dataclass(frozen=True)
class Sample:
    """One entry of a benchmark.

    Attributes:
        id: its own, the same on every machine.
        kind: its combination type.
        prompt: what the picture is to show.
        subjects: in order.
    """

    id: str
    kind: str
    prompt: str
    subjects: tuple[WantedSubject, ...]

    def seed(self, base: int, number: int) -> int:
        """The seed of the sample's `number`-th picture: its own, whatever else is run, and the same everywhere."""
        return (base + (zlib.crc32(self.id.encode()) << 8) + number) % SEEDS


@dataclass(frozen=True)
class Benchmark:
    """Samples with a name.

    Attributes:
        name: as the paper's tables call it.
        samples: all of them, in a fixed order.
        count: how their number comes out, in lines.
        per_sample: pictures of each sample that are usual.
    """

    name: str
    samples: tuple[Sample, ...]
    count: tuple[str, ...]
    per_sample: int

    def some(self, limit: int | None = None, only: Sequence[str] = ()) -> tuple[Sample, ...]:
        """All samples or those of some kinds, or `limit` of them, spread evenly so that each kind has its share.

        Raises:
            ValueError: there is no such kind.
        """
        kinds = list(dict.fromkeys(sample.kind for sample in self.samples))
        unknown = next((kind for kind in only if kind not in kinds), None)
        if unknown is not None:
            raise ValueError(f"--only is {unknown!r} but {self.name} has no such type: say {'; '.join(kinds)}.")
        samples = tuple(sample for sample in self.samples if not only or sample.kind in only)
        if limit is None or limit >= len(samples):
            return samples
        return tuple(samples[index * len(samples) // limit] for index in range(limit))


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder, by name.

    Raises:
        ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is to hold pictures but there is no such folder: check --data.")
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)


def check_pictures(samples: Sequence[Sample]) -> None:
    """Open every picture of some samples once, before hours go by.

    Raises:
        ValueError: one can't be read.
    """
    seen: set[str] = set()
    for sample in samples:
        for subject in sample.subjects:
            for picture in (*subject.pictures, *subject.photos):
                if picture.name not in seen:
                    seen.add(picture.name)
                    picture.open()
