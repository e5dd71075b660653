"""Pictures of held-out identities: the cases, how they are made under each condition, and the grid to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from msd_core.demo.config import GUIDANCE, SCENE_SIZE, STEPS
from msd_core.demo.scenes import SCENES
from msd_core.demo.world import (
    Identity,
    Placed,
    caption,
    paint_picture,
    paint_reference,
    paint_shared_reference,
    sample_subjects,
)

from .attention import SubjectAttention, everywhere, gather
from .base import predict_velocity
from .device import on_device, pictures_of
from .diffusion import sample
from .grids import save_grid
from .student import Student, regions_of

REFERENCE_SIZE = 192


@dataclass(frozen=True)
class Case:
    """A held-out picture to make: scene, subjects, their references `[n, S, S, 3]` uint8, and the seed of the noise."""

    scene: str
    subjects: tuple[Placed, ...]
    references: np.ndarray
    seed: int

    @property
    def prompt(self) -> str:
        return caption(self.scene, [subject.identity.kind for subject in self.subjects])


@dataclass(frozen=True)
class Condition:
    """How a picture is made: what is switched off or exchanged."""

    name: str = "adapter on"
    scale: float = 1.0
    masked: bool = True
    grounding: bool = True
    swap_boxes: bool = False
    swap_references: bool = False
    guidance: float = GUIDANCE


def held_out_cases(count: int, seed: int, *, subjects: int = 2, shared: bool = False) -> list[Case]:
    """Cases with identities that training never saw, of different colours; `shared` references show a second sprite,
    the phrase picks."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(count):
        scene = str(rng.choice(list(SCENES)))
        placed = sample_subjects(rng, subjects, held_out=True)
        while len({frozenset((s.identity.main, s.identity.second)) for s in placed}) < subjects:
            placed = sample_subjects(rng, subjects, held_out=True)
        references = []
        for k, subject in enumerate(placed):
            picture = paint_reference(subject.identity, REFERENCE_SIZE, rng)[0]
            if shared:
                pair: list[Identity] = [subject.identity, placed[k - 1].identity]
                picture = paint_shared_reference(*(pair if rng.random() < 0.5 else pair[::-1]), REFERENCE_SIZE, rng)
            references.append(picture)
        cases.append(Case(scene, tuple(placed), np.stack(references), int(rng.integers(1 << 30))))
    return cases


def exchanged(case: Case) -> list[Placed]:
    """The case's subjects, each in the next one's place."""
    places = case.subjects[1:] + case.subjects[:1]
    return [replace(p, identity=s.identity) for s, p in zip(case.subjects, places, strict=True)]


@torch.no_grad()
def make_pictures(base: nn.ModuleDict, student: Student, subjects: SubjectAttention, autoencoder: nn.Module,
                  cases: list[Case], condition: Condition, steps: int = STEPS) -> Tensor:
    """Pictures `[N, 3, H, W]` in -1..1 of the cases under a condition."""
    size, made = SCENE_SIZE // 8, []
    for start in range(0, len(cases), 10):
        part = cases[start : start + 10]
        placed = [exchanged(case) if condition.swap_boxes else list(case.subjects) for case in part]
        references = np.concatenate([case.references[::-1] if condition.swap_references else case.references
                                     for case in part])
        pictures = pictures_of(references)
        phrases = [p.identity.kind for row in placed for p in row]
        boxes = torch.tensor([p.box for row in placed for p in row])
        tokens = student.tokens(base["text"], pictures, phrases, boxes, condition.grounding)
        regions = [regions_of(row) for row in placed]
        if not condition.masked:
            regions = [everywhere(row) for row in regions]
        subjects.set(student.adapter, gather(tokens, [len(row) for row in placed]), regions, (size, size),
                     condition.scale)
        context, pooled, _ = base["text"]([case.prompt for case in part] + [""] * len(part))
        sizes = torch.full((2 * len(part),), SCENE_SIZE)

        def velocity(x: Tensor, t: int, text: tuple[Tensor, Tensor, Tensor] = (context, pooled, sizes)) -> Tensor:
            both = predict_velocity(base["unet"], torch.cat([x, x]), t, *text)
            with_text, without = both.chunk(2)
            return without + condition.guidance * (with_text - without)

        noise = on_device(torch.stack([
            torch.randn(4, size, size, generator=torch.Generator().manual_seed(case.seed), device="cpu")
            for case in part
        ]))
        made.append(autoencoder.decode(sample(velocity, noise, steps) / autoencoder.config.scaling_factor).sample)
    return torch.cat(made).clamp(-1, 1)


def real_pictures(cases: list[Case]) -> Tensor:
    """The cases as the world itself draws them."""
    drawn = np.stack([paint_picture(case.scene, case.subjects, 0) for case in cases])
    return pictures_of(drawn) * 2 - 1


def with_boxes(pictures: Tensor, placed: list[list[Placed]]) -> Tensor:
    """The pictures with their boxes drawn, first red, second lime, third cyan."""
    colours = torch.tensor([[1.0, -1, -1], [-1.0, 1, -1], [-1.0, 1, 1]])
    pictures = pictures.clone()
    for picture, row in zip(pictures, placed, strict=True):
        for colour, p in zip(colours, row, strict=False):
            right, bottom = p.left + p.side - 1, p.top + p.side - 1
            for rows, columns in ((p.top, slice(p.left, right)), (bottom, slice(p.left, right)),
                                  (slice(p.top, bottom), p.left), (slice(p.top, bottom), right)):
                picture[:, rows, columns] = colour.view(3, *[1] * (picture[:, rows, columns].ndim - 1))
    return pictures


def reference_tiles(cases: list[Case]) -> Tensor:
    """The references of each case side by side on white, one tile per case, `[N, 3, SCENE_SIZE, SCENE_SIZE]`."""
    tiles = torch.ones(len(cases), 3, SCENE_SIZE, SCENE_SIZE)
    for tile, case in zip(tiles, cases, strict=True):
        side = SCENE_SIZE // len(case.subjects)
        for k, reference in enumerate(case.references):
            picture = pictures_of(reference[None]) * 2 - 1
            small = F.interpolate(picture, size=(side, side), mode="bilinear", antialias=True)[0]
            top = (SCENE_SIZE - side) // 2
            tile[:, top : top + side, k * side : (k + 1) * side] = small
    return tiles


def look_at_adapter(file: Path, base: nn.ModuleDict, student: Student, subjects: SubjectAttention,
                    autoencoder: nn.Module) -> str:
    """Write the grid (references, on, boxes swapped, off) of eight held-out cases."""
    cases = held_out_cases(8, 77)
    on = make_pictures(base, student, subjects, autoencoder, cases, Condition())
    swapped = make_pictures(base, student, subjects, autoencoder, cases, Condition(swap_boxes=True))
    off = make_pictures(base, student, subjects, autoencoder, cases, Condition(scale=0.0))
    rows = [reference_tiles(cases), with_boxes(on, [list(c.subjects) for c in cases]),
            with_boxes(swapped, [exchanged(c) for c in cases]), off]
    save_grid(file, torch.cat(rows), columns=8)
    return f"grid in {file.name}"
