"""Sprites wherever they stand in a picture: windows of a few sizes go through the probe, the surest ones stay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from msd_core.demo.sprites import COLOURS, KINDS
from msd_core.demo.world import Identity

from .probe import NOTHING, SIDE, Probe

SIDES, STRIDE = (64, 72, 84), 8
"""Windows in pixels: the sizes that sprites have in scenes of two or three, and how far apart windows are looked at."""

COARSE_SIDE, COARSE_STRIDE, AROUND = 72, 16, 12
"""A first look with fewer windows; only those whose centres lie around what it has seen are looked at again."""

SURE = 0.7
"""How sure the probe must be of a kind."""

SHARED = 0.25
"""Share of the smaller window from which two windows show one sprite."""

NEAR = 0.25
"""RGB distance within which a pixel counts as a colour."""

OWN = 0.12
"""Share of a window that must be near a subject's two colours for it to have its looks; a right sprite has .28."""


@dataclass(frozen=True)
class Sprite:
    """What the probe has found: its kind, how sure it is, and the window `(left, top, side)` in pixels."""

    kind: str
    sure: float
    left: int
    top: int
    side: int

    @property
    def centre(self) -> tuple[float, float]:
        return self.left + self.side / 2, self.top + self.side / 2

    def shares(self, other: Sprite) -> float:
        """The share of the smaller window that both have."""
        width = min(self.left + self.side, other.left + other.side) - max(self.left, other.left)
        height = min(self.top + self.side, other.top + other.side) - max(self.top, other.top)
        return max(width, 0) * max(height, 0) / min(self.side, other.side) ** 2


@torch.no_grad()
def find_sprites(probe: Probe, picture: Tensor) -> list[Sprite]:
    """The sprites of a picture `[3, H, W]` in -1..1, the surest first.

    A window's sureness is the mean over its neighbourhood, so that a sprite's middle wins over its edge.
    """
    coarse = _windows(picture, COARSE_SIDE, COARSE_STRIDE)
    seen = [window for window, shares in zip(coarse, _look(probe, picture, coarse), strict=True)
            if float(shares[NOTHING]) < 0.5]
    fine = [window for side in SIDES for window in _windows(picture, side, STRIDE)
            if any(_distance(window, other) <= AROUND for other in seen)]
    if not fine:
        return []
    shares = dict(zip(fine, _look(probe, picture, fine), strict=True))
    candidates = []
    for (left, top, side), own in shares.items():
        kind = int(own.argmax())
        if kind == NOTHING or float(own[kind]) < SURE:
            continue
        around = [shares.get((left + x, top + y, side)) for x in (-STRIDE, 0, STRIDE) for y in (-STRIDE, 0, STRIDE)]
        mean = torch.stack([one for one in around if one is not None])[:, kind].mean()
        candidates.append(Sprite(KINDS[kind], float(mean), left, top, side))
    found: list[Sprite] = []
    for sprite in sorted(candidates, key=lambda one: -one.sure):
        if all(sprite.shares(other) < SHARED for other in found):
            found.append(sprite)
    return found


def _windows(picture: Tensor, side: int, stride: int) -> list[tuple[int, int, int]]:
    """All windows `(left, top, side)` of a size, those at the right and lower edges too."""
    tops, lefts = (sorted({*range(0, size - side + 1, stride), size - side}) for size in picture.shape[1:])
    return [(left, top, side) for top in tops for left in lefts]


def _look(probe: Probe, picture: Tensor, windows: list[tuple[int, int, int]]) -> Tensor:
    """What the probe says of each window: shares `[windows, kinds + 1]`."""
    said = []
    for side in sorted({side for *_, side in windows}):
        crops = torch.stack([picture[:, top : top + side, left : left + side]
                             for left, top, own in windows if own == side])
        crops = F.interpolate(crops, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        said.append(probe(crops)[0].softmax(dim=-1))
    return torch.cat(said)


def _distance(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """How far apart the centres of two windows are, along the axis where it is more."""
    (a, b, side), (c, d, size) = one, other
    return max(abs(a + side / 2 - c - size / 2), abs(b + side / 2 - d - size / 2))


def share_of_colours(picture: Tensor, sprite: Sprite, identity: Identity) -> float:
    """The share of a sprite's window that is near either of an identity's two colours."""
    window = picture[:, sprite.top : sprite.top + sprite.side, sprite.left : sprite.left + sprite.side]
    colours = torch.tensor([COLOURS[identity.main], COLOURS[identity.second]])
    return float((torch.cdist(colours, window.flatten(1).T / 2 + 0.5).amin(0) < NEAR).float().mean())


def looks_like(picture: Tensor, sprite: Sprite, own: Identity, others: list[Identity]) -> bool:
    """Whether a sprite is a subject: of its kind, and of its colours rather than another subject's."""
    share = share_of_colours(picture, sprite, own)
    return sprite.kind == own.kind and share >= OWN and all(
        share > share_of_colours(picture, sprite, other) for other in others
    )
