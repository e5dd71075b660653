"""Stage 3: the text-to-image base, UNet and both text encoders, on captions with text dropout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from msd_core.demo.config import SCENE_SIZE, UNET
from msd_core.demo.scenes import SCENES
from msd_core.demo.sprites import KINDS
from msd_core.demo.world import caption

from .autoencoder import load_autoencoder
from .device import on_device, seeded
from .diffusion import STEPS, add_noise, box_weights, sample
from .grids import save_grid
from .latents import LatentScenes, Scene
from .text import TextEncoders, random_caption
from .trainer import Schedule, Trainer

BATCH = 32
TEXT_DROP = 0.1
NAMING = 0.05
"""Weight of the loss that keeps the pooled text informative."""


def new_base() -> nn.ModuleDict:
    """An untrained UNet and text encoders."""
    return nn.ModuleDict({"unet": UNet2DConditionModel(**UNET), "text": TextEncoders()})


def size_ids(sizes: Tensor) -> Tensor:
    """SDXL's six size numbers `[B, 6]` for square pictures without crop."""
    zeros = torch.zeros_like(sizes)
    return torch.stack([sizes, sizes, zeros, zeros, sizes, sizes], -1).float()


def training_sizes(count: int, generator: torch.Generator) -> Tensor:
    """The true size half of the time, else any, so that other sizes do no harm at inference."""
    any_size = torch.randint(12, 65, (count,), generator=generator) * 8
    return torch.where(torch.rand(count, generator=generator) < 0.5, any_size, SCENE_SIZE)


def weighted_error(predicted: Tensor, target: Tensor, scenes: list[Scene]) -> Tensor:
    """Squared error of v, weighted towards the subjects."""
    weights = box_weights([[s.box for s in scene.subjects] for scene in scenes], *target.shape[-2:])
    return (weights * (predicted - target) ** 2).mean()


def predict_velocity(unet: nn.Module, noisy: Tensor, t: Tensor | int, context: Tensor, pooled: Tensor,
                     sizes: Tensor) -> Tensor:
    """The UNet's prediction in fp32, whatever it computes in."""
    noisy, context, pooled = (x.to(unet.dtype) for x in (noisy, context, pooled))
    added = {"text_embeds": pooled, "time_ids": size_ids(sizes)}
    return unet(noisy, t, context, added_cond_kwargs=added).sample.float()


def base_loss(modules: nn.ModuleDict, scenes: list[Scene], rng: np.random.Generator,
              generator: torch.Generator, drop: float = TEXT_DROP) -> tuple[Tensor, Tensor]:
    """The diffusion loss and the naming loss of a batch of scenes."""
    captions = ["" if rng.random() < drop else random_caption(s.name, [p.identity for p in s.subjects], rng)
                for s in scenes]
    latents = on_device(torch.stack([scene.latents for scene in scenes])).float()
    t = torch.randint(STEPS, (len(scenes),), generator=generator)
    noisy, velocity = add_noise(latents, torch.randn(latents.shape, generator=generator), t)
    context, pooled, naming = modules["text"](captions)
    predicted = predict_velocity(modules["unet"], noisy, t, context, pooled, training_sizes(len(scenes), generator))
    return weighted_error(predicted, velocity, scenes), naming


@torch.no_grad()
def sample_captions(modules: nn.ModuleDict, captions: list[str], seed: int, guidance: float, steps: int = 20) -> Tensor:
    """Unit-variance latents drawn from captions alone."""
    count, size = len(captions), SCENE_SIZE // 8
    noise = torch.randn(count, 4, size, size, generator=seeded(seed))
    context, pooled, _ = modules["text"]([*captions, *[""] * count])
    sizes = torch.full((2 * count,), SCENE_SIZE)

    def velocity(x: Tensor, t: int) -> Tensor:
        v = predict_velocity(modules["unet"], torch.cat([x, x]), t, context, pooled, sizes)
        with_text, without = v.chunk(2)
        return without + guidance * (with_text - without)

    return sample(velocity, noise, steps)


def look_captions() -> list[str]:
    """A fixed set: every kind, every scene, bare and described."""
    scenes = list(SCENES)
    bare = [caption(scenes[i % 6], [kind, KINDS[(i + 3) % 8]]) for i, kind in enumerate(KINDS)]
    colours = ["red and blue striped", "yellow and green spotted", "purple and orange plain", "pink and cyan striped",
               "blue and yellow spotted", "green and red plain", "orange and purple striped", "cyan and pink spotted"]
    return bare + [caption(scenes[(i + 2) % 6], [f"{colours[i]} {kind} with a hat"]) for i, kind in enumerate(KINDS)]


def train_base(folder: Path, steps: int) -> None:
    """Train, or go on training, to `steps`."""
    torch.manual_seed(0)
    modules = new_base()
    trainer = Trainer("base", folder, modules, Schedule(steps, 2e-3), coarse=("unet",))
    scenes, held_out = LatentScenes(folder), LatentScenes(folder, held_out=True)
    autoencoder = load_autoencoder(folder) if trainer.rank == 0 else None

    def loss(step: int, generator: torch.Generator) -> Tensor:
        if step % 200 == 0:
            scenes.refresh()
        rng = np.random.default_rng([step, trainer.rank])
        diffusion, naming = base_loss(modules, scenes.batch(BATCH, rng), rng, generator)
        trainer.note(diffusion)
        return diffusion + NAMING * naming

    def look() -> str:
        made = autoencoder.decode(sample_captions(modules, look_captions(), 1, 3.0) / autoencoder.config.scaling_factor)
        save_grid(folder / f"base_{trainer.step:05d}.png", made.sample, columns=8)
        generator, rng = seeded(5), np.random.default_rng(5)
        parts = [held_out.scenes[i : i + 50] for i in range(0, 300, 50)]
        losses = [base_loss(modules, part, rng, generator, drop=0.0)[0] for part in parts]
        return f"held-out loss {float(sum(losses) / len(losses)):.4f} ({len(scenes.scenes)} scenes)"

    trainer.run(loss, look, look_every=420)
