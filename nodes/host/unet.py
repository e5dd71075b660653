"""A UNet's cross-attentions, named as the host's attention patches name them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from ...msd_core.adapter import LayerTable


class CrossAttention(NamedTuple):
    """One cross-attention: its slot in `patches_replace["attn2"]`, and its sizes."""

    slot: tuple[str, int, int]
    hidden: int
    context: int


def cross_attentions(unet: Any) -> list[CrossAttention]:
    """All cross-attentions of a UNet in the adapter's order: input blocks, output blocks, then the middle.

    Empty for a model that is no such UNet (Flux, SD3 and other transformers).
    """
    sections = (
        ("input", getattr(unet, "input_blocks", ())),
        ("output", getattr(unet, "output_blocks", ())),
        ("middle", (getattr(unet, "middle_block", ()),)),
    )
    return [
        CrossAttention((section, number, index), block.attn2.heads * block.attn2.dim_head, block.attn2.to_k.in_features)
        for section, blocks in sections
        for number, layers in enumerate(blocks)
        for layer in layers
        for index, block in enumerate(getattr(layer, "transformer_blocks", ()))
        if block.attn2 is not None
    ]


def match_layers(unet: Any, adapter: LayerTable, name: str) -> list[tuple[str, int, int]]:
    """The slots of the UNet's cross-attentions, in the order of the adapter's layers.

    Raises:
        ValueError: the UNet's cross-attentions are not the adapter's; both layouts are named.
    """
    found = cross_attentions(unet)
    if not found:
        raise ValueError(
            f"{name} is made for {adapter}, but this model ({type(unet).__name__}) has no such UNet: "
            "use an SDXL checkpoint."
        )
    table = LayerTable(tuple(layer.hidden for layer in found), found[0].context)
    if table != adapter:
        raise ValueError(f"{name} is made for {adapter}, but this model has {table}: use an SDXL checkpoint.")
    return [layer.slot for layer in found]


def computes_in(model: Any, cast: torch.dtype | None) -> torch.dtype:
    """The dtype that the queries of a model will have.

    Args:
        model: the host's model.
        cast: what its weights are cast to as they are used, or None.
    """
    dtype = cast or model.get_dtype()
    return dtype if dtype in (torch.float16, torch.bfloat16) else torch.float32
