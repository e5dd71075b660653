"""Pairs of a sketch and a scene: sprites in poses of their own, drawn once on white for their lines, once in the scene.

The lines are found as ComfyUI's node *Canny* finds them, by kornia and at thresholds like its own.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from msd_core.demo.config import LATENT_SCALE, SCENE_SIZE
from msd_core.demo.scenes import SCENES, paint_scene
from msd_core.demo.sprites import paint_sprite
from msd_core.demo.world import Identity, Placed, sample_subjects

from .autoencoder import encode, load_autoencoder
from .device import pictures_of
from .draw import COUNTS, SHARES
from .trainer import shares

SHARD = 250
WHOLE_SCENE = 0.3
"""How often the lines are those of the whole scene, its ground's too, instead of the sprites' alone."""
LEFT_OUT = 0.1
"""How often a sprite of several has no lines, so that no lines does not mean no sprite."""
TILT, ZOOMS, SHIFT = 15.0, (0.66, 0.97), 4


@dataclass(frozen=True)
class Posed:
    """A subject that stands as its sketch says, not as the base is used to."""

    placed: Placed
    facing: int
    tilt: float
    zoom: float

    def paint(self, picture: np.ndarray) -> None:
        """Draw it onto a picture `[SCENE_SIZE, SCENE_SIZE, 3]` float64 in 0..1, in place."""
        who, side = self.placed.identity, self.placed.side
        rgb, alpha = paint_sprite(who.kind, who.main, who.second, who.pattern, who.accessory, side,
                                  facing=self.facing, tilt=self.tilt, zoom=self.zoom)
        rows = slice(self.placed.top, self.placed.top + side)
        columns = slice(self.placed.left, self.placed.left + side)
        picture[rows, columns] = picture[rows, columns] * (1 - alpha[..., None]) + rgb


@dataclass(frozen=True)
class Sketched:
    """A scene, and the lines that it follows.

    Attributes:
        latents: `[4, h, w]`, of unit variance.
        lines: `[SCENE_SIZE, SCENE_SIZE]` bool.
        name: the scene's.
    """

    latents: Tensor
    lines: Tensor
    name: str
    subjects: list[Placed]


def find_lines(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    """The lines of a picture `[H, W, 3]` in 0..1, `[H, W]` bool, as the host's node *Canny* finds them."""
    from kornia.filters import canny

    pixels = torch.from_numpy(picture).float().movedim(-1, 0)[None]
    return canny(pixels, low, high)[1][0, 0].numpy() > 0.5


def sample_posed(rng: np.random.Generator, count: int, held_out: bool = False) -> list[Posed]:
    """Draw subjects anywhere, in any pose."""
    posed = []
    for subject in sample_subjects(rng, count, held_out=held_out):
        left, top = (int(np.clip(edge + rng.integers(-SHIFT, SHIFT + 1), 0, SCENE_SIZE - subject.side))
                     for edge in (subject.left, subject.top))
        posed.append(Posed(Placed(subject.identity, left, top, subject.side), int(rng.choice((-1, 1))),
                           float(rng.uniform(-TILT, TILT)), float(rng.uniform(*ZOOMS))))
    return posed


def paint_posed(scene: str | None, subjects: list[Posed], seed: int = 0) -> np.ndarray:
    """Subjects in a scene or, without one, on white; float64 in 0..1."""
    size = (SCENE_SIZE, SCENE_SIZE)
    picture = np.ones((*size, 3)) if scene is None else paint_scene(scene, *size, seed)
    for subject in subjects:
        subject.paint(picture)
    return picture


def draw_pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, str, list[Posed]]:
    """A scene's picture, lines for it, its name and its subjects."""
    scene = str(rng.choice(list(SCENES)))
    subjects = sample_posed(rng, int(rng.choice(COUNTS, p=SHARES)))
    picture = paint_posed(scene, subjects, int(rng.integers(1 << 30)))
    shown = [subject for subject in subjects if len(subjects) == 1 or rng.random() >= LEFT_OUT]
    traced = picture if rng.random() < WHOLE_SCENE else paint_posed(None, shown)
    low = rng.uniform(0.1, 0.5)
    return picture, find_lines(traced, low, min(0.95, low + rng.uniform(0.1, 0.45))), scene, subjects


@torch.no_grad()
def draw_sketches(folder: Path, shards: int) -> None:
    """Draw and encode the shards that are missing; each worker takes its share."""
    torch.set_num_threads(1)
    home, net = folder / "sketches", load_autoencoder(folder)
    home.mkdir(parents=True, exist_ok=True)
    for index in shares(range(shards)):
        file = home / f"sketches_{index:03d}.pt"
        if file.exists():
            continue
        rng = np.random.default_rng(3_000_000 + index)
        pictures, lines, names, subjects = zip(*(draw_pair(rng) for _ in range(SHARD)), strict=True)
        pixels = np.round(np.stack(pictures) * 255).astype(np.uint8)
        parts = [encode(net, pictures_of(pixels[start : start + 10]) * 2 - 1) for start in range(0, SHARD, 10)]
        torch.save({"latents": (torch.cat(parts) * LATENT_SCALE).half().cpu(),
                    "lines": torch.from_numpy(np.packbits(np.stack(lines), axis=-1)), "names": list(names),
                    "subjects": [[asdict(posed.placed) for posed in row] for row in subjects]},
                   file.with_suffix(".part"))
        os.replace(file.with_suffix(".part"), file)
        print(f"sketches: shard {index + 1} of {shards} ({SHARD} pairs each)", flush=True)


class SketchedScenes:
    """The pairs of all shards, in memory; new shards join as they appear."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sketches"
        self.pairs: list[Sketched] = []
        self.seen: set[Path] = set()
        self.refresh()
        if not self.pairs:
            raise ValueError(f"No sketches in {folder}: run the stage sketches first.")

    def refresh(self) -> None:
        """Take in shards that have been drawn since."""
        for file in sorted(set(self.folder.glob("sketches_*.pt")) - self.seen):
            self.seen.add(file)
            shard = torch.load(file, map_location="cpu", weights_only=True)
            lines = torch.from_numpy(np.unpackbits(shard["lines"].numpy(), axis=-1)).bool()
            for latents, drawn, name, row in zip(shard["latents"], lines, shard["names"], shard["subjects"],
                                                 strict=True):
                subjects = [Placed(Identity(**s["identity"]), s["left"], s["top"], s["side"]) for s in row]
                self.pairs.append(Sketched(latents, drawn, name, subjects))

    def batch(self, size: int, rng: np.random.Generator) -> list[Sketched]:
        """Pairs drawn at random."""
        return [self.pairs[int(i)] for i in rng.integers(len(self.pairs), size=size)]
