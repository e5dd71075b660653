"""Model folders: where adapter files are looked for, and what is said when one is not found."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

import folder_paths

ADAPTERS = "msdiffusion"
VISION = "clip_vision"


@dataclass(frozen=True)
class Released:
    """A file as it is had: its name, where it is, and how much there is to download."""

    name: str
    url: str
    size: str


RELEASED_ADAPTER = Released(
    "ms_adapter.bin", "https://huggingface.co/doge1516/MS-Diffusion/resolve/main/ms_adapter.bin", "1.8 GB"
)
OPEN_CLIP = Released(
    "open_clip_pytorch_model.bin",
    "https://huggingface.co/laion/CLIP-ViT-bigG-14-laion2B-39B-b160k/resolve/main/open_clip_pytorch_model.bin",
    "10 GB",
)


def register() -> None:
    """Tell the host about `models/msdiffusion`; `extra_model_paths.yaml` may name more folders."""
    default = os.path.join(folder_paths.models_dir, ADAPTERS)
    folder_paths.add_model_folder_path(ADAPTERS, default)
    paths, _ = folder_paths.folder_names_and_paths[ADAPTERS]
    folder_paths.folder_names_and_paths[ADAPTERS] = (paths, folder_paths.supported_pt_extensions)
    # A models folder may be read-only; the adapter can then only lie in another one.
    with contextlib.suppress(OSError):
        os.makedirs(default, exist_ok=True)


def adapter_names() -> list[str]:
    """The adapter files that the loader offers."""
    return folder_paths.get_filename_list(ADAPTERS)


def name_to_get(folder: str, released: Released) -> str | None:
    """The released file's name where the folder holds no file, so that a loader has a name to ask for; else None."""
    return None if folder_paths.get_filename_list(folder) else released.name


def model_path(folder: str, name: str, released: Released | None = None) -> str:
    """The full path of a model file.

    Args:
        folder: the host's name for the folder.
        name: the file's.
        released: the file that belongs there, to tell where it is had.

    Raises:
        FileNotFoundError: there is none of this name, or a folder; it names the folders that were searched.
    """
    path = folder_paths.get_full_path(folder, name)
    if path is not None:
        return path
    searched = folder_paths.get_folder_paths(folder)
    holding = next((one for one in searched if os.path.isdir(os.path.join(one, name))), None)
    if holding is not None:
        raise FileNotFoundError(f"{name} in {holding} is a folder, but a file is needed: choose one in it.")
    remedy = "put the file there and press R"
    if released is not None:
        others = "choose another file, or " if folder_paths.get_filename_list(folder) else ""
        remedy = f"{others}download {released.url} ({released.size}), put it there and press R"
    raise FileNotFoundError(f"{name} is not in {', '.join(searched)}: {remedy}.")


def why_missing(folder: str, name: str | None, released: Released) -> str | None:
    """What `model_path` would say of a file that is not there; None of one that is, or whose name comes from a link."""
    if name is None:
        return None
    try:
        model_path(folder, name, released)
    except FileNotFoundError as error:
        return str(error)
    return None
