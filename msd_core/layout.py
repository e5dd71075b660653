"""Layouts: one region of the frame per subject, and which cells of a feature map belong to each (SPEC 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .boxes import Box

Window = tuple[float, float, float, float]
"""A part of the frame: x0, y0, x1, y1 in fractions of it."""

WHOLE: Window = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Region:
    """Where one subject may act: a box, or a free-form mask whose bounds are the box.

    Attributes:
        box: the bounds, which the grounding resampler reads.
        mask: `[H, W]` float coverage 0..1 of the whole frame, or None for the box itself.
    """

    box: Box
    mask: Tensor | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region) or self.box.edges != other.box.edges:
            return False
        if self.mask is None or other.mask is None:
            return self.mask is other.mask
        return torch.equal(self.mask, other.mask)

    @classmethod
    def from_mask(cls, mask: Tensor, name: str = "the region", label: str = "") -> Region:
        """Make a region of a mask `[H, W]`: its cells are the mask's, its box the bounds of coverage from half up."""
        if not torch.isfinite(mask).all():
            raise ValueError(f"{name} holds NaN or infinite values: redraw it.")
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
        return cls(box, mask.detach().float().cpu())

    def cells(self, height: int, width: int, window: Window = WHOLE) -> Tensor:
        """The cells of a `height x width` feature map that lie in the region: bool `[height, width]`.

        Never empty where the map shows the whole frame; in a window of it the region may have no part.
        """
        if self.mask is None:
            return box_cells(self.box, height, width, window)
        return mask_cells(self.mask, height, width, window)


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


def pixel_window(x: int, y: int, width: int, height: int, frame_width: int, frame_height: int) -> Window:
    """The window that a tile of pixels shows of a frame.

    Raises:
        ValueError: the tile reaches over the frame's edge.
    """
    if not (0 <= x < x + width <= frame_width and 0 <= y < y + height <= frame_height):
        raise ValueError(
            f"The tile spans {x}..{x + width} by {y}..{y + height} pixels but the frame has {frame_width} by "
            f"{frame_height}: move the tile inside."
        )
    return x / frame_width, y / frame_height, (x + width) / frame_width, (y + height) / frame_height


def within(outer: Window, inner: Window) -> Window:
    """A window of a window, in fractions of the whole frame."""
    width, height = outer[2] - outer[0], outer[3] - outer[1]
    return (
        outer[0] + inner[0] * width, outer[1] + inner[1] * height,
        outer[0] + inner[2] * width, outer[1] + inner[3] * height,
    )


def region_cells(regions: Sequence[Region], height: int, width: int, window: Window = WHOLE) -> Tensor:
    """Stack the cells of several regions: bool `[n, height, width]`."""
    if not regions:
        return torch.zeros((0, height, width), dtype=torch.bool)
    return torch.stack([region.cells(height, width, window) for region in regions])


def box_cells(box: Box, height: int, width: int, window: Window = WHOLE) -> Tensor:
    """The cells inside a box: `floor(x0 w) <= column < ceil(x1 w)`, rows alike (SPEC 4), at least one.

    The products are taken in fp32, as the released weights' inference does.
    """
    rows = _span(box.y0, box.y1, height, window[1], window[3])
    columns = _span(box.x0, box.x1, width, window[0], window[2])
    return rows[:, None] & columns[None, :]


def mask_cells(mask: Tensor, height: int, width: int, window: Window = WHOLE) -> Tensor:
    """The cells at least half covered by a mask `[H, W]`; if none of the whole frame is, the one covered most."""
    coverage = area_average(mask, height, width, window)
    # Half coverage in exact arithmetic must not fall below half by rounding.
    cells = coverage >= 0.5 - 1e-6
    if window == WHOLE and not cells.any():
        cells.view(-1)[coverage.argmax()] = True
    return cells


def area_average(image: Tensor, height: int, width: int, window: Window = WHOLE) -> Tensor:
    """Resize a window of `[H, W]` to `[height, width]` so that each cell holds the exact mean of what it covers."""
    image = image.double()
    rows = _overlaps(image.shape[0], height, window[1], window[3])
    columns = _overlaps(image.shape[1], width, window[0], window[2])
    return rows @ image @ columns.T


def _span(start: float, end: float, size: int, low: float, high: float) -> Tensor:
    edges = torch.tensor([start, end], dtype=torch.float32)
    if (low, high) != (0.0, 1.0):
        edges = (edges - low) / (high - low)
        if edges[1] <= 0 or edges[0] >= 1:
            return torch.zeros(size, dtype=torch.bool)
    edges = edges * size
    first = edges[0].floor().clamp(max=size - 1)
    last = torch.maximum(edges[1].ceil(), first + 1)
    cells = torch.arange(size)
    return (cells >= first) & (cells < last)


def _overlaps(source: int, target: int, low: float, high: float) -> Tensor:
    """Share of each target cell that each source cell covers: float64 `[target, source]`, rows sum to 1."""
    edges = (low + (high - low) * torch.arange(target + 1, dtype=torch.float64) / target) * source
    start, end = edges[:-1, None], edges[1:, None]
    cell = torch.arange(source, dtype=torch.float64)[None, :]
    return (torch.minimum(end, cell + 1) - torch.maximum(start, cell)).clamp(min=0) / (end - start)
