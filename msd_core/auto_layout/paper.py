"""Auto layout as the paper has it: each layer's own maps, averaged over the steps and cut (SPEC 5, appendix M)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from .settings import AutoLayoutSettings

EPSILON = 1e-5


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


class PaperLayout:
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
