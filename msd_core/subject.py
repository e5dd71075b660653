"""Subjects: the photos of one thing, cut out and fitted to the square that the image encoder sees (SPEC 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Fit = Literal["stretch", "pad", "crop"]
FITS: tuple[Fit, ...] = ("stretch", "pad", "crop")
SQUARE = 512


@dataclass(frozen=True)
class Subject:
    """One thing to place: what it looks like, what it is called, and how strongly and when it acts.

    Attributes:
        views: `[v, 512, 512, 3]` RGB in 0..1, one or more photos of the same subject.
        phrase: its name in words, "dog" or "red backpack".
        weight: factor on the adapter's scale for this subject, 0 or more.
        start: share of the sampling run after which it acts, 0..1.
        end: share of the sampling run after which it no longer acts, 0..1.

    Raises:
        ValueError: empty phrase, weight out of range, or start not before end.
    """

    views: Tensor
    phrase: str
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not self.phrase.strip():
            raise ValueError(f'The phrase is {self.phrase!r} but must name the subject: write a word such as "dog".')
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"The weight of {self.phrase!r} is {self.weight:g} but must be 0 or more: 1 is neutral.")
        if not 0.0 <= self.start < self.end <= 1.0:
            raise ValueError(
                f"{self.phrase!r} starts at {self.start:g} and ends at {self.end:g}, but start must lie before end "
                "within 0..1: set 0 and 1 for the whole run."
            )


def prepare_views(images: Tensor, masks: Tensor | None = None, fit: Fit = "stretch") -> Tensor:
    """Make photos ready for the image encoder.

    Args:
        images: `[v, H, W, 3 or 4]` in 0..1; an alpha channel is dropped.
        masks: `[1 or v, h, w]`, 1 on the subject: the image is multiplied by it (black outside) and cropped to its
            bounds, as in the paper's training data.
        fit: how a photo that is not square becomes so: `stretch` it (as the paper's code), `pad` it with black or
            `crop` its middle.

    Returns:
        `[v, 512, 512, 3]`, rounded to 8 bits as an image file would be.
    """
    if images.ndim != 4 or images.shape[-1] < 3 or not images.shape[0]:
        raise ValueError(
            f"The image has the shape {list(images.shape)} but must be [views, height, width, 3]: link an IMAGE."
        )
    if not torch.isfinite(images).all():
        raise ValueError("The image holds NaN or infinite values but pixels lie in 0..1: check the node that made it.")
    photos = [image.movedim(-1, 0).float() for image in images[..., :3]]
    if masks is not None:
        photos = [_cut_out(photo, mask) for photo, mask in zip(photos, _one_mask_each(masks, len(photos)), strict=True)]
    return torch.stack([_to_square(_FITTERS[fit](photo)) for photo in photos]).movedim(1, -1)


def _one_mask_each(masks: Tensor, count: int) -> Tensor:
    if masks.ndim == 2:
        masks = masks[None]
    if masks.shape[0] not in (1, count):
        raise ValueError(f"There are {masks.shape[0]} masks for {count} images: give one mask, or one for each image.")
    return masks.expand(count, -1, -1)


def _cut_out(photo: Tensor, mask: Tensor) -> Tensor:
    """Black outside the mask, cropped to the bounds of its better half: `[3, H, W]` -> `[3, h, w]`."""
    if mask.shape != photo.shape[1:]:
        mask = F.interpolate(mask[None, None].float(), size=photo.shape[1:], mode="bilinear", antialias=True)[0, 0]
    inside = mask > 0.5
    if not inside.any():
        raise ValueError(
            f"The mask is empty (largest value {mask.max():g}, needs more than 0.5) and cuts the whole subject away: "
            "paint the subject white, or unlink the mask."
        )
    rows, columns = inside.any(dim=1).nonzero()[:, 0], inside.any(dim=0).nonzero()[:, 0]
    photo = photo * mask.clamp(0, 1).to(photo)
    return photo[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _pad(photo: Tensor) -> Tensor:
    _, height, width = photo.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(photo, (left, side - width - left, top, side - height - top))


def _crop(photo: Tensor) -> Tensor:
    _, height, width = photo.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return photo[:, top : top + side, left : left + side]


def _to_square(photo: Tensor) -> Tensor:
    """Resize `[3, h, w]` to the encoder's square as an image library would: width, then height, 8 bits after each."""
    for size in ((photo.shape[1], SQUARE), (SQUARE, SQUARE)):
        photo = F.interpolate(photo[None], size=size, mode="bicubic", antialias=True)[0]
        photo = (photo.clamp(0, 1) * 255).round() / 255
    return photo


_FITTERS = {"stretch": lambda photo: photo, "pad": _pad, "crop": _crop}
