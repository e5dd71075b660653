"""Auto layout: the prompt's own cross-attention says where each subject is (SPEC 5, paper appendix M)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

EPSILON = 1e-5


def span_matrix(spans: Sequence[Sequence[int]], starts: Sequence[int], context_length: int) -> Tensor:
    """What averages attention over each phrase's tokens: `[context_length, n]`, a column of zeros for an absent phrase.

    Args:
        spans: token positions of each phrase in the prompt.
        starts: where in the context the prompt begins: several times where it is repeated; all count.
        context_length: tokens of the context; those outside the prompt belong to no phrase.
    """
    matrix = torch.zeros(context_length, len(spans))
    for column, span in enumerate(spans):
        for start in starts:
            for position in span:
                matrix[start + position, column] = 1 / len(span)
    return matrix


def phrase_maps(q: Tensor, k: Tensor, heads: int, spans: Tensor, height: int, width: int) -> Tensor:
    """How much each position attends to each phrase: probabilities averaged over the phrase's tokens and the heads.

    Args:
        q: `[b, h * w, heads * d]`, queries of conditional rows.
        k: `[b, length, heads * d]`, keys of the text.
        heads: the layer's heads.
        spans: `[length, n]` from `span_matrix`.

    Returns:
        fp32 `[b, n, h, w]`.
    """
    q, k = (rearrange(x, "b length (heads d) -> b heads length d", heads=heads).float() for x in (q, k))
    probabilities = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1).mean(dim=1)
    return rearrange(probabilities @ spans, "b (h w) n -> b n h w", h=height, w=width)


class RunningMean:
    """The mean of one map per step over the steps so far, in constant memory.

    Several maps of one step count once: the latest stands for the step.
    """

    def __init__(self) -> None:
        self._step: int | None = None
        self._finished = 0
        self._total: Tensor | float = 0.0
        self._current: Tensor | float = 0.0

    def update(self, step: int, maps: Tensor) -> Tensor:
        """Take in a step's maps; returns the mean, this step included."""
        if step != self._step:
            if self._step is not None:
                self._total = self._total + self._current
                self._finished += 1
            self._step = step
        self._current = maps
        return (self._total + maps) / (self._finished + 1)


def regions_of(maps: Tensor, threshold: float) -> Tensor:
    """Min-max normalise maps `[b, n, h, w]` each by itself and cut them at the threshold: bool of the same shape."""
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low + EPSILON) > threshold


@dataclass(frozen=True)
class AutoLayoutSettings:
    """When and how auto layout takes over.

    Attributes:
        threshold: share of a map's range above which a cell belongs to the subject, 0..1.
        start_step: first sampling step, counted from 1, on which the maps rule.
        boxes_before: whether the boxes rule before that, or no subject acts.
        keep_absent: whether a phrase that is not in the prompt keeps its box, or gets no region (as the original).

    Raises:
        ValueError: threshold or start step out of range.
    """

    threshold: float = 0.5
    start_step: int = 5
    boxes_before: bool = True
    keep_absent: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold < 1.0:
            raise ValueError(f"The threshold is {self.threshold:g} but must be from 0 to below 1: 0.5 is the paper's.")
        if self.start_step < 1:
            raise ValueError(f"start_step is {self.start_step} but steps count from 1: 5 is the paper's.")


class AutoLayout:
    """The maps of one sampling run, and the cells that follow from them."""

    def __init__(self, settings: AutoLayoutSettings, present: Sequence[bool]) -> None:
        """
        Args:
            settings: when and how it takes over.
            present: for each subject, whether the prompt has its phrase.
        """
        self._settings = settings
        self._kept_boxes = torch.tensor([settings.keep_absent and not found for found in present])
        self._means: dict[Hashable, RunningMean] = {}

    def started(self, step: int) -> bool:
        return step >= self._settings.start_step

    def boxes_rule(self, step: int) -> bool:
        """Whether the boxes rule where nothing is known of the prompt's attention."""
        return self._settings.boxes_before or self.started(step)

    def cells(
        self, key: Hashable, images: Sequence[int] | None, step: int, maps: Tensor, box_cells: Tensor
    ) -> Tensor | None:
        """Take in the maps of one layer and step, and say which cells belong to which subject.

        Args:
            key: what the maps belong to: a layer, a conditioning, a part of the frame.
            images: which images of the batch they are of, where not of all: each has a mean of its own.
            step: sampling step, from 1.
            maps: fp32 `[b, n, h, w]`.
            box_cells: bool `[n, h, w]`, the layout's own cells.

        Returns:
            bool `[b, n, h, w]`; None before the start if no subject acts there.
        """
        if images is None:
            mean = self._mean((key, None), step, maps)
        else:
            mean = torch.cat([
                self._mean((key, image), step, one) for image, one in zip(images, maps.split(1), strict=True)
            ])
        if not self.started(step):
            return box_cells.expand(maps.shape[0], -1, -1, -1) if self._settings.boxes_before else None
        kept = self._kept_boxes.to(maps.device)[:, None, None]
        return torch.where(kept, box_cells, regions_of(mean, self._settings.threshold))

    def _mean(self, key: Hashable, step: int, maps: Tensor) -> Tensor:
        return self._means.setdefault(key, RunningMean()).update(step, maps)
