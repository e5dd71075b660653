"""The judge of the drawn world is fitted in closed form, on drawings alone.

    python -m training.judge --out msd_core/demo/weights/demo_judge.safetensors

Draws scenes, one crop of each and two references, takes patches and colours of them to compare with, fits the linear
maps by ridge regression, and says how they do on held-out identities.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from msd_core.demo.config import VAE, VAE_FILE
from msd_core.demo.judge import (
    JUDGE_FILE,
    PATCH,
    PATCHES,
    SIDE,
    TONES,
    Judge,
    contrast,
    trait_vector,
    word_vector,
)
from msd_core.demo.scenes import SCENES
from msd_core.demo.weights import read_weights
from msd_core.demo.world import Identity, caption, paint_picture, paint_reference, sample_identity, sample_subjects

RIDGE = 1e-3


class Drawn(NamedTuple):
    """Pictures `[n, 3, 80, 80]` uint8, whom each shows, and its caption ("" for crops and references)."""

    pictures: Tensor
    shown: list[list[Identity]]
    captions: list[str]


def shrink(picture: Tensor) -> Tensor:
    """A picture `[3, h, w]` at the judge's size, uint8."""
    small = F.interpolate(picture[None], size=(SIDE, SIDE), mode="bilinear", antialias=True)[0]
    return (small.clamp(0, 1) * 255).round().byte()


def as_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


@torch.no_grad()
def draw(count: int, seed: int, autoencoder: Any, *, held_out: bool) -> Drawn:
    """Scenes, a crop of each, and for each a reference; half of the scenes go through the autoencoder."""
    rng = np.random.default_rng(seed)
    pictures, shown, captions = [], [], []
    for _ in range(count):
        scene = str(rng.choice(list(SCENES)))
        subjects = sample_subjects(rng, int(rng.choice((1, 2, 3), p=(0.3, 0.5, 0.2))), held_out=held_out)
        picture = as_tensor(paint_picture(scene, subjects, int(rng.integers(1 << 30))))
        if rng.random() < 0.5:
            latent = autoencoder.encode(picture[None] * 2 - 1).latent_dist.mean
            latent = latent + 0.3 * float(rng.random()) * latent.std() * torch.randn_like(latent)
            picture = (autoencoder.decode(latent).sample[0] / 2 + 0.5).clamp(0, 1)
        chosen = subjects[int(rng.integers(len(subjects)))]
        inside = picture[:, chosen.top : chosen.top + chosen.side, chosen.left : chosen.left + chosen.side]
        other = sample_identity(rng, held_out=held_out)
        reference = as_tensor(paint_reference(other, 96, rng)[0])
        pictures += [shrink(picture), shrink(inside), shrink(reference)]
        shown += [[subject.identity for subject in subjects], [chosen.identity], [other]]
        captions += [caption(scene, [subject.identity.kind for subject in subjects]), "", ""]
    return Drawn(torch.stack(pictures), shown, captions)


def features(judge: Judge, pictures: Tensor) -> Tensor:
    return torch.cat([judge.features(part.float() / 255) for part in pictures.split(100)])


@torch.no_grad()
def fit(drawn: Drawn, seed: int) -> Judge:
    """A judge from drawings."""
    judge, generator = Judge(), torch.Generator().manual_seed(seed)
    some = drawn.pictures[torch.randint(len(drawn.pictures), (1200,), generator=generator)].float() / 255
    cut = contrast(F.unfold(some, PATCH, stride=PATCH).transpose(1, 2).flatten(0, 1))
    cut = cut[cut.norm(dim=1) > 0.7]
    judge.patches.copy_(F.normalize(cut[torch.randperm(len(cut), generator=generator)[:PATCHES]], dim=1))
    pixels = some.permute(0, 2, 3, 1).flatten(0, 2)
    judge.tones.copy_(farthest(pixels[torch.randint(len(pixels), (20000,), generator=generator)], TONES))
    seen = features(judge, drawn.pictures)
    judge.scale.copy_(1 / seen.std(dim=0).clamp(min=1e-4))
    judge.scale[-1] = 1.0
    seen = (seen * judge.scale).double()
    traits = torch.stack([sum(trait_vector(one) for one in row) / len(row) ** 0.5 for row in drawn.shown]).double()
    judge.to_like.copy_(ridge(seen, traits))
    scenes = torch.tensor([bool(text) for text in drawn.captions])
    words = torch.stack([word_vector(text) for text in drawn.captions if text]).double()
    judge.to_said.copy_(ridge(seen[scenes], words))
    return judge


def ridge(seen: Tensor, wanted: Tensor) -> Tensor:
    """The linear map with the least squared error plus a penalty."""
    square = seen.T @ seen
    penalty = RIDGE * len(seen) * torch.eye(len(square), dtype=seen.dtype)
    return torch.linalg.solve(square + penalty, seen.T @ wanted).float()


def farthest(points: Tensor, count: int) -> Tensor:
    """Points that lie far from each other, each the farthest from those before it."""
    chosen = [points[0]]
    nearest = (points - chosen[0]).norm(dim=1)
    while len(chosen) < count:
        chosen.append(points[nearest.argmax()])
        nearest = torch.minimum(nearest, (points - chosen[-1]).norm(dim=1))
    return torch.stack(chosen)


@torch.no_grad()
def measure(judge: Judge, drawn: Drawn) -> dict[str, float]:
    """How likeness and captions hold on drawings."""
    pictures = drawn.pictures.float() / 255
    scenes, crops, references = (judge.like(pictures[start::3]) for start in range(3))
    rows, inside, shown = (drawn.shown[start::3] for start in range(3))
    truth = torch.stack([sum(trait_vector(one) for one in row) / len(row) ** 0.5 for row in rows])
    named = torch.stack([trait_vector(row[0]) for row in shown])
    own = torch.stack([trait_vector(row[0]) for row in inside])
    kinds = (crops[:, :8].argmax(-1) == own[:, :8].argmax(-1)).float().mean()
    mains = (crops[:, 8:16].argmax(-1) == own[:, 8:16].argmax(-1)).float().mean()
    texts = drawn.captions[0::3]
    scores = judge.said(pictures[0::3]) @ judge.read(texts).T
    right = np.mean([texts[i] == texts[int(j)] for i, j in enumerate(scores.argmax(-1))])

    def correlation(found: Tensor, wanted: Tensor) -> float:
        return float(torch.corrcoef(torch.stack([found.flatten(), wanted.flatten()]))[0, 1])

    return {"scenes and references": correlation(scenes @ references.T, truth @ named.T),
            "crops and references": correlation(crops @ references.T, own @ named.T),
            "kind of a crop": float(kinds), "main colour of a crop": float(mains),
            f"caption among {len(texts)}": float(right)}


def main() -> None:
    from diffusers import AutoencoderKL

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=JUDGE_FILE)
    parser.add_argument("--scenes", type=int, default=5000)
    options = parser.parse_args()
    autoencoder = AutoencoderKL(**VAE)
    autoencoder.load_state_dict(read_weights(VAE_FILE))
    autoencoder.eval().requires_grad_(False)
    torch.manual_seed(17)
    judge = fit(draw(options.scenes, 3_000_000, autoencoder, held_out=False), 17)
    save_file({key: value.half().contiguous() for key, value in judge.state_dict().items()}, options.out,
              metadata={"format": "pt"})
    judge.load_state_dict({key: value.half().float() for key, value in judge.state_dict().items()})
    print(measure(judge, draw(200, 77, autoencoder, held_out=True)))


if __name__ == "__main__":
    main()
