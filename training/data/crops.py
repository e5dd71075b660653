"""Parts of frames: crops by a box, and cut-outs on white."""

from __future__ import annotations

import numpy as np

from msd_core.evaluation.regions import Edges


def pixel_box(box: Edges, height: int, width: int) -> tuple[int, int, int, int]:
    """The whole pixels of a box: left, top, right, bottom, at least one each way."""
    left, top = min(int(box[0] * width), width - 1), min(int(box[1] * height), height - 1)
    right, bottom = int(np.ceil(box[2] * width - 1e-6)), int(np.ceil(box[3] * height - 1e-6))
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def crop(pixels: np.ndarray, box: Edges) -> np.ndarray:
    """What is in a box of a picture or mask `[h, w, ...]`."""
    left, top, right, bottom = pixel_box(box, *pixels.shape[:2])
    return pixels[top:bottom, left:right]


def cut_out(pixels: np.ndarray, box: Edges, mask: np.ndarray) -> np.ndarray:
    """A thing on white in the middle of a square, `[s, s, 3]` uint8, so that its surroundings don't speak.

    Args:
        pixels: its frame, `[h, w, 3]` uint8.
        mask: where it is there, `[h, w]` bool.
    """
    part = np.where(crop(mask, box)[..., None], crop(pixels, box), np.uint8(255))
    height, width = part.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = part
    return square


def at_most(pixels: np.ndarray, longest: int) -> np.ndarray:
    """A picture `[h, w, 3]` uint8 or a mask `[h, w]` bool made smaller until no side is longer, else as it is."""
    from PIL import Image

    height, width = pixels.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return pixels
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    if pixels.dtype == bool:
        return np.asarray(Image.fromarray(pixels.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) >= 128
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
