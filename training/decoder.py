"""Stage 6: the decoder once more, alone, on whole scenes from noisy latents: crisp edges from imperfect samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from msd_core.demo.config import LATENT_SCALE

from .autoencoder import decode, held_out_pictures, load_autoencoder, new_autoencoder, picture_loss, signal_to_noise
from .device import on_device, pictures_of
from .grids import save_grid
from .trainer import Schedule, Trainer, load_averaged

BATCH = 1
NOISE = 0.25
"""Most latent noise, in standard deviations: about what a sampler leaves."""


def decoding_parts(net: AutoencoderKL) -> nn.ModuleDict:
    """What this stage trains."""
    return nn.ModuleDict({"decoder": net.decoder, "post_quant_conv": net.post_quant_conv})


def train_decoder(folder: Path, steps: int) -> None:
    """Train, or go on training, to `steps`."""
    torch.manual_seed(6)
    net = load_autoencoder(folder)
    parts = decoding_parts(net).requires_grad_(True)
    trainer = Trainer("decoder", folder, parts, Schedule(steps, 6e-4, warm_up=20, fall=0.8),
                      coarse=("decoder", "post_quant_conv"))
    held_out = held_out_pictures(folder / "scenes", 16)
    clean = torch.load(folder / "scenes" / "latents_000.pt", weights_only=True)[:16]
    clean = on_device(clean).float() / LATENT_SCALE
    shards = sorted((folder / "scenes").glob("latents_*.pt"))[1:]

    def loss(step: int, generator: torch.Generator) -> Tensor:
        rng = np.random.default_rng([step, trainer.rank, 11])
        file = shards[int(rng.integers(len(shards)))]
        latents = torch.load(file, weights_only=True, mmap=True)
        rows = rng.integers(len(latents), size=BATCH)
        drawn = np.load(file.with_name(file.stem.replace("latents", "scenes") + ".npy"), mmap_mode="r")[rows]
        chosen = on_device(latents[rows]).float()
        noise = NOISE * float(rng.random()) * torch.randn(chosen.shape, generator=generator)
        return picture_loss(decode(net, (chosen + noise) / LATENT_SCALE), pictures_of(drawn) * 2 - 1)

    def look() -> str:
        made = decode(net, clean)
        save_grid(folder / "decoder.png", torch.cat([held_out[:8], made[:8]]), columns=8)
        return f"held-out {signal_to_noise(made, held_out):.2f} dB"

    trainer.log(look())
    trainer.run(loss, look, look_every=90)


def load_finished_autoencoder(folder: Path) -> AutoencoderKL:
    """The autoencoder with this stage's decoder where it has been trained."""
    if not (folder / "decoder.pt").exists():
        return load_autoencoder(folder)
    net = new_autoencoder()
    net.load_state_dict(torch.load(folder / "vae.pt", map_location="cpu", weights_only=True))
    load_averaged("decoder", folder, decoding_parts(net))
    return net.eval().requires_grad_(False)
