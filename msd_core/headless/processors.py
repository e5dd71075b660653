"""diffusers attention processors that add the subjects to a UNet's cross-attentions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..adapter import Adapter, LayerTable
from ..attention import RegionMasks, SubjectKeyValues, attend_to_subjects
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
    """What one sampling run keeps: keys, values and masks, and at which steps the subjects act."""

    def __init__(self, embeds: SubjectEmbeds, scale: float, latent_size: tuple[int, int], guided: bool) -> None:
        """
        Args:
            embeds: the encoded subjects; their adapter is an `Adapter`.
            scale: factor on what they add.
            latent_size: height and width of the latents in cells.
            guided: whether the batch's first half is unconditional, as diffusers' guidance arranges it.
        """
        adapter: Adapter = embeds.adapter
        tokens = embeds.joint_tokens().to(next(adapter.parameters()))
        with torch.no_grad():
            projected = list(adapter.project(tokens))
        layers = len(projected)
        self._key_values = SubjectKeyValues(projected, embeds.token_weights() * scale, (1.0,) * layers)
        self._masks = RegionMasks(embeds.regions, embeds.token_counts)
        self._windows = [(subject.start, subject.end) for subject in embeds.subjects]
        self._latent_size, self._guided = latent_size, guided
        self.active = (True,) * len(self._windows)
        self.at_share(0.0)

    def at_share(self, share: float) -> None:
        """Tell which share of the run is done, 0..1, so that subjects start and end where they should."""
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

    def add(self, out: Tensor, query: Tensor, layer: int, heads: int) -> Tensor:
        """A cross-attention's output `[rows, h * w, hidden]` with the subjects added in the conditional rows."""
        if not any(self.active):
            return out
        first = len(query) // 2 if self._guided else 0
        rows = query[first:]
        key, value = self._key_values.at(layer, query.device, query.dtype)
        mask = self._masks.at(*self._map_size(query.shape[1]), self.active, query.device, query.dtype)
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
        query = attn.to_q(hidden_states)
        q, k, v = (
            rearrange(x, "b n (h d) -> b h n d", h=attn.heads)
            for x in (query, attn.to_k(encoder_hidden_states), attn.to_v(encoder_hidden_states))
        )
        text = rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask), "b h n d -> b n (h d)")
        return attn.to_out[0](self.run.add(text, query, self.layer, attn.heads))


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
