"""Painted masks: a region's shape over its box, as COCO's compressed run-length encoding.

Runs go down the columns, from the left one to the right one, and alternate between outside and inside, outside first.
From the fourth on, a run is written as the difference to the one two before it. A number is written in groups of five
bits, low ones first, as characters from "0" on; the sixth bit says that more follow, the fifth of the last is the sign.

The canvas reads and writes the same (web/layout/model/rle.mjs, tests/data/boxes_verdicts.json): change both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from .values import shown, whole_number

MOST_PIXELS = 2048
"""Pixels of a mask's longer side at most."""

FIRST, LAST = ord("0"), ord("o")
LONGEST = 6
"""Characters of a number at most: six hold every run and difference of runs that a mask can have."""

REMEDY = "paint it anew, or write COCO's compressed run lengths of the box"


@dataclass(frozen=True)
class PaintedMask:
    """Which pixels of a grid laid over a box are inside. The grid moves and scales with the box.

    Attributes:
        height, width: of the grid, 1 to 2048 each.
        counts: the run lengths; kept in the one form that COCO's own tools write, whatever form they came in.

    Raises:
        ValueError: size or counts are none, they don't belong to one another, or nothing is inside.
    """

    height: int
    width: int
    counts: str

    def __post_init__(self) -> None:
        sides = [whole_number(side, 1, MOST_PIXELS) for side in (self.height, self.width)]
        if None in sides:
            raise ValueError(
                f"the mask has the size {shown([self.height, self.width])} but height and width must be whole numbers "
                f"from 1 to {MOST_PIXELS}: {REMEDY}."
            )
        object.__setattr__(self, "height", sides[0])
        object.__setattr__(self, "width", sides[1])
        if not isinstance(self.counts, str):
            raise ValueError(f"the mask has the counts {shown(self.counts)} but they must be text: {REMEDY}.")
        runs, pixels = _read_runs(self.counts), self.height * self.width
        if sum(runs) != pixels:
            raise ValueError(
                f"the mask's counts add up to {sum(runs)} but its size {self.height}x{self.width} has {pixels} "
                f"pixels: {REMEDY}."
            )
        if not any(runs[1::2]):
            raise ValueError("the mask covers nothing of its box: paint it, or leave it out for the whole box.")
        object.__setattr__(self, "counts", _write_runs(_joined(runs)))

    @classmethod
    def read(cls, value: Any) -> PaintedMask:
        """A mask as a layout's text holds it, `{"size": [height, width], "counts": "..."}`.

        Raises:
            ValueError: it is no mask, in words that go on after the box's name.
        """
        if not isinstance(value, dict):
            raise ValueError(
                f"the mask is {shown(value)} but must be an object with size and counts: leave it out for the whole "
                "box."
            )
        size, counts = value.get("size"), value.get("counts")
        if not isinstance(size, list | tuple) or len(size) != 2:
            raise ValueError(f"the mask has the size {shown(size)} but needs [height, width]: {REMEDY}.")
        return cls(size[0], size[1], counts)

    @classmethod
    def of(cls, plane: Tensor) -> PaintedMask:
        """The mask of a plane `[height, width]`, inside from half up.

        Raises:
            ValueError: a side is too long, or nothing is inside.
        """
        height, width = plane.shape
        inside = (plane.T >= 0.5).flatten().tolist()
        runs = [len(list(run)) for _, run in groupby(inside)]
        return cls(height, width, _write_runs([0, *runs] if inside and inside[0] else runs))

    def value(self) -> dict[str, Any]:
        """The mask as a layout's text holds it."""
        return {"size": [self.height, self.width], "counts": self.counts}

    @property
    def full(self) -> bool:
        """Whether it covers the whole box, so that it says nothing."""
        return bool(self.plane.all())

    @cached_property
    def plane(self) -> Tensor:
        """The pixels, bool `[height, width]`; not to be changed."""
        runs = torch.tensor(_read_runs(self.counts))
        inside = torch.arange(len(runs)) % 2 == 1
        return inside.repeat_interleave(runs).reshape(self.width, self.height).T.contiguous()


def _read_runs(counts: str) -> list[int]:
    runs: list[int] = []
    place = 0
    while place < len(counts):
        number, length, more = 0, 0, True
        while more:
            code = ord(counts[place]) if place < len(counts) else -1
            if not FIRST <= code <= LAST or length == LONGEST:
                found = f"hold {counts[place]!r}" if place < len(counts) else "end"
                raise ValueError(f"the mask's counts {found} at character {place}, where a run goes on: {REMEDY}.")
            group = code - FIRST
            number |= (group & 31) << 5 * length
            more = bool(group & 32)
            place, length = place + 1, length + 1
        if group & 16:
            number -= 1 << 5 * length
        run = number + runs[-2] if len(runs) > 2 else number
        if run < 0:
            raise ValueError(f"the mask's counts have a run of {run} pixels before character {place}: {REMEDY}.")
        runs.append(run)
    return runs


def _write_runs(runs: list[int]) -> str:
    return "".join(map(chr, _characters(run - runs[k - 2] if k > 2 else run for k, run in enumerate(runs))))


def _characters(numbers: Iterable[int]) -> Iterable[int]:
    for number in numbers:
        more = True
        while more:
            group, number = number & 31, number >> 5
            more = number != (-1 if group & 16 else 0)
            yield FIRST + (group | 32 if more else group)


def _joined(runs: list[int]) -> list[int]:
    """Runs of which only the first may be empty."""
    joined: list[int] = []
    for k, run in enumerate(runs):
        if run == 0 and k:
            continue
        # Runs of an even number of others apart are of one kind.
        if joined and len(joined) % 2 != k % 2:
            joined[-1] += run
        else:
            joined.append(run)
    return joined
