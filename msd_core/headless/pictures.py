"""Subjects from picture files: photos, their cut-outs and their masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..subject import Fit, MaskIs, Subject, prepare_views

Pictures = str | Path | Any | Sequence[str | Path | Any]
"""A file, a PIL image, or several of them."""


def load_subject(
    pictures: Pictures, phrase: str, *, mask: Pictures | None = None, mask_is: MaskIs = "subject",
    fit: Fit = "stretch", weight: float = 1.0, start: float = 0.0, end: float = 1.0,
) -> Subject:
    """Make a subject of its photos.

    Args:
        pictures: one photo or several views of the same thing, as files or PIL images. A transparent background cuts
            the subject out.
        phrase: its name in words, as in the prompt.
        mask: a picture that is white on the subject, one or one for each view; beside a transparent background, what
            either cuts away is away.
        mask_is: what the masks are white on, the "subject" or the "background".
        fit: how a photo that is not square becomes so: "stretch", "pad" or "crop".
        weight: factor on the scale for this subject, 0 or more.
        start, end: the part of the noise schedule in which it acts, 0..1; 0 is pure noise.

    Raises:
        ValueError: a picture can't be read, or a setting is out of range.
    """
    photos = [_read(picture) for picture in _listed(pictures)]
    masks = [_mask(_read(picture)) for picture in _listed(mask)] if mask is not None else [None]
    if len(masks) not in (1, len(photos)):
        raise ValueError(
            f"{phrase!r} has {len(masks)} masks for {len(photos)} pictures: give one mask, or one for each picture."
        )
    masks *= len(photos) // len(masks)
    try:
        views = [
            prepare_views(photo[None], mask, fit, mask_is) for photo, mask in zip(photos, masks, strict=True)
        ]
    except ValueError as error:
        raise ValueError(f"{phrase!r}: {error}") from None
    return Subject(torch.cat(views), phrase, weight, start, end)


def _listed(pictures: Pictures) -> list:
    listed = list(pictures) if isinstance(pictures, list | tuple) else [pictures]
    if not listed:
        raise ValueError("There are 0 pictures of a subject but it needs 1 or more: name a file.")
    return listed


def open_picture(picture: str | Path | Any) -> Any:
    """A file as a PIL image, upright; a PIL image as it is, upright.

    Raises:
        ValueError: the file can't be read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if isinstance(picture, str | Path):
        try:
            with Image.open(picture) as file:
                file.load()
                picture = file
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            reason = "there is no such file" if not Path(picture).exists() else str(error).splitlines()[0]
            raise ValueError(
                f"The picture {picture} can't be read ({reason}): name a PNG, JPEG or WebP file."
            ) from None
    return ImageOps.exif_transpose(picture)


def _read(picture: str | Path | Any) -> Tensor:
    """A picture as `[height, width, 4]` in 0..1, its fourth channel what is there of it."""
    import numpy as np

    picture = open_picture(picture)
    if picture.mode.startswith("I"):  # 16 bits of grey
        grey = torch.from_numpy(np.asarray(picture).astype(np.float32) / 65535)
        return torch.stack([grey, grey, grey, torch.ones_like(grey)], dim=-1)
    return torch.from_numpy(np.asarray(picture.convert("RGBA")).astype(np.float32) / 255)


def _mask(pixels: Tensor) -> Tensor:
    """The brightness of a mask's picture `[height, width]`; what is transparent of it is not of the subject."""
    return pixels[..., :3].mean(dim=-1) * pixels[..., 3]
