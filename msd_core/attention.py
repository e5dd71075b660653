"""Masked multi-subject cross-attention (paper 3.5, SPEC 4), and what one sampling run keeps for it.

A position attends to the tokens of all subjects whose regions hold it, in one softmax. Where no subject is, it attends
to empty tokens, whose keys and values are zero, so that the result there is exactly zero without a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .cells import WHOLE, Window
from .layout import Region, region_cells

AttentionFunction = Callable[..., Tensor]
CPU = torch.device("cpu")

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
    """Keys and values of the subject tokens in every layer as one run needs them, kept per device and dtype."""

    def __init__(
        self, projected: Sequence[Tensor], hidden: Sequence[int], value_scale: Tensor, layer_scales: Sequence[float]
    ) -> None:
        """
        Args:
            projected: what `Adapter.project_joint` made of each subject's tokens, `[1 or frames, t, 2 * sum(hidden)]`.
            hidden: the width of each layer.
            value_scale: factor on each token's value, `[L]`: scaling a value is scaling its attention probability
                after the softmax.
            layer_scales: factor on each layer's values.
        """
        self._projected, self._hidden = tuple(projected), tuple(hidden)
        self._value_scale, self._layer_scales = value_scale, tuple(layer_scales)
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
            layers = self._kept[key] = (
                self._scaled(device, dtype) if images is None else self._chosen(self._at(device, dtype), images)
            )
        return layers

    def _scaled(self, device: torch.device, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
        """All layers as views of one tensor, the empty tokens behind the subjects'."""
        frames, tokens = max(part.shape[0] for part in self._projected), len(self._value_scale)
        width = sum(self._hidden)
        joint = torch.zeros(frames, tokens + EMPTY_TOKENS, 2 * width, device=device, dtype=dtype)
        start = 0
        for part in self._projected:
            joint[:, start : start + part.shape[1]] = part.to(device)
            start += part.shape[1]
        keys, values = (half.split(self._hidden, dim=-1) for half in joint.split(width, dim=-1))
        scales = self._value_scale.to(device)[:, None]
        for value, scale in zip(values, self._layer_scales, strict=True):
            value[:, :tokens].mul_(scales * scale)
        return list(zip(keys, values, strict=True))

    @staticmethod
    def _chosen(layers: list[tuple[Tensor, Tensor]], images: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
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
        chosen = slice(first, last + 1) if together else torch.tensor(images, device=layers[0][0].device)
        return [(key[chosen], value[chosen]) for key, value in layers]


class Reach(NamedTuple):
    """Where a feature map's positions meet the subjects.

    Attributes:
        positions: those to attend in, row after row: from the first row in which a subject has a cell to the last one.
        mask: additive, `[positions, L + 8]` or `[b, positions, L + 8]`.
        shared: whether a cell may belong to several subjects.
    """

    positions: slice
    mask: Tensor
    shared: bool

    @property
    def empty(self) -> bool:
        """Whether no subject has a cell."""
        return self.positions.start == self.positions.stop


class RegionMasks:
    """The regions at every feature map size: cells and masks are built once a run, kept per device and dtype."""

    def __init__(self, regions: Sequence[Region], token_counts: Sequence[int]) -> None:
        self._regions = tuple(regions)
        self._token_counts = tuple(token_counts)
        self._cells: dict[tuple, Tensor] = {}
        self._reaches: dict[tuple, Reach] = {}

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
            if device == CPU:
                cells = region_cells(self._regions, height, width, *windows) & torch.tensor(active)[:, None, None]
            else:
                cells = self.cells(height, width, active, CPU, windows).to(device)
            self._cells[key] = cells
        return cells

    def active(self, active: tuple[bool, ...], device: torch.device) -> Tensor:
        """Which subjects act, as bool `[n, 1, 1]` to cut cells by."""
        key = (active, device)
        if key not in self._cells:
            self._cells[key] = torch.tensor(active, device=device)[:, None, None]
        return self._cells[key]

    def owners(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Which tokens are whose: `[n, L + 8]`, 1 where a token is the subject's."""
        key = (device, dtype)
        if key not in self._cells:
            blocks = torch.block_diag(*(torch.ones(1, count) for count in self._token_counts))
            self._cells[key] = F.pad(blocks, (0, EMPTY_TOKENS)).to(device, dtype)
        return self._cells[key]

    def reach(
        self, height: int, width: int, active: tuple[bool, ...], device: torch.device, dtype: torch.dtype,
        windows: tuple[Window, ...] = (WHOLE,),
    ) -> Reach:
        """What to attend in, and with which mask."""
        key = (height, width, active, device, dtype, windows)
        reach = self._reaches.get(key)
        if reach is None:
            cells = self.cells(height, width, active, CPU, windows)
            inside = cells.sum(dim=0)
            rows = inside.any(dim=1).nonzero().flatten().tolist() or [0, -1]
            first, end = rows[0], rows[-1] + 1
            mask = token_mask(cells[:, first:end], self._token_counts, dtype).to(device)
            positions = slice(first * width, end * width)
            reach = self._reaches[key] = Reach(positions, mask, bool((inside > 1).any()))
        return reach


def token_mask(cells: Tensor, token_counts: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Turn the subjects' cells, bool `[..., n, h, w]`, into an additive attention mask `[..., h * w, L + 8]`."""
    cells = rearrange(cells, "... n h w -> ... (h w) n")
    owners = torch.cat([~cells, cells.any(dim=-1, keepdim=True)], dim=-1)
    hidden = torch.zeros(owners.shape, dtype=dtype, device=cells.device).masked_fill_(owners, MASKED)
    counts = (*token_counts, EMPTY_TOKENS)
    columns = zip(hidden.split(1, dim=-1), counts, strict=True)
    return torch.cat([column.expand(*column.shape[:-1], count) for column, count in columns], dim=-1)


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
        q: `[rows, positions, hidden]`, the layer's own queries of one conditional latent batch.
        key, value: `[rows or 1, L + 8, hidden]`, of each image of the batch or of all.
        mask: additive, `[positions, L + 8]` or `[rows, positions, L + 8]`.
        heads: the layer's heads.
        attention: `(q, k, v, heads, mask=...) -> [rows, positions, hidden]`.

    Returns:
        `[rows, positions, hidden]`, exactly zero in positions of no subject.
    """
    rows = q.shape[0]
    return attention(q, key.expand(rows, -1, -1), value.expand(rows, -1, -1), heads, mask=mask)

