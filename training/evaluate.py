"""Measure the trained set on held-out identities: palette, kind, pattern, sprite in box, scene, and ablations.

    python -m training.evaluate --folder runs/demo --cases 40

Writes `evaluation.json`, `evaluation.md` and `evaluation.png` into the folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from msd_core.demo.config import LATENT_SCALE
from msd_core.demo.scenes import SCENES, paint_scene
from msd_core.demo.sprites import COLOURS, KINDS, PATTERNS
from msd_core.demo.world import SCENE_SIZE, Identity, Placed

from .attention import SubjectAttention
from .autoencoder import encode
from .decoder import load_finished_autoencoder
from .grids import save_grid
from .looks import Case, Condition, exchanged, held_out_cases, make_pictures, real_pictures, reference_tiles, with_boxes
from .probe import NOTHING, Probe, crop, load_probe
from .student import load_frozen_base, load_student

CONDITIONS = (
    Condition("adapter on"),
    Condition("boxes swapped", swap_boxes=True),
    Condition("no grounding", grounding=False),
    Condition("scale 0.6", scale=0.6),
    Condition("mask off", masked=False),
    Condition("adapter off", scale=0.0),
    Condition("references exchanged (scored against the original)", swap_references=True),
)
SHARED_CONDITIONS = (
    Condition("two sprites in each reference, phrase picks"),
    Condition("two sprites in each reference, no grounding", grounding=False),
)
COLUMNS = {"palette": "palette nearer own", "own": "own", "other": "other", "sprite": "sprite in box", "kind": "kind",
           "pattern": "pattern", "scene": "scene"}
NEAR = 0.25
"""RGB distance within which a pixel counts as a reference colour."""


def colour_distances(pixels: Tensor, identity: Identity) -> Tensor:
    """Distances `[2, n]` of pixels `[n, 3]` in 0..1 from the identity's two colours."""
    return torch.cdist(torch.tensor([COLOURS[identity.main], COLOURS[identity.second]]), pixels)


def score_box(picture: Tensor, subject: Placed, other: Identity) -> dict[str, float]:
    """Palette scores of one box: is it nearer its own identity's colours, and the shares of own and other colours."""
    inside = picture[:, subject.top : subject.top + subject.side, subject.left : subject.left + subject.side]
    pixels = inside.flatten(1).T / 2 + 0.5
    own, foreign = colour_distances(pixels, subject.identity), colour_distances(pixels, other)
    nearest = [d.kthvalue(max(1, d.shape[1] // 50), dim=1).values.mean() for d in (own, foreign)]
    return {"palette": float(nearest[0] < nearest[1]), "own": float((own.amin(0) < NEAR).float().mean()),
            "other": float((foreign.amin(0) < NEAR).float().mean())}


def name_scene(picture: Tensor, subjects: list[Placed]) -> str:
    """The scene whose drawing, averaged over tiles outside the boxes, is nearest."""
    outside = torch.ones(SCENE_SIZE, SCENE_SIZE, dtype=torch.bool)
    for s in subjects:
        outside[s.top : s.top + s.side, s.left : s.left + s.side] = False
    weight = outside.float().view(5, 32, 5, 32).sum((1, 3))
    tiles = ((picture / 2 + 0.5) * outside).view(3, 5, 32, 5, 32).sum((2, 4)) / weight.clamp(min=1)
    distances = {}
    for scene in SCENES:
        drawn = torch.from_numpy(paint_scene(scene, SCENE_SIZE, SCENE_SIZE, 0)).permute(2, 0, 1).float()
        real = (drawn * outside).view(3, 5, 32, 5, 32).sum((2, 4)) / weight.clamp(min=1)
        distances[scene] = float(((tiles - real).abs().sum(0) * weight).sum())
    return min(distances, key=distances.__getitem__)


@torch.no_grad()
def score(probe: Probe, pictures: Tensor, cases: list[Case], swap_boxes: bool) -> dict[str, float]:
    """Mean of every score over all boxes (over all pictures for the scene)."""
    rows: dict[str, list[float]] = {name: [] for name in COLUMNS}
    for picture, case in zip(pictures, cases, strict=True):
        placed = exchanged(case) if swap_boxes else list(case.subjects)
        rows["scene"].append(float(name_scene(picture, placed) == case.scene))
        kinds, patterns = probe(crop(picture.expand(len(placed), -1, -1, -1), placed))
        for k, subject in enumerate(placed):
            for name, value in score_box(picture, subject, placed[k - 1].identity).items():
                rows[name].append(value)
            named = int(kinds[k].argmax())
            rows["sprite"].append(float(named != NOTHING))
            rows["kind"].append(float(named == KINDS.index(subject.identity.kind)))
            rows["pattern"].append(float(int(patterns[k].argmax()) == PATTERNS.index(subject.identity.pattern)))
    return {name: float(np.mean(values)) for name, values in rows.items()}


def table(results: dict[str, dict[str, float]]) -> str:
    """The results in Markdown."""
    lines = ["| condition | " + " | ".join(COLUMNS.values()) + " |", "|---|" + "---|" * len(COLUMNS)]
    for name, row in results.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[column]:.3f}" for column in COLUMNS) + " |")
    return "\n".join(lines)


@torch.no_grad()
def evaluate(folder: Path, count: int, seed: int) -> dict[str, dict[str, float]]:
    """Make and score the pictures of every condition."""
    base = load_frozen_base(folder)
    subjects = SubjectAttention(base["unet"])
    student: nn.Module = load_student(folder)
    autoencoder = load_finished_autoencoder(folder)
    probe, accuracy = load_probe(folder, autoencoder)
    print("probe on held-out drawings:", accuracy, flush=True)
    cases, shared = held_out_cases(count, seed), held_out_cases(count, seed + 1, shared=True)
    real = real_pictures(cases)
    latents = torch.cat([encode(autoencoder, part) for part in real.split(10)]) * LATENT_SCALE
    ceiling = torch.cat([autoencoder.decode(z).sample for z in (latents / LATENT_SCALE).split(10)]).clamp(-1, 1)
    results = {"real scene through the autoencoder": score(probe, ceiling, cases, False)}
    grid = [reference_tiles(cases[:8]), with_boxes(ceiling[:8], [list(c.subjects) for c in cases[:8]])]
    for chosen, conditions in ((cases, CONDITIONS), (shared, SHARED_CONDITIONS)):
        for condition in conditions:
            made = make_pictures(base, student, subjects, autoencoder, chosen, condition)
            results[condition.name] = score(probe, made, chosen, condition.swap_boxes)
            print(condition.name, results[condition.name], flush=True)
            if chosen is shared:
                grid.append(reference_tiles(shared[:8]))
            placed = [exchanged(c) if condition.swap_boxes else list(c.subjects) for c in chosen[:8]]
            grid.append(with_boxes(made[:8], placed))
    save_grid(folder / "evaluation.png", torch.cat(grid), columns=8)
    measured = {"cases": count, "probe": accuracy, "results": results}
    (folder / "evaluation.json").write_text(json.dumps(measured, indent=1))
    (folder / "evaluation.md").write_text(table(results) + "\n")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=500)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    print(table(evaluate(arguments.folder, arguments.cases, arguments.seed)))


if __name__ == "__main__":
    main()
