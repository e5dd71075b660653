"""diffusers attention processors that add the subjects to a UNet's cross-attentions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..adapter import Adapter, LayerTable
from ..attention import RegionMasks, SubjectKeyValues, attend_to_subjects, token_mask
from ..auto_layout import AutoLayout, AutoLayoutSettings, phrase_maps, span_matrix
from ..embeds import SubjectEmbeds


def cross_attentions(unet: nn.Module) -> list[nn.Module]:
    """A diffusers UNet's cross-attentions in the adapter's order: down blocks, up blocks, mid block."""
    names = [name for name, _ in unet.named_modules() if name.endswith(".attn2")]
    order = ("down_blocks", "up_blocks", "mid_block")
    return [unet.get_submodule(name) for block in order for name in names if name.startswith(block)]


def check_layers(unet: nn.Module, adapter: Adapter) -> None:
    """Make sure that an adapter was trained for a UNet of this shape.

    Raises:
        ValueError: names both layouts.
    """
    found = cross_attentions(unet)
    table = LayerTable(tuple(a.to_q.out_features for a in found), found[0].to_k.in_features if found else 0)
    if table != adapter.layers:
        raise ValueError(f"The base model has {table} but the adapter was made for {adapter.layers}: use an SDXL base.")


class SubjectRun:
    """What one sampling run keeps: keys and values, masks, the step it is at, and which subjects act there."""

    def __init__(
        self, embeds: SubjectEmbeds, scale: float, latent_size: tuple[int, int], guided: bool,
        auto_layout: AutoLayoutSettings | None = None, spans: Sequence[Sequence[int]] = (),
    ) -> None:
        """
        Args:
            embeds: the encoded subjects; their adapter is an `Adapter`.
            scale: factor on what they add.
            latent_size: height and width of the latents in cells.
            guided: whether the batch's first half is unconditional, as diffusers' guidance arranges it.
            auto_layout: how the prompt's own attention takes over from the boxes, or None.
            spans: for auto layout, the positions of each subject's phrase in the prompt.
        """
        adapter: Adapter = embeds.adapter
        tokens = embeds.joint_tokens().to(next(adapter.parameters()))
        with torch.no_grad():
            projected = list(adapter.project(tokens))
        layers = len(projected)
        self._key_values = SubjectKeyValues(projected, embeds.token_weights() * scale, (1.0,) * layers)
        self._masks = RegionMasks(embeds.regions, embeds.token_counts)
        self._windows = [(subject.start, subject.end) for subject in embeds.subjects]
        self._latent_size, self._guided, self._spans = latent_size, guided, spans
        self._token_counts = embeds.token_counts
        self._span_matrix: Tensor | None = None
        self._auto_layout = auto_layout and AutoLayout(auto_layout, [bool(span) for span in spans])
        self.at_step(0, 1)

    def at_step(self, done: int, steps: int) -> None:
        """Tell how many steps of the run are done, so that subjects start and end where they should."""
        self._step, share = done + 1, done / steps
        self.active = tuple(start <= share and (share < end or end == 1.0) for start, end in self._windows)

    def _map_size(self, length: int) -> tuple[int, int]:
        height, width = self._latent_size
        while height * width > length:
            height, width = -(-height // 2), -(-width // 2)
        if height * width != length:
            raise ValueError(
                f"A cross-attention has {length} positions, but latents of {self._latent_size[1]}x"
                f"{self._latent_size[0]} cells halve to {width}x{height}: choose a width and height divisible by 32."
            )
        return height, width

    def _mask(self, layer: int, query: Tensor, text_key: Tensor, heads: int) -> Tensor | None:
        """The mask of a layer's conditional rows; None where no subject acts."""
        height, width = self._map_size(query.shape[1])
        if self._auto_layout is None:
            return self._masks.at(height, width, self.active, query.device, query.dtype) if any(self.active) else None
        if self._span_matrix is None:
            length = text_key.shape[1]
            self._span_matrix = span_matrix(self._spans, length, length).to(query.device)
        maps = phrase_maps(query, text_key, heads, self._span_matrix, height, width)
        boxes = self._masks.cells(height, width, self.active, query.device)
        cells = self._auto_layout.cells(layer, self._step, maps, boxes)
        if cells is None:
            return None
        return token_mask(cells & self._masks.active(self.active, query.device), self._token_counts, query.dtype)

    def add(self, out: Tensor, query: Tensor, text_key: Tensor, layer: int, heads: int) -> Tensor:
        """A cross-attention's output `[rows, h * w, hidden]` with the subjects added in the conditional rows."""
        first = len(query) // 2 if self._guided else 0
        rows = query[first:]
        mask = self._mask(layer, rows, text_key[first:], heads)
        if mask is None:
            return out
        key, value = self._key_values.at(layer, query.device, query.dtype)
        subjects = attend_to_subjects(rows, key, value, mask, heads)
        return torch.cat([out[:first], out[first:] + subjects])


class SubjectProcessor:
    """One cross-attention: text as ever, and what the subjects of the run add before the output projection."""

    def __init__(self, layer: int, run: SubjectRun) -> None:
        self.layer, self.run = layer, run

    def __call__(
        self, attn: nn.Module, hidden_states: Tensor, encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None, **_: object,
    ) -> Tensor:
        query, key = attn.to_q(hidden_states), attn.to_k(encoder_hidden_states)
        q, k, v = (
            rearrange(x, "b n (h d) -> b h n d", h=attn.heads)
            for x in (query, key, attn.to_v(encoder_hidden_states))
        )
        text = rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask), "b h n d -> b n (h d)")
        return attn.to_out[0](self.run.add(text, query, key, self.layer, attn.heads))


@contextmanager
def subjects_in(unet: nn.Module, run: SubjectRun) -> Iterator[None]:
    """The subjects act in the UNet inside the `with` block; its own processors are back afterwards."""
    attentions = cross_attentions(unet)
    kept = [attention.processor for attention in attentions]
    for layer, attention in enumerate(attentions):
        attention.set_processor(SubjectProcessor(layer, run))
    try:
        yield
    finally:
        for attention, processor in zip(attentions, kept, strict=True):
            attention.set_processor(processor)
