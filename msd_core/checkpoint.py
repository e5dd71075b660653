"""Adapter files: recognised by their tensors, checked, read, and converted (SPEC 1)."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

HEAD_DIM_KEY = "msd_head_dim"
HEAD_DIM = 64
SECTIONS = ("image_proj", "ms_adapter")
DUMMY_TOKENS = "dummy_image_tokens"

_RESAMPLER_LAYER = {
    "0.norm1.weight": ("D",), "0.norm1.bias": ("D",), "0.norm2.weight": ("D",), "0.norm2.bias": ("D",),
    "0.to_q.weight": ("I", "D"), "0.to_kv.weight": ("2I", "D"), "0.to_out.weight": ("D", "I"),
    "1.0.weight": ("D",), "1.0.bias": ("D",), "1.1.weight": ("F", "D"), "1.3.weight": ("D", "F"),
}
_RESAMPLER_ENDS = {
    "grounding_latents": ("1", "T", "D"),
    "latent_proj.0.weight": ("P", "G"), "latent_proj.0.bias": ("P",),
    "latent_proj.2.weight": ("TD", "P"), "latent_proj.2.bias": ("TD",),
    "latent_norm.weight": ("D",), "latent_norm.bias": ("D",),
    "proj_in.weight": ("D", "features"), "proj_in.bias": ("D",),
    "attention_norm.weight": ("D",), "attention_norm.bias": ("D",),
    "proj_out.weight": ("C", "D"), "proj_out.bias": ("C",),
    "norm_out.weight": ("C",), "norm_out.bias": ("C",),
}


class AdapterFile(NamedTuple):
    """What an adapter file holds: its flat state dict and the resampler's head width."""

    state: dict[str, Tensor]
    head_dim: int


def read_adapter(path: str | Path) -> AdapterFile:
    """Read and check an adapter file, official `.bin` or flat `.safetensors`, whatever its name.

    Raises:
        ValueError: the file is damaged, holds code, is another kind of model, or its tensors don't fit together.
    """
    path = Path(path)
    state, metadata = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_pickle(path)
    recognise(state, path.name)
    head_dim = _head_dim(metadata, path.name)
    check_shapes(state, head_dim, path.name)
    check_finite(state, path.name)
    return AdapterFile(state, head_dim)


def convert_adapter(source: str | Path, target: str | Path) -> None:
    """Write an adapter file's tensors as flat `.safetensors`, unchanged in value and dtype."""
    target = Path(target)
    if target.suffix.lower() != ".safetensors":
        raise ValueError(f"The target is named {target.name} but must end in .safetensors: rename it.")
    state, head_dim = read_adapter(source)
    contiguous = {key: value.contiguous() for key, value in state.items()}
    save_file(contiguous, target, metadata={"format": "pt", HEAD_DIM_KEY: str(head_dim)})


def recognise(state: dict[str, Tensor], name: str) -> None:
    """Make sure that a flat state dict is an MS-Diffusion adapter's.

    Raises:
        ValueError: it is not; the message says what it looks like.
    """
    if "image_proj.grounding_latents" in state and any(key.startswith("ms_adapter.") for key in state):
        return
    raise ValueError(
        f"{name} is {_describe(state)}, but an MS-Diffusion adapter (ms_adapter.bin) is needed: "
        "put that file into models/msdiffusion and choose it."
    )


def check_shapes(state: dict[str, Tensor], head_dim: int, name: str) -> None:
    """Check that every tensor is there and that all sizes agree.

    Raises:
        ValueError: names the tensor and the two shapes that disagree, or what is missing or unknown.
    """
    expected = _expected_shapes(state, name)
    missing = [key for key in expected if key not in state]
    if missing:
        raise ValueError(
            f"{name} lacks {missing[0]} ({len(missing)} of {len(expected)} tensors are missing): download it again."
        )
    unknown = [key for key in state if key not in expected and key != DUMMY_TOKENS]
    if unknown:
        raise ValueError(
            f"{name} holds {unknown[0]} ({len(unknown)} unknown tensors), but an adapter has only "
            f"{' and '.join(SECTIONS)} tensors: use the released ms_adapter.bin."
        )
    sizes: dict[str, int] = {}
    for key, symbols in expected.items():
        shape = tuple(state[key].shape)
        wanted = tuple(_size(symbol, sizes, shape, axis) for axis, symbol in enumerate(symbols))
        if shape != wanted:
            raise ValueError(
                f"{name}: {key} has the shape {list(shape)} but the other tensors ask for {list(wanted)}: "
                "download the file again."
            )
    if sizes["I0"] % head_dim:
        raise ValueError(
            f"{name}: the resampler's attention is {sizes['I0']} wide, which heads of {head_dim} don't divide: "
            f'correct the metadata key "{HEAD_DIM_KEY}".'
        )


