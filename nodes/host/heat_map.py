"""Pictures of attribution: heat maps over the result, named, with a readout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...msd_core.attribution import WatchedRun, readout

SOURCES = ("subject", "text")

# From cold to hot, dark to light, so that it reads in grey as well.
COLORS = torch.tensor([(13, 8, 60), (86, 15, 120), (187, 55, 84), (249, 142, 9), (252, 255, 164)]) / 255


def draw_attribution(
    run: WatchedRun, phrases: Sequence[str], images: Tensor, source: str
) -> tuple[Tensor, Tensor]:
    """Heat maps of a watched run.

    Args:
        run: what was seen.
        phrases: the subjects' phrases, in order.
        images: IMAGE `[b, h, w, 3]`, the run's result.
        source: `subject` or `text`.

    Returns:
        IMAGE `[b * n, h, w, 3]` and MASK `[b * n, h, w]`, image by image, each subject in turn.

    Raises:
        ValueError: nothing was seen.
    """
    maps = _maps(run, source)
    count, height, width = images.shape[0], images.shape[1], images.shape[2]
    regions = run.regions if source == "subject" else None
    heat = relative_maps(run, source)
    heat, regions = (_resize(x, height, width) for x in (heat, heat if regions is None else regions))
    masks = (regions >= 0.5).float()
    shares = readout(maps)
    pictures = [
        _draw(images[image, ..., :3].cpu().float(), heat[image, subject], _caption(phrase, shares[subject], source))
        for image in range(count)
        for subject, phrase in enumerate(phrases)
    ]
    return torch.stack(pictures), masks.flatten(0, 1)


def relative_maps(run: WatchedRun, source: str) -> Tensor:
    """A run's maps, each between its own lowest and highest value: `[b, n, h, w]` in 0..1.

    Raises:
        ValueError: nothing was seen.
    """
    maps = _maps(run, source)
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low).clamp(min=1e-12)


def _maps(run: WatchedRun, source: str) -> Tensor:
    maps = run.subject if source == "subject" else run.text
    if maps is None:
        raise ValueError(
            f"The watched run has no {source} maps but they are to be drawn: put the Watch node's model into the "
            "sampler, apply subjects to it, and sample whole frames."
        )
    return maps


def _caption(phrase: str, share: float, source: str) -> str:
    return f"{phrase}  {share:.2f} of the text's say" if source == "subject" else f"{phrase}  in the prompt"


def _resize(maps: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(maps, size=(height, width), mode="bilinear", align_corners=False).clamp(0, 1)


def _draw(image: Tensor, heat: Tensor, caption: str) -> Tensor:
    """One picture, hot where the map is high and the image greyed where it is low: `[h, w, 3]`."""
    grey = image.mean(dim=-1, keepdim=True).expand_as(image) * 0.6
    position = heat * (len(COLORS) - 1)
    lower = position.floor().long().clamp(max=len(COLORS) - 2)
    color = torch.lerp(COLORS[lower], COLORS[lower + 1], (position - lower)[..., None])
    mixed = torch.lerp(grey, color, 0.25 + 0.5 * heat[..., None])
    picture = Image.fromarray((mixed.clamp(0, 1) * 255).byte().numpy())
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(image.shape[0] // 22, 10))
    box = draw.textbbox((4, 2), caption, font=font)
    draw.rectangle((0, 0, box[2] + 4, box[3] + 4), fill="black")
    draw.text((4, 2), caption, font=font, fill="white")
    return torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)
