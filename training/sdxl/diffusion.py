"""Equation 1: noise, and what the base is to predict of it, as its scheduler says."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .settings import PREDICTIONS


class Noisy(NamedTuple):
    """Noisy latents, their timesteps `[B]`, and what is to be predicted."""

    latents: Tensor
    timesteps: Tensor
    target: Tensor


class Noise:
    """A base's noise schedule."""

    def __init__(self, scheduler: Any, prediction: str | None = None) -> None:
        """
        Args:
            scheduler: diffusers', with a table of noise levels.
            prediction: what the base predicts; what its scheduler says by default.

        Raises:
            ValueError: there is no such table, or the base predicts something else than noise or velocity.
        """
        if not hasattr(scheduler, "alphas_cumprod"):
            raise ValueError(
                f"The base's {type(scheduler).__name__} has no table of noise levels (alphas_cumprod) but SDXL was "
                "trained on one: use a base with SDXL's scheduler."
            )
        self.prediction = prediction or scheduler.config.prediction_type
        if self.prediction not in PREDICTIONS:
            raise ValueError(
                f"The base's scheduler says that it predicts {self.prediction!r} but it must be "
                f"{' or '.join(PREDICTIONS)}: use another base, or say what it predicts with --prediction."
            )
        alphas = scheduler.alphas_cumprod.double()
        self._signal, self._noise = alphas.sqrt().float(), (1 - alphas).sqrt().float()

    def add(self, latents: Tensor, generator: torch.Generator) -> Noisy:
        """Latents `[B, 4, h, w]` at timesteps drawn evenly."""
        count = len(latents)
        timesteps = torch.randint(len(self._signal), (count,), generator=generator, device="cpu")
        noise = torch.randn(latents.shape, generator=generator, device="cpu").to(latents)
        signal, level = (x[timesteps].view(-1, 1, 1, 1).to(latents) for x in (self._signal, self._noise))
        target = noise if self.prediction == "epsilon" else signal * noise - level * latents
        return Noisy(signal * latents + level * noise, timesteps.to(latents.device), target)
