"""Clips of coloured rectangles on grey, and five steps that read them: what stands for models in the tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from msd_core.evaluation.placement import Detection
from training.data import Settings, Steps, Unreadable

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220), "yellow": (230, 220, 40),
           "purple": (150, 40, 160), "cyan": (40, 210, 220)}
SIZE = 64
SETTINGS = Settings(shortest=32, longest=128, side=4, blank=0.0)
Rectangle = tuple[int, int, int, int]


def draw(things: dict[str, Rectangle], size: int = SIZE) -> np.ndarray:
    """Rectangles left, top, right, bottom in pixels, the later ones in front."""
    pixels = np.full((size, size, 3), 128, np.uint8)
    for colour, (left, top, right, bottom) in things.items():
        pixels[top:bottom, left:right] = COLOURS[colour]
    return pixels


@dataclass(frozen=True)
class Moving:
    """Things that each go to the right by `speed` pixels from the beginning to the end."""

    name: str
    things: dict[str, Rectangle] = field(default_factory=lambda: {"red": (4, 8, 20, 28), "blue": (6, 36, 26, 56)})
    speed: int = 30
    still: bool = False

    def frames(self, places: Sequence[float]) -> list[np.ndarray]:
        frames = []
        for place in places[:1] if self.still else places:
            by = round(self.speed * place)
            frames.append(draw({name: (x0 + by, y0, x1 + by, y1) for name, (x0, y0, x1, y1) in self.things.items()}))
        return frames


@dataclass(frozen=True)
class Broken:
    """A clip that can't be read."""

    name: str
    still: bool = False

    def frames(self, places):
        raise Unreadable(f"{self.name} can't be read (Invalid data)")


def mask_of(pixels: np.ndarray, colour: str) -> np.ndarray:
    return (pixels == COLOURS[colour]).all(axis=-1)


def captions(views):
    said = []
    for view in views:
        seen = [f"a {colour} block" for colour in COLOURS if mask_of(view.pixels, colour).any()]
        said.append(" and ".join(seen) or "nothing")
    return said


def entities(caption):
    return re.findall(r"\w+ block", caption)


def boxes(view, phrases):
    height, width = view.pixels.shape[:2]
    found = []
    for phrase in phrases:
        rows, columns = np.nonzero(mask_of(view.pixels, phrase.split()[0]))
        box = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
        found.append(Detection(phrase, tuple(float(edge) for edge in box), 0.5 + len(phrase) / 100))
    return found


def masks(view, asked):
    found = []
    for x0, y0, x1, y1 in asked:
        height, width = view.pixels.shape[:2]
        inside = np.zeros((height, width), bool)
        inside[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = True
        found.append(inside & (view.pixels != 128).any(axis=-1))
    return found


def embeddings(view, asked, found):
    colours = np.stack([view.pixels[mask].astype(np.float64).mean(axis=0) - 100 for mask in found])
    return colours / np.linalg.norm(colours, axis=1, keepdims=True)


STEPS = Steps(captions, entities, boxes, masks, embeddings)


def steps() -> Steps:
    """What loads them."""
    return STEPS


def no_steps() -> Steps:
    """What can't load them."""
    raise ValueError("The captioner is x but there is no such file or folder: check the path.")
