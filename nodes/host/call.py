"""What lives for one call: an evaluation of all conditionings, a call of the UNet, and one cross-attention in it.

    Evaluation      which conditionings are conditional, and what each of their entries is
    ModelCall       which rows are whose, who acts at its noise level, where the prompt stands in what it attends to
    AttentionCall   one cross-attention: its layer, its queries and keys, and what the subjects add to it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ...msd_core.attention import AttentionFunction, Reach, attend_to_subjects
from ...msd_core.auto_layout import phrase_maps
from ...msd_core.cells import WHOLE, Window
from .attention import subject_attention
from .place import place_tiles, view_of
from .rows import CHUNKS, COUPLED_CHUNKS, Chunk, Listed, conditioning_roles, coupled_rows, explain_rows
from .watching import can_be_watched, watch_subjects, watch_text

if TYPE_CHECKING:
    from .run import SamplingRun
    from .text import PromptPhrases

PATCH = "msdiffusion"
EVALUATION = "msdiffusion_evaluation"
CALL = "msdiffusion_call"

Starts = tuple[tuple[int, ...], ...]


class Evaluation:
    """What one evaluation of all conditionings knows."""

    def __init__(self, run: SamplingRun, conditionings: Sequence[Any], latents: Tensor) -> None:
        """
        Args:
            run: the run that it belongs to.
            conditionings: the host's, in the order that the chunks' indices count.
            latents: the sampler's latents `[batch, 4, height, width]`.
        """
        self.run, self.latents = run, latents
        self.roles = conditioning_roles(run.roles, conditionings)
        self._entries = {
            (place, entry.get("uuid")): entry
            for place, conditioning in enumerate(conditionings) for entry in conditioning or ()
        }
        self._ordinals = {
            key: ordinal for conditioning, place in zip(conditionings, range(len(self.roles)), strict=True)
            for key, ordinal in self._told_apart(place, conditioning or ())
        }
        self._past_wrappers: dict[tuple, ModelCall] = {}
        self.calls = 0
        self.windows = self._place()

    def __deepcopy__(self, memo: dict) -> Evaluation:
        return self

    def listed(self, options: Mapping[str, Any], images: tuple[int, ...] | None) -> list[Listed]:
        """The entries of a model call, from the host's `transformer_options`.

        Raises:
            ValueError: the call lists an entry that the evaluation does not have.
        """
        indices, uuids = options.get(CHUNKS, [0]), options.get("uuids")
        latents = self.latents
        if images is not None and latents.shape[0] != len(images):
            latents = latents[list(images)]
        found = []
        for number, place in enumerate(indices):
            key = (place, uuids[number] if uuids and len(uuids) == len(indices) else None)
            key = key if key in self._entries else (place, None)
            if key not in self._entries:
                raise ValueError(
                    f"A model call lists conditioning {place} but the evaluation has {len(self.roles)} with other "
                    "entries: take off the patch that calls the model with conditionings of its own."
                )
            rows, columns, top, left = _area(self._entries[key], *latents.shape[-2:])
            height, width = latents.shape[-2:]
            found.append(Listed(
                "negative" not in self.roles[place], self.roles[place], self._ordinals[key],
                (left / width, top / height, (left + columns) / width, (top + rows) / height),
                latents[..., top : top + rows, left : left + columns],
            ))
        return found

    def call(self, options: Mapping[str, Any], rows: int) -> ModelCall:
        """The model call that an attention belongs to which came past the host's `apply_model`."""
        rows = options.get("original_shape", (rows,))[0]
        signature = (rows, tuple(options.get(CHUNKS, [0])), tuple(options.get("uuids", ())))
        if signature not in self._past_wrappers:
            self._past_wrappers[signature] = ModelCall(self, options, rows)
        return self._past_wrappers[signature]

    def _place(self) -> tuple[Window, ...] | None:
        """The part of the run's latent that is evaluated, where a patch evaluates a cut of it; None where unknown."""
        run = self.run
        if run.size is None or self.latents.shape[-2:] == run.size[1:] or run.latents is None:
            return (WHOLE,)
        if run.latents.shape[0] != self.latents.shape[0]:
            return None
        places = place_tiles(self.latents, [run.latents], 1)
        return places and places[0].windows

    def _told_apart(self, place: int, conditioning: Sequence[Any]) -> list[tuple]:
        """For each entry, its text, and which of the entries with that text that act at the same time it is."""
        taken: list[tuple[int, int, float, float]] = []
        told = []
        for entry in conditioning:
            uuid = entry.get("uuid")
            text = self.run.text_of(uuid, entry)
            start, end = entry.get("timestep_start", float("inf")), entry.get("timestep_end", 0.0)
            others = {nth for other, nth, begin, stop in taken if other == text and begin > end and start > stop}
            nth = next(n for n in range(len(taken) + 1) if n not in others)
            taken.append((text, nth, start, end))
            told.append(((place, uuid), (text, nth)))
        return told


