"""Places: where each subject's region may stand in a frame, and which cells it then has.

A region keeps its size and shape. It stands where it was drawn, or its edges begin at a row and a column of a grid over
the frame. So all that a place decides is two numbers; everything else follows from tables that are made once a run, and
reading them asks the device nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..boxes import Box
from ..cells import WHOLE, Window, area_average, box_cells, within
from ..layout import Region

WHOLE_FRAME = 0.98
"""From this share of both sides on, a box says nothing of place or size."""

UNKNOWN_AREA, CROWDED_AREA = 0.25, 0.6
"""Of the frame: what a subject without a box takes, and what all such together take at most."""

NESTED, SMALLER = 0.9, 0.6
"""From what share of a box inside another, and up to what share of its area, it is meant to stand in it."""

SHAPE = 128
"""Samples along each side of a free-form region."""

ROUNDING = 1e-4


@dataclass(frozen=True)
class Frame:
    """The grid over what one fit is for.

    Attributes:
        height, width: its cells.
        window: the part of the layout's frame that it spans.
    """

    height: int
    width: int
    window: Window = WHOLE


@dataclass(frozen=True)
class Home:
    """A region where the layout has it.

    Attributes:
        edges: its bounds in fractions of the grid's frame.
        row, column: the row and the column of the grid that stand for where it was drawn.
        rows, columns: how many cells of the grid it takes where it begins with one.
        known: whether the layout says where it is, or it only has a size.
    """

    edges: Window
    row: int
    column: int
    rows: int
    columns: int
    known: bool


class Places:
    """All places of some regions in one frame."""

    def __init__(self, regions: Sequence[Region], frame: Frame, placed: Sequence[bool] | None = None) -> None:
        """
        Args:
            regions: in fractions of the layout's frame, one per subject.
            frame: the grid that they move on.
            placed: which of them have a place at all, None for all.
        """
        self.frame = frame
        self._regions = tuple(regions)
        self._placed = (True,) * len(regions) if placed is None else tuple(placed)
        self._kept: dict[tuple, Any] = {}

    @cached_property
    def homes(self) -> tuple[Home | None, ...]:
        """Each region's own place; None for one that has no part in the frame."""
        seen = [
            _within(region.box, self.frame.window) if placed else None
            for region, placed in zip(self._regions, self._placed, strict=True)
        ]
        unknown = [edges is not None and _is_whole(edges) for edges in seen]
        share = min(UNKNOWN_AREA, CROWDED_AREA / max(sum(unknown), 1))
        return tuple(
            None if edges is None else self._square(share) if anywhere else self._home(edges)
            for edges, anywhere in zip(seen, unknown, strict=True)
        )

    def nested(self, first: int, second: int) -> bool:
        """Whether one of two regions is drawn inside the other, so that they are not to be parted."""
        return self._inside(first, second) or self._inside(second, first)

    def _inside(self, inner: int, outer: int) -> bool:
        a, b = self.homes[inner], self.homes[outer]
        if inner == outer or a is None or b is None or not (a.known and b.known):
            return False
        return _share(a.edges, b.edges) >= NESTED and _area(a.edges) <= SMALLER * _area(b.edges)

    @cached_property
    def _behind(self) -> Tensor:
        """What a region's claims on its cells are worth less than others', `[n]`: those in front come first, then one
        inside another, and of two equal claims the first.
        """
        count = len(self.homes)
        heights = sorted({region.box.z for region in self._regions})
        return torch.tensor([
            k * ROUNDING - 4.0 * sum(self._inside(k, other) for other in range(count))
            - 4.0 * count * heights.index(region.box.z)
            for k, region in enumerate(self._regions)
        ])

    def box(self, subject: int, row: int, column: int) -> Window | None:
        """A region's bounds at a place, in fractions of the layout's frame."""
        home, frame = self.homes[subject], self.frame
        if home is None:
            return None
        x0, y0, x1, y1 = home.edges
        left = x0 if column == home.column else column / frame.width
        top = y0 if row == home.row else row / frame.height
        return within(frame.window, (left, top, left + x1 - x0, top + y1 - y0))

    def cells(
        self, rows: Tensor, columns: Tensor, height: int, width: int, windows: tuple[Window, ...] = (WHOLE,)
    ) -> Tensor:
        """The cells of a feature map that the regions have at their places.

        Args:
            rows, columns: int64 `[n, images]`, each region's first row and column of the grid.
            height, width: cells of the feature map.
            windows: the part of the grid's frame that it shows.

        Returns:
            bool `[images, n, height, width]`. A cell belongs to one region at most: to that whose middle is nearer, in
            its own measure, and to one inside another rather than to the outer.
        """
        tables = self.prepare(rows.device, height, width, windows)
        claims = tables[0].claims(rows, columns)
        for table in tables[1:]:
            claims = torch.minimum(claims, table.claims(rows, columns))
        return ((claims == claims.amin(dim=0)) & (claims < math.inf)).transpose(0, 1)

    def prepare(self, device: torch.device, height: int, width: int, windows: tuple[Window, ...]) -> list[_Table]:
        """What `cells` needs of a feature map, a table for each window; made once."""
        key = (height, width, windows, device)
        if key not in self._kept:
            self._kept[key] = [self._table(height, width, window).to(device) for window in windows]
        return self._kept[key]

    def _table(self, height: int, width: int, window: Window) -> _Table:
        frame = self.frame
        rows = torch.full((len(self.homes), frame.height, height), math.inf)
        columns = torch.full((len(self.homes), frame.width, width), math.inf)
        for k, home in enumerate(self.homes):
            if home is None:
                continue
            x0, y0, x1, y1 = home.edges
            down, across = ((y0, y1, home.row, frame.height, height, window[1], window[3]),
                            (x0, x1, home.column, frame.width, width, window[0], window[2]))
            in_rows, in_columns = _moved_spans(*down), _moved_spans(*across)
            if home.known:
                # Where it was drawn, it has the very cells of its box.
                drawn = box_cells(Box(*home.edges), height, width, window)
                in_rows[home.row], in_columns[home.column] = drawn.any(dim=1), drawn.any(dim=0)
            rows[k] = torch.where(in_rows, (2 * _along(*down) - 1).square().float(), math.inf)
            columns[k] = torch.where(in_columns, (2 * _along(*across) - 1).square().float(), math.inf)
        table = _Table(torch.arange(len(self.homes))[:, None], rows, columns, self._behind[:, None, None, None])
        if any(self._shaped(k) for k in range(len(self.homes))):
            table = self._with_shapes(table, height, width, window)
        return table

    def _shaped(self, k: int) -> bool:
        region = self._regions[k]
        shaped = region.mask is not None or region.box.mask is not None
        return self.homes[k] is not None and self.homes[k].known and shaped

    def _with_shapes(self, table: _Table, height: int, width: int, window: Window) -> _Table:
        count, frame = len(self.homes), self.frame
        shapes = torch.ones(count, SHAPE * SHAPE, dtype=torch.bool)
        down = torch.zeros(count, frame.height, height, dtype=torch.long)
        across = torch.zeros(count, frame.width, width, dtype=torch.long)
        drawn = torch.zeros(count, height, width, dtype=torch.bool)
        rows, columns = torch.full((count, 1), -1), torch.full((count, 1), -1)
        for k, home in enumerate(self.homes):
            if not self._shaped(k):
                continue
            region, bounds = self._regions[k], self.box(k, home.row, home.column)
            painted = region.mask is None
            mask, over = (region.box.mask.plane, region.box.edges) if painted else (region.mask, WHOLE)
            shapes[k] = (area_average(mask, SHAPE, SHAPE, bounds, over) >= 0.5).flatten()
            x0, y0, x1, y1 = home.edges
            down[k] = _samples(y0, y1, home.row, frame.height, height, window[1], window[3])
            across[k] = _samples(x0, x1, home.column, frame.width, width, window[0], window[2])
            drawn[k] = region.own_cells(height, width, within(frame.window, window))
            rows[k], columns[k] = home.row, home.column
        return replace(table, shape=shapes, down=down, across=across, drawn=drawn, home_rows=rows, home_columns=columns)

    def _square(self, share: float) -> Home:
        """A home without a place: a square of a share of the frame, in the grid's first corner."""
        frame = self.frame
        side = max(round(math.sqrt(share * frame.height * frame.width)), 1)
        rows, columns = min(side, frame.height), min(side, frame.width)
        return Home((0.0, 0.0, columns / frame.width, rows / frame.height), 0, 0, rows, columns, known=False)

    def _home(self, edges: Window) -> Home:
        (row, rows), (column, columns) = (
            _nearest(edges[1], edges[3], self.frame.height), _nearest(edges[0], edges[2], self.frame.width)
        )
        return Home(edges, row, column, rows, columns, known=True)


