"""Means with honest intervals: the percentile bootstrap (Efron and Tibshirani, 1993, chapter 13).

What is drawn anew is the sample, with all its pictures, because the pictures of one sample are not independent. The
intervals say how much a table would move with other samples of the same kind. Samples that share a subject are taken
as independent, so that in a benchmark over few subjects they are somewhat narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

DRAWS = 2000
LEVEL = 0.95


class Estimate(NamedTuple):
    """A figure with its interval and the number of samples behind it."""

    value: float
    low: float
    high: float
    count: int


def mean_interval(values: Sequence[float], draws: int = DRAWS, seed: int = 0) -> Estimate | None:
    """Mean of the samples' values and its 95 % interval; None without values."""
    if not values:
        return None
    numbers = torch.tensor(values, dtype=torch.float64)
    means = torch.cat([numbers[rows].mean(dim=1) for rows in _draws(len(numbers), draws, seed)])
    return Estimate(float(numbers.mean()), *_ends(means), len(numbers))


def difference_interval(
    first: Sequence[float], second: Sequence[float], draws: int = DRAWS, seed: int = 0
) -> Estimate | None:
    """Mean of the paired differences `second - first`, sample by sample, and its 95 % interval.

    Raises:
        ValueError: the two have not as many values.
    """
    if len(first) != len(second):
        raise ValueError(f"There are {len(first)} and {len(second)} values but pairs are needed: match the samples.")
    return mean_interval([b - a for a, b in zip(first, second, strict=True)], draws, seed)


def statistic_interval(
    items: Sequence[Any], statistic: Callable[[Sequence[Any]], float | None], draws: int = 200, seed: int = 0
) -> Estimate | None:
    """Any figure of all samples together and its 95 % interval; None where it has no value."""
    value = statistic(items) if items else None
    if value is None:
        return None
    drawn = [statistic([items[row] for row in rows.tolist()]) for part in _draws(len(items), draws, seed)
             for rows in part]
    found = torch.tensor([one for one in drawn if one is not None], dtype=torch.float64)
    return Estimate(value, *_ends(found), len(items))


def _draws(count: int, draws: int, seed: int) -> list[Tensor]:
    """Rows to take, `[draws, count]` in parts of at most about four million numbers."""
    generator = torch.Generator().manual_seed(seed)
    size = max(1, min(draws, 4_000_000 // count))
    return [torch.randint(count, (min(size, draws - start), count), generator=generator)
            for start in range(0, draws, size)]


def _ends(values: Tensor) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = torch.quantile(values, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high
