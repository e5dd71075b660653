"""Encoded subjects: the tokens that stand for each one, and where, how strongly and when they act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .cells import WHOLE, Window
from .layout import Region


@dataclass(frozen=True)
class SubjectTokens:
    """One encoded subject.

    Attributes:
        tokens: `[frames, t, C]` fp32; several views of the subject stand side by side along `t`. More than one frame
            means that image k of a latent batch gets frame k.
        region: where the subject acts.
        phrase: its name.
        weight: factor on the adapter's scale.
        start: share of the sampling run after which it acts, 0..1.
        end: share of the sampling run after which it no longer acts, 0..1.
    """

    tokens: Tensor
    region: Region
    phrase: str
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class SubjectEmbeds:
    """All subjects of one image, in the order of their joint softmax.

    Attributes:
        subjects: the encoded subjects.
        adapter: the adapter that made them and projects them to keys and values, as its host keeps it.
        window: the part of the layout's frame that is sampled: all of it, or a tile.
        frame: width and height in pixels of the whole frame that the layout was made for, None if unknown. Regions are
            fractions of it, so what matters is its aspect.
    """

    subjects: tuple[SubjectTokens, ...]
    adapter: Any
    window: Window = WHOLE
    frame: tuple[int, int] | None = None

    @property
    def frames(self) -> int:
        """How many images of a latent batch have tokens of their own."""
        return max(subject.tokens.shape[0] for subject in self.subjects)

    @property
    def token_counts(self) -> tuple[int, ...]:
        return tuple(subject.tokens.shape[1] for subject in self.subjects)

    @property
    def regions(self) -> tuple[Region, ...]:
        return tuple(subject.region for subject in self.subjects)

    def joint_tokens(self) -> Tensor:
        """The tokens of all subjects, concatenated in order: `[frames, sum of t, C]`."""
        frames = self.frames
        return torch.cat([subject.tokens.expand(frames, -1, -1) for subject in self.subjects], dim=1)

    def token_weights(self) -> Tensor:
        """Every token's subject weight: fp32 `[sum of t]`."""
        weights = torch.tensor([subject.weight for subject in self.subjects], dtype=torch.float32)
        return weights.repeat_interleave(torch.tensor(self.token_counts))