@dataclass(frozen=True)
class _Table:
    """What a feature map shows of every place of every region.

    Attributes:
        subjects: int64 `[n, 1]`, their numbers.
        rows, columns: fp32 `[n, grid, map]`: for each place, how far each row and column of the map lies from the
            region's middle, squared, 1 at its edge; infinite outside.
        behind: fp32 `[n, 1, 1, 1]`, what each region's claims are worth less.
        shape: bool `[n, SHAPE * SHAPE]`, the free-form regions' own shapes, or None where there are none.
        down, across: int64 `[n, grid, map]`: which sample of the shape each row and column of the map shows.
        drawn: bool `[n, map height, map width]`: the free-form regions' cells where they were drawn.
        home_rows, home_columns: int64 `[n, 1]`: where that is; -1 for a box.
    """

    subjects: Tensor
    rows: Tensor
    columns: Tensor
    behind: Tensor
    shape: Tensor | None = None
    down: Tensor | None = None
    across: Tensor | None = None
    drawn: Tensor | None = None
    home_rows: Tensor | None = None
    home_columns: Tensor | None = None

    def to(self, device: torch.device) -> _Table:
        return _Table(*(None if one is None else one.to(device) for one in vars(self).values()))

    def claims(self, rows: Tensor, columns: Tensor) -> Tensor:
        """How far each cell lies from the middle of each region at its place, `[n, images, h, w]`; infinite outside."""
        subjects = self.subjects
        claims = self.rows[subjects, rows][..., :, None] + self.columns[subjects, columns][..., None, :]
        claims = claims.add_(self.behind)
        if self.shape is None:
            return claims
        samples = self.down[subjects, rows][..., :, None] * SHAPE + self.across[subjects, columns][..., None, :]
        inside = self.shape.gather(1, samples.flatten(1)).view_as(claims)
        at_home = (rows == self.home_rows) & (columns == self.home_columns)
        inside = torch.where(at_home[..., None, None], self.drawn[:, None], inside)
        return claims.masked_fill_(~inside, math.inf)


