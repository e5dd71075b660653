"""Attribution: where the prompt speaks of each subject, and where and how much each subject acts (paper appendix K)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import AttentionFunction


def span_values(spans: Tensor, heads: int, width: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Values with which an attention's output is what each head attends to each phrase.

    Args:
        spans: `[length, n]` from `span_matrix`.
        heads: the layer's heads.
        width: of a head; each has room for as many phrases.

    Returns:
        For each `width` phrases, `[1, length, heads * width]`.
    """
    return tuple(
        F.pad(part, (0, width - part.shape[1])).repeat(1, heads)[None].to(dtype) for part in spans.split(width, dim=1)
    )


def read_phrases(
    q: Tensor, k: Tensor, values: Sequence[Tensor], heads: int, phrases: int, attention: AttentionFunction
) -> Tensor:
    """How much each position attends to each phrase: `phrase_maps` by a fused attention, which keeps no probabilities.

    Args:
        q: `[b, positions, hidden]`, queries of conditional rows.
        k: `[b, length, hidden]`, keys of the text.
        values: from `span_values`.
        heads: the layer's heads.
        phrases: how many there are.
        attention: the layer's, `(q, k, v, heads) -> [b, positions, hidden]`.

    Returns:
        fp32 `[b, n, positions]`.
    """
    read = [attention(q, k, value.expand(q.shape[0], -1, -1), heads).unflatten(-1, (heads, -1)) for value in values]
    by_head = read[0] if len(read) == 1 else torch.cat(read, dim=-1)
    return by_head[..., :phrases].mean(dim=2, dtype=torch.float32).transpose(1, 2)


def subject_parts(
    q: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int, owners: Tensor, attention: AttentionFunction
) -> Tensor:
    """What each subject adds where several share a place: together they add what the attention gives.

    Args:
        q: `[b, positions, hidden]`, queries of conditional rows.
        key, value: `[b or 1, L, hidden]`, the subjects' keys and scaled values, empty tokens behind them.
        mask: additive, `[positions, L]` or `[b, positions, L]`.
        heads: the layer's heads.
        owners: `[n, L]`, 1 where a token is the subject's.
        attention: the layer's, `(q, k, v, heads, mask=...) -> [b, positions, hidden]`.

    Returns:
        `[b, n, positions, hidden]`.
    """
    rows, count = q.shape[0], len(owners)

    def for_each(x: Tensor) -> Tensor:
        return x[:, None].expand(rows, count, -1, -1).flatten(0, 1)

    own = (value[:, None] * owners[:, :, None]).expand(rows, -1, -1, -1).flatten(0, 1)
    parts = attention(for_each(q), for_each(key), own, heads, mask=mask if mask.ndim == 2 else for_each(mask))
    return parts.unflatten(0, (rows, count))


def subject_shares(parts: Tensor, text: Tensor) -> Tensor:
    """How much subjects add at each position, as a share of what the text says there.

    Args:
        parts: `[b, n, positions, hidden]`, what each adds.
        text: `[b, positions, hidden]`, the text attention's output.

    Returns:
        fp32 `[b, n, positions]`: norm of the subject's part over the norm of the text's.
    """
    added, spoken = (torch.linalg.vector_norm(x, dim=-1, dtype=torch.float32) for x in (parts, text))
    return added / (spoken + 1e-6)[:, None]


class MapMean:
    """The mean of maps of several sizes: summed size by size, brought together at the end."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._sums: dict[tuple[int, int], Tensor] = {}
        self._counts: dict[tuple[int, int], list[int]] = {}
        self._fixed: dict[int, tuple[Tensor, list[int]]] = {}

    def add(
        self, maps: Tensor, images: Sequence[int] | None = None, size: tuple[int, int] | None = None, top: int = 0
    ) -> None:
        """Take in maps `[b, n, h, w]` of all images of the batch, or of the given ones.

        Args:
            size: height and width, where the maps have only some of the rows, from `top` on; the others are zero.
        """
        size = size or tuple(maps.shape[-2:])
        if size not in self._sums:
            self._sums[size] = maps.new_zeros(self._batch, maps.shape[1], *size)
        self._count(self._counts.setdefault(size, [0] * self._batch), images)
        sums = self._sums[size][:, :, top : top + maps.shape[-2]]
        if images is None:
            sums += maps
        else:
            for position, image in enumerate(images):
                sums[image] += maps[position]

    def add_fixed(self, cells: Tensor, images: Sequence[int] | None = None) -> None:
        """Take in cells `[n, h, w]`, bool and of the same tensor each time: they are only counted."""
        _, counts = self._fixed.setdefault(id(cells), (cells, [0] * self._batch))
        self._count(counts, images)

    def _count(self, counts: list[int], images: Sequence[int] | None) -> None:
        for image in range(self._batch) if images is None else images:
            counts[image] += 1

    def result(self) -> Tensor | None:
        """The mean at the largest size seen, fp32 `[b, n, h, w]` on the CPU; None if nothing was taken in."""
        summed = [*self._sums.values()]
        for cells, counts in self._fixed.values():
            summed.append(cells.cpu() * torch.tensor(counts, dtype=torch.float32)[:, None, None, None])
        if not summed:
            return None
        height, width = max(tuple(maps.shape[-2:]) for maps in summed)
        total = sum(
            F.interpolate(maps.float(), size=(height, width), mode="bilinear", align_corners=False).cpu()
            for maps in summed
        )
        counts = torch.tensor([*self._counts.values(), *(counts for _, counts in self._fixed.values())])
        return total / counts.sum(dim=0).clamp(min=1)[:, None, None, None]


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
