"""The training scenes ahead of time, in shards: pictures as one array, their subjects beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from msd_core.demo.scenes import SCENES
from msd_core.demo.world import Identity, Placed, paint_picture, sample_subjects

from .trainer import shares

SHARD = 500
COUNTS, SHARES = (1, 2, 3), (0.3, 0.6, 0.1)
"""How many subjects a training scene has, and how often."""


def draw_shard(folder: Path, index: int) -> None:
    """Draw shard `index` unless it is there: `scenes_<index>.npy` and `scenes_<index>.json`."""
    pictures_file, labels_file = folder / f"scenes_{index:03d}.npy", folder / f"scenes_{index:03d}.json"
    if labels_file.exists():
        return
    rng = np.random.default_rng(1_000_000 + index)
    pictures, labels = [], []
    for _ in range(SHARD):
        scene = str(rng.choice(list(SCENES)))
        subjects = sample_subjects(rng, int(rng.choice(COUNTS, p=SHARES)))
        pictures.append(paint_picture(scene, subjects, int(rng.integers(1 << 30))))
        labels.append({"scene": scene, "subjects": [asdict(subject) for subject in subjects]})
    np.save(pictures_file, np.stack(pictures))
    labels_file.write_text(json.dumps(labels))


def read_labels(folder: Path, index: int) -> list[tuple[str, list[Placed]]]:
    """The scene name and subjects of every picture of a shard."""
    labels = json.loads((folder / f"scenes_{index:03d}.json").read_text())
    return [
        (
            entry["scene"],
            [Placed(Identity(**s["identity"]), s["left"], s["top"], s["side"]) for s in entry["subjects"]],
        )
        for entry in labels
    ]


def shards_ready(folder: Path) -> list[int]:
    """Indices of the finished shards, in order."""
    return sorted(int(path.stem.split("_")[1]) for path in folder.glob("scenes_*.json"))


def draw_scenes(folder: Path, shards: int) -> None:
    """Draw the shards that are missing; each worker takes its share."""
    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    for index in shares(range(shards)):
        draw_shard(folder / "scenes", index)
        print(f"scenes: shard {index + 1} of {shards} ({SHARD} scenes each)", flush=True)
