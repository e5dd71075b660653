"""Train the demo's tiny set, stage by stage; every stage resumes where it stopped.

    python -m training --folder runs/demo --workers 2 [--device cuda] [--stage autoencoder ...] [--steps N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .autoencoder import train_autoencoder
from .base import train_base
from .control import train_control
from .decoder import train_decoder
from .draw import draw_scenes
from .drawn.stages import build_shards, train_adapter
from .joint import train_joint
from .latents import encode_scenes
from .references import draw_all_references
from .sketches import draw_sketches
from .trainer import launch
from .vision import train_vision

SHARDS = 24
SKETCH_SHARDS = 28
STAGES = {
    "scenes": (draw_scenes, SHARDS),
    "references": (draw_all_references, SHARDS),
    "autoencoder": (train_autoencoder, 4000),
    "latents": (encode_scenes, SHARDS),
    "base": (train_base, 3000),
    "vision": (train_vision, 600),
    "joint": (train_joint, 3000),
    "clips": (build_shards, 1000),
    "adapter": (train_adapter, 500),
    "decoder": (train_decoder, 300),
    "sketches": (draw_sketches, SKETCH_SHARDS),
    "control": (train_control, 1600),
}
"""Stage to its function and its number of steps, of shards where it draws or encodes, or of clips."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2, help="processes on the CPU; a GPU has one")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--stage", choices=list(STAGES), action="append")
    parser.add_argument("--steps", type=int)
    arguments = parser.parse_args()
    for name in arguments.stage or STAGES:
        stage, steps = STAGES[name]
        launch(stage, arguments.workers, arguments.device, arguments.folder, arguments.steps or steps)


if __name__ == "__main__":
    main()
