"""Reading an adapter file: what is in it, and whether it is an adapter and whole."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from .files import read_tensors
from .names import shown
from .recognise import adapter_in
from .shapes import check_finite, check_kinds, check_shapes, head_dim_of


class AdapterFile(NamedTuple):
    """What an adapter file holds: its flat state dict and the resampler's head width."""

    state: dict[str, Tensor]
    head_dim: int


def read_adapter(path: str | Path) -> AdapterFile:
    """Read and check an adapter file, official `.bin` or flat `.safetensors`, whatever its name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a folder, damaged, holds code, is another kind of model or a training checkpoint, or its
            tensors don't fit together.
    """
    path = Path(path)
    state, metadata = read_tensors(path)
    adapter = adapter_in(state, path.name)
    others = [key for key in state if key not in adapter]
    if others:
        raise ValueError(
            f"{path.name} is a training checkpoint of MS-Diffusion (it has {shown(others[0])}), but the adapter alone "
            f"is needed: take it out with `python -m msd_core convert {path.name} ms_adapter.safetensors`."
        )
    return checked_adapter(adapter, metadata, path.name)


def checked_adapter(state: dict[str, Tensor], metadata: dict[str, str], name: str) -> AdapterFile:
    """An adapter's tensors, once they are found to be all there, to be finite weights, and to fit together.

    Raises:
        ValueError: they don't; the message names the tensor.
    """
    head_dim = head_dim_of(metadata, name)
    check_kinds(state, name)
    check_shapes(state, head_dim, name)
    check_finite(state, name)
    return AdapterFile(state, head_dim)
