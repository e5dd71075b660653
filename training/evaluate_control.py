"""Measure the ControlNet on held-out identities in poses of their own: lines, looks and scenes, with and without it.

    python -m training.evaluate_control --folder runs/demo

Writes `control.json` and `control.png` into the folder, and the model card's section.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from msd_core.demo.config import LATENT_SCALE

from .attention import SubjectAttention
from .autoencoder import encode
from .card import write_control
from .control import load_control_net
from .control_net import as_pictures
from .decoder import load_finished_autoencoder
from .evaluate import score
from .grids import save_grid
from .looks import reference_tiles
from .probe import load_probe
from .student import load_frozen_base, load_student
from .traced import found_lines, real_traced, trace, traced_cases

SEED = 900


@torch.no_grad()
def evaluate_control(folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Make and score the pictures with and without ControlNet and adapter."""
    base = load_frozen_base(folder)
    net, student = load_control_net(folder, base["unet"]), load_student(folder)
    subjects, autoencoder = SubjectAttention(base["unet"]), load_finished_autoencoder(folder)
    probe, _ = load_probe(folder, autoencoder)
    cases = traced_cases(count, SEED)
    lines = torch.stack([case.lines for case in cases])
    latents = torch.cat([encode(autoencoder, part) for part in real_traced(cases).split(10)]) * LATENT_SCALE
    made = {"real scene through the autoencoder":
            torch.cat([autoencoder.decode(z).sample for z in (latents / LATENT_SCALE).split(10)]).clamp(-1, 1)}
    ways = {"adapter and ControlNet": (net, 1.0), "adapter alone": (None, 1.0), "ControlNet alone": (net, 0.0),
            "neither": (None, 0.0)}
    rows = {}
    for name, (used, scale) in [("real scene through the autoencoder", (None, 0.0)), *ways.items()]:
        if name not in made:
            made[name] = trace(base, used, student, subjects, autoencoder, cases, scale)
        rows[name] = {"lines": float(found_lines(made[name], lines).mean()),
                      **score(probe, made[name], list(cases), False)}
        print(name, rows[name], flush=True)
    shown = [reference_tiles(list(cases[:8])), as_pictures(list(lines[:8])) * 2 - 1,
             *(pictures[:8] for pictures in made.values())]
    save_grid(folder / "control.png", torch.cat(shown), columns=8)
    (folder / "control.json").write_text(json.dumps({"cases": count, "rows": rows}, indent=1))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    evaluate_control(arguments.folder, arguments.cases)
    print(f"{write_control(arguments.folder).name} written")


if __name__ == "__main__":
    main()