def check_finite(state: dict[str, Tensor], name: str) -> None:
    """Raise a ValueError that names the first tensor with a NaN or infinite value."""
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name}: {key} holds NaN or infinite values, but weights are finite: download it again.")


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise ValueError(_damaged(path, error)) from None


def _read_pickle(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if path.stat().st_size == 0:
        raise ValueError(_damaged(path, "it is empty"))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            raise ValueError(
                f"{path.name} holds code besides tensors, but an adapter is tensors only: "
                "don't trust this file, download ms_adapter.bin from its source."
            ) from None
        raise ValueError(_damaged(path, "it is no torch file")) from None
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(_damaged(path, error)) from None
    if not isinstance(content, dict):
        raise ValueError(
            f"{path.name} holds a {type(content).__name__}, but an MS-Diffusion adapter (ms_adapter.bin) is a dict of "
            "tensors: choose that file."
        )
    return _flatten(content), {}


def _damaged(path: Path, reason: object) -> str:
    reason = str(reason).splitlines()[0].rstrip(".") if str(reason) else type(reason).__name__
    return (
        f"{path.name} ({path.stat().st_size} bytes) can't be read as an adapter file, {reason}: "
        "the download is likely broken, repeat it."
    )


def _flatten(content: dict, prefix: str = "") -> dict[str, Tensor]:
    flat: dict[str, Tensor] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}."))
        elif isinstance(value, Tensor):
            flat[f"{prefix}{key}"] = value
    return flat


def _describe(state: dict[str, Tensor]) -> str:
    def has(*parts: str) -> bool:
        return any(part in key for key in state for part in parts)

    if not state:
        return "empty"
    if has("ip_adapter.") or "image_proj.latents" in state or "image_proj.proj.weight" in state:
        return "an IP-Adapter"
    if has("lora_up", "lora_down", "lora_A", "lora_B", "lora.up", "lora.down"):
        return "a LoRA"
    if has("model.diffusion_model."):
        return "a whole checkpoint"
    if has("input_blocks.", "down_blocks."):
        return "a UNet or ControlNet"
    if has("vision_model.", "visual."):
        return "an image encoder"
    return f"an unknown model (its first tensor is {next(iter(state))})"


def _head_dim(metadata: dict[str, str], name: str) -> int:
    text = metadata.get(HEAD_DIM_KEY, str(HEAD_DIM))
    if not text.isdigit() or int(text) == 0:
        raise ValueError(f'{name}: the metadata key "{HEAD_DIM_KEY}" is {text!r} but must be a whole number like 64.')
    return int(text)


def _expected_shapes(state: dict[str, Tensor], name: str) -> dict[str, tuple[str, ...]]:
    shapes = {f"image_proj.{key}": symbols for key, symbols in _RESAMPLER_ENDS.items()}
    depth = 1 + max((int(key.split(".")[2]) for key in state if key.startswith("image_proj.layers.")), default=0)
    for layer in range(depth):
        for key, symbols in _RESAMPLER_LAYER.items():
            numbered = tuple(s.replace("I", f"I{layer}").replace("F", f"F{layer}") for s in symbols)
            shapes[f"image_proj.layers.{layer}.{key}"] = numbered
    indices = {key.split(".")[1] for key in state if key.startswith("ms_adapter.")}
    if not all(index.isdigit() for index in indices):
        raise ValueError(
            f"{name}: a layer is numbered {max(indices)} but layers are whole numbers: use the released ms_adapter.bin."
        )
    for index in sorted(indices, key=int):
        for projection in ("to_k_ip", "to_v_ip"):
            shapes[f"ms_adapter.{index}.{projection}.weight"] = (f"hidden{index}", "C")
    return shapes


def _size(symbol: str, sizes: dict[str, int], shape: tuple[int, ...], axis: int) -> int:
    """The size that a symbol stands for; the first tensor that shows it decides."""
    if symbol == "1":
        return 1
    if symbol == "TD":
        return sizes["T"] * sizes["D"]
    if symbol.startswith("2"):
        return 2 * sizes[symbol[1:]]
    return sizes.setdefault(symbol, shape[axis] if axis < len(shape) else -1)
