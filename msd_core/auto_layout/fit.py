"""The fit: from maps of words to the place of every subject, decided on the device in a fixed number of calls.

Maps are smoothed and compete: at each cell, how much of what the prompt says there is said of this subject, and not of
another one or of the scene. Then each region slides over its subject's score and takes the place where it holds most of
it, all of them jointly: in turns, in both orders, with a penalty on what they share.
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

APART = 1.0
"""What a region that lies wholly in another loses, where 1 is all of its score."""

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
        turns = [tuple(range(count)), tuple(reversed(range(count)))] if count > 1 else [(0,)]
        self._orders, self._rounds = len(turns), 2 if count > 1 else 1
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
            _Turn.of(subjects, order, images, device, rows, across, bias, weights) for subjects in order.T.tolist()
        ]
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
        by_turn = score.index_select(-1, self._order).permute(3, 0, 1, 2).contiguous()
        by_turn = by_turn.view(self._count, orders * images, 1, height * width)
        held = torch.zeros(orders * images, self._count, height * width, device=score.device)
        chosen: list[Tensor] = [score] * self._count
        values: list[Tensor] = [score] * self._count
        for _ in range(self._rounds):
            for place, turn in enumerate(self._turns):
                field = torch.baddbmm(by_turn[place], turn.weights, held).view(-1, height, width)
                worth = torch.baddbmm(turn.bias, torch.bmm(turn.rows, field), turn.columns)
                values[place], chosen[place] = worth.view(orders, images, -1).max(dim=-1)
                row = torch.div(chosen[place], width, rounding_mode="floor")
                column = torch.remainder(chosen[place], width)
                torch.mul(
                    turn.row_bands[self._rows_of, row].view(-1, height, 1),
                    turn.column_bands[self._rows_of, column].view(-1, 1, width),
                    out=held[:, place].view(-1, height, width),
                )
        best = torch.stack(chosen)
        if orders == 2:
            worth = torch.stack(values).sum(dim=0)
            best = torch.where(worth[1] > worth[0], best.flip(0)[:, 1], best[:, 0])
        else:
            best = best[:, 0]
        return torch.div(best, width, rounding_mode="floor"), torch.remainder(best, width)


@dataclass(frozen=True)
class _Turn:
    """What the subject whose turn it is needs; one row for each order and image, so that no call has to spread it.

    Attributes:
        rows, columns: `[orders * images, h, h]`, `[..., w, w]`: the mean over what the region holds at each place.
        bias: `[orders * images, h, w]`: `IMPOSSIBLE` where it can't stand.
        weights: `[orders * images, 1, n]`: what it costs to share cells with those of each turn.
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
        cls, subjects: Sequence[int], order: Tensor, images: int, device: torch.device, rows: Tensor, columns: Tensor,
        bias: Tensor, weights: Tensor,
    ) -> _Turn:
        """Of each order's subject, from what all have."""
        def spread(one: Tensor) -> Tensor:
            return one.repeat_interleave(images, dim=0, output_size=len(one) * images).contiguous().to(device)

        chosen = list(subjects)
        shared = torch.stack([weights[subject, order[number]] for number, subject in enumerate(chosen)])[:, None]
        return cls(
            spread(rows[chosen]), spread(columns[chosen].transpose(1, 2)), spread(bias[chosen]), spread(shared),
            (rows[chosen] > 0).float().to(device), (columns[chosen] > 0).float().to(device),
        )


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
