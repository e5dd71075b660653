"""Stages 7 and 8: pairs of sketch and scene, and the ControlNet that follows sketches; the base is frozen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel
from torch import Tensor, nn

from .attention import SubjectAttention
from .autoencoder import load_autoencoder
from .base import training_sizes, weighted_error
from .control_net import as_pictures, new_control_net, predict_controlled
from .device import on_device
from .diffusion import STEPS, add_noise
from .sketches import Sketched, SketchedScenes
from .student import load_frozen_base, load_student
from .text import random_caption
from .traced import look_at_control
from .trainer import Schedule, Trainer, load_averaged

BATCH = 16
TEXT_DROP = 0.3
EARLY = 0.7
"""Below 1, more of the steps are early ones, in which a picture's structure comes about."""


def control_loss(base: nn.ModuleDict, net: ControlNetModel, pairs: list[Sketched], rng: np.random.Generator,
                 generator: torch.Generator) -> Tensor:
    """The diffusion loss of a batch of pairs."""
    captions = ["" if rng.random() < TEXT_DROP else random_caption(p.name, [s.identity for s in p.subjects], rng)
                for p in pairs]
    latents = on_device(torch.stack([pair.latents for pair in pairs])).float()
    t = (torch.rand(len(pairs), generator=generator) ** EARLY * STEPS).long()
    noisy, velocity = add_noise(latents, torch.randn(latents.shape, generator=generator), t)
    with torch.no_grad():
        context, pooled, _ = base["text"](captions)
    sizes = training_sizes(len(pairs), generator)
    predicted = predict_controlled(base["unet"], net, noisy, t, context, pooled, sizes,
                                   as_pictures([pair.lines for pair in pairs]))
    return weighted_error(predicted, velocity, pairs)


def train_control(folder: Path, steps: int) -> None:
    """Train, or go on training, to `steps`."""
    torch.manual_seed(12)
    base = load_frozen_base(folder)
    net, student = new_control_net(base["unet"]), load_student(folder)
    base["unet"].bfloat16()
    subjects = SubjectAttention(base["unet"])
    trainer = Trainer("control", folder, nn.ModuleDict({"control": net}), Schedule(steps, 2e-3), coarse=("control",))
    scenes = SketchedScenes(folder)
    autoencoder = load_autoencoder(folder) if trainer.rank == 0 else None

    def loss(step: int, generator: torch.Generator) -> Tensor:
        if step % 100 == 0:
            scenes.refresh()
        rng = np.random.default_rng([step, trainer.rank, 13])
        return control_loss(base, net, scenes.batch(BATCH, rng), rng, generator)

    def look() -> str:
        return look_at_control(folder / f"control_{trainer.step:05d}.png", base, net, student, subjects, autoencoder)

    trainer.run(loss, look, look_every=900)


def load_control_net(folder: Path, unet: nn.Module) -> ControlNetModel:
    """The stage's averaged weights, frozen."""
    net = new_control_net(unet)
    load_averaged("control", folder, nn.ModuleDict({"control": net}))
    return net.eval().requires_grad_(False)
