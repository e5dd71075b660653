"""Auto layout in a sampling run: which cells an attention's subjects have, by either method.

Each follower is asked by every cross-attention; what `Steady` has decided it keeps, so that asking costs a look into a
table.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...msd_core.attention import Reach, token_mask
from ...msd_core.auto_layout import (
    AutoLayoutSettings,
    PaperLayout,
    Shown,
    SteadyLayout,
    word_columns,
    word_maps,
)
from ...msd_core.cells import Window
from ...msd_core.embeds import SubjectEmbeds
from .rows import UNPLACED, Chunk
from .text import PromptPhrases

if TYPE_CHECKING:
    from .call import AttentionCall

NO_WORDS = (
    "Auto layout never began: the attention has none of its prompt's tokens, where a regional prompt replaces the "
    "prompt; the boxes ruled."
)


def follower(
    settings: AutoLayoutSettings, phrases: PromptPhrases, embeds: SubjectEmbeds, images: int | None, schedule: Any,
) -> Paper | Steady:
    """What follows a prompt through one run.

    Args:
        settings: how auto layout takes over; of `steady` with the layers to read.
        phrases: the prompt.
        embeds: the subjects.
        images: images of the latent batch; None for a call without a sampler.
        schedule: from shares of the noise schedule to noise levels.
    """
    if settings.method == "paper":
        return Paper(settings, phrases, embeds)
    return Steady(settings, phrases, embeds, images, schedule)


class Paper:
    """The paper's method: each layer's own maps."""

    counts_steps = watches = True

    def __init__(self, settings: AutoLayoutSettings, phrases: PromptPhrases, embeds: SubjectEmbeds) -> None:
        self._settings, self._phrases, self._embeds = settings, phrases, embeds
        self._layout = PaperLayout(settings, [bool(span) for span in phrases.spans])
        self._followed_from: int | None = None

    def at(self, step: int, sigma: float) -> None:
        """An evaluation begins."""

    def rest(self) -> None:
        """An evaluation begins of which neither step nor noise level is known."""

    def cells(self, attention: AttentionCall, chunk: Chunk, rows: list[slice], boxes: Tensor) -> Tensor | None:
        """The cells of a chunk's subjects, bool `[n, h, w]` or `[b, n, h, w]`; None where none acts.

        Args:
            attention: the cross-attention.
            chunk: conditional rows of its model call.
            rows: where they are in the attention; several for a couple.
            boxes: the layout's own cells of the acting subjects, `[n, h, w]`.
        """
        run, call = attention.run, attention.call
        maps = attention.phrase_maps(self._phrases, chunk, rows)
        if maps is None:
            return boxes if self._layout.boxes_rule(run.step) and any(call.active) else None
        self._followed_from = self._followed_from or run.step
        found = self._layout.cells((attention.layer, chunk.key), chunk.images, run.step, maps, boxes)
        if found is None or run.always:
            return found
        return found & run.masks.active(call.active, attention.q.device)

    def reach(self, attention: AttentionCall, chunk: Chunk, cells: Tensor) -> Reach:
        """Where to attend, and with which mask, for cells `[b, n, h, w]`."""
        mask = token_mask(cells, self._embeds.token_counts, attention.q.dtype)
        return Reach(slice(0, attention.height * attention.width), mask, shared=True)

    def boxes(self) -> None:
        """Regions are of any shape, one for each layer: there are none to be told as boxes."""

    def account(self, levels: Sequence[float]) -> str:
        """What a run's line says.

        Args:
            levels: the noise levels at which its steps began.
        """
        start = self._settings.start_step
        began = self._followed_from is not None and len(levels) >= start
        return f"auto layout from step {max(start, self._followed_from)}" if began else "auto layout never"

    def warning(self, levels: Sequence[float]) -> str | None:
        """Why it never began, if it didn't."""
        start = self._settings.start_step
        if start > len(levels):
            return (
                f"Auto layout never began: its start_step is {start} but the run has {len(levels)} steps: set an "
                "earlier step."
            )
        return NO_WORDS if self._followed_from is None else None