def _within(box: Box, window: Window) -> Window | None:
    """A box in fractions of a window, cut to it; None where it has no part in it."""
    if window == WHOLE:
        return box.edges
    x0, x1 = ((x - window[0]) / (window[2] - window[0]) for x in (box.x0, box.x1))
    y0, y1 = ((y - window[1]) / (window[3] - window[1]) for y in (box.y0, box.y1))
    x0, y0, x1, y1 = max(x0, 0.0), max(y0, 0.0), min(x1, 1.0), min(y1, 1.0)
    return (x0, y0, x1, y1) if x1 - x0 > ROUNDING and y1 - y0 > ROUNDING else None


def _is_whole(edges: Window) -> bool:
    return min(edges[2] - edges[0], edges[3] - edges[1]) >= WHOLE_FRAME


def _area(edges: Window) -> float:
    return (edges[2] - edges[0]) * (edges[3] - edges[1])


def _share(inner: Window, outer: Window) -> float:
    """The share of a box that lies in another."""
    width = min(inner[2], outer[2]) - max(inner[0], outer[0])
    height = min(inner[3], outer[3]) - max(inner[1], outer[1])
    return max(width, 0.0) * max(height, 0.0) / _area(inner)


def _nearest(start: float, end: float, size: int) -> tuple[int, int]:
    """The cell of an axis that is nearest to where an interval begins, and how many cells it takes from a cell on."""
    count = max(math.ceil((end - start) * size - ROUNDING), 1)
    return min(round(start * size), size - count), count


def _moved(start: float, home: int, grid: int, size: int, low: float, high: float) -> Tensor:
    """Where an interval begins, in a map's cells, for each place along an axis: float64 `[grid]`."""
    places = torch.arange(grid, dtype=torch.float64) / grid
    places[home] = start
    return (places - low) / (high - low) * size


def _moved_spans(start: float, end: float, home: int, grid: int, size: int, low: float, high: float) -> Tensor:
    """Which of a map's cells an interval reaches into at each place along an axis: bool `[grid, size]`."""
    begin, length = _moved(start, home, grid, size, low, high), (end - start) / (high - low) * size
    first = (begin + ROUNDING).floor()
    last = torch.maximum((begin + length - ROUNDING).ceil(), first + 1)
    cells = torch.arange(size)
    return (cells >= first[:, None]) & (cells < last[:, None])


def _samples(start: float, end: float, home: int, grid: int, size: int, low: float, high: float) -> Tensor:
    """Which sample of a shape each of a map's cells shows at each place along an axis: int64 `[grid, size]`."""
    shares = _along(start, end, home, grid, size, low, high)
    return (shares * SHAPE).floor().clamp(0, SHAPE - 1).long()


def _along(start: float, end: float, home: int, grid: int, size: int, low: float, high: float) -> Tensor:
    """Where in an interval the middle of each of a map's cells lies at each place along an axis: 0 at its start, 1 at
    its end; float64 `[grid, size]`.
    """
    first = _moved(start, home, grid, size, low, high)[:, None]
    return (torch.arange(size) + 0.5 - first) / ((end - start) / (high - low) * size)
