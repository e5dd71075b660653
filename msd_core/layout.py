"""Layouts: one region of the frame per subject, and which cells of a feature map belong to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .boxes import Box
from .cells import Window, box_cells, mask_cells
from .pictures import read_masks


@dataclass(frozen=True, eq=False)
class Region:
    """Where one subject may act: a box, what is painted of it, or a free-form mask whose bounds are the box.

    Attributes:
        box: the bounds, which the grounding resampler reads, with what is painted of them.
        mask: `[H, W]` float coverage 0..1 of the whole frame, or None for the box.
    """

    box: Box
    mask: Tensor | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return False
        if (self.box.edges, self.box.mask) != (other.box.edges, other.box.mask):
            return False
        if self.mask is None or other.mask is None:
            return self.mask is other.mask
        return torch.equal(self.mask, other.mask)

    @classmethod
    def from_mask(cls, mask: Tensor, name: str = "the region", label: str = "") -> Region:
        """Make a region of a mask `[H, W]`: its cells are the mask's, its box the bounds of coverage from half up.

        Raises:
            ValueError: more than one mask, values that are no mask's, or nothing covered; `name` says which mask.
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
            (columns[-1].item() + 1) / width, (rows[-1].item() + 1) / height, label=label,
        )
        return cls(box, mask)

    def cells(self, height: int, width: int, *windows: Window) -> Tensor:
        """The cells of a `height x width` feature map that lie in the region: bool `[height, width]`.

        Args:
            windows: what the map shows of the frame, the whole of it if none is given. A view that wraps round the
                frame's edge is several shifted copies of one window, and a cell shows what any of them shows.

        Never empty where the map shows the whole frame; in a window of it the region may have no part.
        """
        if self.mask is not None:
            return mask_cells(self.mask, height, width, *windows)
        if self.box.mask is not None:
            return mask_cells(self.box.mask.plane, height, width, *windows, over=self.box.edges)
        return box_cells(self.box, height, width, *windows)


@dataclass(frozen=True)
class Layout:
    """What goes where in one frame.

    Attributes:
        width: frame width in pixels.
        height: frame height in pixels.
        regions: one per subject, in the subjects' order.
    """

    width: int
    height: int
    regions: tuple[Region, ...]

    @property
    def boxes(self) -> tuple[Box, ...]:
        return tuple(region.box for region in self.regions)


def region_cells(regions: Sequence[Region], height: int, width: int, *windows: Window) -> Tensor:
    """Stack the cells of several regions (see `Region.cells`): bool `[n, height, width]`."""
    if not regions:
        return torch.zeros((0, height, width), dtype=torch.bool)
    return torch.stack([region.cells(height, width, *windows) for region in regions])
