"""Stage 2: the drawn scenes through the frozen autoencoder, shard by shard, and batches of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from msd_core.demo.config import LATENT_SCALE
from msd_core.demo.world import Placed

from .autoencoder import encode, load_autoencoder
from .device import pictures_of
from .draw import read_labels, shards_ready
from .trainer import shares


@torch.no_grad()
def encode_scenes(folder: Path, shards: int) -> None:
    """Encode the first shards; each worker takes its share."""
    torch.set_num_threads(1)
    net = load_autoencoder(folder)
    for index in shares(shards_ready(folder / "scenes")[:shards]):
        target = folder / "scenes" / f"latents_{index:03d}.pt"
        if target.exists():
            continue
        pictures = np.load(folder / "scenes" / f"scenes_{index:03d}.npy")
        parts = [pictures_of(pictures[start : start + 10]) * 2 - 1 for start in range(0, len(pictures), 10)]
        latents = torch.cat([encode(net, part) for part in parts]) * LATENT_SCALE
        torch.save(latents.half().cpu(), target.with_suffix(".part"))
        os.replace(target.with_suffix(".part"), target)
        print(f"latents: shard {index + 1} of {shards}", flush=True)


@dataclass(frozen=True)
class Scene:
    """A training example: unit-variance latents `[4, h, w]`, the scene's name and its subjects."""

    latents: Tensor
    name: str
    subjects: list[Placed]


class LatentScenes:
    """All encoded shards but the first, which is held out; new shards join as they appear."""

    def __init__(self, folder: Path, held_out: bool = False) -> None:
        self.folder, self.held_out = folder / "scenes", held_out
        self.scenes: list[Scene] = []
        self.seen: set[int] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take in shards that have been encoded since."""
        for file in sorted(self.folder.glob("latents_*.pt")):
            index = int(file.stem.split("_")[1])
            if index in self.seen or (index == 0) != self.held_out:
                continue
            self.seen.add(index)
            latents = torch.load(file, weights_only=True)
            labels = read_labels(self.folder, index)
            self.scenes += [Scene(z, *label) for z, label in zip(latents, labels, strict=True)]

    def batch(self, size: int, rng: np.random.Generator) -> list[Scene]:
        """Scenes drawn at random."""
        return [self.scenes[int(i)] for i in rng.integers(len(self.scenes), size=size)]
