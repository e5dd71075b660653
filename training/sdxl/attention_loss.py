"""Equation 7: how much of a subject's attention lies outside its box, for the image's and for the text's attention.

The sum over a subject's tokens would be 1 everywhere for a lone subject, so each token's map is taken by itself and the
losses of a subject's tokens averaged, then those of all subjects, then those of all layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from msd_core.attention import EMPTY_TOKENS
from msd_core.layout import Region

from ..attention import Attended, batch_cells

TINY = 1e-6


class AttentionLosses:
    """Watches a batch's cross-attentions (`SubjectAttention.watch`)."""

    def __init__(self, regions: Sequence[Sequence[Region]], tokens: int, spans: Tensor, named: Sequence[bool],
                 image: bool, text: bool) -> None:
        """
        Args:
            regions: of each picture's subjects, as the boxes are, whatever masks them.
            tokens: of a subject.
            spans: which tokens of the captions name them, bool `[N, 77]`.
            named: for each picture, whether its caption is shown.
            image, text: which losses are asked for.
        """
        self._regions, self._tokens = regions, tokens
        self._asked = image, text
        counts = [len(row) for row in regions]
        self._most = max(counts)
        self._words = torch.zeros(len(regions), self._most, spans.shape[1], dtype=torch.bool, device=spans.device)
        for row, part, shown in zip(self._words, spans.split(counts), named, strict=True):
            if shown:
                row[: len(part)] = part
        self._real = torch.zeros(len(regions), self._most, dtype=torch.bool, device="cpu")
        for row, count in zip(self._real, counts, strict=True):
            row[:count] = True
        self._cells: dict[tuple, Tensor] = {}
        self._found: dict[int, tuple[Tensor | None, Tensor | None]] = {}

    def look(self, at: Attended) -> None:
        """One cross-attention. One that is computed again for its gradient counts once, and does the same again."""
        cells = self._inside(at.size, at.query.device)
        image, text = self._asked
        losses = (self._image(at, cells) if image else None, self._text(at, cells) if text else None)
        self._found.setdefault(at.layer, losses)

    def means(self) -> tuple[Tensor | None, Tensor | None]:
        """The image's and the text's loss, None where not asked for."""
        return tuple(
            torch.stack([losses[which] for losses in self._found.values()]).mean() if asked else None
            for which, asked in enumerate(self._asked)
        )

    def _inside(self, size: tuple[int, int], device: torch.device) -> Tensor:
        """Which positions lie in each subject's box: `[B, n, positions]`."""
        key = (size, device)
        if key not in self._cells:
            cells = batch_cells(self._regions, self._most, size)
            self._cells[key] = cells.flatten(2).to(device, torch.float32)
        return self._cells[key]

    def _image(self, at: Attended, cells: Tensor) -> Tensor:
        key, mask = at.key[:, :-EMPTY_TOKENS], at.mask[..., :-EMPTY_TOKENS]
        maps = rearrange(_maps(at.query, key, at.heads, mask), "b (n t) p -> b n t p", t=self._tokens)
        outside = _outside(maps, cells[:, :, None]).mean(-1)
        return _mean(outside, self._real.to(outside.device))

    def _text(self, at: Attended, cells: Tensor) -> Tensor:
        maps = _maps(at.query, at.text_key, at.heads)
        outside = _outside(maps[:, None], cells[:, :, None])
        words = self._words[..., : maps.shape[1]]
        each = (outside * words).sum(-1) / words.sum(-1).clamp(min=1)
        return _mean(each, words.any(-1))


def _maps(query: Tensor, key: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Attention probabilities, the heads' mean: fp32 `[B, tokens, positions]`."""
    q, k = (rearrange(x, "b length (heads d) -> b heads length d", heads=heads) for x in (query, key))
    scores = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores + mask[:, None]
    return scores.softmax(-1).mean(1).transpose(-1, -2)


def _outside(maps: Tensor, cells: Tensor) -> Tensor:
    """Equation 7 of each map `[..., positions]`."""
    inside = (maps * cells).sum(-1) / (maps.sum(-1) + TINY)
    return (1 - inside) ** 2


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """The mean of the values that count, 0 if none does."""
    return (values * counted).sum() / counted.sum().clamp(min=1)
