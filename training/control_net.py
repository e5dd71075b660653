"""The ControlNet over the frozen base: a copy of its way down, moved by low ranks, that sees the sketch.

What ships is a control-LoRA, as ComfyUI's *Load ControlNet Model* reads it: the hint's convolutions, what leads back
into the UNet, and two thin matrices for each layer of the copy. The host takes the copy itself from the UNet it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from diffusers import ControlNetModel
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .base import size_ids
from .device import on_device

RANK = 8
HINT_WIDTHS = (16, 32, 64, 96)
"""Channels in use of those that the format has (`FULL_HINT_WIDTHS`); the rest is zero, and packs to nothing."""
FULL_HINT_WIDTHS = (16, 32, 96, 256)

_MODULES = {"down_blocks.0.resnets.0": "input_blocks.1.0", "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
            "down_blocks.1.resnets.0": "input_blocks.3.0", "down_blocks.1.attentions.0": "input_blocks.3.1",
            "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
            "mid_block.resnets.1": "middle_block.2"}
_LAYERS = {"conv1": "in_layers.2", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1",
           "conv_shortcut": "skip_connection"}


class LowRank(nn.Module):
    """A weight and, added to it, the product of two thin matrices; zero to begin with."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.zeros(len(weight), RANK))
        self.down = nn.Parameter(torch.randn(RANK, weight[0].numel()) * weight[0].numel() ** -0.5)

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).view_as(weight)


def new_control_net(unet: nn.Module) -> ControlNetModel:
    """An untrained ControlNet of a UNet, whose copy moves in low ranks only."""
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=HINT_WIDTHS)
    net.requires_grad_(False)
    for _, layer in moved_layers(net):
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight))
    for part in (net.controlnet_cond_embedding, net.controlnet_down_blocks, net.controlnet_mid_block):
        part.requires_grad_(True)
    return net


def moved_layers(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The linear layers and convolutions of the copy, with their names."""
    for name, module in net.named_modules():
        if name.startswith(("down_blocks", "mid_block")) and isinstance(module, (nn.Linear, nn.Conv2d)):
            yield name, module


def predict_controlled(unet: nn.Module, net: ControlNetModel, noisy: Tensor, t: Tensor | int, context: Tensor,
                       pooled: Tensor, sizes: Tensor, sketches: Tensor, strength: float = 1.0) -> Tensor:
    """The UNet's prediction in fp32 along sketches `[B, 3, H, W]` in 0..1, whatever the networks compute in."""
    noisy, context, pooled, sketches = (x.to(unet.dtype) for x in (noisy, context, pooled, sketches))
    added = {"text_embeds": pooled, "time_ids": size_ids(sizes)}
    down, middle = net(noisy, t, context, sketches, conditioning_scale=strength, added_cond_kwargs=added,
                       return_dict=False)
    return unet(noisy, t, context, added_cond_kwargs=added, down_block_additional_residuals=down,
                mid_block_additional_residual=middle).sample.float()


def as_pictures(lines: Sequence[Tensor]) -> Tensor:
    """Lines `[H, W]` bool as pictures `[B, 3, H, W]`, white on black."""
    return on_device(torch.stack(list(lines))).float()[:, None].expand(-1, 3, -1, -1)


def control_lora(net: ControlNetModel) -> dict[str, Tensor]:
    """What ships of a ControlNet, under the names of a control-LoRA: in the precision in which it has learnt, bfloat16,
    whose numbers pack into five sixths of fp16's room.
    """
    state = {"lora_controlnet": torch.zeros(1)}
    hint = net.controlnet_cond_embedding
    full = dict(zip(HINT_WIDTHS, FULL_HINT_WIDTHS, strict=True))
    for number, layer in enumerate((hint.conv_in, *hint.blocks, hint.conv_out)):
        outputs, inputs = layer.weight.shape[:2]
        more_out = 0 if layer is hint.conv_out else full[outputs] - outputs
        more_in = 0 if layer is hint.conv_in else full[inputs] - inputs
        state[f"input_hint_block.{2 * number}.weight"] = F.pad(layer.weight, (0, 0, 0, 0, 0, more_in, 0, more_out))
        state[f"input_hint_block.{2 * number}.bias"] = F.pad(layer.bias, (0, more_out))
    backs = {f"zero_convs.{number}.0": layer for number, layer in enumerate(net.controlnet_down_blocks)}
    for name, layer in {**backs, "middle_block_out.0": net.controlnet_mid_block}.items():
        state |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
    for name, layer in moved_layers(net):
        moved = layer.parametrizations.weight[0]
        state |= {f"{host_name(name)}.up": moved.up, f"{host_name(name)}.down": moved.down}
    return {key: value.detach().bfloat16().float() for key, value in state.items()}


def host_name(name: str) -> str:
    """ComfyUI's name of a layer on the way down or in the middle."""
    module = next(module for module in _MODULES if name.startswith(module))
    layer = name.removeprefix(module).removeprefix(".")
    return ".".join(filter(None, (_MODULES[module], _LAYERS.get(layer, layer))))
