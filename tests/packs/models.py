"""Files of the right shapes for the packs that load some: random weights, the same on every machine, but for the
ControlNet, which is the demo's.

The packs put their attention where a whole SDXL has cross-attentions; of those the demo UNet has the first of each of
its two output blocks, so only these layers are written, by the number that each has in a whole SDXL.
"""

import shutil
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from msd_core.demo.config import CONTEXT_WIDTH, CONTROL_NET_FILE, IMAGE_ENCODER, UNET_COMFY

# The width of a whole SDXL's context, by which two of the packs know it, and that of the demo's cross-attentions.
TOKEN_WIDTH, HIDDEN = 2048, UNET_COMFY["model_channels"] * UNET_COMFY["channel_mult"][-1]
# The first layer is only looked at; then output blocks 0 and 1, and the middle as one of the packs counts it.
LAYERS = (1, 49, 69, 121)
FACE_WIDTH, EVA_WIDTH, EVA_TOKENS = 512, 768, 5


def write_models(folder: Path) -> None:
    """Write every file below a server's models folder."""
    save(folder / "ipadapter" / "packs.safetensors", ip_adapter(TOKEN_WIDTH) | {
        "image_proj.proj.weight": (4 * TOKEN_WIDTH, IMAGE_ENCODER["projection_dim"]),
        "image_proj.proj.bias": (4 * TOKEN_WIDTH,),
        **norm("image_proj.norm", TOKEN_WIDTH),
    })  # fmt: skip
    save(folder / "instantid" / "packs.safetensors", ip_adapter(CONTEXT_WIDTH) | resampler("image_proj", 1280))
    save(folder / "pulid" / "packs.safetensors", ip_adapter(TOKEN_WIDTH) | id_encoder("image_proj"))
    control_net = folder / "controlnet" / "packs.safetensors"
    control_net.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CONTROL_NET_FILE, control_net)


def save(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Write tensors of these shapes, drawn with their names as the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: drawn(name, shape) for name, shape in shapes.items()}, path)


def drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    """Weights that keep the size of what they multiply; a norm's weights are ones and its biases zeros."""
    if len(shape) == 1:
        return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return (torch.randn(shape, generator=generator) / shape[-1] ** 0.5).half()


def ip_adapter(width: int) -> dict[str, tuple[int, ...]]:
    """Keys and values of the packs' attention, from tokens of a width."""
    return {f"ip_adapter.{layer}.to_{kind}_ip.weight": (HIDDEN, width) for layer in LAYERS for kind in ("k", "v")}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def resampler(name: str, width: int, depth: int = 4) -> dict[str, tuple[int, ...]]:
    """InstantID's resampler of a face's embedding, to tokens that a ControlNet of the demo's size takes for a text."""
    found = {f"{name}.latents": (1, 16, width)}
    found |= linear(f"{name}.proj_in", FACE_WIDTH, width) | linear(f"{name}.proj_out", width, CONTEXT_WIDTH)
    found |= norm(f"{name}.norm_out", CONTEXT_WIDTH)
    for layer in range(depth):
        attention, forward = f"{name}.layers.{layer}.0", f"{name}.layers.{layer}.1"
        found |= norm(f"{attention}.norm1", width) | norm(f"{attention}.norm2", width) | norm(f"{forward}.0", width)
        found |= {
            f"{attention}.to_q.weight": (width, width),
            f"{attention}.to_kv.weight": (2 * width, width),
            f"{attention}.to_out.weight": (width, width),
            f"{forward}.1.weight": (4 * width, width),
            f"{forward}.3.weight": (width, 4 * width),
        }
    return found


def id_encoder(name: str, width: int = 1024) -> dict[str, tuple[int, ...]]:
    """PuLID's encoder of a face's embedding and its picture's features."""
    found = linear(f"{name}.body.0", FACE_WIDTH + EVA_WIDTH, width) | linear(f"{name}.body.3", width, width)
    found |= norm(f"{name}.body.1", width) | norm(f"{name}.body.4", width)
    found |= linear(f"{name}.body.6", width, 5 * TOKEN_WIDTH)
    for mapping in (f"{name}.mapping{kind}_{index}" for kind in ("", "_patch") for index in range(EVA_TOKENS)):
        found |= linear(f"{mapping}.0", width, width) | norm(f"{mapping}.1", width)
        found |= linear(f"{mapping}.3", width, width) | norm(f"{mapping}.4", width)
        found |= linear(f"{mapping}.6", width, TOKEN_WIDTH)
    return found
