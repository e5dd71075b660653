"""Auto layout in a run of a diffusers pipeline: each prompt's own attention places the subjects of its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..attention import Reach, RegionMasks, token_mask
from ..auto_layout import (
    AutoLayoutSettings,
    PaperLayout,
    Shown,
    SteadyLayout,
    phrase_maps,
    span_matrix,
    word_columns,
    word_maps,
)
from ..cells import Window
from ..embeds import SubjectEmbeds
from ..phrases import PromptWords
from .schedule import Clock


class Attended(NamedTuple):
    """A cross-attention's conditional rows, prompt by prompt.

    Attributes:
        layer: which of the adapter's layers it is.
        query, key: of the text, `[rows, length, hidden]`.
        heads: its heads.
        height, width: of the feature map.
        active: which subjects act.
    """

    layer: int
    query: Tensor
    key: Tensor
    heads: int
    height: int
    width: int
    active: tuple[bool, ...]


class PaperRows:
    """The paper's method."""

    def __init__(
        self, settings: AutoLayoutSettings, words: Sequence[PromptWords], clock: Clock, embeds: SubjectEmbeds,
        masks: RegionMasks,
    ) -> None:
        self._settings, self._words, self._clock, self._embeds, self._masks = settings, words, clock, embeds, masks
        self._layouts = [PaperLayout(settings, [bool(span) for span in prompt.phrases]) for prompt in words]
        self._span_matrices: list[Tensor] = []

    def begin(self) -> None:
        """The UNet is called."""

    def without_effect(self) -> list[str]:
        """Why it never began, if it didn't."""
        start, step = self._settings.start_step, self._clock.step
        if step >= start:
            return []
        return [
            f"Auto layout never began: it begins at step {start} and the run had {step}. Let it begin earlier, or take "
            "more steps."
        ]

    def reach(self, attended: Attended) -> Reach | None:
        """Where to attend, and with which mask; None where no subject acts."""
        query, windows = attended.query, (self._embeds.window,)
        size = attended.height, attended.width
        if not self._span_matrices:
            length = attended.key.shape[1]
            self._span_matrices = [
                span_matrix(prompt.phrases, (0,), length).to(query.device) for prompt in self._words
            ]
        boxes = self._masks.cells(*size, attended.active, query.device, windows)
        images = query.shape[0] // len(self._layouts)
        parts = zip(self._layouts, self._span_matrices, query.split(images), attended.key.split(images), strict=True)
        found = [
            layout.cells(
                attended.layer, None, self._clock.step, phrase_maps(q, k, attended.heads, spans, *size), boxes
            )
            for layout, spans, q, k in parts
        ]
        if found[0] is None:
            return None
        cells = torch.cat(found) & self._masks.active(attended.active, query.device)
        mask = token_mask(cells, self._embeds.token_counts, query.dtype)
        return Reach(slice(0, attended.height * attended.width), mask, shared=True)


class SteadyRows:
    """The method `steady`."""

    def __init__(
        self, settings: AutoLayoutSettings, words: Sequence[PromptWords], clock: Clock, embeds: SubjectEmbeds,
        masks: RegionMasks, layers: Sequence[int],
    ) -> None:
        self._settings, self._words, self._clock, self._embeds, self._masks = settings, words, clock, embeds, masks
        self._layers = layers
        self._layouts: list[SteadyLayout] = []
        self._columns: list[Tensor] = []

    def begin(self) -> None:
        """The UNet is called; asks the device until all places are kept."""
        if self._layouts and all(layout.settled for layout in self._layouts):
            for layout in self._layouts:
                layout.look()
            return
        share = self._clock.share
        for layout in self._layouts:
            layout.at(self._clock.step, share >= self._settings.start, share >= self._settings.kept)

    def without_effect(self) -> list[str]:
        """Why it never began, if it didn't."""
        if self._layouts and self._layouts[0].began is not None:
            return []
        return [
            f"Auto layout never began: it begins at {self._settings.start:.0%} of the noise schedule, after the first "
            f"step, and the run had {self._clock.step}. Take more steps."
        ]

    def reach(self, attended: Attended) -> Reach | None:
        """Where to attend, and with which mask; None where no subject acts."""
        query, shown = attended.query, Shown(attended.height, attended.width)
        images = query.shape[0] // len(self._words)
        if not self._layouts:
            self._start(images, attended)
        for number, layout in enumerate(self._layouts):
            if layout.reads(None, attended.layer):
                rows = slice(number * images, (number + 1) * images)
                maps = word_maps(query[rows], attended.key[rows], attended.heads, self._columns[number])
                layout.observe(None, attended.layer, shown, maps)
        if not any(attended.active):
            return None
        if self._layouts[0].cells(None, shown, attended.active) is None:
            place = (attended.height, attended.width, attended.active, query.device, query.dtype)
            return self._masks.reach(*place, (self._embeds.window,)) if self._settings.boxes_before else None
        if len(self._layouts) == 1:
            return self._layouts[0].reach(None, shown, attended.active, query.dtype)
        spans = [layout.rows(None, shown, attended.active) for layout in self._layouts]
        rows = min(first for first, _ in spans), max(end for _, end in spans)
        reaches = [layout.reach(None, shown, attended.active, query.dtype, rows) for layout in self._layouts]
        return reaches[0]._replace(mask=torch.cat([one.mask for one in reaches]))

    def boxes(self) -> list[list[Window | None]]:
        """Where each subject ended in each image (see `SteadyLayout.boxes`); empty where auto layout never began."""
        return [image for layout in self._layouts for image in layout.boxes() or ()]

    def _start(self, images: int, attended: Attended) -> None:
        width = attended.query.shape[-1] // attended.heads
        for words in self._words:
            self._layouts.append(SteadyLayout(self._settings, self._embeds, words, self._layers, images))
            columns = word_columns(words.phrases, words.others, (0,), attended.key.shape[1], width)
            self._columns.append(columns.to(attended.query.device, attended.query.dtype))
