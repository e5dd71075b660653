"""Write the trained weights where they ship, fp16 safetensors under Hugging Face names, and their model card.

    python -m training.export --folder runs/demo
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from msd_core.checkpoint import HEAD_DIM_KEY
from msd_core.demo import config
from msd_core.demo.vocabulary import KNOWN_TOKENS
from msd_core.demo.weights import TOKEN_IDS, total_size

from .card import write_card
from .control import load_control_net
from .control_net import control_lora
from .decoder import load_finished_autoencoder
from .student import load_frozen_base, load_student
from .trainer import has_weights

MOST_BYTES = 16_000_000


def write(file: Path, state: dict[str, Tensor], **metadata: str) -> None:
    """Save floating-point tensors as fp16."""
    halves = {key: (value.half() if value.is_floating_point() else value).contiguous().clone()
              for key, value in state.items()}
    worst = max(float(value.float().abs().max()) for value in halves.values() if value.is_floating_point())
    if worst > 6e4:
        raise ValueError(f"{file.name} holds values up to {worst:g} but fp16 ends at 65504: rescale the weights.")
    save_file(halves, file, metadata={"format": "pt", **metadata})
    print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB, largest value {worst:.3g}")


def text_state(encoder: torch.nn.Module) -> dict[str, Tensor]:
    """A compact text encoder's tensors, with the ids its rows stand for."""
    state = {key: value for key, value in encoder.state_dict().items() if "position_ids" not in key}
    return {**state, TOKEN_IDS: torch.tensor(KNOWN_TOKENS, dtype=torch.int64)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only", choices=["control_net"], help="write this file, and leave the rest and the card")
    arguments = parser.parse_args()
    folder = arguments.folder
    config.WEIGHTS_FOLDER.mkdir(exist_ok=True)
    base = load_frozen_base(folder)
    if arguments.only or has_weights("control", folder):
        write(config.CONTROL_NET_FILE, control_lora(load_control_net(folder, base["unet"])))
    if arguments.only:
        return
    write(config.UNET_FILE, base["unet"].state_dict())
    write(config.TEXT_L_FILE, text_state(base["text"].l))
    write(config.TEXT_G_FILE, text_state(base["text"].g))
    write(config.VAE_FILE, load_finished_autoencoder(folder).state_dict())
    student = load_student(folder)
    write(config.IMAGE_ENCODER_FILE, {k: v for k, v in student.vision.state_dict().items() if "position_ids" not in k})
    dummy = torch.zeros(1, 4, config.CONTEXT_WIDTH)
    write(config.ADAPTER_FILE, {**student.adapter.state_dict(), "dummy_image_tokens": dummy},
          **{HEAD_DIM_KEY: str(config.ADAPTER["head_dim"])})
    if total_size() > MOST_BYTES:
        raise ValueError(f"The weights take {total_size()} bytes but may take {MOST_BYTES}: make the networks smaller.")
    print(f"total {total_size() / 1e6:.2f} MB, {write_card(folder).name}")


if __name__ == "__main__":
    main()
