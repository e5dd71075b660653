"""One sampling run with subjects: what was asked for, what the run keeps, and what one call of the UNet does.

    Patch           what the nodes have asked for: immutable, rides on the model
    SamplingRun     what one run keeps: keys and values, masks, which step it is at
    Evaluation      what one evaluation of all conditionings knows: which are conditional, which part they show
    ModelCall       what one call of the UNet knows, and what its attentions ask of it

A run lives in the run's own copy of the model options and is gone with it, however the run ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor

from ...msd_core.attention import RegionMasks, attend_to_subjects, token_mask
from ...msd_core.attribution import Attribution, subject_shares
from ...msd_core.auto_layout import AutoLayout, AutoLayoutSettings, phrase_maps, span_matrix
from ...msd_core.embeds import SubjectEmbeds
from ...msd_core.layout import WHOLE, Window, within
from .rows import CHUNKS, Chunk, conditional_chunks, conditional_flags
from .steps import StepCounter, looks_ahead

logger = logging.getLogger("MS-Diffusion")

RUN = "msdiffusion_run"
EVALUATION = "msdiffusion_evaluation"
CALL = "msdiffusion_call"


@dataclass(frozen=True)
class PhraseSpans:
    """Where in the prompt each subject's phrase stands.

    Attributes:
        spans: token positions per subject, empty for an absent phrase.
        prompt_length: tokens of the prompt, all windows together.
    """

    spans: tuple[tuple[int, ...], ...]
    prompt_length: int


@dataclass(frozen=True)
class Application:
    """Subjects applied to a model.

    Attributes:
        embeds: the encoded subjects.
        scale: factor on what they add.
        start, end: the share of the run in which they act.
        layer_scales: factor for each of the adapter's layers.
        model_sampling: the model's own noise schedule when applied.
        auto_layout: settings and phrases of auto layout, or None.
    """

    embeds: SubjectEmbeds
    scale: float
    start: float
    end: float
    layer_scales: tuple[float, ...]
    model_sampling: Any
    auto_layout: tuple[AutoLayoutSettings, PhraseSpans] | None = None


@dataclass(frozen=True)
class Watch:
    """Subjects being watched: where the maps go, and where the phrases stand."""

    attribution: Attribution
    phrases: PhraseSpans


@dataclass(frozen=True)
class Patch:
    """What rides on a model: subjects applied, subjects watched, or both; and the host's wrappers that serve them."""

    application: Application | None = None
    watch: Watch | None = None

    def call(self, options: Mapping[str, Any], rows: int) -> ModelCall:
        """The model call that an attention belongs to; one made without a sampler becomes a run of its own."""
        call = options.get(CALL)
        return call if call is not None else ModelCall.begin(SamplingRun(self), options, rows)

    def outer_sample(self, executor: Callable, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor,
                     *args: Any, **kwargs: Any) -> Any:
        """One sampling run, before the UNet is loaded: the adapter has the device to itself."""
        guider = executor.class_obj
        options = guider.model_options["transformer_options"]
        options[RUN] = SamplingRun(self, guider, StepCounter(sigmas.tolist(), looks_ahead(sampler)), noise.shape[-2:])
        if self.watch is not None:
            self.watch.attribution.reset()
        try:
            return executor(noise, latent_image, sampler, sigmas, *args, **kwargs)
        finally:
            del options[RUN]

    def predict_noise(self, executor: Callable, x: Tensor, timestep: Tensor, *args: Any, **kwargs: Any) -> Any:
        """One evaluation by the sampler, which may take several calls."""
        run = executor.class_obj.model_options["transformer_options"].get(RUN)
        if run is not None and run.counts_steps:
            run.step = run.steps.evaluation(float(timestep.flatten()[0]))
        return executor(x, timestep, *args, **kwargs)

    def calc_cond_batch(
        self, executor: Callable, model: Any, conds: Sequence[Any], x_in: Tensor, timestep: Tensor, model_options: dict
    ) -> Any:
        """One evaluation of all conditionings: tell which of them are conditional and what part each shows."""
        options = model_options["transformer_options"]
        run = options.get(RUN)
        if run is not None:
            evaluation = Evaluation.of(run, conds, x_in.shape[-2:])
            model_options = {**model_options, "transformer_options": {**options, EVALUATION: evaluation}}
        return executor(model, conds, x_in, timestep, model_options)

    def apply_model(
        self, executor: Callable, x: Tensor, t: Tensor, c_concat: Any, c_crossattn: Any, control: Any,
        transformer_options: dict, **kwargs: Any,
    ) -> Any:
        """One call of the UNet."""
        run = transformer_options.get(RUN) or SamplingRun(self, executor.class_obj)
        call = ModelCall.begin(run, transformer_options, x.shape[0], x.shape[-2:])
        transformer_options = {**transformer_options, CALL: call}
        return executor(x, t, c_concat, c_crossattn, control, transformer_options, **kwargs)


