"""An adapter that has learned nothing yet: its shapes (SPEC 1) from a few sizes and the base, and where it starts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from msd_core.adapter import Adapter, LayerTable
from msd_core.headless.unet import cross_attentions, layers_of


@dataclass(frozen=True)
class AdapterSizes:
    """What a resampler measures; the defaults are the released adapter's.

    Attributes:
        tokens: per subject.
        width, layers, head_dim, ffn_mult: of the resampler.
        fourier_frequencies: of a box's embedding.
        feature_width: the image encoder's.
        phrase_width: the first text encoder's.
    """

    tokens: int = 16
    width: int = 1280
    layers: int = 4
    head_dim: int = 64
    ffn_mult: int = 4
    fourier_frequencies: int = 8
    feature_width: int = 1664
    phrase_width: int = 768


def adapter_shapes(sizes: AdapterSizes, table: LayerTable) -> dict[str, Tensor]:
    """The flat checkpoint's shapes on the meta device, without the dummy tokens."""
    width, hidden = sizes.width, sizes.width * sizes.ffn_mult
    norm = {"weight": (width,), "bias": (width,)}
    grounding = sizes.phrase_width + 8 * sizes.fourier_frequencies
    parts: dict[str, dict[str, tuple[int, ...]]] = {
        "latent_proj.0": {"weight": (width, grounding)},
        "latent_proj.2": {"weight": (sizes.tokens * width, width)},
        "proj_in": {"weight": (width, sizes.feature_width)},
        "proj_out": {"weight": (table.context, width)},
        "norm_out": {"weight": (table.context,)},
    }
    for layer in range(sizes.layers):
        parts |= {f"layers.{layer}.0.norm1": norm, f"layers.{layer}.0.to_q": {"weight": (width, width)},
                  f"layers.{layer}.1.1": {"weight": (hidden, width)}}
    shapes = {f"image_proj.{part}.{key}": shape for part, keys in parts.items() for key, shape in keys.items()}
    shapes["image_proj.grounding_latents"] = (1, sizes.tokens, width)
    for position, layer_width in enumerate(table.hidden):
        for projection in ("to_k_ip", "to_v_ip"):
            shapes[f"ms_adapter.{2 * position + 1}.{projection}.weight"] = (layer_width, table.context)
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def new_adapter(unet: nn.Module, sizes: AdapterSizes) -> Adapter:
    """An untrained adapter, its projections started from the base's projections of the text."""
    adapter = Adapter(adapter_shapes(sizes, layers_of(unet)), sizes.head_dim)
    latents = adapter.image_proj.grounding_latents
    latents.data.normal_()
    latents.requires_grad_(True)
    for projection, attention in zip(adapter.ms_adapter.values(), cross_attentions(unet), strict=True):
        projection.to_k_ip.weight.data.copy_(attention.to_k.weight)
        projection.to_v_ip.weight.data.copy_(attention.to_v.weight)
    return adapter
