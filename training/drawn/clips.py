"""Clips of the drawn world, from seeds: a cast in other places, poses and light from frame to frame.

As in real video, not every frame shows everybody, some are far away, come close or walk out of the picture, and
passers-by are in one frame only. What the painter knows goes with each frame, for those who read it instead of
finding it (`readers.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from msd_core.demo.config import SCENE_SIZE
from msd_core.demo.scenes import SCENES, paint_scene
from msd_core.demo.sprites import KINDS, paint_sprite
from msd_core.demo.world import CELL, Box, Identity, sample_identity, sample_places

SHOTS = 10
"""How many frames a clip has to choose from."""
CASTS, SHARES = (1, 2, 3), (0.25, 0.5, 0.25)
"""How many a cast has, and how often."""
ALIKE = 0.2
"""How often the first two of a cast are of one kind, so that only their looks tell which is which."""
ABSENT, FAR, CLOSE, LEAVING, PASSING = 0.12, 0.05, 0.02, 0.3, 0.2
"""How often somebody is absent from a frame, far away, close, half out of it; and how often somebody passes by."""
TILT, ZOOM = 8.0, (0.86, 0.97)
SHOWN = 0.5
"""Coverage from which a pixel is the sprite's."""


@dataclass(frozen=True)
class Figure:
    """Somebody in a frame: the square that the sprite is painted on, in pixels (it may reach out of the frame), and
    the pose.
    """

    identity: Identity
    left: int
    top: int
    side: int
    facing: int
    tilt: float
    zoom: float

    @property
    def visible(self) -> tuple[int, int, int, int]:
        """What of the square is in the frame: left, top, right, bottom in pixels."""
        return (max(self.left, 0), max(self.top, 0), min(self.left + self.side, SCENE_SIZE),
                min(self.top + self.side, SCENE_SIZE))

    @property
    def box(self) -> Box:
        """The same in fractions of the frame."""
        left, top, right, bottom = (edge / SCENE_SIZE for edge in self.visible)
        return left, top, right, bottom

    def painted(self) -> tuple[np.ndarray, np.ndarray]:
        """Premultiplied colour and coverage of the part in the frame."""
        who = self.identity
        rgb, alpha = paint_sprite(who.kind, who.main, who.second, who.pattern, who.accessory, self.side,
                                  facing=self.facing, tilt=self.tilt, zoom=self.zoom)
        left, top, right, bottom = self.visible
        part = slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left)
        return rgb[part], alpha[part]


@dataclass(frozen=True)
class Frame:
    """One frame: its scene, the seed of the scene's light, and who is in it."""

    scene: str
    light: int
    figures: tuple[Figure, ...]

    @cached_property
    def picture(self) -> np.ndarray:
        """`[SCENE_SIZE, SCENE_SIZE, 3]` uint8."""
        canvas = paint_scene(self.scene, SCENE_SIZE, SCENE_SIZE, self.light)
        for figure in self.figures:
            left, top, right, bottom = figure.visible
            rgb, alpha = figure.painted()
            behind = canvas[top:bottom, left:right]
            canvas[top:bottom, left:right] = behind * (1 - alpha[..., None]) + rgb
        return np.round(canvas * 255).astype(np.uint8)

    def mask(self, figure: Figure) -> np.ndarray:
        """Where a figure's sprite is, `[SCENE_SIZE, SCENE_SIZE]` bool."""
        mask = np.zeros((SCENE_SIZE, SCENE_SIZE), bool)
        left, top, right, bottom = figure.visible
        mask[top:bottom, left:right] = figure.painted()[1] > SHOWN
        return mask


@dataclass(frozen=True)
class DrawnClip:
    """A clip (`training.data.clips.Clip`): its seed, its cast and its shots."""

    seed: int
    cast: tuple[Identity, ...]
    shots: tuple[Frame, ...]
    still: bool = False

    @property
    def name(self) -> str:
        return f"drawn-{self.seed:06d}"

    def at(self, place: float) -> Frame:
        """What is shown at a place of it, 0 the beginning and 1 the end."""
        return self.shots[min(int(place * len(self.shots)), len(self.shots) - 1)]

    def frames(self, places: Sequence[float]) -> list[np.ndarray]:
        """The frames at these places, each `[SCENE_SIZE, SCENE_SIZE, 3]` uint8."""
        return [self.at(place).picture for place in places]


def draw_clip(seed: int) -> DrawnClip:
    """The clip of a seed. Nobody in it is held out from training."""
    rng = np.random.default_rng([seed, 3_141_592])
    scene = str(rng.choice(list(SCENES)))
    cast = _sample_cast(rng, int(rng.choice(CASTS, p=SHARES)))
    return DrawnClip(seed, cast, tuple(_sample_frame(rng, scene, cast) for _ in range(SHOTS)))


def _sample_cast(rng: np.random.Generator, count: int) -> tuple[Identity, ...]:
    kinds = [str(kind) for kind in rng.choice(KINDS, count, replace=False)]
    if count > 1 and rng.random() < ALIKE:
        kinds[1] = kinds[0]
    cast: list[Identity] = []
    for kind in kinds:
        who = sample_identity(rng, kind=kind)
        while any(who.kind == other.kind and who.main == other.main for other in cast):
            who = sample_identity(rng, kind=kind)
        cast.append(who)
    return tuple(cast)


def _sample_frame(rng: np.random.Generator, scene: str, cast: Sequence[Identity]) -> Frame:
    present = [who for who in cast if rng.random() >= ABSENT] or [cast[int(rng.integers(len(cast)))]]
    if len(present) < max(CASTS) and rng.random() < PASSING:
        others = [kind for kind in KINDS if kind not in {who.kind for who in cast}]
        present.append(sample_identity(rng, kind=str(rng.choice(others))))
    places = sample_places(rng, len(present))
    if len(present) == 1 and rng.random() < CLOSE:
        places = [(0, 0, SCENE_SIZE)]
    figures = [_sample_figure(rng, who, *place) for who, place in zip(present, places, strict=True)]
    return Frame(scene, int(rng.integers(1 << 30)), tuple(figures))


def _sample_figure(rng: np.random.Generator, who: Identity, left: int, top: int, side: int) -> Figure:
    """Somebody in a place: mostly filling it, sometimes far away in it, sometimes walking out of the frame."""
    draw = rng.random()
    if draw < FAR:
        far = int(rng.integers(2, 4)) * CELL
        left, top, side = left + (side - far) // 2, top + (side - far) // 2, far
    elif draw < FAR + LEAVING and side < SCENE_SIZE and (left == 0 or left + side == SCENE_SIZE):
        gone = int(side * rng.uniform(0.45, 0.75))
        left = -gone if left == 0 else left + gone
    facing = 1 if left + side / 2 <= SCENE_SIZE / 2 else -1
    return Figure(who, left, top, side, facing, float(rng.uniform(-TILT, TILT)), float(rng.uniform(*ZOOM)))


