"""A model file's tensors, safe or pickled as its bytes say, and what is said of a file that has none to give."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .names import shown
from .pickles import facts_of

DEEPEST = 16
_NO_MODELS = ((b"<", "a web page"), (b"version https://git-lfs", "a Git LFS pointer"))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file under flat names, and its metadata, which only safetensors have.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a folder, is damaged, or holds more than tensors, numbers and text.
    """
    if path.is_dir():
        raise ValueError(
            f"{path.name} is a folder, but an adapter is a file: choose the file in it, or make one of a training "
            f"checkpoint's folder with `python -m msd_core convert {path.name} ms_adapter.safetensors`."
        )
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path.name} is not in {path.absolute().parent}: correct the path.") from None
    except OSError as error:
        raise ValueError(f"{path.name} can't be opened ({error.strerror}): give yourself the right to.") from None
    # The length of the header, in eight bytes of which the upper ones are empty, and the brace that opens it.
    if head[8:9] == b"{" and not any(head[4:8]):
        return _read_safetensors(path)
    kind = next((kind for start, kind in _NO_MODELS if head.lstrip().startswith(start)), None)
    if kind or not head:
        raise ValueError(_damaged(path, f"it is {kind or 'empty'}"))
    if head[257:].startswith(b"ustar"):
        raise ValueError(_damaged(path, "it is a tar archive", "unpack it and choose the model file in it"))
    return _flat(_read_pickle(path, zipped=head.startswith(b"PK")), path.name), {}


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise ValueError(_damaged(path, error)) from None


def _read_pickle(path: Path, zipped: bool) -> dict:
    """What `torch.save` has written, loaded weights-only."""
    if zipped:
        _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except MemoryError:
        raise
    # A file that is made to harm can let torch stumble in any way.
    except Exception as error:
        raise ValueError(_refusal(path, zipped, error)) from None
    if not isinstance(content, dict):
        raise ValueError(
            f"{path.name} holds a {type(content).__name__}, but an MS-Diffusion adapter (ms_adapter.bin) is a dict of "
            "tensors: choose that file."
        )
    return content


def _check_archive(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        raise ValueError(_damaged(path, "the end of the archive is missing"))
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.rpartition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(_damaged(path, error)) from None
    if "constants.pkl" in members:
        raise ValueError(_holds_code(path, "a TorchScript program"))
    if "data.pkl" not in members:
        raise ValueError(_damaged(path, "it is an archive of files", "unpack it and choose the model file in it"))


def _refusal(path: Path, zipped: bool, error: Exception) -> str:
    """Why a pickle was not loaded, told by what it names rather than by torch's words."""
    if zipped:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
            with archive.open(member) as stream:
                foreign, protocol, whole = facts_of(stream)
    else:
        with path.open("rb") as stream:
            foreign, protocol, whole = facts_of(stream)
    if foreign:
        return _holds_code(path, shown(foreign[0]))
    if not whole:
        return _damaged(path, "it is neither safetensors nor a whole torch file")
    if not isinstance(error, pickle.UnpicklingError):
        return _damaged(path, error if zipped else "its pickle is not one that torch.save writes")
    if protocol > 2:
        return (
            f"{path.name} is a pickle of protocol {protocol}, but only protocol 2 can be read without running code: "
            "save it again with torch.save as it is by default."
        )
    return _holds_code(path, "instructions that no tensor needs")


def _holds_code(path: Path, what: str) -> str:
    return (
        f"{path.name} holds code ({what}), but an adapter is tensors only: do not use it, "
        "download ms_adapter.bin from its source."
    )


def _damaged(path: Path, reason: object, remedy: str = "the download is likely broken, repeat it") -> str:
    lines = str(reason).splitlines()
    reason = shown(lines[0].rstrip(".?")) if lines else type(reason).__name__
    return f"{path.name} ({path.stat().st_size} bytes) can't be read as an adapter file, {reason}: {remedy}."


def _flat(content: dict, name: str, prefix: str = "", inside: tuple[int, ...] = ()) -> dict[str, Tensor]:
    """The tensors of nested dicts under dotted names; numbers and text stay behind."""
    if id(content) in inside:
        raise ValueError(
            f"{name}: {shown(prefix[:-1])} is a dict that holds itself, but an adapter is dicts of tensors: "
            "use the released ms_adapter.bin."
        )
    if len(inside) == DEEPEST:
        raise ValueError(
            f"{name} has dicts in dicts more than {DEEPEST} deep ({shown(prefix[:-1])}), but an adapter's are 2 deep: "
            "use the released ms_adapter.bin."
        )
    flat: dict[str, Tensor] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat.update(_flat(value, name, f"{prefix}{key}.", (*inside, id(content))))
        elif isinstance(value, Tensor):
            flat[f"{prefix}{key}"] = value.detach()
    return flat
