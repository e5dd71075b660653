"""Pictures and masks as a graph or a script hands them over: read in one way, or refused in one sentence."""

from __future__ import annotations

import math

from torch import Tensor

# How far values may lie outside 0..1: resizing and sharpening overshoot a little, another scale lies far beyond.
OVERSHOOT = 0.5


def read_images(images: Tensor, name: str = "The image") -> Tensor:
    """Pictures `[n, h, w, 3 or 4]` in 0..1, of any float type, as float32.

    Raises:
        ValueError: another shape, or values that are no pixels in 0..1.
    """
    if images.ndim != 4 or images.shape[-1] not in (3, 4) or 0 in images.shape:
        raise ValueError(
            f"{name} has the shape {list(images.shape)} but must be [views, height, width, 3 or 4]: link an IMAGE."
        )
    images = images.float()
    check_values(images, name, "pixels lie")
    return images


def read_masks(masks: Tensor, name: str = "The mask") -> Tensor:
    """Masks as float32 `[n, h, w]` in 0..1 (see `mask_planes`).

    Raises:
        ValueError: another shape, or values that are no mask's.
    """
    planes = mask_planes(masks, name)
    check_values(planes, name, "a mask lies")
    return planes


def mask_planes(masks: Tensor, name: str = "The mask") -> Tensor:
    """Masks `[h, w]`, `[n, h, w]` or `[n, 1, h, w]`, of any type that holds 0..1, as float32 `[n, h, w]`.

    Raises:
        ValueError: another shape.
    """
    planes = masks[:, 0] if masks.ndim == 4 and masks.shape[1] == 1 else masks
    planes = planes[None] if planes.ndim == 2 else planes
    if planes.ndim != 3 or 0 in planes.shape[1:]:
        raise ValueError(f"{name} has the shape {list(masks.shape)} but must be [masks, height, width]: link a MASK.")
    return planes.float()


def check_values(values: Tensor, name: str, lie: str) -> None:
    """Raise a ValueError unless all values are numbers about 0..1; `lie` says what lies there, "pixels lie"."""
    if not values.numel():
        return
    low, high = (value.item() for value in values.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name} holds NaN or infinite values but {lie} in 0..1: check the node that made it.")
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise ValueError(
            f"{name} holds values from {low:g} to {high:g} but {lie} in 0..1: scale it, 8-bit values by 1/255."
        )
