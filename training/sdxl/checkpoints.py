"""Checkpoints of a run: the adapter as the nodes take it, and beside it all that going on needs; whole or not there."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..shards import Full

ADAPTER_FILE = "ms_adapter.safetensors"
TEXT_FILE = "text_attention.safetensors"
"""The text's keys and values in the UNet, by diffusers' names, where they have learned too."""
STATE_FILE = "state.pt"
_NAME = re.compile(r"checkpoint-(\d+)")


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, oldest first."""
    found = [entry for entry in folder.glob("checkpoint-*") if _NAME.fullmatch(entry.name) and entry.is_dir()]
    return sorted(found, key=lambda entry: int(_NAME.fullmatch(entry.name)[1]))


def save(folder: Path, step: int, adapter: Mapping[str, Tensor], metadata: dict[str, str], state: dict[str, Any],
         keep: int, text: Mapping[str, Tensor] | None = None) -> Path:
    """Write a checkpoint, then delete the oldest ones beyond `keep`.

    Args:
        adapter: the flat file's tensors, written in fp16.
        state: what going on needs.
        text: the text's keys and values, where they have learned.

    Raises:
        Full: it can't be written; those that were there still are.
        ValueError: the adapter holds values that are no fp16.
    """
    target = folder / f"checkpoint-{step:06d}"
    part = folder / f"{target.name}.part"
    halves = {key: _half(key, value) for key, value in adapter.items()}
    try:
        with _whole(target):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            save_file(halves, part / ADAPTER_FILE, metadata=metadata)
            if text:
                save_file({key: _half(key, value) for key, value in text.items()}, part / TEXT_FILE)
            with open(part / STATE_FILE, "wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.rmtree(target)
            os.replace(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def read_state(checkpoint: Path) -> dict[str, Any]:
    """What going on from a checkpoint needs.

    Raises:
        ValueError: it can't be read.
    """
    try:
        return torch.load(checkpoint / STATE_FILE, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise ValueError(
            f"{checkpoint} can't be read ({(str(error).splitlines() or [''])[0].rstrip('.')}): delete that folder to "
            "go on from the one before it."
        ) from None


def _half(key: str, value: Tensor) -> Tensor:
    half = value.detach().to("cpu", torch.float16)
    if not torch.isfinite(half).all():
        raise ValueError(
            f"{key} holds values up to {float(value.abs().max()):g} but a checkpoint's are fp16, which ends at 65504: "
            "set a lower --rate and go on from the last checkpoint."
        )
    return half.contiguous().clone()


@contextmanager
def _whole(target: Path):
    """Tell in one sentence why a checkpoint can't be written."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        # torch tells of a full disk by an error of its own, which knows nothing of it.
        told = error.__context__ if isinstance(error.__context__, OSError) else error
        reason = getattr(told, "strerror", None) or (str(told).splitlines() or [type(told).__name__])[0].rstrip(".")
        raise Full(
            f"{target} can't be written ({reason}), and the checkpoints before it are as they were: make room."
        ) from None
