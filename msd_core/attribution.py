"""Attribution: where the prompt speaks of each subject, and where and how much each subject acts (paper appendix K)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor


def subject_shares(
    q: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int, token_counts: Sequence[int], text: Tensor
) -> Tensor:
    """How much each subject adds at each position, as a share of what the text says there.

    Args:
        q: `[b, h * w, hidden]`, queries of conditional rows.
        key, value: `[b or 1, L, hidden]`, the subjects' keys and scaled values, empty tokens behind them.
        mask: additive, `[h * w, L]` or `[b, h * w, L]`.
        heads: the layer's heads.
        token_counts: tokens of each subject.
        text: `[b, h * w, hidden]`, the text attention's output.

    Returns:
        fp32 `[b, n, h * w]`: norm of the subject's part of the attention output over the norm of the text's.
    """
    q, key, value = (
        rearrange(x.float(), "b length (heads d) -> b heads length d", heads=heads) for x in (q, key, value)
    )
    mask = mask.float() if mask.ndim == 2 else mask.float()[:, None]
    probabilities = torch.softmax(q @ key.transpose(-1, -2) * q.shape[-1] ** -0.5 + mask, dim=-1)
    spoken = text.float().norm(dim=-1)
    shares, start = [], 0
    for count in token_counts:
        tokens = slice(start, start + count)
        part = rearrange(probabilities[..., tokens] @ value[..., tokens, :], "b heads p d -> b p (heads d)")
        shares.append(part.norm(dim=-1) / (spoken + 1e-6))
        start += count
    return torch.stack(shares, dim=1)


class MapMean:
    """The mean of maps of several sizes: summed size by size, brought together at the end."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._sums: dict[tuple[int, int], Tensor] = {}
        self._counts: dict[tuple[int, int], list[int]] = {}

    def add(self, maps: Tensor, images: Sequence[int] | None = None) -> None:
        """Take in maps `[b, n, h, w]` of all images of the batch, or of the given ones."""
        size = tuple(maps.shape[-2:])
        if size not in self._sums:
            self._sums[size] = maps.new_zeros(self._batch, *maps.shape[1:])
            self._counts[size] = [0] * self._batch
        if images is None:
            self._sums[size] += maps
        for position, image in enumerate(range(self._batch) if images is None else images):
            self._counts[size][image] += 1
            if images is not None:
                self._sums[size][image] += maps[position]

    def result(self) -> Tensor | None:
        """The mean at the largest size seen, fp32 `[b, n, h, w]` on the CPU; None if nothing was taken in."""
        if not self._sums:
            return None
        height, width = max(self._sums)
        total = sum(
            F.interpolate(maps.float(), size=(height, width), mode="bilinear", align_corners=False)
            for maps in self._sums.values()
        ).cpu()
        counts = torch.tensor(list(self._counts.values())).sum(dim=0).clamp(min=1)
        return total / counts[:, None, None, None]


class RunMaps:
    """What is seen in one sampling run while it goes on.

    Attributes:
        text: text attention to each phrase.
        subject: each subject's share.
        regions: the cells in which each subject acted on the last step.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._step: int | None = None
        self.text, self.subject, self.regions = MapMean(batch), MapMean(batch), MapMean(batch)

    def at_step(self, step: int) -> None:
        """Regions are those of the last step; the maps' means run over all steps."""
        if step != self._step:
            self._step, self.regions = step, MapMean(self._batch)


@dataclass(frozen=True, eq=False)
class WatchedRun:
    """What was seen in a sampling run that has ended.

    Attributes:
        text, subject, regions: as in `RunMaps`, fp32 `[b, n, h, w]` on the CPU; None where nothing was seen.
        batch: images of the run.
        size: height and width of its latent.
        origin: what ran it, as the host tells it, or None.
    """

    text: Tensor | None
    subject: Tensor | None
    regions: Tensor | None
    batch: int
    size: tuple[int, int]
    origin: Any = None

    @classmethod
    def of(cls, maps: RunMaps, batch: int, size: tuple[int, int], origin: Any = None) -> WatchedRun:
        """Bring a run's maps together and off the device."""
        return cls(maps.text.result(), maps.subject.result(), maps.regions.result(), batch, size, origin)


class Attribution:
    """The sampling runs that were watched, the latest last.

    Attributes:
        phrases: the subjects' phrases, in order.
        runs: what was seen in each.
    """

    KEPT = 256

    def __init__(self, phrases: Sequence[str]) -> None:
        self.phrases = tuple(phrases)
        self.runs: list[WatchedRun] = []

    def keep(self, run: WatchedRun) -> None:
        """Add a run; the oldest beyond `KEPT` are forgotten."""
        self.runs = [*self.runs, run][-self.KEPT :]


def readout(shares: Tensor) -> list[float]:
    """How much each subject acts: its mean share where it acts at all, `[b, n, h, w]` -> n numbers."""
    acting = shares > 0
    total = shares.sum(dim=(0, 2, 3)) / acting.sum(dim=(0, 2, 3)).clamp(min=1)
    return total.tolist()
