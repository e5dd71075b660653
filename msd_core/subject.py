"""Subjects: the photos of one thing, cut out and fitted to the square that the image encoder sees (SPEC 2)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .photo import Photo
from .pictures import read_images, read_masks

logger = logging.getLogger("MS-Diffusion")

Fit = Literal["stretch", "pad", "crop"]
FITS: tuple[Fit, ...] = ("stretch", "pad", "crop")
MaskIs = Literal["subject", "background"]
MASK_MEANINGS: tuple[MaskIs, ...] = ("subject", "background")
SQUARE = 512
CHECKER = 16
CHECKER_GRAYS = (0.4, 0.6)

# What is said of masks that leave nothing, with their largest and smallest value.
_EMPTY = {
    "subject": "The mask is empty (largest value {0:g}, needs more than 0.5) and cuts the whole subject away: paint "
    "the subject white, unlink the mask, or, for Load Image's MASK of an opaque picture, set mask_is to background.",
    "background": "The mask is white everywhere (smallest value {1:g}, needs less than 0.5) and, with mask_is "
    "background, cuts the whole subject away: leave the subject black, unlink the mask, or set mask_is to subject.",
}
# What is said of masks that keep the border rather than the middle, with how much they keep of both.
_HOLE = {
    "subject": "The mask covers %d %% of the border and %d %% of the middle: if it shows the background, as Load "
    "Image's MASK of a transparent picture does, set mask_is to background.",
    "background": "With mask_is background the mask keeps %d %% of the border and %d %% of the middle: if it shows "
    "the subject, as a mask from the mask editor or a segmentation does, set mask_is to subject.",
}


class CutOut(NamedTuple):
    """A subject out of its background.

    Attributes:
        pixels: `[h, w, 3]` RGB in 0..1, black by as much as it is cut away.
        alpha: `[h, w]`, how much of each pixel is left.
    """

    pixels: Tensor
    alpha: Tensor


@dataclass(frozen=True, eq=False)
class Reference:
    """A photo of a subject in its own size and shape, and what of it is the subject.

    Attributes:
        image: `[H, W, 3]` RGB in 0..1.
        kept: `[H, W]`, how much of each pixel is the subject, or None for all of it.
        fit: how the photo is made square for the image encoder.
    """

    image: Tensor
    kept: Tensor | None
    fit: Fit

    def cut_out(self) -> CutOut:
        """The subject, cropped to its bounds."""
        if self.kept is None:
            return CutOut(self.image, torch.ones_like(self.image[..., 0]))
        pixels, cut = _cut_out(self.image.movedim(-1, 0), self.kept)
        return CutOut(pixels.movedim(0, -1), 1 - cut[0])


@dataclass(frozen=True)
class Subject:
    """One thing to place: what it looks like, what it is called, and how strongly and when it acts.

    Attributes:
        views: `[v, 512, 512, 3]` RGB in 0..1, one or more photos of the same subject.
        phrase: its name in words, "dog" or "red backpack".
        weight: factor on the adapter's scale for this subject, 0 or more.
        start: share of the sampling run after which it acts, 0..1.
        end: share of the sampling run after which it no longer acts, 0..1.
        photo: the views with what models have made of them; one of their own by default.
        reference: its first photo before it was made square; the first view by default.

    Raises:
        ValueError: empty phrase, weight out of range, or start not before end.
    """

    views: Tensor
    phrase: str
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    photo: Photo | None = field(default=None, repr=False, compare=False)
    reference: Reference | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.photo is None or self.photo.views is not self.views:
            object.__setattr__(self, "photo", Photo(self.views))
        if self.reference is None:
            object.__setattr__(self, "reference", Reference(self.views[0], None, "stretch"))
        if not self.phrase.strip():
            raise ValueError(f'The phrase is {self.phrase!r} but must name the subject: write a word such as "dog".')
        if not 0.0 <= self.weight < float("inf"):
            raise ValueError(f"The weight of {self.phrase!r} is {self.weight:g} but must be 0 or more: 1 is neutral.")
        if not 0.0 <= self.start < self.end <= 1.0:
            raise ValueError(
                f"{self.phrase!r} starts at {self.start:g} and ends at {self.end:g}, but start must lie before end "
                "within 0..1: set 0 and 1 for the whole run."
            )


class Views(NamedTuple):
    """Photos of a subject as the image encoder sees them.

    Attributes:
        pixels: `[v, 512, 512, 3]` RGB in 0..1, rounded to 8 bits as an image file would be.
        cut: `[v, 512, 512]`, how much of each pixel was cut away (the pixels are black there by as much), or None if
            nothing was.
        reference: the first of the photos.
    """

    pixels: Tensor
    cut: Tensor | None
    reference: Reference

    def preview(self) -> Tensor:
        """The pixels with a checkerboard where they were cut away: `[v, 512, 512, 3]`."""
        if self.cut is None:
            return self.pixels
        squares = torch.arange(SQUARE, device=self.cut.device) // CHECKER
        checkerboard = torch.where((squares[:, None] + squares) % 2 == 0, *CHECKER_GRAYS)
        return (self.pixels + self.cut[..., None] * checkerboard[..., None]).clamp(0, 1)


def prepare_views(
    images: Tensor, masks: Tensor | None = None, fit: Fit = "stretch", mask_is: MaskIs = "subject"
) -> Tensor:
    """Make photos ready for the image encoder: the pixels of `cut_and_fit`, which says what the arguments mean."""
    return cut_and_fit(images, masks, fit, mask_is).pixels


def cut_and_fit(
    images: Tensor, masks: Tensor | None = None, fit: Fit = "stretch", mask_is: MaskIs = "subject"
) -> Views:
    """Cut photos out and make them square.

    A cut-out is black outside and cropped to the bounds of its better half, as in the paper's training data. Where an
    image has an alpha channel and a mask too, the smaller of the two counts: what either cuts away is away.

    Args:
        images: `[v, H, W, 3 or 4]` in 0..1; an alpha channel cuts out.
        masks: `[1 or v, h, w]` or `[1 or v, 1, h, w]`; one of another size is stretched to the image, as the host does.
        fit: how a photo that is not square becomes so: `stretch` it (as the paper's code), `pad` it with black or
            `crop` its middle.
        mask_is: what the masks are 1 on: the `subject` or the `background`.

    A mask or an alpha channel that looks like the opposite of what it should be is logged as a warning.

    Raises:
        ValueError: images or masks of another shape or range, another number of masks, or nothing left.
    """
    _check_choice("fit", fit, FITS)
    _check_choice("mask_is", mask_is, MASK_MEANINGS)
    images = read_images(images)
    photos = images[..., :3].movedim(-1, 1)
    kept = _kept(images, masks, mask_is)
    reference = Reference(images[0, ..., :3], None if kept is None else kept[0], fit)
    if kept is None:
        return Views(_squares([_FITTERS[fit](photo) for photo in photos]), None, reference)
    cut_outs = [_cut_out(*view) for view in zip(photos, kept, strict=True)]
    pixels = _squares([_FITTERS[fit](photo) for photo, _ in cut_outs])
    if (kept == 1).all():
        return Views(pixels, None, reference)
    return Views(pixels, _squares([_FITTERS[fit](cut) for _, cut in cut_outs])[..., 0], reference)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r} but must be one of {', '.join(choices)}: choose one.")


def _kept(images: Tensor, masks: Tensor | None, mask_is: MaskIs) -> Tensor | None:
    """How much of each pixel is kept, `[v, H, W]`, or None where nothing is said of it."""
    alpha = _alpha(images) if images.shape[-1] == 4 else None
    if masks is None:
        return alpha
    kept = _unmasked(masks, images.shape[:3], mask_is)
    if alpha is None:
        return kept
    kept = torch.minimum(kept.to(alpha), alpha)
    if not _holds_something(kept).all():
        raise ValueError(
            f"The mask, with mask_is {mask_is}, and the image's alpha channel have no pixel in common, so nothing is "
            f"left of the subject: set mask_is to {_other(mask_is)}, or unlink the mask."
        )
    return kept


def _alpha(images: Tensor) -> Tensor:
    alpha = images[..., 3].clamp(0, 1)
    if not _holds_something(alpha).all():
        emptiest = alpha.amax(dim=(1, 2)).min()
        raise ValueError(
            f"The image is transparent everywhere (largest alpha {emptiest:g}, needs more than 0.5), so nothing is "
            "left of the subject: link an image that is opaque where the subject is."
        )
    _warn_of_a_hole(
        alpha, "The image is opaque on %d %% of its border and on %d %% of its middle: if its alpha channel is "
        "inverted, as Join Image with Alpha makes it of a mask that shows the subject, put Invert Mask before it."
    )
    return alpha


def _unmasked(masks: Tensor, shape: tuple[int, int, int], mask_is: MaskIs) -> Tensor:
    """What masks leave of images of a shape `v, H, W`, `[v, H, W]`."""
    count, *size = shape
    masks = read_masks(masks)
    if len(masks) not in (1, count):
        raise ValueError(f"There are {len(masks)} masks for {count} images: give one mask, or one for each image.")
    if list(masks.shape[1:]) != size:
        masks = F.interpolate(masks[:, None], size=size, mode="bilinear", antialias=True)[:, 0]
    masks = masks.clamp(0, 1)
    kept = masks if mask_is == "subject" else 1 - masks
    if not _holds_something(kept).all():
        raise ValueError(_EMPTY[mask_is].format(masks.amax(dim=(1, 2)).min(), masks.amin(dim=(1, 2)).max()))
    _warn_of_a_hole(kept, _HOLE[mask_is])
    return kept.expand(count, -1, -1)


def _holds_something(kept: Tensor) -> Tensor:
    return (kept > 0.5).any(dim=2).any(dim=1)


def _other(mask_is: MaskIs) -> MaskIs:
    return "background" if mask_is == "subject" else "subject"


def _warn_of_a_hole(kept: Tensor, words: str) -> None:
    """Say once if a view keeps its border rather than its middle, as no photo of a thing does."""
    for view in kept:
        height, width = view.shape
        border = torch.cat([view[0], view[-1], view[:, 0], view[:, -1]]).mean().item()
        middle = view[height // 4 : height - height // 4, width // 4 : width - width // 4].mean().item()
        if border >= 0.5 and border - middle >= 0.25:
            logger.warning(words, round(100 * border), round(100 * middle))
            return


def _cut_out(photo: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """A photo `[3, H, W]`, black by as much as it is not kept, and how much it is not, `[1, H, W]`; both cropped to the
    bounds of what is kept by more than half.
    """
    inside = kept > 0.5
    rows, columns = inside.any(dim=1).nonzero()[:, 0], inside.any(dim=0).nonzero()[:, 0]
    bounds = (..., slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    kept = kept.to(photo)
    return (photo * kept)[bounds], (1 - kept)[None][bounds]


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


def _squares(photos: list[Tensor]) -> Tensor:
    """Photos `[c, h, w]` as squares, `[v, 512, 512, c]`."""
    return torch.stack([_to_square(photo) for photo in photos]).movedim(1, -1)


def _to_square(photo: Tensor) -> Tensor:
    """Resize `[c, h, w]` to the encoder's square as an image library would: width, then height, 8 bits after each."""
    for size in ((photo.shape[1], SQUARE), (SQUARE, SQUARE)):
        photo = F.interpolate(photo[None], size=size, mode="bicubic", antialias=True)[0]
        photo = (photo.clamp(0, 1) * 255).round() / 255
    return photo


_FITTERS = {"stretch": lambda photo: photo, "pad": _pad, "crop": _crop}
