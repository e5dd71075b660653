"""Encoded subjects: the tokens that stand for each one, and where, how strongly and when they act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from .cells import WHOLE, Window
from .layout import Region


class Projections:
    """Keys and values of some tokens in every layer, unscaled, on the CPU: made once for each adapter and dtype.

    They live with the tokens, and go with the adapter. A copy is the object itself; a pickled one starts anew.
    """

    def __init__(self, tokens: Tensor) -> None:
        self.tokens = tokens
        self._made: WeakKeyDictionary[Any, dict[torch.dtype, Tensor]] = WeakKeyDictionary()

    def at(self, adapter: Any, dtype: torch.dtype, project: Callable[[Tensor, torch.dtype], Tensor]) -> Tensor:
        """What `project` makes of the tokens (see `Adapter.project_joint`)."""
        made = self._made.setdefault(adapter, {})
        if dtype not in made:
            made[dtype] = project(self.tokens, dtype).cpu()
        return made[dtype]

    def __deepcopy__(self, memo: dict) -> Projections:
        return self

    def __reduce__(self) -> tuple:
        return Projections, (self.tokens,)


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
        projections: the tokens' keys and values; none are made yet by default.
    """

    tokens: Tensor
    region: Region
    phrase: str
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    projections: Projections | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.projections is None or self.projections.tokens is not self.tokens:
            object.__setattr__(self, "projections", Projections(self.tokens))


@dataclass(frozen=True)
class SubjectEmbeds:
    """All subjects of one image, in the order of their joint softmax.

    Attributes:
        subjects: the encoded subjects.
        adapter: the adapter that made them and projects them to keys and values, as its host keeps it.
        window: the part of the layout's frame that is sampled: all of it, or a tile.
        frame: width and height in pixels of the whole frame that the layout was made for, None if unknown. Regions are
            fractions of it, so what matters is its aspect.
        origin: what the layout came from, as its host names it, None if unknown.
    """

    subjects: tuple[SubjectTokens, ...]
    adapter: Any
    window: Window = WHOLE
    frame: tuple[int, int] | None = None
    origin: str | None = None

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

    def projected(self, dtype: torch.dtype, project: Callable[[Tensor, torch.dtype], Tensor]) -> list[Tensor]:
        """Each subject's keys and values, unscaled, in a UNet's dtype, on the CPU.

        Each subject is projected by itself, so that its keys and values don't depend on who stands beside it.

        Args:
            project: makes those that are not made yet, of tokens (see `Adapter.project_joint`).
        """
        return [subject.projections.at(self.adapter, dtype, project) for subject in self.subjects]

    def token_weights(self) -> Tensor:
        """Every token's subject weight: fp32 `[sum of t]`."""
        weights = torch.tensor([subject.weight for subject in self.subjects], dtype=torch.float32)
        return weights.repeat_interleave(torch.tensor(self.token_counts))
