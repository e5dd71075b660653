"""Putting subjects on a model, and taking them off again: the slots they act through and the wrappers they ride in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import comfy.patcher_extension
from comfy.patcher_extension import CallbacksMP, WrappersMP

from ...msd_core.attribution import Attribution
from ...msd_core.auto_layout import AutoLayoutSettings
from ...msd_core.embeds import SubjectEmbeds
from .run import Application, Patch, PhraseSpans, Watch
from .slot import AttentionSlot, take_over
from .text import Prompt
from .unet import match_layers

logger = logging.getLogger("MS-Diffusion")

KEY = "msdiffusion"
MOMENTS = (WrappersMP.OUTER_SAMPLE, WrappersMP.PREDICT_NOISE, WrappersMP.CALC_COND_BATCH, WrappersMP.APPLY_MODEL)

SECTIONS = {"input": "down", "middle": "mid", "output": "up"}


@dataclass(frozen=True)
class AutoLayoutRequest:
    """The value of MSD_AUTO_LAYOUT: how auto layout takes over, and the prompt whose words it follows."""

    settings: AutoLayoutSettings
    prompt: Prompt


def apply_subjects(
    model: Any, embeds: SubjectEmbeds, scale: float, start: float = 0.0, end: float = 1.0,
    auto_layout: AutoLayoutRequest | None = None, section_scales: Mapping[str, float] | None = None,
) -> Any:
    """A clone of the model in which the subjects act; what an earlier application did is replaced, never added to.

    Args:
        model: MODEL, left as it is.
        embeds: the encoded subjects.
        scale: factor on what they add; 0 leaves the clone without any patch of ours.
        start, end: the share of the sampling run in which they act, 0..1.
        auto_layout: lets the prompt's own attention take over from the boxes.
        section_scales: factors for the UNet's parts "down", "mid" and "up".

    Raises:
        ValueError: the model's cross-attentions are not the adapter's, or start does not lie before end.
    """
    if not 0.0 <= start < end <= 1.0:
        raise ValueError(
            f"start_percent is {start:g} and end_percent is {end:g}, but start must lie before end within 0..1: "
            "set 0 and 1 for the whole run."
        )
    adapter = embeds.adapter
    slots = match_layers(model.get_model_object("diffusion_model"), adapter.layers, adapter.name)
    patched = model.clone()
    patch, found = _take_off(patched)
    if scale == 0 and patch.watch is None and not any(_has_neighbours(*occupant) for occupant in found.values()):
        return patched

    scales = section_scales or {}
    application = Application(
        embeds, scale, start, end,
        layer_scales=tuple(scales.get(SECTIONS[slot[0]], 1.0) for slot in slots),
        model_sampling=patched.get_model_object("model_sampling"),
        auto_layout=auto_layout and (auto_layout.settings, _spans(auto_layout.prompt, embeds, auto_layout.settings)),
    )
    _put_on(patched, replace(patch, application=application), slots, found)
    return patched


def watch_subjects(model: Any, embeds: SubjectEmbeds, prompt: Prompt) -> tuple[Any, Attribution]:
    """A clone of the model whose runs are watched, and where the maps will be found after each run.

    What is seen changes nothing of the picture. Works before and after the subjects are applied.
    """
    slots = match_layers(model.get_model_object("diffusion_model"), embeds.adapter.layers, embeds.adapter.name)
    patched = model.clone()
    patch, found = _take_off(patched)
    attribution = Attribution([subject.phrase for subject in embeds.subjects])
    watch = Watch(attribution, PhraseSpans(tuple(prompt.spans(attribution.phrases)), len(prompt.pieces)))
    _put_on(patched, replace(patch, watch=watch), slots, found)
    return patched, attribution


def _spans(prompt: Prompt, embeds: SubjectEmbeds, settings: AutoLayoutSettings) -> PhraseSpans:
    phrases = [subject.phrase for subject in embeds.subjects]
    spans = prompt.spans(phrases)
    for phrase, span in zip(phrases, spans, strict=True):
        if not span:
            logger.warning(
                "Auto layout: the prompt has no %r, or not as often as there are subjects of that name; it %s.",
                phrase, "keeps its box" if settings.keep_absent else "gets no region",
            )
    return PhraseSpans(tuple(spans), len(prompt.pieces))


def _put_on(model: Any, patch: Patch, slots: list[tuple], found: Mapping[tuple, tuple]) -> None:
    """Let a patch ride on a fresh clone, around what its slots held."""
    for layer, slot in enumerate(slots):
        inner, added = found.get(slot, (None, ()))
        if inner is None:
            inner = _occupant(model, slot)
        model.set_model_attn2_replace(AttentionSlot(patch, layer, inner, added), *slot)
    for moment in MOMENTS:
        comfy.patcher_extension.add_wrapper_with_key(
            moment, KEY, getattr(patch, moment), model.model_options, is_model_options=True
        )
    model.add_callback_with_key(CallbacksMP.ON_CLONE, KEY, _own_slots)


def _take_off(model: Any) -> tuple[Patch, dict[tuple, tuple[Any, tuple]]]:
    """Take an earlier patch off a fresh clone; returns it and, for each slot, what it wrapped and what was added."""
    options = model.model_options["transformer_options"]
    for wrappers in options.get("wrappers", {}).values():
        wrappers.pop(KEY, None)
    model.remove_callbacks_with_key(CallbacksMP.ON_CLONE, KEY)
    replacements = options.get("patches_replace", {}).get("attn2", {})
    ours = {slot: patch for slot, patch in replacements.items() if isinstance(patch, AttentionSlot)}
    for slot in ours:
        del replacements[slot]
    patch = next(iter(ours.values())).patch if ours else Patch()
    return patch, {slot: (patch.inner, patch.added) for slot, patch in ours.items()}


def _occupant(model: Any, slot: tuple[str, int, int]) -> Any:
    """What another pack put into the slot: for this attention, or for its whole block, which the slot would hide."""
    replacements = model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
    return take_over(replacements.get(slot, replacements.get(slot[:2])))


def _has_neighbours(inner: Any, added: tuple) -> bool:
    return inner is not None or bool(added)


def _own_slots(model: Any, clone: Any) -> None:
    """Give a clone slots of its own, so that what is added to them does not reach the model it came from."""
    replacements = clone.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
    for slot, patch in replacements.items():
        if isinstance(patch, AttentionSlot):
            replacements[slot] = patch.copy()
