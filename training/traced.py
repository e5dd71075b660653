"""Pictures along sketches of held-out subjects: the cases, how they are made, and how near they come to the lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ControlNetModel
from torch import Tensor, nn

from msd_core.demo.config import GUIDANCE, SCENE_SIZE, STEPS
from msd_core.demo.scenes import SCENES
from msd_core.demo.world import paint_reference

from .attention import SubjectAttention, gather
from .base import predict_velocity
from .control_net import as_pictures, predict_controlled
from .device import on_device, pictures_of, seeded
from .diffusion import sample
from .grids import save_grid
from .looks import REFERENCE_SIZE, Case, reference_tiles
from .sketches import Posed, find_lines, paint_posed, sample_posed
from .student import Student, regions_of

LOW, HIGH = 0.4, 0.8
"""The thresholds of *Canny* where nobody sets others."""
REACH = 1
"""Pixels between a line and the edge that follows it."""


@dataclass(frozen=True)
class TracedCase(Case):
    """A held-out picture to make, its subjects' poses and the lines `[SCENE_SIZE, SCENE_SIZE]` that say them."""

    posed: tuple[Posed, ...]
    lines: Tensor


def traced_cases(count: int, seed: int) -> list[TracedCase]:
    """Cases of two subjects, of different colours; the lines are those of the subjects on white, as the template's."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(count):
        posed = sample_posed(rng, 2, held_out=True)
        while len({frozenset((p.placed.identity.main, p.placed.identity.second)) for p in posed}) < 2:
            posed = sample_posed(rng, 2, held_out=True)
        lines = torch.from_numpy(find_lines(paint_posed(None, posed), LOW, HIGH))
        references = np.stack([paint_reference(p.placed.identity, REFERENCE_SIZE, rng)[0] for p in posed])
        cases.append(TracedCase(str(rng.choice(list(SCENES))), tuple(p.placed for p in posed), references,
                                int(rng.integers(1 << 30)), tuple(posed), lines))
    return cases


def trace(base: nn.ModuleDict, net: ControlNetModel | None, student: Student, subjects: SubjectAttention,
          autoencoder: nn.Module, cases: Sequence[TracedCase], scale: float = 1.0) -> Tensor:
    """Pictures `[N, 3, H, W]` in -1..1 along the cases' lines, or without a ControlNet; `scale` is the adapter's."""
    size, made = SCENE_SIZE // 8, []
    for start in range(0, len(cases), 10):
        part = cases[start : start + 10]
        placed = [list(case.subjects) for case in part]
        tokens = student.tokens(base["text"], pictures_of(np.concatenate([case.references for case in part])),
                                [p.identity.kind for row in placed for p in row],
                                torch.tensor([p.box for row in placed for p in row]))
        subjects.set(student.adapter, gather(tokens, [len(row) for row in placed]),
                     [regions_of(row) for row in placed], (size, size), scale)
        context, pooled, _ = base["text"]([case.prompt for case in part] + [""] * len(part))
        given = (context, pooled, torch.full((2 * len(part),), SCENE_SIZE))
        sketches = as_pictures([case.lines for case in part]).repeat(2, 1, 1, 1)

        def velocity(x: Tensor, t: int, given: tuple = given, sketches: Tensor = sketches) -> Tensor:
            doubled = torch.cat([x, x])
            both = (predict_velocity(base["unet"], doubled, t, *given) if net is None else
                    predict_controlled(base["unet"], net, doubled, t, *given, sketches))
            with_text, without = both.chunk(2)
            return without + GUIDANCE * (with_text - without)

        noise = torch.cat([torch.randn(1, 4, size, size, generator=seeded(case.seed)) for case in part])
        made.append(autoencoder.decode(sample(velocity, noise, STEPS) / autoencoder.config.scaling_factor).sample)
    subjects.clear()
    return torch.cat(made).clamp(-1, 1)


def real_traced(cases: Sequence[TracedCase]) -> Tensor:
    """The cases as the world itself draws them."""
    drawn = np.stack([paint_posed(case.scene, list(case.posed)) for case in cases])
    return on_device(torch.from_numpy(drawn)).float().movedim(-1, 1) * 2 - 1


def found_lines(pictures: Tensor, lines: Tensor) -> Tensor:
    """Share of each sketch's lines `[N, H, W]` that an edge of its picture follows, `[N]`."""
    pixels = ((pictures.clamp(-1, 1) + 1) / 2).movedim(1, -1).cpu().numpy()
    edges = torch.stack([torch.from_numpy(find_lines(picture, 0.1, 0.3)) for picture in pixels]).float()
    near = F.max_pool2d(edges[:, None], 2 * REACH + 1, 1, REACH)[:, 0] > 0
    return (near & lines.cpu()).flatten(1).sum(1) / lines.cpu().flatten(1).sum(1)


def look_at_control(file: Path, base: nn.ModuleDict, net: ControlNetModel, student: Student,
                    subjects: SubjectAttention, autoencoder: nn.Module) -> str:
    """Write the grid (references, lines, with both, without ControlNet, without adapter) of eight held-out cases."""
    cases = traced_cases(8, 78)
    lines = torch.stack([case.lines for case in cases])
    ways = {"both": (net, 1.0), "adapter alone": (None, 1.0), "ControlNet alone": (net, 0.0)}
    made = {name: trace(base, used, student, subjects, autoencoder, cases, scale)
            for name, (used, scale) in ways.items()}
    save_grid(file, torch.cat([reference_tiles(cases), as_pictures(list(lines)) * 2 - 1, *made.values()]), columns=8)
    shares = [f"{name} {float(found_lines(pictures, lines).mean()):.3f}" for name, pictures in made.items()]
    return f"lines found: {', '.join(shares)}; grid in {file.name}"
