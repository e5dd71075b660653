"""The drawn world: identities, scenes with subjects in boxes, captions and reference pictures, all from seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from .config import SCENE_SIZE
from .scenes import SCENES, paint_scene
from .sprites import ACCESSORIES, COLOURS, KINDS, PATTERNS, paint_sprite

CELL = 8
"""Boxes of the training scenes begin and end on latent cells of this many pixels."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Identity:
    """What makes a sprite recognisable: its kind, two colours, pattern and accessory."""

    kind: str
    main: str
    second: str
    pattern: str
    accessory: str

    @property
    def is_held_out(self) -> bool:
        """Whether the identity (one in ten) is kept from training and used for evaluation."""
        return crc32("/".join((self.kind, self.main, self.second, self.pattern, self.accessory)).encode()) % 10 == 0

    def describe(self) -> str:
        """The identity in words, e.g. `red and blue striped cat with a hat`."""
        words = f"{self.main} and {self.second} {self.pattern} {self.kind}"
        return words if self.accessory == "none" else f"{words} with a {self.accessory}"


@dataclass(frozen=True)
class Placed:
    """An identity in a scene: its square box in pixels, `(left, top, side)`."""

    identity: Identity
    left: int
    top: int
    side: int

    @property
    def box(self) -> Box:
        """The box as fractions of the scene, `(x0, y0, x1, y1)`."""
        return (
            self.left / SCENE_SIZE,
            self.top / SCENE_SIZE,
            (self.left + self.side) / SCENE_SIZE,
            (self.top + self.side) / SCENE_SIZE,
        )

    @property
    def facing(self) -> int:
        """Sprites look towards the middle of the picture: 1 to the right, -1 to the left."""
        return 1 if self.left + self.side / 2 <= SCENE_SIZE / 2 else -1


def sample_identity(rng: np.random.Generator, *, kind: str | None = None, held_out: bool = False) -> Identity:
    """Draw an identity, held-out or not as asked, of the given kind or of any."""
    while True:
        main, second = rng.choice(list(COLOURS), 2, replace=False)
        identity = Identity(
            kind or str(rng.choice(KINDS)),
            str(main),
            str(second),
            str(rng.choice(PATTERNS)),
            str(rng.choice(ACCESSORIES)),
        )
        if identity.is_held_out == held_out:
            return identity


def sample_places(rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    """Draw disjoint square places `(left, top, side)` in pixels, on latent cells, for up to three subjects."""
    low, high = {1: (10, 14), 2: (9, 11), 3: (8, 9)}[count]
    cells = SCENE_SIZE // CELL
    while True:
        places: list[tuple[int, int, int]] = []
        for _ in range(60):
            side = int(rng.integers(low, high + 1))
            left, top = (int(rng.integers(cells - side + 1)) for _ in range(2))
            if all(left >= a + s or a >= left + side or top >= b + s or b >= top + side for a, b, s in places):
                places.append((left, top, side))
            if len(places) == count:
                return [(left * CELL, top * CELL, side * CELL) for left, top, side in places]


def sample_subjects(rng: np.random.Generator, count: int, *, held_out: bool = False) -> list[Placed]:
    """Draw subjects of different kinds in disjoint places."""
    kinds = rng.choice(KINDS, count, replace=False)
    places = sample_places(rng, count)
    return [
        Placed(sample_identity(rng, kind=str(kind), held_out=held_out), *place)
        for kind, place in zip(kinds, places, strict=True)
    ]


def paint_picture(scene: str, subjects: Sequence[Placed], seed: int) -> np.ndarray:
    """Draw a scene with its subjects, `[SCENE_SIZE, SCENE_SIZE, 3]` uint8."""
    picture = paint_scene(scene, SCENE_SIZE, SCENE_SIZE, seed)
    for subject in subjects:
        who = subject.identity
        rgb, alpha = paint_sprite(
            who.kind, who.main, who.second, who.pattern, who.accessory, subject.side, facing=subject.facing
        )
        rows, columns = slice(subject.top, subject.top + subject.side), slice(subject.left, subject.left + subject.side)
        picture[rows, columns] = picture[rows, columns] * (1 - alpha[..., None]) + rgb
    return np.round(picture * 255).astype(np.uint8)


def caption(scene: str, phrases: Sequence[str]) -> str:
    """`a cat and a robot on the grass` from the scene and the subjects' phrases."""
    return " and ".join(f"an {p}" if p[0] in "aeiou" else f"a {p}" for p in phrases) + f" {SCENES[scene]}"


def paint_reference(identity: Identity, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a reference on white in a pose of its own: `[size, size, 3]` uint8 and its mask `[size, size]` float32."""
    rgb, alpha = paint_sprite(
        identity.kind,
        identity.main,
        identity.second,
        identity.pattern,
        identity.accessory,
        size,
        facing=int(rng.choice((-1, 1))),
        tilt=float(rng.uniform(-12, 12)),
        zoom=float(rng.uniform(0.72, 0.92)),
    )
    return np.round((rgb + 1 - alpha[..., None]) * 255).astype(np.uint8), alpha.astype(np.float32)


def paint_shared_reference(first: Identity, second: Identity, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw two sprites side by side on one white picture, `[size, size, 3]` uint8: the phrase says which is meant."""
    picture = np.full((size, size, 3), 255, np.uint8)
    half = size // 2
    for side, identity in enumerate((first, second)):
        top = int(rng.integers(size - half + 1))
        picture[top : top + half, side * half : side * half + half] = paint_reference(identity, half, rng)[0]
    return picture


def draw_subject(kind: str, seed: int, size: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Draw the subject of a seed: image `[size, size, 3]` on white, mask `[size, size]`, phrase; float32 in 0..1.

    Its identity is one of those that training never sees.
    """
    if kind not in KINDS:
        raise ValueError(f"No kind {kind!r} in the demo world, choose one of {', '.join(KINDS)}.")
    if size < 16:
        raise ValueError(f"A demo subject needs at least 16 pixels per side, got {size}; ask for 256.")
    rng = np.random.default_rng(seed)
    image, mask = paint_reference(sample_identity(rng, kind=kind, held_out=True), size, rng)
    return image.astype(np.float32) / 255, mask, kind


def vocabulary() -> list[str]:
    """Every word that the world's captions use."""
    words = {"a", "an", "and", "with", *KINDS, *COLOURS, *PATTERNS, *(a for a in ACCESSORIES if a != "none")}
    for phrase in SCENES.values():
        words.update(phrase.split())
    return sorted(words)
