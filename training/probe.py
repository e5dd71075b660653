"""An independent judge: a small network that names the kind and pattern of whatever is in a box, or finds nothing.

It learns from drawn crops, clean, blurred, noisy and through the autoencoder, and never sees what the adapter makes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from msd_core.demo.scenes import SCENES
from msd_core.demo.sprites import KINDS, PATTERNS
from msd_core.demo.world import Placed, paint_picture, sample_places, sample_subjects

from .latents import encode

SIDE = 48
NOTHING = len(KINDS)


def crop(pictures: Tensor, places: list[Placed]) -> Tensor:
    """Each picture's box at the probe's size, `[n, 3, 48, 48]`."""
    return torch.cat([
        F.interpolate(picture[None, :, p.top : p.top + p.side, p.left : p.left + p.side], size=(SIDE, SIDE),
                      mode="bilinear", antialias=True, align_corners=False)
        for picture, p in zip(pictures, places, strict=True)
    ])


class Probe(nn.Module):
    """Crops `[n, 3, 48, 48]` in -1..1 to scores of kinds (and nothing) and of patterns."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 96, 96)
        self.body = nn.Sequential(*(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))
            for a, b in zip(widths, widths[1:], strict=False)
        ))
        self.kind = nn.Linear(96 * 9, NOTHING + 1)
        self.pattern = nn.Linear(96 * 9, len(PATTERNS))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(crops).flatten(1)
        return self.kind(features), self.pattern(features)


def probe_examples(count: int, seed: int, autoencoder: nn.Module | None, *, held_out: bool) -> tuple[Tensor, ...]:
    """Crops, kinds and patterns: sprites, and one empty box in eight; some go through the autoencoder."""
    rng = np.random.default_rng(seed)
    crops, kinds, patterns = [], [], []
    while len(kinds) < count:
        scene = str(rng.choice(list(SCENES)))
        subjects = sample_subjects(rng, 2, held_out=held_out)
        drawn = paint_picture(scene, subjects, int(rng.integers(1 << 30)))
        picture = torch.from_numpy(drawn).permute(2, 0, 1)[None].float() / 127.5 - 1
        if autoencoder is not None and rng.random() < 0.15:
            with torch.no_grad():
                picture = autoencoder.decode(encode(autoencoder, picture)).sample.clamp(-1, 1)
        for subject in subjects:
            crops.append(crop(picture, [subject]))
            kinds.append(KINDS.index(subject.identity.kind))
            patterns.append(PATTERNS.index(subject.identity.pattern))
        if rng.random() < 0.3:
            empty = torch.from_numpy(paint_picture(scene, [], int(rng.integers(1 << 30)))).permute(2, 0, 1)[None]
            place = Placed(subjects[0].identity, *sample_places(rng, 2)[0])
            crops.append(crop(empty.float() / 127.5 - 1, [place]))
            kinds.append(NOTHING)
            patterns.append(-100)
    return torch.cat(crops), torch.tensor(kinds), torch.tensor(patterns)


def roughen(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Blur, noise and small shifts."""
    amounts = torch.rand(3, generator=generator)
    if amounts[0] < 0.4:
        small = int(16 + 24 * float(torch.rand(1, generator=generator)))
        crops = F.interpolate(crops, size=(small, small), mode="bilinear", antialias=True)
        crops = F.interpolate(crops, size=(SIDE, SIDE), mode="bilinear")
    shift = torch.randint(-4, 5, (2,), generator=generator).tolist()
    crops = torch.roll(crops, shift, (2, 3))
    return crops + 0.1 * amounts[1] * torch.randn(crops.shape, generator=generator)


@torch.enable_grad()
def load_probe(folder: Path, autoencoder: nn.Module, steps: int = 400) -> tuple[Probe, dict[str, float]]:
    """The trained probe (trained now if it is not there) and its accuracy on held-out drawn crops."""
    file, probe = folder / "probe.pt", Probe()
    if file.exists():
        saved = torch.load(file, weights_only=True)
        probe.load_state_dict(saved["probe"])
        return probe.eval(), saved["accuracy"]
    torch.manual_seed(9)
    crops, kinds, patterns = probe_examples(3000, 31, autoencoder, held_out=False)
    optimiser = torch.optim.AdamW(probe.parameters(), lr=2e-3, weight_decay=0.02)
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        optimiser.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
        rows = torch.randint(len(kinds), (96,), generator=generator)
        kind, pattern = probe(roughen(crops[rows], generator))
        loss = F.cross_entropy(kind, kinds[rows]) + F.cross_entropy(pattern, patterns[rows], ignore_index=-100)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    probe.eval()
    crops, kinds, patterns = probe_examples(400, 32, None, held_out=True)
    with torch.no_grad():
        kind, pattern = probe(crops)
    sprite = kinds != NOTHING
    accuracy = {"kind": float((kind.argmax(-1) == kinds).float().mean()),
                "pattern": float((pattern.argmax(-1) == patterns)[sprite].float().mean())}
    torch.save({"probe": probe.state_dict(), "accuracy": accuracy}, file)
    return probe, accuracy
