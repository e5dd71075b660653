"""Which device to compute on."""

from __future__ import annotations

import torch


def devices() -> list[str]:
    """The devices that PyTorch can use here, the fastest first."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.xpu.is_available():
        found.append("xpu")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def choose_device(name: str | None = None) -> torch.device:
    """A device by its name, as `cuda` or `cuda:1`, or the fastest.

    Raises:
        ValueError: there is no such device here.
    """
    found = devices()
    if name is None:
        return torch.device(found[0])
    kind, _, number = name.partition(":")
    counts = {"cuda": torch.cuda.device_count, "xpu": torch.xpu.device_count}
    count = counts[kind]() if kind in found and kind in counts else 1
    if kind not in found or (number and not (number.isascii() and number.isdigit() and int(number) < count)):
        named = ", ".join(f"{kind} ({counts[kind]()})" if kind in counts else kind for kind in found)
        raise ValueError(
            f"The device is {name!r} but PyTorch finds {named} here: name one of these, or leave --device out."
        )
    return torch.device(name)
