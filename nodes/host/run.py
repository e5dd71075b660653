"""One sampling run with subjects: what was asked for, and what the run keeps.

    Patch           what the nodes have asked for: immutable, rides on the model, is the host's wrappers itself
    SamplingRun     what one run keeps: keys and values, masks, means, which step it is at

A run is found by the patch that rides on the options it is asked with, or it is not there. What lives for one call is
in `call`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from comfy_execution.utils import get_executing_context
from torch import Tensor

from ...msd_core.attention import RegionMasks, SubjectKeyValues
from ...msd_core.attribution import Attribution, RunMaps, WatchedRun, span_values
from ...msd_core.auto_layout import AutoLayoutSettings, span_matrix
from ...msd_core.cells import Window
from ...msd_core.embeds import SubjectEmbeds
from .account import RunAccount
from .auto_layout import follower
from .call import CALL, EVALUATION, Evaluation, ModelCall
from .compiled import call_compiled, is_compiled, see_text
from .refusals import refuse_guider
from .rows import compose
from .slot import uncover_blocks
from .steps import StepCounter
from .text import PromptPhrases
from .told import tell_regions
from .unet import computes_in


@dataclass(frozen=True, eq=False)
class Application:
    """Subjects applied to a model.

    Attributes:
        embeds: the encoded subjects.
        scale: factor on what they add.
        start, end: the share of the model's noise schedule in which they act.
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
    auto_layout: tuple[AutoLayoutSettings, PromptPhrases] | None = None


@dataclass(frozen=True, eq=False)
class Watch:
    """Subjects being watched: the embeds, where the maps go, and where the phrases stand."""

    embeds: SubjectEmbeds
    attribution: Attribution
    phrases: PromptPhrases


@dataclass(frozen=True, eq=False)
class Patch:
    """What rides on a model: subjects applied, subjects watched, or both; and the host's wrappers that serve them.

    Attributes:
        order: the adapter's layers in the order in which the UNet calls its cross-attentions.
    """

    order: tuple[int, ...]
    application: Application | None = None
    watch: Watch | None = None

    def __deepcopy__(self, memo: dict) -> Patch:
        return self

    @property
    def layers(self) -> int:
        """Cross-attentions of the model."""
        return len(self.order)

    @property
    def run(self) -> SamplingRun | None:
        """The run that is going on with this patch."""
        return _RUNNING.get(self)

    def call(self, options: Mapping[str, Any], rows: int) -> ModelCall:
        """The model call that an attention belongs to.

        Args:
            options: the host's `extra_options`.
            rows: rows of the attention's queries.

        Raises:
            ValueError: the attention is called outside of everything that is known.
        """
        call = options.get(CALL)
        if call is None or call.run.patch is not self:
            call = self._evaluation(options).call(options, rows)
        return call

    def outer_sample(self, executor: Callable, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor,
                     *args: Any, **kwargs: Any) -> Any:
        """One sampling run, before the UNet is loaded: the adapter has the device to itself.

        Raises:
            ValueError: a sampler that can't be followed, a batch that is not the embeds', a prompt that is not sampled.
        """
        guider = executor.class_obj
        refuse_guider(guider)
        model, levels = guider.model_patcher, sigmas.tolist()
        run = SamplingRun(
            self, model.get_model_object("model_sampling"), guider, (noise.shape[0], *noise.shape[-2:]),
            StepCounter(levels, sampler), levels, computes_in(model.model, model.get_model_object("manual_cast_dtype")),
        )
        outer, _RUNNING[self] = self.run, run
        try:
            run.check(guider.conds)
            result = executor(noise, latent_image, sampler, sigmas, *args, **kwargs)
            run.end()
            return result
        finally:
            if outer is None:
                del _RUNNING[self]
            else:
                _RUNNING[self] = outer

    def predict_noise(self, executor: Callable, x: Tensor, timestep: Tensor, *args: Any, **kwargs: Any) -> Any:
        """One evaluation by the sampler, which may take several calls."""
        run = self.run
        if run is None:
            return executor(x, timestep, *args, **kwargs)
        if run.counts_steps:
            run.at(float(timestep.flatten()[0]))
        elif run.auto_layout is not None:
            run.auto_layout.rest()
        run.latents = x
        try:
            return executor(x, timestep, *args, **kwargs)
        finally:
            run.latents = None

    def calc_cond_batch(
        self, executor: Callable, model: Any, conds: Sequence[Any], x_in: Tensor, timestep: Tensor, model_options: dict
    ) -> Any:
        """One evaluation of all conditionings: tell which of them are conditional and what part each shows."""
        run = self.run
        if run is None:
            raise ValueError(
                "The model is evaluated outside of a sampling run, so it can't be told which conditionings are "
                "positive: use a sampler that samples with a guider, or the model from before Apply MS-Diffusion."
            )
        evaluation = Evaluation(run, conds, x_in)
        options = uncover_blocks({**model_options["transformer_options"], EVALUATION: evaluation})
        options = self._reading_texts(options, run)
        outer, run.evaluation = run.evaluation, evaluation
        try:
            return executor(model, conds, x_in, timestep, {**model_options, "transformer_options": options})
        finally:
            run.evaluation = outer

    def apply_model(
        self, executor: Callable, x: Tensor, t: Tensor, c_concat: Any, c_crossattn: Any, control: Any,
        transformer_options: dict, **kwargs: Any,
    ) -> Any:
        """One call of the UNet; without a sampler it is a run of one call."""
        if self.run is None:
            model = executor.class_obj
            run = SamplingRun(self, model.model_sampling, dtype=computes_in(model, model.manual_cast_dtype))
            transformer_options = self._reading_texts(transformer_options, run)
            evaluation = run.lone_evaluation(x)
        else:
            evaluation = self._evaluation(transformer_options)
        call = ModelCall(evaluation, transformer_options, x.shape[0], x)
        options = {**transformer_options, CALL: call}

        def compute() -> Any:
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

        return call_compiled(compute, call, options) if is_compiled(executor.class_obj, options) else compute()

    def _evaluation(self, options: Mapping[str, Any]) -> Evaluation:
        evaluation = options.get(EVALUATION)
        if evaluation is None or evaluation.run.patch is not self:
            evaluation = self.run and self.run.evaluation
        if evaluation is None:
            raise ValueError(
                "The model is called outside of every evaluation of conditionings, so it can't be told which rows are "
                "positive: take off the patch that calls it, or use the model from before Apply MS-Diffusion."
            )
        return evaluation

    def _reading_texts(self, options: dict, run: SamplingRun) -> dict:
        """Options with which each attention's text is seen as it is after all other patches, if any map asks for it."""
        if not run.reads_texts:
            return options
        patches = options.get("patches", {})
        reading = [*patches.get("attn2_patch", ()), self._read_text]
        return {**options, "patches": {**patches, "attn2_patch": reading}}

    def _read_text(self, n: Tensor, context: Tensor, value: Tensor, options: dict) -> tuple[Tensor, Tensor, Tensor]:
        if torch.compiler.is_compiling():
            return n, see_text(context), value
        self.call(options, n.shape[0]).attends_to(context)
        return n, context, value


