"""The method written plainly, as it stands in the paper: what a layer needs is made in the layer, in every call.

Also how another pack that puts subjects into the same place costs, IPAdapter_plus, where a folder has it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .sdxl import META, TEXT_WIDTH, TOKENS, RealSize, boxes

DUMMY = 4
HIDDEN = (640,) * 4 + (1280,) * 20 + (1280,) * 30 + (640,) * 6 + (1280,) * 10


class PlainAttention:
    """One cross-attention: text, then subjects with a mask of their boxes, on both sides of the guidance."""

    def __init__(self, projections: Any, tokens: Tensor, places: Sequence[Sequence[float]], scale: float) -> None:
        """
        Args:
            projections: the layer's, of the adapter.
            tokens: `[n * t + dummies, C]`, of the subjects and the dummies behind them.
            places: the subjects' boxes.
            scale: factor on what they add.
        """
        self._projections, self._tokens, self._places, self._scale = projections, tokens, places, scale

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        from comfy.ldm.modules.attention import attention_pytorch

        heads, (height, width) = options["n_heads"], options["activations_shape"][-2:]
        out = attention_pytorch(q, k, v, heads)
        mask = torch.full((height, width, len(self._tokens)), -1e4, dtype=q.dtype, device=q.device)
        held = torch.zeros(height, width, 1, dtype=q.dtype, device=q.device)
        for number, (x0, y0, x1, y1) in enumerate(self._places):
            rows = slice(math.floor(y0 * height), math.ceil(y1 * height))
            columns = slice(math.floor(x0 * width), math.ceil(x1 * width))
            mask[rows, columns, number * TOKENS : (number + 1) * TOKENS] = 0
            held[rows, columns] = 1
        mask[..., -DUMMY:] = -1e4 * held
        sides = options["cond_or_uncond"]
        tokens = torch.cat([torch.zeros_like(self._tokens) if side else self._tokens for side in sides])
        tokens = tokens.unflatten(0, (len(sides), -1)).repeat_interleave(len(q) // len(sides), dim=0)
        key, value = self._projections.to_k_ip(tokens), self._projections.to_v_ip(tokens)
        added = attention_pytorch(q, key, value, heads, mask=mask.flatten(0, 1)) * held.flatten(0, 1)
        for number, side in enumerate(sides):
            if side:
                added[number * len(q) // len(sides) : (number + 1) * len(q) // len(sides)] = 0
        return out + self._scale * added


def plainly(real: RealSize, count: int) -> tuple[Any, int]:
    """The model with every cross-attention written plainly, and the bytes that stay on the device."""
    model, adapter = real.model.clone(), real.adapter.model
    weights = real.host.module("msd_core.adapter").Adapter
    unet = real.host.module("nodes.host.unet")
    tokens = torch.empty(count * TOKENS + DUMMY, TEXT_WIDTH, dtype=real.dtype, device=META)
    slots = unet.cross_attentions(model.get_model_object("diffusion_model"))
    assert isinstance(adapter, weights)
    for slot, projections in zip(slots, adapter.ms_adapter.values(), strict=True):
        model.set_model_attn2_replace(PlainAttention(projections, tokens, boxes(count), 0.6), *slot.slot)
    return model, _bytes(adapter.parameters()) + _bytes([tokens])


def ip_adapter(real: RealSize, folder: Path, count: int) -> tuple[Any, int]:
    """The model with IPAdapter_plus, a picture and a mask for each subject, and the bytes that stay on the device.

    Args:
        folder: the pack, ComfyUI_IPAdapter_plus.
    """
    import comfy.model_management

    pack = sys.modules[real.host.load(folder).__name__ + ".IPAdapterPlus"]
    file, kept, model = _ip_adapter_file(), 0, real.model
    devices = comfy.model_management.get_torch_device, comfy.model_management.unet_dtype
    comfy.model_management.get_torch_device = lambda: META
    comfy.model_management.unet_dtype = lambda *_, **__: real.dtype
    try:
        for x0, y0, x1, y1 in boxes(count):
            mask = torch.zeros(1, 128, 128)
            mask[:, round(y0 * 128) : round(y1 * 128), round(x0 * 128) : round(x1 * 128)] = 1
            with torch.device("meta"), torch.no_grad():
                model = pack.IPAdapterEmbeds().apply_ipadapter(
                    model, file, torch.empty(1, 257, 1280), 0.6, "linear", 0.0, 1.0,
                    neg_embed=torch.empty(1, 257, 1280), attn_mask=mask.to(META),
                )[0]
            kept += sum(_bytes(part.values()) for part in file.values()) // 2
    finally:
        comfy.model_management.get_torch_device, comfy.model_management.unet_dtype = devices
    return model, kept


def _ip_adapter_file() -> dict[str, dict[str, Tensor]]:
    """The shapes of ip-adapter-plus_sdxl_vit-h."""
    width = 1280
    shapes = {"latents": (1, 16, width), "norm_out.weight": (TEXT_WIDTH,), "norm_out.bias": (TEXT_WIDTH,)}
    shapes |= {"proj_in.weight": (width, width), "proj_in.bias": (width,)}
    shapes |= {"proj_out.weight": (TEXT_WIDTH, width), "proj_out.bias": (TEXT_WIDTH,)}
    for layer in range(4):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{layer}.{norm}.{part}": (width,) for part in ("weight", "bias")}
        shapes |= {
            f"layers.{layer}.0.to_q.weight": (width, width), f"layers.{layer}.0.to_kv.weight": (2 * width, width),
            f"layers.{layer}.0.to_out.weight": (width, width), f"layers.{layer}.1.1.weight": (4 * width, width),
            f"layers.{layer}.1.3.weight": (width, 4 * width),
        }  # fmt: skip
    layers = {
        f"{2 * number + 1}.to_{kind}_ip.weight": (hidden, TEXT_WIDTH)
        for number, hidden in enumerate(HIDDEN) for kind in ("k", "v")
    }
    return {
        name: {key: torch.empty(shape, device=META) for key, shape in part.items()}
        for name, part in (("image_proj", shapes), ("ip_adapter", layers))
    }


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
