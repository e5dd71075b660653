"""The subjects of a training batch in a UNet's cross-attentions: the hooks and the masked attention that ship."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from msd_core.adapter import Adapter
from msd_core.attention import EMPTY_TOKENS, attend_to_subjects, token_mask
from msd_core.headless.run import map_size
from msd_core.headless.unet import CrossAttentionHooks, cross_attentions
from msd_core.layout import Region, region_cells


class Attended(NamedTuple):
    """One cross-attention of a batch, as a loss on its maps sees it.

    Attributes:
        layer: its place in the adapter's order.
        query: `[B, positions, hidden]`.
        text_key: `[B, words, hidden]`.
        key: `[B, n * t + 8, hidden]`, the empty tokens last.
        mask: additive, `[B, positions, n * t + 8]`.
        heads: how many.
        size: height and width of its map.
    """

    layer: int
    query: Tensor
    text_key: Tensor
    key: Tensor
    mask: Tensor
    heads: int
    size: tuple[int, int]


class SubjectAttention:
    """What the subjects of the batch at hand add to a UNet's text attention (equation 6), in its first rows.

    Nothing is added before `set`, nor after `clear`. A layer that gradient checkpointing computes once more finds what
    it found before, so between `set` and the end of the backward pass nothing here may change.

    Attributes:
        watch: is shown every cross-attention with subjects, None by default.
    """

    def __init__(self, unet: nn.Module) -> None:
        self.watch: Callable[[Attended], None] | None = None
        self.clear()
        for layer, module in enumerate(cross_attentions(unet)):
            CrossAttentionHooks(module, partial(self._add, layer=layer, heads=module.heads))

    def clear(self) -> None:
        """No subjects."""
        self._projected: list[tuple[Tensor, Tensor]] = []
        self._regions: Sequence[Sequence[Region]] = ()
        self._masks: dict[tuple, Tensor] = {}
        self._size, self._subjects, self._tokens, self._scale = (0, 0), 0, 0, 0.0

    def set(self, adapter: Adapter, tokens: Tensor, regions: Sequence[Sequence[Region]], size: tuple[int, int],
            scale: float = 1.0) -> None:
        """The subjects of a batch.

        Args:
            tokens: `[B, n, t, C]`, padded where a picture has fewer than n subjects.
            regions: of each picture's subjects; a picture without any has no image attention.
            size: height and width of the latents.
            scale: the paper's gamma; 0 is no adapter.
        """
        self.clear()
        if not scale:
            return
        self._subjects, self._tokens = tokens.shape[1:3]
        pad = (0, 0, 0, EMPTY_TOKENS)
        self._projected = [(F.pad(k, pad), F.pad(v, pad)) for k, v in adapter.project(tokens.flatten(1, 2))]
        self._regions, self._size, self._scale = regions, tuple(size), scale

    def _mask(self, size: tuple[int, int], like: Tensor) -> Tensor:
        """The additive mask `[B, positions, n * t + 8]` of a map, made once for a batch."""
        key = (size, like.dtype, like.device)
        if key not in self._masks:
            cells = batch_cells(self._regions, self._subjects, size)
            self._masks[key] = token_mask(cells, [self._tokens] * self._subjects, like.dtype).to(like.device)
        return self._masks[key]

    def _add(self, out: Tensor, query: Tensor, text_key: Tensor, layer: int, heads: int) -> Tensor:
        """The text attention's output plus the subjects' part, in the conditional rows (the first ones)."""
        if not self._projected:
            return out
        rows = len(self._regions)
        size = map_size(self._size, query.shape[1])
        key, value = (x.to(query.dtype) for x in self._projected[layer])
        mask = self._mask(size, query)
        if self.watch is not None:
            self.watch(Attended(layer, query[:rows], text_key[:rows], key, mask, heads, size))
        image = attend_to_subjects(query[:rows], key, value, mask, heads)
        return out + self._scale * (image if rows == len(out) else F.pad(image, (0, 0, 0, 0, 0, len(out) - rows)))


def batch_cells(regions: Sequence[Sequence[Region]], most: int, size: tuple[int, int]) -> Tensor:
    """Which cells of a map lie in each picture's subjects' regions: bool `[B, most, h, w]` on the CPU, none where a
    picture has fewer subjects.
    """
    cells = torch.zeros(len(regions), most, *size, dtype=torch.bool, device="cpu")
    for row, picture in zip(cells, regions, strict=True):
        row[: len(picture)] = region_cells(picture, *size)
    return cells


def gather(tokens: Tensor, counts: Sequence[int]) -> Tensor:
    """Tokens `[sum n, t, C]` as `[B, most n, t, C]`, zero where a picture has fewer subjects."""
    most = max(counts)
    return torch.stack([F.pad(part, (0, 0, 0, 0, 0, most - len(part))) for part in tokens.split(list(counts))])


def subject_tokens(adapter: Adapter, features: Tensor, phrases: Tensor, boxes: Tensor, grounding: Tensor | bool = True,
                   seen: Tensor | None = None) -> Tensor:
    """Subject tokens `[n, t, C]` as training makes them: of image features, which are zero where `seen` is 0 of a
    subject, of its phrase's embedding and its box.
    """
    if seen is not None:
        features = features * seen[:, None, None]
    return adapter.image_proj(features, phrases, boxes, grounding)


def everywhere(regions: Sequence[Region]) -> list[Region]:
    """Regions of the same boxes whose cells are all of the frame: no masks (table 3, w/o MCA)."""
    whole = torch.ones(1, 1, device="cpu")
    return [Region(region.box, whole) for region in regions]
