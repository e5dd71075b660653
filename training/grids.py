"""Sample grids as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def save_grid(file: Path, pictures: Tensor, columns: int) -> None:
    """Write pictures `[N, 3, H, W]` in -1..1 row by row; all of one size."""
    pixels = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    starts = range(0, len(pixels) // columns * columns, columns)
    rows = [np.concatenate(list(pixels[i : i + columns]), 1) for i in starts]
    Image.fromarray(np.concatenate(rows, 0)).save(file)
