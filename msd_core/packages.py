"""Packages that only some work needs, imported where it is done."""

from __future__ import annotations

import importlib
from typing import Any


def require_package(module: str, name: str, purpose: str, extra: str) -> Any:
    """A module of an optional package.

    Args:
        module: to be imported.
        name: the package's.
        purpose: what needs it.
        extra: of this project that has it.

    Raises:
        ValueError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValueError(
            f'{name} is not installed but {purpose} needs it: pip install -e ".[{extra}]" in the folder of '
            "MS-Diffusion."
        ) from None
