"""Model folders: where adapter files are looked for, and what is said when one is not found."""

from __future__ import annotations

import contextlib
import os

import folder_paths

ADAPTERS = "msdiffusion"


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


def model_path(folder: str, name: str) -> str:
    """The full path of a model file.

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
    raise FileNotFoundError(f"{name} is not in {', '.join(searched)}: put the file there and refresh the page.")