class SamplingRun:
    """What one sampling run keeps."""

    def __init__(
        self, patch: Patch, owner: Any = None, steps: StepCounter | None = None, size: Sequence[int] | None = None
    ) -> None:
        """
        Args:
            patch: what was asked for.
            owner: the guider of the run; or, of a lone call, the host's model.
            steps: the run's step counter.
            size: height and width of the whole latent.
        """
        self.patch = patch
        self.steps, self.step = steps, 1
        self.size = None if size is None else tuple(size)
        self._owner = owner
        self._warned = False
        self._span_matrices: dict[tuple, Tensor] = {}
        application = patch.application
        if application is None:
            return
        embeds = application.embeds
        self.key_values = embeds.adapter.project(embeds, application.scale, application.layer_scales)
        self.masks = RegionMasks(embeds.regions, embeds.token_counts)
        schedule = self._model_sampling().percent_to_sigma
        self.windows = tuple(
            (schedule(max(application.start, subject.start)), schedule(min(application.end, subject.end)))
            for subject in embeds.subjects
        )
        self.always = all(window == (schedule(0.0), schedule(1.0)) for window in self.windows)
        self.auto_layout = None
        if application.auto_layout is not None:
            settings, phrases = application.auto_layout
            self.auto_layout = AutoLayout(settings, [bool(span) for span in phrases.spans])

    @property
    def counts_steps(self) -> bool:
        """Whether anything asks for the step; knowing it costs one look at the device per evaluation."""
        application = self.patch.application
        return self.patch.watch is not None or (application is not None and application.auto_layout is not None)

    @property
    def roles(self) -> Mapping[str, Any]:
        """The guider's conditionings by role."""
        return self._owner.conds

    def span_matrix(self, phrases: PhraseSpans, length: int, own_length: int | None, like: Tensor) -> Tensor:
        """What averages a context's attention over each phrase's tokens: `[length, n]` on the device of `like`.

        Args:
            length: tokens of the context as attended to.
            own_length: tokens of the conditioning before the host repeated it to fit a batch, where known.
        """
        own_length = length if own_length is None else own_length
        if own_length < phrases.prompt_length:
            raise ValueError(
                f"The prompt for the phrases has {phrases.prompt_length} tokens but the conditioning has {own_length}: "
                "give both the same positive prompt."
            )
        key = (phrases, length, own_length, like.device)
        if key not in self._span_matrices:
            matrix = span_matrix(phrases.spans, own_length, length, copies=length // own_length)
            self._span_matrices[key] = matrix.to(like.device)
        return self._span_matrices[key]

    def warn_of_crop(self, shape: Sequence[int]) -> None:
        """Say once that the model is shown a part of the latent whose place can't be known."""
        if not self._warned:
            logger.warning(
                "The model is shown %dx%d of the %dx%d latent and nothing tells which part, so the whole layout is "
                "laid over it: use Crop MS-Diffusion Embeds for tiles.", shape[1], shape[0], *self.size[::-1],
            )
            self._warned = True

    def _model_sampling(self) -> Any:
        if self._owner is None:
            return self.patch.application.model_sampling
        if hasattr(self._owner, "model_patcher"):
            return self._owner.model_patcher.get_model_object("model_sampling")
        return self._owner.model_sampling


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation of all conditionings knows.

    Attributes:
        flags: for each conditioning, whether it is conditional.
        windows: the part of the frame that an entry with an area shows, by the entry's id.
        lengths: tokens of an entry's own context, by its id.
    """

    flags: tuple[bool, ...] | None = None
    windows: Mapping[Any, Window] = field(default_factory=dict)
    lengths: Mapping[Any, int] = field(default_factory=dict)

    @classmethod
    def of(cls, run: SamplingRun, conditionings: Sequence[Any], size: Sequence[int]) -> Evaluation:
        """Read it off the host's conditionings, for a latent of height and width `size`."""
        windows, lengths = {}, {}
        for entry in (entry for conditioning in conditionings for entry in conditioning or ()):
            uuid, area = entry.get("uuid"), entry.get("area")
            if area is not None and len(area) == 4:
                height, width = size
                rows, columns, top, left = area
                bottom, right = min(top + rows, height), min(left + columns, width)
                windows[uuid] = (left / width, top / height, right / width, bottom / height)
            context = entry.get("model_conds", {}).get("c_crossattn")
            if context is not None:
                lengths[uuid] = context.cond.shape[1]
        return cls(conditional_flags(run.roles, conditionings), windows, lengths)


@dataclass(frozen=True)
class ModelCall:
    """What one call of the UNet knows; everything that asks the device is asked once."""

    run: SamplingRun
    evaluation: Evaluation
    batch: int
    sigmas: Tensor | None
    cropped: bool

    @classmethod
    def begin(
        cls, run: SamplingRun, options: Mapping[str, Any], rows: int, size: Sequence[int] | None = None
    ) -> ModelCall:
        """
        Args:
            options: the host's `transformer_options`.
            rows: rows of the UNet's input.
            size: height and width of the UNet's input.
        """
        evaluation = options.get(EVALUATION, Evaluation())
        batch = rows // len(options.get(CHUNKS, [0]))
        application = run.patch.application
        frames = 1 if application is None else application.embeds.frames
        if frames not in (1, batch):
            raise ValueError(
                f"The embeds hold {frames} frames, one for each image, but the latent batch has {batch} images: "
                f"set its batch size to {frames}."
            )
        cropped = run.size is not None and size is not None and tuple(size) != run.size
        if cropped and not any(uuid in evaluation.windows for uuid in options.get("uuids", ())):
            run.warn_of_crop(size)
        return cls(run, evaluation, batch, options.get("sigmas"), cropped)

    @cached_property
    def sigma(self) -> float:
        return float(self.sigmas.flatten()[0]) if self.sigmas is not None else float("inf")

    @cached_property
    def active(self) -> tuple[bool, ...]:
        """Which subjects act at this sigma."""
        if self.run.always or self.sigmas is None:
            return (True,) * len(self.run.windows)
        return tuple(end <= self.sigma <= start for start, end in self.run.windows)

    def add_subjects(self, layer: int, out: Tensor, q: Tensor, k: Tensor, options: Mapping[str, Any]) -> None:
        """Add what the subjects contribute to a cross-attention's output, in place (SPEC 4), and watch.

        Args:
            layer: which of the adapter's layers attends.
            out, q: output and queries, `[rows, h * w, hidden]`.
            k: keys of the text, `[rows, length, hidden]`.
            options: the host's `extra_options`.
        """
        run = self.run
        acting = run.patch.application is not None and (any(self.active) or run.auto_layout is not None)
        if not acting and run.patch.watch is None:
            return
        height, width = options["activations_shape"][-2:]
        if q.shape[1] != height * width:
            raise ValueError(
                f"The attention has {q.shape[1]} queries but the feature map is {width}x{height}: "
                "a model patch merges or drops positions in a way that MS-Diffusion can't follow, remove it."
            )
        for chunk in conditional_chunks(options, self.evaluation.flags, q.shape[0], self.batch):
            queries, text = q[chunk.rows], out[chunk.rows]
            cells = self._cells(layer, chunk, queries, k[chunk.rows], height, width, options) if acting else None
            if run.patch.watch is not None:
                self._watch(layer, chunk, queries, k[chunk.rows], text, cells, height, width, options)
            if cells is not None:
                key, value = run.key_values.at(layer, q.device, q.dtype)
                mask = self._mask(cells, chunk, height, width, q)
                text.add_(attend_to_subjects(queries, key, value, mask, options["n_heads"], _attention(options)))

    def _window(self, chunk: Chunk) -> Window:
        """The part of the frame that a chunk's latents show."""
        application = self.run.patch.application
        shown = WHOLE if application is None else application.embeds.window
        return within(shown, self.evaluation.windows.get(chunk.uuid, WHOLE)) if self.cropped else shown

    def _cells(
        self, layer: int, chunk: Chunk, q: Tensor, k: Tensor, height: int, width: int, options: Mapping[str, Any]
    ) -> Tensor | None:
        """The subjects' cells, bool `[n, h, w]` or with auto layout `[b, n, h, w]`; None where none acts."""
        run = self.run
        cells = run.masks.cells(height, width, self.active, q.device, self._window(chunk))
        if run.auto_layout is None:
            return cells
        maps = self._phrase_maps(run.patch.application.auto_layout[1], chunk, q, k, height, width, options)
        found = run.auto_layout.cells((layer, chunk.uuid), run.step, maps, cells)
        if found is None or run.always:
            return found
        return found & run.masks.active(self.active, q.device)

    def _mask(self, cells: Tensor, chunk: Chunk, height: int, width: int, q: Tensor) -> Tensor:
        run = self.run
        if run.auto_layout is None:
            return run.masks.at(height, width, self.active, q.device, q.dtype, self._window(chunk))
        return token_mask(cells, run.patch.application.embeds.token_counts, q.dtype)

    def _phrase_maps(
        self, phrases: PhraseSpans, chunk: Chunk, q: Tensor, k: Tensor, height: int, width: int,
        options: Mapping[str, Any],
    ) -> Tensor:
        spans = self.run.span_matrix(phrases, k.shape[1], self.evaluation.lengths.get(chunk.uuid), q)
        return phrase_maps(q, k, options["n_heads"], spans, height, width)

    def _watch(
        self, layer: int, chunk: Chunk, q: Tensor, k: Tensor, text: Tensor, cells: Tensor | None, height: int,
        width: int, options: Mapping[str, Any],
    ) -> None:
        """Record the maps of one attention; nothing of what is computed here reaches the picture."""
        if self.cropped:
            return
        run, watch = self.run, self.run.patch.watch
        attribution = watch.attribution
        attribution.at_step(run.step)
        attribution.text.add(self._phrase_maps(watch.phrases, chunk, q, k, height, width, options))
        if cells is None:
            return
        key, value = run.key_values.at(layer, q.device, q.dtype)
        counts = run.patch.application.embeds.token_counts
        mask = self._mask(cells, chunk, height, width, q)
        shares = subject_shares(q, key, value, mask, options["n_heads"], counts, text)
        attribution.subject.add(shares.unflatten(-1, (height, width)))
        attribution.regions.add(cells.expand(q.shape[0], -1, -1, -1).float())


def _attention(options: Mapping[str, Any]) -> Callable:
    """The host's attention; subject tokens are few and must be exact, so never in a reduced precision."""
    def attention(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor) -> Tensor:
        return optimized_attention(
            q, k, v, heads, mask=mask, attn_precision=options.get("attn_precision"), low_precision_attention=False
        )
    return attention