_RUNNING: dict[Patch, SamplingRun] = {}


class SamplingRun:
    """What one sampling run keeps."""

    def __init__(
        self, patch: Patch, model_sampling: Any, guider: Any = None, size: tuple[int, int, int] | None = None,
        steps: StepCounter | None = None, sigmas: Sequence[float] = (), dtype: torch.dtype = torch.float32,
    ) -> None:
        """
        Args:
            patch: what was asked for.
            model_sampling: the model's noise schedule.
            guider: the guider of the run; None for a lone call.
            size: images, height and width of the whole latent.
            steps: the run's step counter.
            sigmas: the run's own noise levels.
            dtype: what the UNet computes in.
        """
        self.patch, self.size = patch, size
        self.steps, self.step = steps, 1
        self.evaluation: Evaluation | None = None
        self.latents: Tensor | None = None
        self.starts: dict[tuple, tuple[tuple[int, ...], ...]] = {}
        self._guider = guider
        self._lone: list | None = None
        self._span_matrices: dict[tuple, Tensor] = {}
        self._span_values: dict[tuple, tuple[Tensor, ...]] = {}
        self._texts: list[Tensor] = []
        self._text_of: dict[Any, int] = {}
        self.maps = None if size is None or patch.watch is None else RunMaps(size[0])
        self.key_values = self.masks = self.auto_layout = None
        self.windows: tuple[tuple[float, float], ...] = ()
        self.always = True
        if patch.application is not None:
            self._apply(patch.application, model_sampling, dtype)
        self.account = RunAccount(patch, self.windows, sigmas, size, self.auto_layout)

    def _apply(self, application: Application, model_sampling: Any, dtype: torch.dtype) -> None:
        embeds, schedule = application.embeds, model_sampling.percent_to_sigma
        if self.size is not None and embeds.frames not in (1, self.size[0]):
            raise ValueError(
                f"The embeds hold {embeds.frames} frames, one for each image, but the latent batch has {self.size[0]} "
                f"images: set its batch size to {embeds.frames}."
            )
        self.key_values = SubjectKeyValues(
            embeds.projected(dtype, embeds.adapter.project), embeds.adapter.layers.hidden,
            embeds.token_weights() * application.scale, application.layer_scales,
        )
        self.masks = RegionMasks(embeds.regions, embeds.token_counts)
        self.windows = tuple(
            (schedule(max(application.start, subject.start)), schedule(min(application.end, subject.end)))
            for subject in embeds.subjects
        )
        self.always = all(window == (schedule(0.0), schedule(1.0)) for window in self.windows)
        if application.auto_layout is not None:
            images = None if self.size is None else self.size[0]
            self.auto_layout = follower(*application.auto_layout, embeds, images, schedule)

    def __deepcopy__(self, memo: dict) -> SamplingRun:
        return self

    @property
    def counts_steps(self) -> bool:
        """Whether anything asks for the step; knowing it costs one look at the device per evaluation."""
        watched = self.patch.watch is not None or (self.auto_layout is not None and self.auto_layout.counts_steps)
        return self.steps is not None and watched

    def at(self, sigma: float) -> None:
        """An evaluation begins, at a noise level."""
        self.step = self.steps.evaluation(sigma)
        if self.auto_layout is not None:
            self.auto_layout.at(self.step, sigma)

    @property
    def reads_texts(self) -> bool:
        """Whether maps of the prompt's attention are made."""
        return self.patch.watch is not None or self.auto_layout is not None

    @property
    def roles(self) -> Mapping[str, Any]:
        """The guider's conditionings by role."""
        return {"positive": self._lone} if self._guider is None else self._guider.conds

    def check(self, roles: Mapping[str, Any]) -> None:
        """Refuse a prompt that is not sampled, before anything is computed.

        Args:
            roles: the guider's conditionings by role, as they are before the run.
        """
        contexts = [
            entry["cross_attn"]
            for role, conditioning in roles.items() if "negative" not in role
            for entry in conditioning if entry.get("cross_attn") is not None
        ]
        application, watch = self.patch.application, self.patch.watch
        if application is not None and application.auto_layout is not None:
            application.auto_layout[1].check_sampled(contexts, "MS-Diffusion Auto Layout")
        if watch is not None:
            watch.phrases.check_sampled(contexts, "Watch MS-Diffusion Attribution")

    def lone_evaluation(self, latents: Tensor) -> Evaluation:
        """The evaluation of a call without a sampler, of one conditioning."""
        self._lone = [{}]
        return Evaluation(self, [self._lone], latents)

    def windows_of(self, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        """Windows of the latent as windows of the layout's frame."""
        return compose((self.patch.application.embeds.window,), windows)

    def text_of(self, uuid: Any, entry: Mapping[str, Any]) -> int:
        """A number for an entry's text: the same for entries of the same text."""
        context = entry.get("model_conds", {}).get("c_crossattn")
        if not self.reads_texts or context is None:
            return 0
        if uuid not in self._text_of:
            same = (number for number, text in enumerate(self._texts) if _equal(text, context.cond))
            number = next(same, len(self._texts))
            self._texts[number:] = self._texts[number:] or [context.cond]
            self._text_of[uuid] = number
        return self._text_of[uuid]

    def span_matrix(
        self, phrases: PromptPhrases, length: int, starts: tuple[int, ...], device: torch.device
    ) -> Tensor:
        """What averages a context's attention over each phrase's tokens: `[length, n]` (see `span_matrix`)."""
        key = (phrases.spans, length, starts, device)
        if key not in self._span_matrices:
            self._span_matrices[key] = span_matrix(phrases.spans, starts, length).to(device)
        return self._span_matrices[key]

    def span_values(self, spans: Tensor, heads: int, hidden: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Values that make an attention read phrases (see `span_values`), of one of the run's span matrices."""
        key = (id(spans), heads, hidden, dtype)
        if key not in self._span_values:
            self._span_values[key] = span_values(spans, heads, hidden // heads, dtype)
        return self._span_values[key]

    def end(self) -> None:
        """Say what the run did, tell the page where subjects stood, and hand over what was watched."""
        self.account.close()
        boxes = self.auto_layout and self.auto_layout.boxes()
        if boxes:
            tell_regions(self.patch.application.embeds, boxes)
        if self.maps is not None:
            origin = get_executing_context()
            self.patch.watch.attribution.keep(WatchedRun.of(self.maps, self.size[0], self.size[1:], origin))


def _equal(a: Tensor, b: Tensor) -> bool:
    return a is b or (a.shape == b.shape and torch.equal(a, b.to(a.device)))
