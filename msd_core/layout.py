"""Layouts: one region of the frame per subject, and which cells of a feature map belong to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .boxes import Box
from .cells import WHOLE, Window, area_average, box_cells, mask_cells
from .exclusive import Company
from .pictures import read_masks


@dataclass(frozen=True, eq=False)
class Region:
    """Where one subject may act: a box, what is painted of it, or a free-form mask whose bounds are the box.

    Attributes:
        box: the bounds, which the grounding resampler reads, with what is painted of them.
        mask: `[H, W]` float coverage 0..1 of the whole frame, or None for the box.
        company: the regions that it shares no cell with, itself among them, or None if it shares cells with any.
        place: which of them it is.
    """

    box: Box
    mask: Tensor | None = None
    company: Company | None = None
    place: int = 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return False
        if (self.box.edges, self.box.mask, self.place) != (other.box.edges, other.box.mask, other.place):
            return False
        if self.company != other.company:
            return False
        if self.mask is None or other.mask is None:
            return self.mask is other.mask
        return torch.equal(self.mask, other.mask)

    @classmethod
    def from_mask(cls, mask: Tensor, name: str = "the region", label: str = "", z: int = 0) -> Region:
        """Make a region of a mask `[H, W]`: its cells are the mask's, its box the bounds of coverage from half up.

        Args:
            name: how a refusal calls the mask.
            label, z: of the box.

        Raises:
            ValueError: more than one mask, values that are no mask's, or nothing covered.
        """
        planes = read_masks(mask, name)
        if len(planes) != 1:
            raise ValueError(f"{name} has {len(planes)} masks but a region has one: make a region of each.")
        mask = planes[0].detach().clamp(0, 1).cpu()
        inside = mask >= 0.5
        if not inside.any():
            raise ValueError(
                f"{name} covers nothing (largest value {mask.max():g}, "
                "needs 0.5 or more somewhere): paint the region."
            )
        height, width = mask.shape
        rows, columns = inside.any(dim=1).nonzero(), inside.any(dim=0).nonzero()
        box = Box(
            columns[0].item() / width, rows[0].item() / height,
            (columns[-1].item() + 1) / width, (rows[-1].item() + 1) / height, label=label, z=z,
        )
        return cls(box, mask)

    @property
    def alone(self) -> Region:
        """The region out of its company."""
        return Region(self.box, self.mask)

    def cells(self, height: int, width: int, *windows: Window) -> Tensor:
        """The cells of a `height x width` feature map that lie in the region: bool `[height, width]`.

        Args:
            windows: what the map shows of the frame, the whole of it if none is given. A view that wraps round the
                frame's edge is several shifted copies of one window, and a cell shows what any of them shows.

        Never empty where the map shows the whole frame; in a window of it the region may have no part.
        """
        if self.company is not None:
            return self.company.cells(height, width, *windows)[self.place]
        return self.own_cells(height, width, *windows)

    def own_cells(self, height: int, width: int, *windows: Window) -> Tensor:
        """The same of the region on its own, whatever its company."""
        if self.mask is not None:
            return mask_cells(self.mask, height, width, *windows)
        if self.box.mask is not None:
            return mask_cells(self.box.mask.plane, height, width, *windows, over=self.box.edges)
        return box_cells(self.box, height, width, *windows)

    def coverage(self, height: int, width: int, window: Window) -> Tensor:
        """How much of each pixel of a `height x width` picture of a window it covers on its own: float64
        `[height, width]`.
        """
        plane, over = self._plane()
        return area_average(plane, height, width, window, over)

    def edges_of(self, axis: int) -> Tensor:
        """Where its coverage may change along x (0) or y (1), in fractions of the frame: float64 `[n]`."""
        plane, over = self._plane()
        pixels = torch.arange(plane.shape[1 - axis] + 1, dtype=torch.float64) / plane.shape[1 - axis]
        return over[axis] + (over[axis + 2] - over[axis]) * pixels

    def values_at(self, x: Tensor, y: Tensor) -> Tensor:
        """Its own coverage 0..1 in points of the frame: float64 `[len(y), len(x)]`."""
        plane, over = self._plane()
        rows, in_rows = _pixels(y, over[1], over[3], plane.shape[0])
        columns, in_columns = _pixels(x, over[0], over[2], plane.shape[1])
        return plane[rows[:, None], columns[None, :]] * (in_rows[:, None] & in_columns[None, :])

    def _plane(self) -> tuple[Tensor, Window]:
        """Its coverage as pixels, float64 `[h, w]`, and the part of the frame that they lie over."""
        if self.mask is not None:
            return self.mask.double(), WHOLE
        painted = torch.ones(1, 1) if self.box.mask is None else self.box.mask.plane
        return painted.double(), self.box.edges


@dataclass(frozen=True)
class Layout:
    """What goes where in one frame.

    Attributes:
        width: frame width in pixels.
        height: frame height in pixels.
        regions: one per subject, in the subjects' order, all in one company or none in any.
        origin: what it came from, as its host names it, None if unknown.
    """

    width: int
    height: int
    regions: tuple[Region, ...]
    origin: str | None = None

    @property
    def boxes(self) -> tuple[Box, ...]:
        return tuple(region.box for region in self.regions)

    def among(self, numbers: Sequence[int]) -> tuple[Region, ...]:
        """Some of the regions, by number, as if there were no others: none of these yields a cell to those."""
        chosen = [self.regions[number] for number in numbers]
        company = chosen[0].company if chosen else None
        if company is None:
            return tuple(chosen)
        company = replace(company, members=tuple(company.members[number] for number in numbers))
        return tuple(replace(region, company=company, place=place) for place, region in enumerate(chosen))


def region_cells(regions: Sequence[Region], height: int, width: int, *windows: Window) -> Tensor:
    """Stack the cells of several regions (see `Region.cells`): bool `[n, height, width]`."""
    if not regions:
        return torch.zeros((0, height, width), dtype=torch.bool)
    # What a company has is found once for all of its members.
    companies = {id(region.company): region.company for region in regions if region.company is not None}
    found = {key: company.cells(height, width, *windows) for key, company in companies.items()}
    return torch.stack([
        region.own_cells(height, width, *windows) if region.company is None else found[id(region.company)][region.place]
        for region in regions
    ])


def _pixels(places: Tensor, low: float, high: float, count: int) -> tuple[Tensor, Tensor]:
    """Which of `count` pixels from `low` to `high` points lie in, and whether they lie in any."""
    pixel = ((places - low) / (high - low) * count).floor().long()
    return pixel.clamp(0, count - 1), (pixel >= 0) & (pixel < count)
