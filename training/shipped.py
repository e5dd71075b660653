"""Go on from the weights that ship instead of from nothing: `start_<stage>.pt` for the autoencoder and the joint stage.

    python -m training.shipped --folder runs/demo
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from msd_core.demo import config
from msd_core.demo.weights import TOKEN_IDS, read_weights

from .autoencoder import new_autoencoder
from .base import new_base
from .student import Student, joint_modules


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors below a module's name."""
    return {f"{prefix}.{key}": value for key, value in state.items() if key != TOKEN_IDS}


def write_start(folder: Path, stage: str, modules: nn.ModuleDict, state: dict[str, Tensor]) -> None:
    """Save what a stage begins with; every shipped tensor must have a place in its modules."""
    unknown = modules.load_state_dict(state, strict=False).unexpected_keys
    if unknown:
        raise ValueError(f"The {stage} stage has no place for the shipped {unknown[0]}: its architecture has changed.")
    torch.save(state, folder / f"start_{stage}.pt")


def write_shipped(folder: Path) -> None:
    """Put the weights that ship where a run's stages begin with them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_start(folder, "autoencoder", nn.ModuleDict({"vae": new_autoencoder()}),
                prefixed("vae", read_weights(config.VAE_FILE)))
    base = new_base()
    adapter = read_weights(config.ADAPTER_FILE)
    adapter.pop("dummy_image_tokens")
    write_start(folder, "joint", joint_modules(base, Student(base["unet"])),
                prefixed("unet", read_weights(config.UNET_FILE))
                | prefixed("text.l", read_weights(config.TEXT_L_FILE))
                | prefixed("text.g", read_weights(config.TEXT_G_FILE))
                | prefixed("student.vision", read_weights(config.IMAGE_ENCODER_FILE))
                | prefixed("student.adapter", adapter))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    write_shipped(parser.parse_args().folder)


if __name__ == "__main__":
    main()
