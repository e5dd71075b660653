"""Masked multi-subject cross-attention (paper 3.5, SPEC 4), and what one sampling run keeps for it.

A position attends to the tokens of all subjects whose regions hold it, in one softmax. Where no subject is, it attends
to empty tokens, whose keys and values are zero, so that the result there is exactly zero without a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .cells import WHOLE, Window
from .layout import Region, region_cells

AttentionFunction = Callable[..., Tensor]

# Eight of them keep the keys a multiple of eight long, which fused kernels want of a masked attention.
EMPTY_TOKENS = 8

# exp(x - 1e4) is exactly zero in every float type, and unlike -inf it can't turn a wholly masked chunk into NaN.
MASKED = -1e4


def scaled_dot_product(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """PyTorch's fused attention over `[rows, length, heads * d]`; a host may supply its own instead."""
    mask = mask if mask is None or mask.ndim == 2 else mask[:, None]
    q, k, v = (rearrange(x, "b length (heads d) -> b heads length d", heads=heads) for x in (q, k, v))
    return rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=mask), "b heads length d -> b length (heads d)")


class SubjectKeyValues:
    """Keys and values of the subject tokens in every layer: projected once a run, kept per device and dtype."""

    def __init__(
        self, projected: Iterable[tuple[Tensor, Tensor]], value_scale: Tensor, layer_scales: Sequence[float]
    ) -> None:
        """
        Args:
            projected: keys and values `[frames, L, hidden]` of each layer.
            value_scale: factor on each token's value, `[L]`: scaling a value is scaling its attention probability
                after the softmax.
            layer_scales: factor on each layer's values.
        """
        self._layers = [
            (_with_empty_tokens(key), _with_empty_tokens(value * (value_scale.to(value) * scale)[:, None]))
            for (key, value), scale in zip(projected, layer_scales, strict=True)
        ]
        self._kept: dict[tuple, list[tuple[Tensor, Tensor]]] = {}

    def at(
        self, layer: int, device: torch.device, dtype: torch.dtype, images: tuple[int, ...] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Keys and values `[frames, L + 8, hidden]` of a layer.

        Args:
            images: which images of the latent batch are evaluated, None for all: where each has a frame of its own,
                only their frames, in this order.

        Raises:
            ValueError: an image has no frame.
        """
        return self._at(device, dtype, images)[layer]

    def _at(
        self, device: torch.device, dtype: torch.dtype, images: tuple[int, ...] | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        key = (device, dtype, images)
        layers = self._kept.get(key)
        if layers is None:
            layers = self._kept[key] = self._prepared(*key)
        return layers

    def _prepared(
        self, device: torch.device, dtype: torch.dtype, images: tuple[int, ...] | None
    ) -> list[tuple[Tensor, Tensor]]:
        if images is None:
            return [(key.to(device, dtype), value.to(device, dtype)) for key, value in self._layers]
        layers = self._at(device, dtype)
        frames = layers[0][0].shape[0]
        if frames == 1:
            return layers
        first, last = min(images), max(images)
        if not 0 <= first <= last < frames:
            raise ValueError(
                f"Images {first + 1} to {last + 1} of the latent batch are evaluated but the embeds hold {frames} "
                f"frames, one for each image: set its batch size to {frames}."
            )
        # A slice costs no memory, and windows of a long batch are mostly slices.
        together = images == tuple(range(first, last + 1))
        chosen = slice(first, last + 1) if together else torch.tensor(images, device=device)
        return [(key[chosen], value[chosen]) for key, value in layers]


class RegionMasks:
    """The attention masks of the regions at every feature map size: built once a run, kept per device and dtype."""

    def __init__(self, regions: Sequence[Region], token_counts: Sequence[int]) -> None:
        self._regions = tuple(regions)
        self._token_counts = tuple(token_counts)
        self._cells: dict[tuple, Tensor] = {}
        self._masks: dict[tuple, Tensor] = {}

    def cells(
        self, height: int, width: int, active: tuple[bool, ...], device: torch.device,
        windows: tuple[Window, ...] = (WHOLE,),
    ) -> Tensor:
        """Cells of the subjects, bool `[n, height, width]`, none for the inactive ones.

        Args:
            windows: the part of the frame that the feature map shows (see `Region.cells`).
        """
        key = (height, width, active, device, windows)
        cells = self._cells.get(key)
        if cells is None:
            cells = region_cells(self._regions, height, width, *windows) & torch.tensor(active)[:, None, None]
            cells = self._cells[key] = cells.to(device)
        return cells

    def active(self, active: tuple[bool, ...], device: torch.device) -> Tensor:
        """Which subjects act, as bool `[n, 1, 1]` to cut cells by."""
        key = (active, device)
        if key not in self._cells:
            self._cells[key] = torch.tensor(active, device=device)[:, None, None]
        return self._cells[key]

    def at(
        self, height: int, width: int, active: tuple[bool, ...], device: torch.device, dtype: torch.dtype,
        windows: tuple[Window, ...] = (WHOLE,),
    ) -> Tensor:
        """The same as an additive mask `[height * width, L + 8]`."""
        key = (height, width, active, device, dtype, windows)
        mask = self._masks.get(key)
        if mask is None:
            cells = self.cells(height, width, active, device, windows)
            mask = self._masks[key] = token_mask(cells, self._token_counts, dtype)
        return mask


def token_mask(cells: Tensor, token_counts: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Turn the subjects' cells, bool `[..., n, h, w]`, into an additive attention mask `[..., h * w, L + 8]`."""
    cells = rearrange(cells, "... n h w -> ... (h w) n")
    empty = ~cells.any(dim=-1, keepdim=True)
    counts = torch.tensor([*token_counts, EMPTY_TOKENS], device=cells.device)
    visible = torch.cat([cells, empty], dim=-1).repeat_interleave(counts, dim=-1)
    return torch.zeros(visible.shape, dtype=dtype, device=cells.device).masked_fill_(~visible, MASKED)


def attend_to_subjects(
    q: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    heads: int,
    attention: AttentionFunction = scaled_dot_product,
) -> Tensor:
    """What the subjects add to a cross-attention's output, before its output projection.

    Args:
        q: `[rows, h * w, hidden]`, the layer's own queries of one conditional latent batch.
        key, value: `[rows or 1, L + 8, hidden]`, of each image of the batch or of all.
        mask: additive, `[h * w, L + 8]` or `[rows, h * w, L + 8]`.
        heads: the layer's heads.
        attention: `(q, k, v, heads, mask=...) -> [rows, h * w, hidden]`.

    Returns:
        `[rows, h * w, hidden]`, exactly zero in positions of no subject.
    """
    rows = q.shape[0]
    return attention(q, key.expand(rows, -1, -1), value.expand(rows, -1, -1), heads, mask=mask)


def _with_empty_tokens(x: Tensor) -> Tensor:
    return F.pad(x, (0, 0, 0, EMPTY_TOKENS))
