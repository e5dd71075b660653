"""Collages: cut-outs of the subjects pasted into their boxes, as a picture to start from, to trace or to edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .boxes import Box, boxes_to_pixels
from .exclusive import front_order
from .layout import Layout, Region
from .pictures import read_images
from .subject import CutOut, Fit, Reference

Placing = Literal["whole", "fill", "subject"]
PLACINGS: tuple[Placing, ...] = ("whole", "fill", "subject")
GREY = 0.5
RIM = 4
"""Pixels around an edge within which a half transparent pixel takes its colour from opaque ones."""
OPAQUE = 1 - 1 / 255

_PLACING_OF: dict[Fit, Placing | Literal["stretch"]] = {"pad": "whole", "crop": "fill", "stretch": "stretch"}


class Collage(NamedTuple):
    """Cut-outs on a background.

    Attributes:
        pixels: `[b, H, W, 3]` RGB in 0..1, one for each picture of the background.
        mask: `[b, H, W]`, how much of each pixel is a cut-out.
    """

    pixels: Tensor
    mask: Tensor


def paste(
    layout: Layout, references: Mapping[int, Reference], background: Tensor | None = None, placing: Placing = "whole"
) -> Collage:
    """Paste cut-outs into the regions of a layout, from the one behind to the one in front.

    A cut-out lies in the middle of its box and is seen in its own region only: in what is painted of the box, or in
    the linked mask. Where regions overlap, the one in front covers the other, whatever the layout's `overlap`.

    Args:
        layout: the frame, and a region for each cut-out.
        references: the subjects' photos, by the number of their region.
        background: `[b, h, w, 3 or 4]` in 0..1, stretched to the frame as the layout shows it; an alpha channel lets
            grey through. None for grey.
        placing: `whole`: as large as fits into the box. `fill`: as small as fills it, the rest cut off. Both keep the
            photo's aspect. `subject`: as its `fit` says: `pad` is whole, `crop` fills, `stretch` takes the box's shape.

    Raises:
        ValueError: `placing` is none of these, or the background is no picture.
    """
    if placing not in PLACINGS:
        raise ValueError(f"fit is {placing!r} but must be one of {', '.join(PLACINGS)}: choose one.")
    pixels = _ground(layout, background)
    mask = pixels.new_zeros(pixels.shape[:3])
    for number in reversed(front_order(layout.regions)):
        if number not in references:
            continue
        reference, region = references[number], layout.regions[number]
        how = _PLACING_OF[reference.fit] if placing == "subject" else placing
        laid, rows, columns = _laid(reference.cut_out(), region, how, layout)
        alpha = laid[3]
        under = pixels[:, rows, columns]
        pixels[:, rows, columns] = under * (1 - alpha[..., None]) + laid[:3].movedim(0, -1)
        mask[:, rows, columns] = mask[:, rows, columns] * (1 - alpha) + alpha
    return Collage(pixels.clamp(0, 1), mask.clamp(0, 1))


def _ground(layout: Layout, background: Tensor | None) -> Tensor:
    """What lies under the cut-outs: a new tensor `[b, H, W, 3]`."""
    size = [layout.height, layout.width]
    if background is None:
        return torch.full((1, *size, 3), GREY)
    images = read_images(background, "The background").cpu().clamp(0, 1)
    pixels, alpha = images[..., :3], images[..., 3:]
    pixels = pixels * alpha + GREY * (1 - alpha) if alpha.shape[-1] else pixels.clone()
    if list(pixels.shape[1:3]) == size:
        return pixels
    return _resized(pixels.movedim(-1, 1), size).movedim(1, -1)


def _laid(cut_out: CutOut, region: Region, how: str, layout: Layout) -> tuple[Tensor, slice, slice]:
    """A cut-out as it lies in the frame, `[4, h, w]`, colours times alpha before alpha; the rows and columns it has."""
    left, top, wide, high = _pixels(region.box, layout)
    picture = torch.cat([cut_out.pixels.movedim(-1, 0), cut_out.alpha[None]]).float().cpu().clamp(0, 1)
    if how == "fill":
        picture = _middle(picture, wide / high)
    size = _inside(picture, wide, high) if how == "whole" else [high, wide]
    top, left = top + (high - size[0]) // 2, left + (wide - size[1]) // 2
    rows, columns = slice(top, top + size[0]), slice(left, left + size[1])
    laid = _scaled(picture, size)
    if region.mask is not None or region.box.mask is not None:
        window = (
            left / layout.width, top / layout.height, columns.stop / layout.width, rows.stop / layout.height
        )
        laid = laid * region.coverage(*size, window).to(laid)
    return laid, rows, columns


def _pixels(box: Box, layout: Layout) -> tuple[int, int, int, int]:
    """Left, top, width and height of a box in pixels of the frame, at least one each."""
    ((pixels,),) = boxes_to_pixels([box], layout.width, layout.height)
    return pixels["x"], pixels["y"], pixels["width"], pixels["height"]


def _middle(picture: Tensor, aspect: float) -> Tensor:
    """The middle of a picture `[c, h, w]` in an aspect, width by height."""
    _, height, width = picture.shape
    high, wide = min(height, max(round(width / aspect), 1)), min(width, max(round(height * aspect), 1))
    top, left = (height - high) // 2, (width - wide) // 2
    return picture[:, top : top + high, left : left + wide]


def _inside(picture: Tensor, wide: int, high: int) -> list[int]:
    """Height and width at which a picture fits into a box as large as can be."""
    _, height, width = picture.shape
    scale = min(wide / width, high / height)
    return [min(max(round(height * scale), 1), high), min(max(round(width * scale), 1), wide)]


def _scaled(picture: Tensor, size: list[int]) -> Tensor:
    """A picture `[4, h, w]`, colours times alpha before alpha, at another size, without a rim of its old background."""
    smaller = [min(own, wanted) for own, wanted in zip(picture.shape[1:], size, strict=True)]
    return _resized(_without_rim(_resized(picture[None], smaller)[0])[None], size)[0]


def _without_rim(picture: Tensor) -> Tensor:
    """Half transparent pixels, in which the old background still shows, get the colour of the opaque ones near them."""
    alpha = picture[3:]
    near = _spread(picture * (alpha >= OPAQUE))
    found = (alpha < OPAQUE) & (near[3:] > 0)
    colour = near[:3] / near[3:].clamp(min=torch.finfo(near.dtype).tiny)
    return torch.cat([torch.where(found, colour * alpha, picture[:3]), alpha])


def _spread(planes: Tensor) -> Tensor:
    """Means over squares around each pixel of `[c, h, w]`."""
    wide = F.avg_pool2d(planes, (1, 2 * RIM + 1), 1, (0, RIM))
    return F.avg_pool2d(wide, (2 * RIM + 1, 1), 1, (RIM, 0))


def _resized(planes: Tensor, size: list[int]) -> Tensor:
    """`[n, c, h, w]` at another size; no value leaves the range of those around it."""
    if list(planes.shape[2:]) == size:
        return planes
    return F.interpolate(planes, size=size, mode="bilinear", antialias=True)