class ModelCall:
    """What one call of the UNet knows; everything that asks the device is asked once."""

    def __init__(
        self, evaluation: Evaluation, options: Mapping[str, Any], rows: int, latents: Tensor | None = None
    ) -> None:
        """
        Args:
            evaluation: the evaluation that it is part of.
            options: the host's `transformer_options`.
            rows: rows of the UNet's input.
            latents: that input `[rows, 4, height, width]`, where it is known.
        """
        self.run, self.rows = evaluation.run, rows
        self.listed = tuple(options.get(CHUNKS, [0]))
        self.sigmas = options.get("sigmas")
        run_size = self.run.size or (rows, *evaluation.latents.shape[-2:])
        view = view_of(options, run_size)
        if view.images is None and evaluation.latents.shape[0] != run_size[0]:
            raise ValueError(
                f"The sampling run has {run_size[0]} latents but an evaluation has {evaluation.latents.shape[0]}, and "
                "nothing tells which: a patch splits the batch in a way that MS-Diffusion can't follow, take it off."
            )
        entries = evaluation.listed(options, view.images)
        self.batch = entries[0].source.shape[0]
        shown = evaluation.windows if view.windows == (WHOLE,) else view.windows
        self.chunks, unplaced = explain_rows(
            entries, rows, shown, view.images, latents, evaluation.calls // len(entries)
        )
        evaluation.calls += len(entries)
        if unplaced:
            self.run.account.unplaced((evaluation.latents if latents is None else latents).shape[-2:])
        self.acts = 0
        self._contexts: dict[tuple[int, int], Tensor] = {}
        self._slices: dict[tuple, list[list[slice]]] = {}

    def __deepcopy__(self, memo: dict) -> ModelCall:
        return self

    @cached_property
    def sigma(self) -> float:
        """The noise level."""
        return float(self.sigmas.flatten()[0]) if self.sigmas is not None else float("inf")

    @cached_property
    def active(self) -> tuple[bool, ...]:
        """Which subjects act at this noise level."""
        if self.run.always or self.sigmas is None:
            return (True,) * len(self.run.windows)
        return tuple(end <= self.sigma <= start for start, end in self.run.windows)

    @cached_property
    def acting(self) -> bool:
        """Whether any subject acts, or auto layout must see the call."""
        return any(self.active) or (self.run.auto_layout is not None and self.run.auto_layout.watches)

    @cached_property
    def busy(self) -> bool:
        """Whether its attentions have anything to do."""
        return bool(self.chunks) and (self.acting or self.run.maps is not None)

    def slices(self, options: Mapping[str, Any], rows: int) -> list[list[slice]]:
        """For each of the host's chunks, the rows of an attention that are its: one slice, or one per couple's region.

        Args:
            options: the host's `extra_options`.
            rows: rows of the attention's queries.
        """
        key = (rows, *(tuple(options.get(name) or ()) for name in (CHUNKS, *COUPLED_CHUNKS)))
        if key not in self._slices:
            self._slices[key] = coupled_rows(options, self.listed, rows, self.batch)
        return self._slices[key]

    def attends_to(self, context: Tensor) -> None:
        """Remember the text contexts `[rows, length, C]` of the attention that comes next."""
        self._contexts[context.shape[0], context.shape[1]] = context

    def starts(self, phrases: PromptPhrases, k: Tensor, rows: Sequence[slice], chunk: Chunk) -> Starts:
        """Where the prompt begins in the contexts of each slice of rows; nowhere where its rows have several texts.

        Args:
            phrases: the prompt.
            k: the attention's keys `[rows, length, hidden]`.
            rows: slices of them.
            chunk: what they are of; asked once a run.
        """
        key = (phrases, chunk.key.conditioning, chunk.key.entry, len(rows), k.shape[1])
        if key not in self.run.starts:
            context = self._contexts.get((k.shape[0], k.shape[1]))
            if context is None:
                return ((),) * len(rows)
            found = (set(phrases.starts_in(context[part])) for part in rows)
            self.run.starts[key] = tuple(starts.pop() if len(starts) == 1 else () for starts in found)
        return self.run.starts[key]


def check_rows(q: Tensor, k: Tensor) -> None:
    """Refuse an attention whose text has other rows than its queries.

    Raises:
        ValueError: names both.
    """
    if k.shape[0] != q.shape[0]:
        raise ValueError(
            f"The attention has {q.shape[0]} rows of queries but {k.shape[0]} of text: a patch or sampler "
            "appends prompts of its own, which MS-Diffusion can't follow, take it off."
        )


