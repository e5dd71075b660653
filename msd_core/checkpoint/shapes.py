"""Whether an adapter's tensors are all there, are finite weights, and fit together."""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from .names import DUMMY_TOKENS, HEAD_DIM, HEAD_DIM_KEY, SECTIONS, shown

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)

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
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


def head_dim_of(metadata: dict[str, str], name: str) -> int:
    """The resampler's head width that a file's metadata tell, 64 where they don't.

    Raises:
        ValueError: they tell no whole number above 0.
    """
    text = metadata.get(HEAD_DIM_KEY, str(HEAD_DIM))
    if not _NUMBER.fullmatch(text) or text == "0":
        raise ValueError(
            f'{name}: the metadata key "{HEAD_DIM_KEY}" is "{shown(text)}" but must be a whole number like 64: '
            "write the head width that the adapter was trained with."
        )
    return int(text)


def check_kinds(state: dict[str, Tensor], name: str) -> None:
    """Check that every tensor holds values, densely, in a float type that can be computed with.

    Raises:
        ValueError: names the first tensor that doesn't.
    """
    for key, value in state.items():
        if value.is_nested or value.layout is not torch.strided:
            layout = "nested" if value.is_nested else str(value.layout).removeprefix("torch.")
            raise ValueError(
                f"{name}: {shown(key)} is a {layout} tensor, but an adapter's tensors are dense: "
                "use the released ms_adapter.bin."
            )
        if value.dtype not in FLOATS:
            kinds = [str(dtype).removeprefix("torch.") for dtype in (value.dtype, *FLOATS)]
            raise ValueError(
                f"{name}: {shown(key)} is {kinds[0]}, but an adapter's weights are {', '.join(kinds[1:-1])} or "
                f"{kinds[-1]}: convert the released ms_adapter.bin with --dtype fp16 for a small file."
            )
        if value.is_meta or value.numel() == 0:
            raise ValueError(
                f"{name}: {shown(key)} has the shape {list(value.shape)} but no values, as in a shard of DeepSpeed's "
                "ZeRO-3: run the checkpoint's zero_to_fp32.py and convert what it writes."
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
            f"{name} holds {shown(unknown[0])} ({len(unknown)} unknown tensors), but an adapter has only "
            f"{' and '.join(SECTIONS)} tensors of known names: use the released ms_adapter.bin."
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
    uneven = next((size for symbol, size in sizes.items() if symbol.startswith("I") and size % head_dim), None)
    if uneven is not None:
        raise ValueError(
            f"{name}: the resampler's attention is {uneven} wide, which heads of {head_dim} don't divide: "
            f'correct the metadata key "{HEAD_DIM_KEY}".'
        )


def check_finite(state: dict[str, Tensor], name: str) -> None:
    """Raise a ValueError that names the first tensor with a NaN or infinite value."""
    for key, value in state.items():
        # NaN is both the least and the largest of whatever it is among.
        if not all(math.isfinite(end) for end in torch.aminmax(value)):
            raise ValueError(
                f"{name}: {shown(key)} holds NaN or infinite values, but weights are finite: download it again."
            )


def _expected_shapes(state: dict[str, Tensor], name: str) -> dict[str, tuple[str, ...]]:
    shapes = {f"image_proj.{key}": symbols for key, symbols in _RESAMPLER_ENDS.items()}
    for layer in _layer_numbers(state, "image_proj.layers", 0, 1, name) or [0]:
        for key, symbols in _RESAMPLER_LAYER.items():
            numbered = tuple(s.replace("I", f"I{layer}").replace("F", f"F{layer}") for s in symbols)
            shapes[f"image_proj.layers.{layer}.{key}"] = numbered
    # Self-attentions are counted too, and have none.
    for layer in _layer_numbers(state, "ms_adapter", 1, 2, name):
        for projection in ("to_k_ip", "to_v_ip"):
            shapes[f"ms_adapter.{layer}.{projection}.weight"] = (f"hidden{layer}", "C")
    return shapes


def _layer_numbers(state: dict[str, Tensor], section: str, first: int, step: int, name: str) -> list[int]:
    """The numbers of a section's layers, in order: from `first` on, in steps of `step`.

    Raises:
        ValueError: a layer has another number, or none.
    """
    texts = {key.removeprefix(f"{section}.").partition(".")[0] for key in state if key.startswith(f"{section}.")}
    numbers = range(first, first + step * len(texts), step)
    strays = sorted(texts - set(map(str, numbers)), key=lambda text: (len(text), text))
    if strays:
        known = ", ".join(map(str, numbers[:3])) + (f" ... {numbers[-1]}" if len(numbers) > 3 else "")
        raise ValueError(
            f'{name}: a layer of {section} is numbered "{shown(strays[-1])}", but its {len(texts)} layers are '
            f"numbered {known}: use the released ms_adapter.bin."
        )
    return list(numbers)


def _size(symbol: str, sizes: dict[str, int], shape: tuple[int, ...], axis: int) -> int:
    """The size that a symbol stands for; the first tensor that shows it decides."""
    if symbol == "1":
        return 1
    if symbol == "TD":
        return sizes["T"] * sizes["D"]
    if symbol.startswith("2"):
        return 2 * sizes[symbol[1:]]
    return sizes.setdefault(symbol, shape[axis] if axis < len(shape) else -1)
