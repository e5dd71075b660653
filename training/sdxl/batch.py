"""Samples as the frozen models have encoded them, one by one and as a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from msd_core.boxes import Box
from msd_core.layout import Region

from .base import Base
from .samples import Prepared


@dataclass(frozen=True)
class Encoded:
    """One sample.

    Attributes:
        latents: `[4, h, w]`.
        context, pooled: of its caption, `[77, C]` and `[G]`.
        sizes: SDXL's six numbers `[6]`.
        features: of its subjects' pictures, `[n, patches, F]`.
        phrases: of its subjects, `[n, P]`.
        spans: which tokens of the caption name them, bool `[n, 77]`.
        boxes: fp32 `[n, 4]`, on the CPU.
    """

    latents: Tensor
    context: Tensor
    pooled: Tensor
    sizes: Tensor
    features: Tensor
    phrases: Tensor
    spans: Tensor
    boxes: Tensor


NAMES = tuple(one.name for one in fields(Encoded))


def encode(base: Base, samples: Sequence[Prepared]) -> list[Encoded]:
    """Encode samples together."""
    counts = [len(sample.phrases) for sample in samples]
    pictures = torch.cat([sample.pictures for sample in samples])
    features = base.features(pictures).split(counts)
    context, pooled = base.text([sample.caption for sample in samples])
    phrases = base.phrases([phrase for sample in samples for phrase in sample.phrases]).split(counts)
    latents = base.latents(torch.stack([sample.pixels for sample in samples]).float() / 127.5 - 1)
    return [
        Encoded(latents[k], context[k], pooled[k], sample.sizes, features[k], phrases[k],
                base.spans(sample.caption, list(sample.phrases)), sample.boxes)
        for k, sample in enumerate(samples)
    ]


@dataclass(frozen=True)
class Batch:
    """Several samples on a device; subjects of all of them behind one another (N of them).

    Attributes:
        latents, context, pooled, sizes: `[B, ...]`.
        features, phrases, spans, boxes: `[N, ...]`.
        counts: how many subjects each sample has.
        regions: of each sample's subjects.
    """

    latents: Tensor
    context: Tensor
    pooled: Tensor
    sizes: Tensor
    features: Tensor
    phrases: Tensor
    spans: Tensor
    boxes: Tensor
    counts: list[int]
    regions: list[list[Region]]

    @classmethod
    def of(cls, samples: Sequence[Encoded], device: torch.device) -> Batch:
        """Put samples together."""
        joined = {
            name: (torch.stack if name in ("latents", "context", "pooled", "sizes") else torch.cat)(
                [getattr(sample, name) for sample in samples]
            ).to(device, non_blocking=True)
            for name in NAMES
        }
        regions = [[Region(Box(*box)) for box in sample.boxes.tolist()] for sample in samples]
        return cls(**joined, counts=[len(row) for row in regions], regions=regions)

    def each(self, values: Tensor) -> Tensor:
        """One value of each sample as one of each subject."""
        counts = torch.tensor(self.counts, device=values.device)
        return values.repeat_interleave(counts, dim=0, output_size=sum(self.counts))