class AttentionCall:
    """One cross-attention of a model call."""

    def __init__(
        self, call: ModelCall, layer: int, q: Tensor, k: Tensor, options: Mapping[str, Any], out: Tensor
    ) -> None:
        """
        Args:
            call: the model call.
            layer: which of the adapter's layers attends.
            q: queries `[rows, h * w, hidden]`.
            k: keys of the text, `[rows, length, hidden]`.
            options: the host's `extra_options`.
            out: the output so far, `[rows, h * w, hidden]`, to which the subjects are added in place.

        Raises:
            ValueError: the queries are not the feature map's.
        """
        self.call, self.run = call, call.run
        self.layer, self.q, self.k, self.out = layer, q, k, out
        self.heads = options["n_heads"]
        self.height, self.width = options["activations_shape"][-2:]
        self.options = options
        self.read: dict[int, tuple[Tensor, Tensor]] = {}
        if q.shape[1] != self.height * self.width:
            raise ValueError(
                f"The attention has {q.shape[1]} queries but the feature map is {self.width}x{self.height}: "
                "a model patch merges or drops positions in a way that MS-Diffusion can't follow, remove it."
            )

    def add_subjects(self) -> None:
        """Add what the subjects contribute to the conditional rows (SPEC 4), and watch.

        Raises:
            ValueError: rows that can't be told whose they are.
        """
        call, q = self.call, self.q
        coupled = None if q.shape[0] == call.rows else call.slices(self.options, q.shape[0])
        for chunk in call.chunks:
            self._add_to(chunk, [chunk.rows] if coupled is None else coupled[chunk.position])

    def _add_to(self, chunk: Chunk, rows: list[slice]) -> None:
        run = self.run
        cells = self._cells(chunk, rows) if self.call.acting else None
        watched = run.maps is not None and can_be_watched(run, chunk)
        if watched:
            watch_text(self, chunk, rows)
        if cells is None:
            return
        reach = self._reach(chunk, cells)
        if reach.empty and not watched:
            return
        key, value = run.key_values.at(self.layer, self.q.device, self.q.dtype, chunk.images)
        for number, part in enumerate(rows):
            q, out = self.q[part, reach.positions], self.out[part, reach.positions]
            added = q if reach.empty else attend_to_subjects(q, key, value, reach.mask, self.heads, self.attention)
            if watched and number == 0:
                watch_subjects(self, chunk, part, cells, reach, added)
            out.add_(added)

    def _cells(self, chunk: Chunk, rows: list[slice]) -> Tensor | None:
        """The subjects' cells, bool `[n, h, w]` or with auto layout `[b, n, h, w]`; None where none acts."""
        run, call = self.run, self.call
        windows = run.windows_of(chunk.windows)
        cells = run.masks.cells(self.height, self.width, call.active, self.q.device, windows)
        return cells if run.auto_layout is None else run.auto_layout.cells(self, chunk, rows, cells)

    def _reach(self, chunk: Chunk, cells: Tensor) -> Reach:
        """Where to attend, and with which mask, for some cells."""
        run = self.run
        if cells.ndim == 4:
            return run.auto_layout.reach(self, chunk, cells)
        windows = run.windows_of(chunk.windows)
        return run.masks.reach(self.height, self.width, self.call.active, self.q.device, self.q.dtype, windows)

    def spoken(
        self, phrases: PromptPhrases, chunk: Chunk, rows: Sequence[slice]
    ) -> tuple[slice, tuple[int, ...]] | None:
        """Of a chunk's rows those that hold the prompt, and where it begins in their text; None where none does.

        A couple's regions share their queries, so what the prompt's own rows say of the frame holds for all of them.
        """
        starts = self.call.starts(phrases, self.k, rows, chunk)
        return next(((rows[number], found) for number, found in enumerate(starts) if found), None)

    def phrase_maps(self, phrases: PromptPhrases, chunk: Chunk, rows: Sequence[slice]) -> Tensor | None:
        """Maps of the phrases from those rows that hold the prompt; None where none does."""
        found = self.spans(phrases, chunk, rows)
        if found is None:
            return None
        part, spans = found
        maps = phrase_maps(self.q[part], self.k[part], self.heads, spans, self.height, self.width)
        self.read[part.start] = spans, maps
        return maps

    def spans(self, phrases: PromptPhrases, chunk: Chunk, rows: Sequence[slice]) -> tuple[slice, Tensor] | None:
        """The rows that hold the prompt, and where its phrases stand (see `span_matrix`); None where none does."""
        spoken = self.spoken(phrases, chunk, rows)
        if spoken is None:
            return None
        part, starts = spoken
        return part, self.run.span_matrix(phrases, self.k.shape[1], starts, self.q.device)

    @property
    def attention(self) -> AttentionFunction:
        """What computes the subjects' part."""
        return partial(subject_attention, precision=self.options.get("attn_precision"))


def _area(entry: Mapping[str, Any], height: int, width: int) -> tuple[int, int, int, int]:
    """Rows, columns, top and left of an entry's area, clipped to the latent as the host does."""
    area = entry.get("area")
    if area is None or len(area) != 4:
        return height, width, 0, 0
    rows, columns, top, left = area
    return min(rows, height - top), min(columns, width - left), top, left
