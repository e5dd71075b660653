"""A ControlNet file for the demo UNet, small enough to be written by every test run."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from msd_core.demo.config import UNET_COMFY

HINT_WIDTHS = (3, 16, 16, 32, 32, 96, 96, 256)


def write_control_net(path: Path, seed: int = 0) -> None:
    """Writes a ControlLoRA: the host builds the rest of the network from the UNet that it is used with.

    Args:
        path: where to; its folder is made.
        seed: what the weights are drawn from. None of them is zero, so that the sketch has an effect.
    """
    generator = torch.Generator().manual_seed(seed)
    width = UNET_COMFY["model_channels"]
    state = {"lora_controlnet": torch.zeros(1)}

    def draw(key: str, inputs: int, outputs: int, kernel: int) -> None:
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=generator)
        state[f"{key}.weight"] = weight * (inputs * kernel**2) ** -0.5
        state[f"{key}.bias"] = torch.zeros(outputs)

    widths = (*HINT_WIDTHS, width)
    for position, (inputs, outputs) in enumerate(zip(widths, widths[1:], strict=False)):
        draw(f"input_hint_block.{2 * position}", inputs, outputs, 3)
    for position, channels in enumerate(_block_widths()):
        draw(f"zero_convs.{position}.0", channels, channels, 1)
    draw("middle_block_out.0", *2 * (width * UNET_COMFY["channel_mult"][-1],), 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)


def _block_widths() -> list[int]:
    """The width of every block on the UNet's way down."""
    width = UNET_COMFY["model_channels"]
    widths = [width]
    for factor, blocks in zip(UNET_COMFY["channel_mult"], UNET_COMFY["num_res_blocks"], strict=True):
        widths += [factor * width] * blocks
        widths.append(factor * width)
    return widths[:-1]
