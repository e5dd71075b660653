"""What happens where regions overlap: subjects mix there, or one of them has the place to itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from .apart import move_apart
from .exclusive import Company
from .layout import Region

Overlap = Literal["mix", "front", "nearest", "apart"]
OVERLAPS: tuple[Overlap, ...] = ("mix", "front", "nearest", "apart")


def with_overlap(regions: Sequence[Region], overlap: Overlap, width: int, height: int) -> tuple[Region, ...]:
    """Regions as they act where they overlap.

    Args:
        overlap: `mix`, the paper's one softmax over all subjects there, leaves them as they are. `front` gives cells
            that several hold to the box in front, `nearest` to the one whose centre is nearest. `apart` moves the boxes
            until they share nothing; cells that two of them reach into go to the nearer.
        width, height: of the frame in pixels.

    Raises:
        ValueError: `overlap` is none of these, nothing is left of a region, or boxes can't be moved apart.
    """
    if overlap not in OVERLAPS:
        raise ValueError(f"overlap is {overlap!r} but must be one of {', '.join(OVERLAPS)}: choose one.")
    if overlap == "mix" or len(regions) < 2:
        return tuple(regions)
    if overlap == "apart":
        regions = _apart(regions, width, height)
    company = Company(tuple(regions), nearest=overlap != "front", aspect=width / height)
    hidden = company.hidden()
    if hidden is not None:
        behind, before = (regions[number].box.name(number) for number in hidden)
        raise ValueError(
            f"{behind[0].upper()}{behind[1:]} lies wholly behind {before} and would act nowhere with overlap "
            f"{overlap}: bring it to the front, or set overlap to mix."
        )
    return tuple(replace(region, company=company, place=place) for place, region in enumerate(regions))


def _apart(regions: Sequence[Region], width: int, height: int) -> list[Region]:
    masks = sum(region.mask is not None for region in regions)
    if masks:
        raise ValueError(
            f"overlap is apart, which moves boxes, but {masks} regions come from linked masks, which stay where they "
            "are: set overlap to front or nearest, or unlink masks."
        )
    boxes = move_apart([region.box for region in regions], width, height)
    return [replace(region, box=box) for region, box in zip(regions, boxes, strict=True)]
