"""What one run of a diffusers pipeline keeps of the subjects, and what they add to a cross-attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..attention import Reach, RegionMasks, SubjectKeyValues, attend_to_subjects
from ..auto_layout import AutoLayoutSettings
from ..embeds import SubjectEmbeds
from ..phrases import PromptWords
from .auto_layout import Attended, PaperRows, SteadyRows
from .schedule import Clock


class SubjectRun:
    """Keys and values, masks, and for each call of the UNet the step, the rows and the subjects that act."""

    def __init__(
        self, embeds: SubjectEmbeds, projected: Sequence[Tensor], scale: float, clock: Clock,
        auto_layout: AutoLayoutSettings | None = None, words: Sequence[PromptWords] = (), layers: Sequence[int] = (),
    ) -> None:
        """
        Args:
            embeds: the encoded subjects; their adapter is an `Adapter`.
            projected: their keys and values (see `SubjectEmbeds.projected`).
            scale: factor on what they add.
            clock: tells the sampling step.
            auto_layout: how each prompt's own attention takes over from the boxes, or None.
            words: for auto layout, each prompt's.
            layers: those that auto layout reads where its settings name none.
        """
        hidden = embeds.adapter.layers.hidden
        self._key_values = SubjectKeyValues(projected, hidden, embeds.token_weights() * scale, (1.0,) * len(hidden))
        self._masks = RegionMasks(embeds.regions, embeds.token_counts)
        self._embeds, self._clock = embeds, clock
        self._schedules = [(subject.start, subject.end) for subject in embeds.subjects]
        self.auto_layout: PaperRows | SteadyRows | None = None
        if auto_layout is not None and auto_layout.method == "paper":
            self.auto_layout = PaperRows(auto_layout, words, clock, embeds, self._masks)
        elif auto_layout is not None:
            self.auto_layout = SteadyRows(
                auto_layout, words, clock, embeds, self._masks, auto_layout.layers or layers
            )
        self._active: tuple[bool, ...] = ()
        self._acted = {index for index, schedule in enumerate(self._schedules) if schedule == (0.0, 1.0)}
        self._first = 0
        self._size = (0, 0)

    def begin(self, sample: Tensor, timestep: Any, guided: bool) -> None:
        """The UNet is called.

        Args:
            sample: its latents `[rows, 4, h, w]`.
            timestep: its timestep.
            guided: whether the first half of the rows is unconditional, as diffusers' guidance arranges them.

        Raises:
            ValueError: the subjects have another number of frames than the batch has images.
        """
        self._clock.tick(timestep)
        if self.auto_layout is not None:
            self.auto_layout.begin()
        self._active = self._clock.acting(self._schedules)
        self._acted.update(index for index, acts in enumerate(self._active) if acts)
        self._first = len(sample) // 2 if guided else 0
        self._size = sample.shape[-2], sample.shape[-1]
        frames, images = self._embeds.frames, len(sample) - self._first
        if frames not in (1, images):
            raise ValueError(
                f"The embeds hold {frames} frames, one for each image, but {images} images are made: make {frames}."
            )

    def without_effect(self) -> list[str]:
        """What was asked for and did nothing in the run that has ended, each in a sentence."""
        said = [
            f"{subject.phrase!r} never acted: it acts from {subject.start:g} to {subject.end:g} of the noise schedule "
            "(0 is pure noise), where this run took no step. Widen start and end, or take more steps."
            for index, subject in enumerate(self._embeds.subjects) if index not in self._acted
        ]
        return said + (self.auto_layout.without_effect() if self.auto_layout is not None else [])

    def add(self, out: Tensor, query: Tensor, text_key: Tensor, layer: int, heads: int) -> Tensor:
        """A cross-attention's output `[rows, h * w, hidden]` with the subjects added in the conditional rows."""
        first = self._first
        rows = query[first:]
        reach = self._reach(layer, rows, text_key[first:], heads)
        if reach is None or reach.empty:
            return out
        key, value = self._key_values.at(layer, query.device, query.dtype)
        out = out.clone()
        out[first:, reach.positions] += attend_to_subjects(rows[:, reach.positions], key, value, reach.mask, heads)
        return out

    def _reach(self, layer: int, query: Tensor, text_key: Tensor, heads: int) -> Reach | None:
        """Where to attend in a layer's conditional rows; None where no subject acts."""
        height, width = map_size(self._size, query.shape[1])
        if self.auto_layout is not None:
            return self.auto_layout.reach(Attended(layer, query, text_key, heads, height, width, self._active))
        if not any(self._active):
            return None
        return self._masks.reach(height, width, self._active, query.device, query.dtype, (self._embeds.window,))


def map_size(latents: tuple[int, int], positions: int) -> tuple[int, int]:
    """Height and width of a cross-attention's map, of latents of a height and a width.

    Raises:
        ValueError: they don't halve to that many positions.
    """
    height, width = latents
    while height * width > positions:
        height, width = -(-height // 2), -(-width // 2)
    if height * width != positions:
        raise ValueError(
            f"A cross-attention has {positions} positions, but latents of {latents[1]}x{latents[0]} cells "
            f"halve to {width}x{height}: take off what merges or drops positions of the UNet."
        )
    return height, width
