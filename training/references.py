"""Reference pictures ahead of time (one per drawn subject), and what the image encoder is shown of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msd_core.demo.config import IMAGE_ENCODER
from msd_core.demo.world import Identity, paint_reference

from .draw import read_labels, shards_ready
from .trainer import shares

SIDE = IMAGE_ENCODER["image_size"]


def draw_references(folder: Path, index: int) -> None:
    """Draw a shard's references, in the order of its subjects: `references_<index>.npy`, `[n, 64, 64, 3]` uint8."""
    target = folder / f"references_{index:03d}.npy"
    if target.exists():
        return
    rng = np.random.default_rng(2_000_000 + index)
    pictures = [paint_reference(subject.identity, SIDE, rng)[0]
                for _, subjects in read_labels(folder, index) for subject in subjects]
    np.save(target.with_suffix(".part.npy"), np.stack(pictures))
    target.with_suffix(".part.npy").rename(target)


def normalise(pictures: Tensor) -> Tensor:
    """CLIP's preprocessing of pictures `[n, 3, H, W]` in 0..1: bicubic to the encoder's size, 8 bits, mean and std."""
    if pictures.shape[-2:] != (SIDE, SIDE):
        pictures = F.interpolate(pictures, size=(SIDE, SIDE), mode="bicubic", antialias=True)
    pictures = (pictures.clamp(0, 1) * 255).round() / 255
    mean, std = (torch.tensor(IMAGE_ENCODER[key]).view(3, 1, 1) for key in ("image_mean", "image_std"))
    return (pictures - mean) / std


def side_by_side(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two references on one white picture, each at half size."""
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    half = SIDE // 2
    for column, reference in enumerate((first, second)):
        small = reference.reshape(half, 2, half, 2, 3).mean((1, 3)).round().astype(np.uint8)
        top = int(rng.integers(SIDE - half + 1))
        picture[top : top + half, column * half : (column + 1) * half] = small
    return picture


class ReferencePool:
    """Identities and their references from the drawn shards (the first is held out)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "scenes"
        self.pictures: list[np.ndarray] = []
        self.identities: list[Identity] = []
        self.starts: dict[int, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in shards that have been drawn since."""
        for index in shards_ready(self.folder)[1:]:
            file = self.folder / f"references_{index:03d}.npy"
            if index not in self.starts and file.exists():
                self.starts[index] = len(self.identities)
                self.pictures.extend(np.load(file))
                self.identities += [s.identity for _, subjects in read_labels(self.folder, index) for s in subjects]
        self.by_identity: dict[Identity, list[int]] = {}
        for position, identity in enumerate(self.identities):
            self.by_identity.setdefault(identity, []).append(position)

    def pick(self, identity: Identity, rng: np.random.Generator) -> np.ndarray:
        """One of the drawn references of an identity."""
        positions = self.by_identity[identity]
        return self.pictures[positions[int(rng.integers(len(positions)))]]

    def other(self, identity: Identity, rng: np.random.Generator) -> np.ndarray:
        """A reference of another kind."""
        while True:
            position = int(rng.integers(len(self.identities)))
            if self.identities[position].kind != identity.kind:
                return self.pictures[position]


def draw_all_references(folder: Path, shards: int) -> None:
    """Draw the references of the first shards; each worker takes its share."""
    for index in shares(shards_ready(folder / "scenes")[:shards]):
        draw_references(folder / "scenes", index)
        print(f"references: shard {index + 1} of {shards}", flush=True)
