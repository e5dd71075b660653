"""Stage 1: the autoencoder, on crops and then on whole scenes; its latents leave with unit variance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from msd_core.demo.config import LATENT_SCALE, SCENE_SIZE, VAE

from .device import pictures_of
from .draw import shards_ready
from .grids import save_grid
from .trainer import Schedule, Trainer, load_averaged

BATCH, CROP = 8, 64
WHOLE_BATCH, WHOLE_FROM = 3, 0.65
"""Whole scenes after this share of the steps: the normalisations see other pictures there than in crops."""
NOISE = 0.15
"""Most latent noise (in standard deviations) the decoder is asked to see through."""


def new_autoencoder() -> AutoencoderKL:
    """An untrained autoencoder of the demo's shape."""
    return AutoencoderKL(**VAE)


def encode(net: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Posterior means `[B, 4, h, w]` of pictures `[B, 3, H, W]` in -1..1, in the network's own scale."""
    return net.quant_conv(net.encoder(pictures.to(net.quant_conv.weight)))[:, :4].float()


def decode(net: AutoencoderKL, latents: Tensor) -> Tensor:
    """Pictures `[B, 3, H, W]` of latents in the network's own scale."""
    return net.decoder(net.post_quant_conv(latents.to(net.post_quant_conv.weight))).float()


class Crops:
    """Random crops on latent cells, from the drawn shards as they appear (the first is held out)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.shards = folder, {}

    def batch(self, count: int, side: int, generator: torch.Generator) -> Tensor:
        """`[count, 3, side, side]` in -1..1."""
        for index in shards_ready(self.folder)[1:13]:
            if index not in self.shards:
                self.shards[index] = np.load(self.folder / f"scenes_{index:03d}.npy", mmap_mode="r")
        keys, crops = list(self.shards), []
        for _ in range(count):
            a, b, c, d = torch.randint(1 << 30, (4,), generator=generator).tolist()
            shard = self.shards[keys[a % len(keys)]]
            cells = (shard.shape[1] - side) // 8 + 1
            top, left = c % cells * 8, d % cells * 8
            crops.append(shard[b % len(shard), top : top + side, left : left + side])
        return pictures_of(np.stack(crops)) * 2 - 1


def picture_loss(made: Tensor, real: Tensor) -> Tensor:
    """L1 + 2 MSE + half the L1 of the gradients, which keeps edges crisp."""
    loss = F.l1_loss(made, real) + 2 * F.mse_loss(made, real)
    for dim in (2, 3):
        loss = loss + 0.5 * F.l1_loss(made.diff(dim=dim), real.diff(dim=dim))
    return loss


def held_out_pictures(folder: Path, count: int) -> Tensor:
    """Whole scenes that training never crops, `[count, 3, H, W]` in -1..1."""
    shard = np.load(folder / "scenes_000.npy", mmap_mode="r")[:count].copy()
    return pictures_of(shard) * 2 - 1


def signal_to_noise(made: Tensor, real: Tensor) -> float:
    """PSNR in dB of pictures in -1..1."""
    return float(-10 * torch.log10(F.mse_loss(made.clamp(-1, 1), real) / 4))


def train_autoencoder(folder: Path, steps: int) -> None:
    """Train, or go on training, to `steps`."""
    torch.manual_seed(0)
    net = new_autoencoder()
    trainer = Trainer("autoencoder", folder, nn.ModuleDict({"vae": net}), Schedule(steps, 1.2e-3, warm_up=50),
                      coarse=("vae",))
    crops, held_out = Crops(folder / "scenes"), held_out_pictures(folder / "scenes", 16)

    def loss(step: int, generator: torch.Generator) -> Tensor:
        whole = step >= WHOLE_FROM * steps
        real = crops.batch(WHOLE_BATCH if whole else BATCH, SCENE_SIZE if whole else CROP, generator)
        latents = encode(net, real)
        latents = (latents - latents.mean((0, 2, 3), keepdim=True)) / (latents.std((0, 2, 3), keepdim=True) + 1e-4)
        noise = torch.rand(len(real), 1, 1, 1, generator=generator) * NOISE
        latents = latents + noise * torch.randn(latents.shape, generator=generator)
        return picture_loss(decode(net, latents), real)

    def look() -> str:
        latents = encode(net, held_out)
        mean, std = latents.mean((0, 2, 3), keepdim=True), latents.std((0, 2, 3), keepdim=True)
        made = decode(net, (latents - mean) / std)
        save_grid(folder / "autoencoder.png", torch.cat([held_out[:8], made[:8]]), columns=8)
        return f"held-out {signal_to_noise(made, held_out):.2f} dB"

    trainer.run(loss, look, look_every=120)


@torch.no_grad()
def fold_scale(net: AutoencoderKL, pictures: Tensor) -> None:
    """Fold the latents' mean and deviation into the quant convolutions: scaled latents have unit variance, sampled
    latents are the means (the log variances are a constant -30)."""
    latents = torch.cat([encode(net, part) for part in pictures.split(16)])
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    stretch = 1 / (std * LATENT_SCALE)
    quant, post = net.quant_conv, net.post_quant_conv
    quant.weight[:4] *= stretch[:, None, None, None]
    quant.bias[:4] = (quant.bias[:4] - mean) * stretch
    quant.weight[4:] = 0
    quant.bias[4:] = -30
    post.weight *= LATENT_SCALE


def load_autoencoder(folder: Path) -> AutoencoderKL:
    """The stage's averaged weights with their scale folded in, frozen; folded once, then read from `vae.pt`. Those that
    ship, which the stage begins with, have their scale folded in already.
    """
    net, file = new_autoencoder(), folder / "vae.pt"
    if file.exists():
        net.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    else:
        load_averaged("autoencoder", folder, nn.ModuleDict({"vae": net}))
        if not (folder / "autoencoder.pt").exists():
            return net.eval().requires_grad_(False)
        fold_scale(net, held_out_pictures(folder / "scenes", 300))
        torch.save(net.state_dict(), file.with_suffix(".part"))
        file.with_suffix(".part").rename(file)
    return net.eval().requires_grad_(False)
