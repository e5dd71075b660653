"""Model files and folders on this machine: what they hold, told before they are read whole."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file


def check_folder(
    folder: str | Path, what: str, file: str, key: str, begins: str | tuple[str, ...], remedy: str
) -> None:
    """Make sure that a folder holds a model of a kind.

    Args:
        folder: the folder.
        what: what the model is for.
        file: the configuration that must be in it.
        key: the entry there that names the kind.
        begins: how that must begin, or the ways in which it may.
        remedy: what to do about another kind.

    Raises:
        ValueError: there is no such folder, or it holds another kind of model.
    """
    folder = Path(folder)
    if not folder.exists():
        raise ValueError(f"The {what} is {folder} but there is no such file or folder: check the path.")
    if not (folder / file).is_file():
        raise ValueError(f"The {what} is {folder} but no folder with a {file}: name a model's folder.")
    try:
        named = str(json.loads((folder / file).read_text("utf-8")).get(key))
    except (ValueError, AttributeError):
        named = "unreadable"
    if not named.startswith(begins):
        wanted = begins if isinstance(begins, str) else " or ".join(begins)
        raise ValueError(f"The {what} {folder} is a {named} but must be a {wanted}: {remedy}.")


def tensor_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a file's tensors, without reading them where the format allows.

    Raises:
        ValueError: there is no such file, or it can't be read.
    """
    if not file.exists():
        raise ValueError(f"{file} is named but there is no such file or folder: check the path.")
    try:
        if _is_pickle(file):
            return {key: tuple(value.shape) for key, value in _unpickled(file).items()}
        with safe_open(file, framework="pt") as opened:
            return {key: tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
    except MemoryError:
        raise
    # A file that is no model can let torch stumble in any way.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        if isinstance(error, pickle.UnpicklingError):
            reason = "it is no torch file or holds more than tensors"
        raise ValueError(
            f"{file.name} ({file.stat().st_size} bytes) can't be read, {reason}: the download is likely broken, "
            "repeat it."
        ) from None


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """A file's tensors by their names."""
    return _unpickled(file) if _is_pickle(file) else load_file(file)


def _is_pickle(file: Path) -> bool:
    return file.suffix.lower() in (".ckpt", ".bin", ".pt", ".pth")


def _unpickled(file: Path) -> dict[str, torch.Tensor]:
    content = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    while isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    return {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}
