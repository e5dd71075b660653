"""Stage 5: the base together with an adapter, over the resampler and attention that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from msd_core.demo.world import Identity, caption

from .attention import SubjectAttention, gather
from .autoencoder import load_autoencoder
from .base import BATCH, NAMING, new_base, predict_velocity, training_sizes, weighted_error
from .device import on_device, pictures_of
from .diffusion import STEPS, add_noise
from .latents import LatentScenes, Scene
from .looks import look_at_adapter
from .references import ReferencePool, side_by_side
from .student import Student, joint_modules, regions_of, start_student
from .text import random_caption
from .trainer import Schedule, Trainer, load_averaged

TEXT_DROP, GROUNDING_DROP, IMAGE_DROP = 0.15, 0.10, 0.05
SHARED = 0.3
"""How often a reference shows a second sprite, so that only the phrase says which one is meant."""
COLOUR_PHRASE = 0.25
TRAITS = 0.05
BARE = 0.25
"""Share of the joint stage's scenes that see no subjects, so that the base alone stays a text-to-image model."""


def phrase_for(identity: Identity, rng: np.random.Generator) -> str:
    """The kind, sometimes with its main colour."""
    return f"{identity.main} {identity.kind}" if rng.random() < COLOUR_PHRASE else identity.kind


def adapter_loss(base: nn.ModuleDict, student: Student, subjects: SubjectAttention, scenes: list[Scene],
                 pool: ReferencePool, rng: np.random.Generator, generator: torch.Generator,
                 bare: float = 0.0) -> tuple[Tensor, Tensor]:
    """The diffusion loss of a batch of scenes and the sum of the helping losses; a share `bare` has no subjects."""
    people = [placed for scene in scenes for placed in scene.subjects]
    pictures, phrases = [], []
    for placed in people:
        picture = pool.pick(placed.identity, rng)
        if rng.random() < SHARED:
            pair = [picture, pool.other(placed.identity, rng)]
            picture = side_by_side(*(pair if rng.random() < 0.5 else pair[::-1]), rng)
        pictures.append(picture)
        phrases.append(phrase_for(placed.identity, rng))
    boxes = torch.tensor([placed.box for placed in people])
    seen = torch.rand(len(people), generator=generator) >= IMAGE_DROP
    grounding = (torch.rand(len(people), generator=generator) >= GROUNDING_DROP) | ~seen
    tokens = student.tokens(base["text"], pictures_of(np.stack(pictures)), phrases, boxes, grounding, seen.float())
    naming, _ = student.traits(tokens.flatten(1), [placed.identity for placed in people])

    captions = ["" if rng.random() < TEXT_DROP else
                caption(s.name, [p.identity.kind for p in s.subjects]) if rng.random() < 0.7 else
                random_caption(s.name, [p.identity for p in s.subjects], rng) for s in scenes]
    latents = on_device(torch.stack([scene.latents for scene in scenes])).float()
    t = torch.randint(STEPS, (len(scenes),), generator=generator)
    noisy, velocity = add_noise(latents, torch.randn(latents.shape, generator=generator), t)
    learns = any(p.requires_grad for p in base.parameters())
    with torch.set_grad_enabled(learns):
        context, pooled, words = base["text"](captions)
    subjects.set(student.adapter, gather(tokens, [len(s.subjects) for s in scenes]),
                 [[] if rng.random() < bare else regions_of(s.subjects) for s in scenes], latents.shape[-2:])
    predicted = predict_velocity(base["unet"], noisy, t, context, pooled, training_sizes(len(scenes), generator))
    helping = TRAITS * naming + (NAMING * words if learns else 0.0)
    return weighted_error(predicted, velocity, scenes), helping


def train_joint(folder: Path, steps: int) -> None:
    """Go on training the base together with an adapter, so that later a frozen base is easy to steer."""
    torch.manual_seed(8)
    base = new_base()
    if (folder / "base.pt").exists():
        load_averaged("base", folder, base)
    subjects = SubjectAttention(base["unet"])
    student = start_student(folder, base)
    trainer = Trainer("joint", folder, joint_modules(base, student), Schedule(steps, 2e-3), coarse=("unet",))
    scenes, pool = LatentScenes(folder), ReferencePool(folder)
    autoencoder = load_autoencoder(folder) if trainer.rank == 0 else None

    def loss(step: int, generator: torch.Generator) -> Tensor:
        rng = np.random.default_rng([step, trainer.rank, 9])
        diffusion, helping = adapter_loss(base, student, subjects, scenes.batch(BATCH, rng), pool, rng, generator, BARE)
        trainer.note(diffusion)
        return diffusion + helping

    def look() -> str:
        return look_at_adapter(folder / f"joint_{trainer.step:05d}.png", base, student, subjects, autoencoder)

    trainer.run(loss, look, look_every=900)
