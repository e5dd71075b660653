"""What the paper's metrics miss: subjects that stand elsewhere, swap looks, or collapse into one.

A picture is cut into its subjects' boxes; `S[j, k] = cos(f(crop_j), f(r_k))` compares the crop of subject j's box with
the reference of subject k. f is DINOv2 (Oquab et al., 2023), which tells single things better than CLIP, or whatever
encoder is at hand.

- region score of j: `S[j, j]`.
- swapped: `max_k S[j, k] > S[j, j]` over the subjects k whose boxes lie apart from j's. Boxes lie apart where their
  intersection is less than half of the smaller one; two subjects in one box have one crop, which tells nothing, and a
  scene's box holds everyone.
- collapsed: `S[j, j] < share * S1[j]`, where `S1[j]` is the region score of j in the picture with j alone, of the same
  seed and prompt. After the Subject Collapse Rate of Chen et al. (2026, arXiv 2603.26078), with the subject's own
  single-subject picture in the place of a fixed threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .fidelity import subject_similarities

Edges = tuple[float, float, float, float]
"""x0, y0, x1, y1 in fractions of the picture."""

APART = 0.5
COLLAPSE_SHARE = 0.5


def crop_regions(picture: Tensor, boxes: Sequence[Edges], side: int = 224) -> Tensor:
    """The parts of a picture in its boxes, each stretched to a square.

    Args:
        picture: `[h, w, 3]` in 0..1.
        boxes: one for each subject.
        side: pixels of the squares.

    Returns:
        `[n, side, side, 3]`.
    """
    height, width = picture.shape[:2]
    crops = []
    for x0, y0, x1, y1 in boxes:
        left, top = min(int(x0 * width), width - 1), min(int(y0 * height), height - 1)
        right, bottom = max(round(x1 * width), left + 1), max(round(y1 * height), top + 1)
        inside = picture[top:bottom, left:right].movedim(-1, 0)[None]
        crops.append(F.interpolate(inside, size=(side, side), mode="bicubic", antialias=True).clamp(0, 1)[0])
    return torch.stack(crops).movedim(1, -1)


def region_similarities(crops: Tensor, references: Sequence[Tensor]) -> Tensor:
    """`S`, `[n, n]`: the embedding of each subject's crop `[n, d]` with each subject's photos."""
    return subject_similarities(crops, references)


def lie_apart(boxes: Sequence[Edges]) -> Tensor:
    """Which pairs of boxes lie apart: bool `[n, n]`, symmetric, False on the diagonal."""
    corners = torch.tensor(boxes, dtype=torch.float64).view(-1, 4)
    low = torch.maximum(corners[:, None, :2], corners[None, :, :2])
    high = torch.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = (corners[:, 2:] - corners[:, :2]).prod(dim=-1)
    smaller = torch.minimum(areas[:, None], areas[None, :]).clamp(min=1e-12)
    return (shared / smaller < APART) & ~torch.eye(len(corners), dtype=torch.bool)


def swapped(similarities: Tensor, boxes: Sequence[Edges]) -> list[bool | None]:
    """For each subject whether its crop is nearer to another's reference; None where no other box lies apart."""
    apart = lie_apart(boxes)
    own = similarities.diagonal()
    nearer = (similarities.cpu() > own[:, None].cpu()) & apart
    return [bool(row.any()) if others.any() else None for row, others in zip(nearer, apart, strict=True)]


def collapsed(own: Sequence[float], alone: Sequence[float], share: float = COLLAPSE_SHARE) -> list[bool]:
    """For each subject whether its region score is below its share of the one that it reaches alone.

    Raises:
        ValueError: there are not as many scores alone as together.
    """
    if len(own) != len(alone):
        raise ValueError(
            f"There are {len(own)} region scores together and {len(alone)} alone: score each subject in both pictures."
        )
    return [together < share * single for together, single in zip(own, alone, strict=True)]
