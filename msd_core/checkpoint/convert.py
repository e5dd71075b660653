"""Writing adapter files: from one format to another, and out of training checkpoints."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from .files import read_tensors
from .names import HEAD_DIM_KEY
from .read import checked_adapter
from .recognise import adapter_in

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

# The weights in a training checkpoint's folder, as accelerate and DeepSpeed lay it out; the first kind found counts.
_WEIGHTS = (
    "model*.safetensors", "pytorch_model*.bin", "mp_rank_*_model_states.pt", "pytorch_model/mp_rank_*_model_states.pt",
)
_SHARD = re.compile(r"-\d+-of-\d+$")


class Conversion(NamedTuple):
    """What was written: the file's size in bytes, and how many of the source's tensors are not in it."""

    size: int
    left_out: int


def convert_adapter(source: str | Path, target: str | Path, dtype: torch.dtype | None = None) -> Conversion:
    """Write an adapter's tensors as flat `.safetensors`.

    Args:
        source: an adapter file, or the file or folder of a training checkpoint.
        target: the file to write; it appears only when it is whole.
        dtype: type of the tensors in the target; None keeps the source's.

    Raises:
        FileNotFoundError: there is no such source.
        ValueError: the source holds no adapter, a value is too large for `dtype`, or the target can't be written.
    """
    source, target = Path(source), Path(target)
    _check_target(target, source)
    part = target.with_name(f"{target.name}.part")
    try:
        with _writing(target):
            part.touch()
        rights = part.stat().st_mode
        state, metadata = _read_folder(source) if source.is_dir() else read_tensors(source)
        adapter, head_dim = checked_adapter(adapter_in(state, source.name), metadata, source.name)
        tensors = {key: _cast(value, dtype, f"{source.name}: {key}").contiguous() for key, value in adapter.items()}
        with _writing(target):
            save_file(tensors, part, metadata={"format": "pt", HEAD_DIM_KEY: str(head_dim)})
            # safetensors may have put a file there that only its owner reads.
            part.chmod(rights)
            part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return Conversion(target.stat().st_size, len(state) - len(adapter))


def _check_target(target: Path, source: Path) -> None:
    folder = target.absolute().parent
    if target.suffix.lower() != ".safetensors":
        raise ValueError(f"The target is named {target.name} but must end in .safetensors: rename it.")
    if target.is_dir():
        raise ValueError(f"The target {target.name} is a folder, but a file is written: name one in it.")
    if not folder.is_dir():
        raise ValueError(f"{target.name} is to be written into {folder}, which is no folder: make it first.")
    if target.exists() and source.exists() and target.samefile(source):
        raise ValueError(f"Source and target are both {target.name}: give the target another name.")


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Tell in one sentence why a target can't be written."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error).rpartition("I/O error: ")[2]
        raise ValueError(
            f"{target.name} can't be written into {target.absolute().parent} ({reason}): "
            "choose a folder that has room and that you may write to."
        ) from None


def _read_folder(folder: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All weights in a training checkpoint's folder, each model's under its file's name."""
    latest = folder / "latest"
    inner = folder / latest.read_text("utf-8", "replace").strip() if latest.is_file() else folder
    files = next((found for pattern in _WEIGHTS if (found := sorted(inner.glob(pattern)))), None)
    if files is None:
        raise ValueError(
            f"{inner.name} holds no weights of a training checkpoint ({', '.join(_WEIGHTS[:3])}): name the file, and "
            "merge shards first, FSDP's with `accelerate merge-weights` and ZeRO-3's with its zero_to_fp32.py."
        )
    state: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for file in files:
        tensors, told = read_tensors(file)
        model = _SHARD.sub("", file.stem)
        state |= {f"{model}.{key}": value for key, value in tensors.items()}
        metadata |= told
    return state, metadata


def _cast(value: Tensor, dtype: torch.dtype | None, name: str) -> Tensor:
    if dtype is None:
        return value
    cast = value.to(dtype)
    if not all(math.isfinite(end) for end in torch.aminmax(cast)):
        raise ValueError(
            f"{name} has values up to {float(value.abs().max()):g}, but {str(dtype).removeprefix('torch.')} ends at "
            f"{torch.finfo(dtype).max:g}: choose a wider --dtype."
        )
    return cast
