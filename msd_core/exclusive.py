"""Regions that share nothing: each cell that several hold goes to one of them.

Whose a cell is, is judged cell by cell on the map at hand, so it holds at every size and in every window. On a coarse
map a region may come away with no cell. It then gets the one in which most of what is seen of it lies, from whoever
had it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .cells import WHOLE, Window, continued

if TYPE_CHECKING:
    from .layout import Region

# How much farther, in heights of the frame, counts as no farther.
SAME_DISTANCE = 1e-9
# How fine one looks for what is seen of a region where nearness decides: parts of its box's side.
PARTS = 48
# The map on which most regions are seen to have a part of their own at one look.
GLANCE = 64


@dataclass(frozen=True, eq=False)
class Company:
    """Regions among which each cell has one owner.

    Attributes:
        members: the regions, each on its own; cells outside are nobody's.
        nearest: whether a shared cell goes to the member whose box's centre is nearest, of two as near to the one in
            front; otherwise to the one in front.
        aspect: width of the frame by its height, which says what is near.
    """

    members: tuple[Region, ...]
    nearest: bool
    aspect: float = 1.0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Company) or (self.nearest, self.aspect) != (other.nearest, other.aspect):
            return False
        return self.members == other.members and self.front_order() == other.front_order()

    def front_order(self) -> list[int]:
        """The members from the one in front (see `front_order`)."""
        return front_order(self.members)

    def cells(self, height: int, width: int, *windows: Window) -> Tensor:
        """The members' cells on a map (see `Region.cells`), bool `[n, height, width]`, each cell of one member.

        A cell has two owners only where more members lie in one place than it has cells.
        """
        windows = windows or (WHOLE,)
        shared = self._shared(height, width, windows)
        cells = self._divided(shared, windows)
        kept = {}
        for window in windows:
            rows, columns, extent, top, left = continued(height, width, window)
            grid = rows, columns, extent
            if windows == (WHOLE,):
                kept[grid] = self._kept(*grid, shared, cells)
            elif grid not in kept:
                whole = self._shared(rows, columns, (extent,))
                kept[grid] = self._kept(*grid, whole, self._divided(whole, (extent,)))
            for member, place, taken in kept[grid]:
                row, column = place // columns - top, place % columns - left
                if 0 <= row < height and 0 <= column < width:
                    if taken:
                        cells[:, row, column] = False
                    cells[member, row, column] = True
        return cells

    def hidden(self) -> tuple[int, int] | None:
        """A member of which nothing is seen, and the one that hides most of it; None if there is none."""
        shared = self._shared(GLANCE, GLANCE, (WHOLE,))
        owner = self._owner(shared, (WHOLE,))
        for member in range(len(self.members)):
            if not (owner == member).any():
                areas = self._seen(member)[0]
                if not areas[member].any():
                    areas[member] = 0
                    return member, int(areas.flatten(1).sum(dim=1).argmax())
        return None

    def _shared(self, height: int, width: int, windows: Sequence[Window]) -> Tensor:
        return torch.stack([member.own_cells(height, width, *windows) for member in self.members])

    def _divided(self, shared: Tensor, windows: Sequence[Window]) -> Tensor:
        """Of cells that members hold, bool `[n, h, w]`, those that go to each."""
        return shared & (self._owner(shared, windows) == torch.arange(len(shared))[:, None, None])

    def _owner(self, shared: Tensor, windows: Sequence[Window]) -> Tensor:
        """Whose each cell is: the member's number, or -1 for nobody's; int64 `[height, width]`."""
        height, width = shared.shape[1:]
        y, x = (torch.arange(size, dtype=torch.float64).add(0.5).div(size) for size in (height, width))
        places = [
            (low_x + (high_x - low_x) * x, low_y + (high_y - low_y) * y) for low_x, low_y, high_x, high_y in windows
        ]
        return self._first(shared, places)

    def _first(self, held: Tensor, places: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Of the members that hold a point the one that it goes to, or -1; `places` are the points' x and y."""
        owner = torch.full(held.shape[1:], -1)
        least = torch.full(held.shape[1:], torch.inf, dtype=torch.float64)
        for member in self.front_order():
            if self.nearest:
                far = self._distance(member, places)
                wins = held[member] & (far < least - SAME_DISTANCE)
                least = torch.where(wins, far, least)
            else:
                wins = held[member] & (owner < 0)
            owner[wins] = member
        return owner

    def _distance(self, member: int, places: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """From the centre of a member's box to points, in heights of the frame, squared: float64 `[h, w]`."""
        box = self.members[member].box
        center_x, center_y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        far = [((x - center_x) * self.aspect)[None, :] ** 2 + ((y - center_y) ** 2)[:, None] for x, y in places]
        # Of a view round the frame's edge the nearest copy of a point is the one in the frame, if a box there holds it.
        return torch.stack(far).amin(dim=0) if len(far) > 1 else far[0]

    def _kept(
        self, rows: int, columns: int, extent: Window, shared: Tensor, cells: Tensor
    ) -> list[tuple[int, int, bool]]:
        """The cells of the whole frame that change their owner, so that no member has none: member, cell, and whether
        it is the member's alone.

        Args:
            shared, cells: bool `[n, rows, columns]`, what the members hold and what they have so far.
        """
        lost = [member for member in self.front_order() if not cells[member].any()]
        if not lost:
            return []
        count = len(self.members)
        wanted = {member: self._best_cells(member, rows, columns, extent) for member in lost}
        for member in range(count):
            if member not in wanted:
                wanted[member] = _places(cells[member]) + _places(shared[member] & ~cells[member])
        # As many as there are members are enough for one to be left.
        wanted = {member: places[:count] for member, places in wanted.items()}
        held: dict[int, int] = {}
        for member in wanted:
            _find_place(member, wanted, held, set())
        flat = cells.flatten(1)
        alone = [(member, place, True) for place, member in held.items() if not flat[member, place]]
        without = set(wanted) - set(held.values())
        return alone + [(member, wanted[member][0], False) for member in sorted(without)]

    def _best_cells(self, member: int, rows: int, columns: int, extent: Window) -> list[int]:
        """The cells of a map in which most of what is seen of a member lies, the fullest first; then others it has."""
        lines = [
            extent[axis] + (extent[axis + 2] - extent[axis]) * torch.arange(count + 1, dtype=torch.float64) / count
            for axis, count in ((0, columns), (1, rows))
        ]
        areas, x, y = self._seen(member, *lines)
        row = ((y - extent[1]) / (extent[3] - extent[1]) * rows).long().clamp(0, rows - 1)
        column = ((x - extent[0]) / (extent[2] - extent[0]) * columns).long().clamp(0, columns - 1)
        seen = torch.zeros(rows * columns, dtype=torch.float64)
        seen.index_add_(0, (row[:, None] * columns + column[None, :]).flatten(), areas[member].flatten())
        own = self.members[member].own_cells(rows, columns, extent).flatten()
        order = seen.argsort(descending=True, stable=True)
        return order[seen[order] > 0].tolist() + _places(own & (seen <= 0))

    def _seen(self, member: int, *lines: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How much of a member goes to whom, in the pieces that the edges of all members cut its box into.

        Args:
            lines: where else to cut along x and along y.

        Returns:
            Areas `[n, rows, columns]` of the pieces, in the owner's plane, and the x and y of the pieces' middles.
        """
        box = self.members[member].box
        parts = PARTS if self.nearest else 1
        sides = [
            _cuts([other.edges_of(axis) for other in self.members] + [*lines[axis : axis + 1]],
                  box.edges[axis], box.edges[axis + 2], parts)
            for axis in (0, 1)
        ]
        (x, wide), (y, high) = (((side[1:] + side[:-1]) / 2, side[1:] - side[:-1]) for side in sides)
        values = torch.stack([other.values_at(x, y) for other in self.members])
        held = values >= 0.5
        held[member] = values[member] > 0
        owner = self._first(held, [(x, y)])
        area = values[member] * wide[None, :] * high[:, None]
        return torch.where(owner == torch.arange(len(values))[:, None, None], area, 0.0), x, y


def front_order(regions: Sequence[Region]) -> list[int]:
    """Regions by number from the one in front: of larger `z`, then later."""
    return sorted(range(len(regions)), key=lambda k: (regions[k].box.z, k), reverse=True)


def _places(cells: Tensor) -> list[int]:
    """Cells as places in the rows of a map."""
    return cells.flatten().nonzero().flatten().tolist()


def _cuts(edges: Sequence[Tensor], low: float, high: float, parts: int) -> Tensor:
    """Where a side from `low` to `high` is cut: at all edges within it, and into equal parts."""
    even = torch.linspace(low, high, parts + 1, dtype=torch.float64)
    cuts = torch.cat([*edges, even]).clamp(low, high).unique()
    # Edges that only arithmetic tells apart are one.
    apart = torch.ones(len(cuts), dtype=torch.bool)
    apart[1:] = cuts.diff() > 1e-12
    return cuts[apart]


def _find_place(member: int, wanted: dict[int, list[int]], held: dict[int, int], tried: set[int]) -> bool:
    """Give a member one of the cells that it wants, moving others to others of theirs if need be."""
    for place in wanted[member]:
        if place not in tried:
            tried.add(place)
            if place not in held or _find_place(held[place], wanted, held, tried):
                held[place] = member
                return True
    return False
