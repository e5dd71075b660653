"""Noise schedule, v-prediction loss and a deterministic sampler, as the hosts run them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 1000
_BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float64) ** 2
ALPHAS = torch.cumprod(1 - _BETAS, 0).float()


def add_noise(latents: Tensor, noise: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Noisy latents and the velocity to predict, at steps `t [B]`."""
    alpha, sigma = (x.to(t.device)[t].view(-1, 1, 1, 1) for x in (ALPHAS.sqrt(), (1 - ALPHAS).sqrt()))
    return alpha * latents + sigma * noise, alpha * noise - sigma * latents


def box_weights(boxes: list[list[tuple[float, float, float, float]]], height: int, width: int) -> Tensor:
    """Loss weight per cell, `[B, 1, h, w]`: 1.3 inside the boxes, .7 elsewhere."""
    weights = torch.full((len(boxes), 1, height, width), 0.7)
    for row, subjects in zip(weights, boxes, strict=True):
        for x0, y0, x1, y1 in subjects:
            row[:, round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = 1.3
    return weights


@torch.no_grad()
def sample(velocity: Callable[[Tensor, int], Tensor], noise: Tensor, steps: int = 20) -> Tensor:
    """DDIM from pure noise; `velocity(latents, t)` predicts v (guidance included)."""
    times = torch.linspace(STEPS - 1, 0, steps + 1).round().long().tolist()
    x = noise
    for now, then in zip(times[:-1], times[1:], strict=True):
        v = velocity(x, now)
        clean = ALPHAS[now].sqrt() * x - (1 - ALPHAS[now]).sqrt() * v
        eps = (1 - ALPHAS[now]).sqrt() * x + ALPHAS[now].sqrt() * v
        x = clean if then == 0 else ALPHAS[then].sqrt() * clean + (1 - ALPHAS[then]).sqrt() * eps
    return x
