"""The Python environment that ComfyUI, the pack and its tests run in."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import venv
from pathlib import Path
from typing import NamedTuple

from .host import PACK

VENV = PACK / ".venv"
STAMP = VENV / "installed.json"
TORCH = ["torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0"]


class Extra(NamedTuple):
    """An optional extra: what it is called, and the modules that show that it is installed."""

    title: str
    modules: tuple[str, ...]


EXTRAS = {
    "dev": Extra("the test tools", (
        "pytest", "pytest_timeout", "pytest_rerunfailures", "hypothesis", "playwright", "matplotlib", "ruff",
        "comfy_cli", "open_clip", "diffusers", "transformers", "accelerate", "peft", "yaml", "torchsde", "PIL",
        "av", "scipy", "spacy", "webdataset",
    )),
    "headless": Extra("diffusers", ("diffusers", "transformers", "accelerate", "PIL")),
}


class EnvironmentProblem(Exception):
    """The environment can't be used; the message says why and what to do."""


def environment_python(host: Path | None, *extras: str) -> Path:
    """The Python of the environment to use, made ready first.

    Args:
        host: the ComfyUI whose requirements belong in the environment; None leaves them out.
        extras: optional extras of pyproject.toml that are needed as well.

    Raises:
        EnvironmentProblem: MSD_PYTHON names no Python, or a package could not be installed.
    """
    if os.environ.get("MSD_PYTHON"):
        needed = ["torch", "safetensors", "einops", *(module for name in extras for module in EXTRAS[name].modules)]
        return _named(os.environ["MSD_PYTHON"], needed)
    python = _python_in(VENV)
    if not _has_pip(python):
        _create()
    for title, requirements in _steps(host, extras):
        _install(python, title, requirements)
    return python


def extra(name: str) -> list[str]:
    """The packages of one optional extra in pyproject.toml (read by pattern: tomllib came only with Python 3.11)."""
    found = re.search(rf"^{name} = \[(.*?)\]", (PACK / "pyproject.toml").read_text("utf-8"), re.M | re.S)
    if not found:
        raise EnvironmentProblem(f"pyproject.toml has no extra '{name}'.")
    return re.findall(r'"([^"]+)"', found[1])


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _has_pip(python: Path) -> bool:
    """Whether an environment is whole as far as it must be to install into it."""
    try:
        return subprocess.run([python, "-c", "import pip"], capture_output=True).returncode == 0
    except OSError:
        return False


def _create() -> None:
    """Makes the environment anew: aside, so that one that was interrupted is never taken for a whole one."""
    print(f"Creating the environment {VENV} ...", flush=True)
    aside = VENV.with_name(VENV.name + ".part")
    try:
        for folder in (VENV, aside):
            shutil.rmtree(folder, ignore_errors=True)
        venv.create(aside)
        aside.rename(VENV)
    except OSError as problem:
        raise EnvironmentProblem(
            f"{VENV} can't be made ({problem.strerror or problem}): give the folder rights to write, or name a ready "
            "environment in MSD_PYTHON."
        ) from None
    # Scripts hold the folder's path, so pip comes once it has its name.
    made = subprocess.run([_python_in(VENV), "-m", "ensurepip", "--upgrade", "--default-pip"], capture_output=True)
    if made.returncode or not _has_pip(_python_in(VENV)):
        raise EnvironmentProblem(
            f"The environment {VENV} has no pip and this Python has no ensurepip to bring it: install it (on Debian "
            "the package python3-venv), or name a ready environment in MSD_PYTHON."
        )


def _named(value: str, modules: list[str]) -> Path:
    path = Path(value).expanduser().absolute()
    python = _python_in(path) if path.is_dir() else path
    if not python.exists():
        raise EnvironmentProblem(f"MSD_PYTHON={value}: there is no Python at {python}.")
    probe = f"import importlib.util as u; print(*[m for m in {modules} if not u.find_spec(m)])"
    missing = subprocess.run([python, "-c", probe], capture_output=True, text=True)
    if missing.returncode or missing.stdout.strip():
        lacks = missing.stdout.strip() or missing.stderr.strip()
        raise EnvironmentProblem(f"MSD_PYTHON={value} is not ready, it lacks: {lacks}")
    return python


def _steps(host: Path | None, extras: tuple[str, ...]) -> list[tuple[str, list[str]]]:
    """Titles and requirement lines, in the order they are installed."""
    steps = [("PyTorch", TORCH)]
    if host:
        steps.append(("ComfyUI's packages", _requirements(host / "requirements.txt")))
    steps.append(("the pack's packages", _requirements(PACK / "requirements.txt")))
    return [*steps, *((EXTRAS[name].title, extra(name)) for name in extras)]


def _size(requirements: list[str]) -> str:
    """What is worth saying before a download starts."""
    if requirements != TORCH or platform.system() != "Linux" or platform.machine() != "x86_64":
        return ""
    without = "" if shutil.which("nvidia-smi") else "; this machine has no NVIDIA GPU, a Python with PyTorch's CPU " \
        "build in MSD_PYTHON needs none of it"
    return f"; 3 GB to download, 5 GB on the disk, since PyTorch for Linux brings CUDA with it{without}"


def _requirements(file: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _install(python: Path, title: str, requirements: list[str]) -> None:
    """Installs one step unless the stamp in the environment remembers exactly these lines."""
    done = json.loads(STAMP.read_text("utf-8")) if STAMP.is_file() else []
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()
    if digest in done:
        return
    print(f"Installing {title} into {VENV} (only this once{_size(requirements)}) ...", flush=True)
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", *requirements]
    if subprocess.run(command).returncode:
        raise EnvironmentProblem(
            f"Installing {title} failed; see pip's words above. MSD_PYTHON can name a ready environment instead."
        )
    STAMP.write_text(json.dumps([*done, digest]), "utf-8")
