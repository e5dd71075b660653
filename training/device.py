"""Where training computes: which worker this is, and the default device, to which arrays and seeds find their way."""

from __future__ import annotations

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor


def worker() -> tuple[int, int]:
    """This process's rank and how many train together."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def seeded(seed: int) -> torch.Generator:
    """A generator for random numbers on the device."""
    return torch.Generator(torch.get_default_device()).manual_seed(seed)


def on_device(tensor: Tensor) -> Tensor:
    """The tensor on the device."""
    return tensor.to(torch.get_default_device())


def pictures_of(pixels: np.ndarray) -> Tensor:
    """Pictures `[B, H, W, 3]` uint8 as `[B, 3, H, W]` fp32 in 0..1 on the device."""
    return on_device(torch.from_numpy(pixels)).permute(0, 3, 1, 2).float() / 255
