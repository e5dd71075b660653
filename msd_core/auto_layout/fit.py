"""The fit: from maps of words to the place of every subject, decided on the device in a fixed number of calls.

Maps are smoothed and compete: at each cell, how much of what the prompt says there is said of this subject, and not of
another one or of the scene. Then each region slides over its subject's score and takes the place where it holds most of
it, all of them jointly: in turns, with a penalty on what they share, in both orders and from several places of the
first one, of which the best is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .places import Places

SMOOTHING = 0.1
"""Standard deviation of the Gaussian over the maps, in shares of the frame's longer side, one cell at least."""

SHARPNESS = 3.0
"""The power to which words compete for a cell."""

REACH = 0.15
"""How far outside its box, in fractions of the frame, a subject may well be."""

APART = 2.0
"""What a region that lies wholly in another loses, where 1 is all of its score: no place is worth sharing."""

BLOCKS = 3
"""Into how many parts along each axis the places of a first region are split, each of which is tried as its start."""

IMPOSSIBLE = -1e4
FLOOR = 1e-6


class Fit:
    """The fit of some regions to one frame of some images; constants are made once."""

    def __init__(
        self, places: Places, images: int, fixed: Sequence[bool], trust: float, device: torch.device
    ) -> None:
        """
        Args:
            places: the regions and the grid that they move on.
            images: how many are fitted at a time, each by itself.
            fixed: regions that stay where they are.
            trust: what the box counts: a region loses this much of the mean, over what it holds, of half the squared
                distance outside the box in units of `REACH`, where 1 is all of its score.
        """
        frame, homes = places.frame, places.homes
        count, height, width = len(homes), frame.height, frame.width
        self._count, self._images, self._height, self._width = count, images, height, width
        alone = count == 1
        turns = [tuple(range(count)), tuple(reversed(range(count)))] if not alone else [(0,)]
        self._orders, self._starts, self._rounds = (
            (1, 1, 1) if alone else (len(turns), BLOCKS**2, 1 if count == 2 else 2)
        )
        self._smooth_rows = _gaussian(height, max(height, width)).to(device)
        self._smooth_columns = _gaussian(width, max(height, width)).to(device)
        bias = torch.zeros(count, height, width)
        rows, across = torch.zeros(count, height, height), torch.zeros(count, width, width)
        for k, home in enumerate(homes):
            if home is None:
                continue
            rows[k], across[k] = _bands(height, home.rows), _bands(width, home.columns)
            if home.known:
                away = _distance(home.edges, height, width) ** 2 / (2 * REACH**2)
                bias[k] = -trust * _mean(rows[k]) @ away @ _mean(across[k]).T
            bias[k, height - home.rows + 1 :] = IMPOSSIBLE
            bias[k, :, width - home.columns + 1 :] = IMPOSSIBLE
            if fixed[k]:
                bias[k] = IMPOSSIBLE
                bias[k, home.row, home.column] = 0.0
        weights = torch.tensor([
            [0.0 if a == b or homes[a] is None or homes[b] is None or places.nested(a, b) else -APART
             for b in range(count)] for a in range(count)
        ])
        order = torch.tensor(turns)
        self._order = order.T.flatten().to(device)
        rows, across = _mean(rows), _mean(across)
        self._turns = [
            _Turn.of(subjects, order, self._starts * images, device, rows, across, bias, weights)
            for subjects in order.T.tolist()
        ]
        starts = torch.cat([bias[first] + _blocks(bias[first] > IMPOSSIBLE, self._starts) for first in order[:, 0]])
        self._first_bias = starts.repeat_interleave(images, dim=0, output_size=len(starts) * images).to(device)
        self._rows_of = torch.arange(self._orders, device=device)[:, None]

    def score(self, maps: Tensor) -> Tensor:
        """How much of each cell is each subject's: 0..1, `[images, h, w, n]`.

        Args:
            maps: fp32 `[images, h, w, columns]`, of any scale: the subjects' first, then the other words'.
        """
        images, height, width, columns = maps.shape
        smooth = torch.matmul(self._smooth_columns, maps)
        smooth = torch.matmul(self._smooth_rows, smooth.view(images, height, width * columns)).view_as(maps)
        relative = smooth / smooth.mean(dim=(1, 2), keepdim=True).clamp_min_(FLOOR)
        logits = relative.clamp_min_(FLOOR).log_().mul_(SHARPNESS)
        return torch.softmax(logits, dim=-1)[..., : self._count]

    def places(self, score: Tensor) -> tuple[Tensor, Tensor]:
        """The rows and columns of the grid at which the regions begin: int64 `[n, images]` each.

        Args:
            score: from `score`.
        """
        orders, images, height, width = self._orders, self._images, self._height, self._width
        tries = self._starts * images
        by_turn = score.index_select(-1, self._order).permute(3, 0, 1, 2).view(-1, orders, 1, images, height, width)
        by_turn = by_turn.expand(-1, -1, self._starts, -1, -1, -1).reshape(-1, orders * tries, 1, height * width)
        held = torch.zeros(orders * tries, self._count, height * width, device=score.device)
        chosen: list[Tensor] = [score] * self._count
        values: list[Tensor] = [score] * self._count
        for number in range(self._rounds):
            for place, turn in enumerate(self._turns):
                bias = self._first_bias if number == place == 0 else turn.bias
                field = torch.baddbmm(by_turn[place], turn.weights, held).view(-1, height, width)
                worth = torch.baddbmm(bias, torch.bmm(turn.rows, field), turn.columns)
                values[place], chosen[place] = worth.view(orders, tries, -1).max(dim=-1)
                row = torch.div(chosen[place], width, rounding_mode="floor")
                column = torch.remainder(chosen[place], width)
                torch.mul(
                    turn.row_bands[self._rows_of, row].view(-1, height, 1),
                    turn.column_bands[self._rows_of, column].view(-1, 1, width),
                    out=held[:, place].view(-1, height, width),
                )
        if orders == 2:
            worth = torch.stack(values).sum(dim=0).view(-1, images).argmax(dim=0)
            found = torch.stack([torch.cat(pair) for pair in zip(*self._by_subject(chosen), strict=True)])
            best = found.view(self._count, -1, images).gather(1, worth.expand(self._count, 1, -1))[:, 0]
        else:
            best = chosen[0]
        return torch.div(best, width, rounding_mode="floor"), torch.remainder(best, width)

    @staticmethod
    def _by_subject(chosen: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What the two orders have chosen, subject by subject."""
        return [one[0] for one in chosen], [one[1] for one in reversed(chosen)]


@dataclass(frozen=True)
class _Turn:
    """What the subject whose turn it is needs; one row for each order and try, so that no call has to spread it.

    Attributes:
        rows, columns: `[orders * tries, h, h]`, `[..., w, w]`: the mean over what the region holds at each place.
        bias: `[orders * tries, h, w]`: `IMPOSSIBLE` where it can't stand.
        weights: `[orders * tries, 1, n]`: what it costs to share cells with those of each turn.
        row_bands, column_bands: `[orders, h, h]`, `[orders, w, w]`: the cells that it holds at each place.
    """

    rows: Tensor
    columns: Tensor
    bias: Tensor
    weights: Tensor
    row_bands: Tensor
    column_bands: Tensor

    @classmethod
    def of(
        cls, subjects: Sequence[int], order: Tensor, tries: int, device: torch.device, rows: Tensor, columns: Tensor,
        bias: Tensor, weights: Tensor,
    ) -> _Turn:
        """Of each order's subject, from what all have."""
        def spread(one: Tensor) -> Tensor:
            return one.repeat_interleave(tries, dim=0, output_size=len(one) * tries).contiguous().to(device)

        chosen = list(subjects)
        shared = torch.stack([weights[subject, order[number]] for number, subject in enumerate(chosen)])[:, None]
        return cls(
            spread(rows[chosen]), spread(columns[chosen].transpose(1, 2)), spread(bias[chosen]), spread(shared),
            (rows[chosen] > 0).float().to(device), (columns[chosen] > 0).float().to(device),
        )


def _blocks(possible: Tensor, count: int) -> Tensor:
    """What keeps a region to one block of its possible places `[h, w]` at a time: `[count, h, w]`."""
    blocks = torch.full((count, *possible.shape), IMPOSSIBLE)
    side = round(count**0.5)
    rows, columns = (possible.any(dim=axis).nonzero().flatten() for axis in (1, 0))
    spans = [[len(found) * number // side for number in range(side + 1)] for found in (rows, columns)]
    for number in range(count):
        row, column = divmod(number, side)
        inside = rows[spans[0][row] : spans[0][row + 1]], columns[spans[1][column] : spans[1][column + 1]]
        blocks[number][inside[0][:, None], inside[1]] = 0.0
    return blocks


def _gaussian(size: int, longer: int) -> Tensor:
    """A blur along an axis that keeps the border's share: rows of `[size, size]` sum to 1."""
    width = max(SMOOTHING * longer, 1.0)
    cells = torch.arange(size, dtype=torch.float64)
    weights = torch.exp(-((cells[:, None] - cells) ** 2) / (2 * width**2))
    return (weights / weights.sum(dim=1, keepdim=True)).float()


def _bands(size: int, length: int) -> Tensor:
    """For each place along an axis, the cells that a region of some length holds: `[size, size]`."""
    cells = torch.arange(size)
    return ((cells >= cells[:, None]) & (cells < cells[:, None] + length)).float()


def _mean(bands: Tensor) -> Tensor:
    """Bands `[..., size, size]` that take a mean, where the region lies inside the frame."""
    return bands / bands.sum(dim=-1).amax(dim=-1)[..., None, None].clamp(min=1)


def _distance(edges: Sequence[float], height: int, width: int) -> Tensor:
    """How far each cell's centre lies outside a box, in fractions of the frame: `[height, width]`."""
    down = (torch.arange(height) + 0.5) / height
    across = (torch.arange(width) + 0.5) / width
    below, beside = (
        torch.maximum(low - at, at - high).clamp(min=0)
        for at, low, high in ((down, edges[1], edges[3]), (across, edges[0], edges[2]))
    )
    return (below[:, None] ** 2 + beside[None, :] ** 2).sqrt()
