"""The loss of a batch: equation 1 with the subjects in the cross-attentions, what is dropped, and equation 7."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import SubjectAttention, everywhere, gather, subject_tokens
from .attention_loss import AttentionLosses
from .batch import Batch
from .diffusion import Noise
from .projectors import Trained
from .settings import Settings


class Drops(NamedTuple):
    """What each sample of a batch is not shown, bool `[B]`."""

    image: Tensor
    text: Tensor
    grounding: Tensor


def draw_drops(count: int, drop: float, grounding: float, generator: torch.Generator) -> Drops:
    """Image alone, text alone, and both, each with the probability `drop`; grounding by itself."""
    draw = torch.rand(count, generator=generator, device="cpu")
    image = (draw < drop) | ((draw >= 2 * drop) & (draw < 3 * drop))
    text = (draw >= drop) & (draw < 3 * drop)
    return Drops(image, text, torch.rand(count, generator=generator, device="cpu") < grounding)


@dataclass(frozen=True)
class Losses:
    """Of a batch: the sum to minimise and its parts, None where not asked for."""

    total: Tensor
    diffusion: Tensor
    image_attention: Tensor | None = None
    text_attention: Tensor | None = None


class BatchLoss:
    """The loss as a function of a batch and a generator."""

    def __init__(self, unet: nn.Module, trained: Trained, noise: Noise, empty: tuple[Tensor, Tensor],
                 settings: Settings) -> None:
        """
        Args:
            unet: the base's, which from now on lets the subjects into its cross-attentions.
            trained: the adapter.
            noise: the base's noise schedule.
            empty: context `[1, 77, C]` and pooled text `[1, G]` of the empty caption.
        """
        self.unet, self.trained, self.noise, self.empty, self.settings = unet, trained, noise, empty, settings
        self.attention = SubjectAttention(unet)

    def __call__(self, batch: Batch, generator: torch.Generator, drops: Drops | None = None) -> Losses:
        """The loss of a batch. The subjects stay in the UNet until `done`, for the backward pass.

        Args:
            drops: what is left out; drawn by default.
        """
        settings, count, device = self.settings, len(batch.counts), batch.latents.device
        if drops is None:
            drops = draw_drops(count, settings.drop, settings.drop_grounding, generator)
        noisy = self.noise.add(batch.latents, generator)
        seen = batch.each((~drops.image).to(device, batch.features.dtype))
        grounding: Tensor | bool = False
        if settings.grounded:
            grounding = batch.each((~drops.grounding).to(device))
        dtype, kept = self.unet.dtype, next(self.trained.adapter.parameters()).dtype
        with torch.autocast(device.type, dtype) if kept != dtype else nullcontext():
            tokens = subject_tokens(self.trained.adapter, batch.features.to(kept), batch.phrases.to(kept), batch.boxes,
                                    grounding, seen)
            tokens = gather(tokens, batch.counts)
            regions = batch.regions if settings.masks else [everywhere(row) for row in batch.regions]
            self.attention.set(self.trained.adapter, tokens, regions, batch.latents.shape[-2:], settings.gamma)
        watching = self._watching(batch, tokens.shape[2], drops)
        text = drops.text.to(device)
        context = torch.where(text[:, None, None], self.empty[0].to(batch.context), batch.context)
        pooled = torch.where(text[:, None], self.empty[1].to(batch.pooled), batch.pooled)
        added = {"text_embeds": pooled.to(dtype), "time_ids": batch.sizes}
        predicted = self.unet(noisy.latents.to(dtype), noisy.timesteps, context.to(dtype), added_cond_kwargs=added)
        diffusion = F.mse_loss(predicted.sample.float(), noisy.target)
        if watching is None:
            return Losses(diffusion, diffusion)
        image, words = watching.means()
        total = diffusion
        for weight, loss in ((settings.image_attention_loss, image), (settings.text_attention_loss, words)):
            if loss is not None:
                total = total + weight * loss
        return Losses(total, diffusion, image, words)

    def done(self) -> None:
        """The backward pass is over: no subjects."""
        self.attention.watch = None
        self.attention.clear()

    def _watching(self, batch: Batch, tokens: int, drops: Drops) -> AttentionLosses | None:
        settings = self.settings
        asked = settings.image_attention_loss > 0, settings.text_attention_loss > 0
        if not any(asked):
            return None
        losses = AttentionLosses(batch.regions, tokens, batch.spans, (~drops.text).tolist(), *asked)
        self.attention.watch = losses.look
        return losses
