"""Which cells of a feature map a box or a mask has, in the whole frame or in any part of it (SPEC 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .boxes import Box

Window = tuple[float, float, float, float]
"""A part of the frame: x0, y0, x1, y1 in fractions of it. It may reach past the frame, where no subject is."""

WHOLE: Window = (0.0, 0.0, 1.0, 1.0)

# Share of a cell by which arithmetic may miss an edge or a half: far more than float64 does, far less than a pixel.
ROUNDING = 1e-6


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


def box_cells(box: Box, height: int, width: int, *windows: Window) -> Tensor:
    """The cells inside a box: `floor(x0 w) <= column < ceil(x1 w)`, rows alike (SPEC 4), at least one.

    The products of the whole frame are taken in fp32, as the released weights' inference does. A window on its cell
    edges shows just these cells; any other shows the cells that the box reaches into.
    """
    cells = torch.zeros((height, width), dtype=torch.bool)
    for window in windows or (WHOLE,):
        rows = _span(box.y0, box.y1, height, window[1], window[3])
        columns = _span(box.x0, box.x1, width, window[0], window[2])
        cells |= rows[:, None] & columns[None, :]
    return cells


def mask_cells(mask: Tensor, height: int, width: int, *windows: Window, over: Window = WHOLE) -> Tensor:
    """The cells at least half covered by a mask `[H, W]`; if none in the whole frame is, the one covered most.

    Args:
        over: the part of the frame that the mask lies over. Outside it nothing is covered, nor outside the frame.
    """
    windows = windows or (WHOLE,)
    coverage = sum(area_average(mask, height, width, window, over) for window in windows)
    cells = coverage >= 0.5 - ROUNDING
    if cells.any() or not coverage.any():
        return cells
    # Of the whole frame the fullest cell may lie outside the windows, and wrapped ones may show it from either side.
    fullest = [_fullest_cell(mask, height, width, window, over) for window in windows]
    for share, row, column in fullest:
        if share == max(fullest)[0] and 0 <= row < height and 0 <= column < width:
            cells[row, column] = True
    return cells


def area_average(image: Tensor, height: int, width: int, window: Window = WHOLE, over: Window = WHOLE) -> Tensor:
    """Resize a window of `[H, W]` to `[height, width]` so that each cell holds the exact mean of what it covers.

    The image lies over a part of the frame, all of it if none is given; outside it is zero.
    """
    image = image.double()
    rows = _overlaps(image.shape[0], height, window[1], window[3], over[1], over[3])
    columns = _overlaps(image.shape[1], width, window[0], window[2], over[0], over[2])
    return rows @ image @ columns.T


def continued(height: int, width: int, window: Window) -> tuple[int, int, Window, int, int]:
    """A window's cells continued over the whole frame.

    Returns:
        Rows and columns, the part of the frame that they show (all of it, and over its edges what it takes to fill
        cells), and how many rows and columns lie before the window.
    """
    rows, y0, y1, top = _continued(height, window[1], window[3])
    columns, x0, x1, left = _continued(width, window[0], window[2])
    return rows, columns, (x0, y0, x1, y1), top, left


def _fullest_cell(mask: Tensor, height: int, width: int, window: Window, over: Window) -> tuple[float, int, int]:
    """Of a window's cells continued over the frame, the one a mask covers most: its share, row and column."""
    rows, columns, extent, top, left = continued(height, width, window)
    coverage = area_average(mask, rows, columns, extent, over)
    row, column = divmod(int(coverage.argmax()), columns)
    return float(coverage[row, column]), row - top, column - left


def _continued(size: int, low: float, high: float) -> tuple[int, float, float, int]:
    """The same along one axis: how many cells, from where, to where, how many before the window."""
    count, before, aligned = _frame_in_cells(size, low, high)
    if aligned:
        return int(count), 0.0, 1.0, int(before)
    first, last = math.floor(-before), math.ceil(count - before)
    return last - first, low + first / count, low + last / count, -first


def _frame_in_cells(size: int, low: float, high: float) -> tuple[float, float, bool]:
    """The frame measured in a window's cells along one axis: how many it has, how many of them lie before the window,
    and whether the window lies on its cell edges; then both are whole numbers.
    """
    count = size / (high - low)
    before = low * count
    if max(abs(count - round(count)), abs(before - round(before))) < ROUNDING:
        return float(round(count)), float(round(before)), True
    return count, before, False


def _span(start: float, end: float, size: int, low: float, high: float) -> Tensor:
    count, before, aligned = _frame_in_cells(size, low, high)
    if aligned:
        edges = torch.tensor([start, end], dtype=torch.float32) * count
        first = edges[0].floor().clamp(max=count - 1)
        last = torch.maximum(edges[1].ceil(), first + 1)
        cells = torch.arange(size) + int(before)
        return (cells >= first) & (cells < last)
    start, end = start * count - before, end * count - before
    first, last = math.floor(start + ROUNDING), math.ceil(end - ROUNDING)
    if last <= first:
        first = math.floor((start + end) / 2)
        last = first + 1
    cells = torch.arange(size)
    return (cells >= first) & (cells < last)


def _overlaps(source: int, target: int, low: float, high: float, start: float, end: float) -> Tensor:
    """Share of each target cell that each source cell covers: float64 `[target, source]`.

    The source lies over the frame from `start` to `end`. Rows sum to 1; where the target reaches past it, to the part
    inside it.
    """
    count, before, _ = _frame_in_cells(target, low, high)
    cells = torch.arange(target + 1, dtype=torch.float64)
    edges = ((cells + before) / count - start) / (end - start) * source
    first, last = edges[:-1, None], edges[1:, None]
    cell = torch.arange(source, dtype=torch.float64)[None, :]
    return (torch.minimum(last, cell + 1) - torch.maximum(first, cell)).clamp(min=0) / (last - first)