class Steady:
    """One fitted region per subject for all layers (see `msd_core.auto_layout.steady`)."""

    def __init__(
        self, settings: AutoLayoutSettings, phrases: PromptPhrases, embeds: SubjectEmbeds, images: int | None,
        schedule: Any,
    ) -> None:
        self._settings, self._phrases, self._embeds, self._alone = settings, phrases, embeds, images is None
        self._start, self._kept = schedule(settings.start), schedule(settings.kept)
        self._layout = SteadyLayout(settings, embeds, phrases.words, settings.layers, images or 1)
        self._columns: dict[tuple, Tensor] = {}
        self._followed = self._started = False

    @property
    def counts_steps(self) -> bool:
        """Whether the step has to be known: it costs a look at the device per evaluation."""
        return not self._layout.settled

    @property
    def watches(self) -> bool:
        """Whether it must see calls in which no subject acts."""
        return not self._layout.settled

    def at(self, step: int, sigma: float) -> None:
        """An evaluation begins; with a new step places are chosen."""
        self._started = sigma <= self._start
        self._layout.at(step, self._started, sigma <= self._kept)

    def rest(self) -> None:
        """An evaluation begins of which neither step nor noise level is known, since the places are kept."""
        self._layout.look()

    def cells(self, attention: AttentionCall, chunk: Chunk, rows: list[slice], boxes: Tensor) -> Tensor | None:
        """See `Paper.cells`."""
        call, shown, key = attention.call, _shown(attention, chunk), _key(chunk)
        if self._layout.reads(key, attention.layer) and not self._alone:
            self._read(attention, chunk, rows, key, shown)
        if not any(call.active):
            return None
        found = self._layout.cells(key, shown, call.active)
        if found is not None:
            return found
        followed = any(call.starts(self._phrases, attention.k, rows, chunk))
        return boxes if self._settings.boxes_before or (self._started and not followed) else None

    def reach(self, attention: AttentionCall, chunk: Chunk, cells: Tensor) -> Reach:
        """See `Paper.reach`; built once for all layers of a size."""
        return self._layout.reach(_key(chunk), _shown(attention, chunk), attention.call.active, attention.q.dtype)

    def boxes(self) -> list[list[Window | None]] | None:
        """Where each subject ended in each image, in fractions of the layout's frame; None where it never began."""
        return self._layout.boxes()

    def account(self, levels: Sequence[float]) -> str:
        """See `Paper.account`."""
        began, ended = self._layout.began, self._layout.ended
        if began is None:
            return "auto layout never"
        return f"auto layout from step {began}" + (f", kept from step {ended}" if self._layout.settled else "")

    def warning(self, levels: Sequence[float]) -> str | None:
        """See `Paper.warning`."""
        if self._layout.began is not None:
            return None
        if not self._followed:
            return NO_WORDS
        steps = [step for step, level in enumerate(levels, 1) if level <= self._start and step > 1]
        reached = f"the run, of {len(levels)} {'step' if len(levels) == 1 else 'steps'}, has no such step"
        return None if steps else (
            f"Auto layout never began: it begins after the first step, at noise levels of {self._start:.4g} and below, "
            f"but {reached}: take more steps, or leave it out."
        )

    def _read(
        self, attention: AttentionCall, chunk: Chunk, rows: list[slice], key: Hashable, shown: Shown
    ) -> None:
        """Take in a layer's maps, where the prompt is attended to."""
        spoken = attention.spoken(self._phrases, chunk, rows)
        if spoken is None:
            return
        self._followed = True
        part, starts = spoken
        q, k = attention.q[part], attention.k[part]
        columns = self._columns_of(starts, k.shape[1], q.shape[-1] // attention.heads, q.device, q.dtype)
        self._layout.observe(key, attention.layer, shown, word_maps(q, k, attention.heads, columns))

    def _columns_of(
        self, starts: tuple[int, ...], length: int, width: int, device: torch.device, dtype: torch.dtype
    ) -> Tensor:
        key = (starts, length, width, device, dtype)
        if key not in self._columns:
            words = self._phrases.words
            self._columns[key] = word_columns(words.phrases, words.others, starts, length, width).to(device, dtype)
        return self._columns[key]


def _key(chunk: Chunk) -> Hashable:
    """What places belong to: a conditioning's entry; a part of the frame only where nothing tells its place."""
    key = chunk.key
    return key if key.part[0] == UNPLACED else key[:2]


def _shown(attention: AttentionCall, chunk: Chunk) -> Shown:
    return Shown(attention.height, attention.width, chunk.windows, chunk.images)
