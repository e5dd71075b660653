"""Putting subjects on a model, and taking them off again: the slots they act through and the wrappers they ride in."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import comfy.patcher_extension
import torch
from comfy.patcher_extension import CallbacksMP, WrappersMP

from ...msd_core.attribution import Attribution
from ...msd_core.auto_layout import AutoLayoutSettings, layers_read
from ...msd_core.embeds import SubjectEmbeds
from .call import PATCH
from .run import Application, Patch, Watch
from .slot import AttentionSlot
from .text import Prompt, PromptPhrases
from .unet import match_layers

logger = logging.getLogger("MS-Diffusion")

KEY = "msdiffusion"
MOMENTS = (WrappersMP.OUTER_SAMPLE, WrappersMP.PREDICT_NOISE, WrappersMP.CALC_COND_BATCH, WrappersMP.APPLY_MODEL)

SECTIONS = {"input": "down", "middle": "mid", "output": "up"}


@dataclass(frozen=True, eq=False)
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
        start, end: the share of the model's noise schedule in which they act, 0..1.
        auto_layout: lets the prompt's own attention take over from the boxes.
        section_scales: factors for the UNet's parts "down", "mid" and "up".

    Raises:
        ValueError: the model's cross-attentions are not the adapter's, a scale is no number, start does not lie before
            end, or other subjects are watched.
    """
    scales = section_scales or {}
    for name, value in {"scale": scale, **{f"{part}_weight": value for part, value in scales.items()}}.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value} but must be a finite number: 0.6 is the paper's scale, 1 is neutral.")
    if not 0.0 <= start < end <= 1.0:
        raise ValueError(
            f"start_percent is {start:g} and end_percent is {end:g}, but start must lie before end within 0..1: "
            "set 0 and 1 for the whole run."
        )
    adapter = embeds.adapter
    slots = match_layers(model.get_model_object("diffusion_model"), adapter.layers, adapter.name)
    earlier = riding(model)
    if scale != 0 and earlier is not None and earlier.application is not None:
        logger.warning(
            "Apply MS-Diffusion replaces an earlier one in this model's line (%s by %s): to have all of them, encode "
            "them together.", *(_names(applied) for applied in (earlier.application.embeds, embeds)),
        )
    patched = model.clone()
    application = None
    if scale != 0:
        application = Application(
            embeds, scale, start, end,
            layer_scales=tuple(scales.get(SECTIONS[slot[0]], 1.0) for slot in slots),
            model_sampling=patched.get_model_object("model_sampling"),
            auto_layout=auto_layout and (_reading(auto_layout.settings, slots, adapter), _phrases(auto_layout, embeds)),
        )
    _put_on(patched, replace(earlier or Patch(_order(slots)), application=application), slots)
    return patched


def watch_subjects(model: Any, embeds: SubjectEmbeds, prompt: Prompt) -> tuple[Any, Attribution]:
    """A clone of the model whose runs are watched, and where the maps of each run will be found.

    What is seen changes nothing of the picture. Works before and after the subjects are applied.

    Raises:
        ValueError: the model's cross-attentions are not the adapter's, or other subjects are applied.
    """
    slots = match_layers(model.get_model_object("diffusion_model"), embeds.adapter.layers, embeds.adapter.name)
    patched = model.clone()
    attribution = Attribution([subject.phrase for subject in embeds.subjects])
    watch = Watch(embeds, attribution, prompt.phrases(attribution.phrases))
    _put_on(patched, replace(riding(model) or Patch(_order(slots)), watch=watch), slots)
    return patched, attribution


def _order(slots: Sequence[tuple[str, int, int]]) -> tuple[int, ...]:
    """The adapter's layers in the order in which the UNet calls their slots."""
    sections = list(SECTIONS)
    return tuple(sorted(range(len(slots)), key=lambda layer: (sections.index(slots[layer][0]), *slots[layer][1:])))


def riding(model: Any) -> Patch | None:
    """The patch that rides on a model."""
    return model.model_options["transformer_options"].get(PATCH)


def _reading(settings: AutoLayoutSettings, slots: Sequence[tuple], adapter: Any) -> AutoLayoutSettings:
    """The settings with the layers that are read, where they name none."""
    if settings.layers is not None:
        return settings
    sections = [SECTIONS[slot[0]] for slot in slots]
    return replace(settings, layers=layers_read(sections, [slot[:2] for slot in slots], adapter.layers.hidden))


def _phrases(auto_layout: AutoLayoutRequest, embeds: SubjectEmbeds) -> PromptPhrases:
    phrases = auto_layout.prompt.phrases([subject.phrase for subject in embeds.subjects])
    for phrase, span in zip(phrases.names, phrases.spans, strict=True):
        if not span:
            logger.warning(
                "Auto layout: the prompt has no %r, or not as often as there are subjects of that name; it %s.",
                phrase, "keeps its box" if auto_layout.settings.keep_absent else "gets no region",
            )
    return phrases


def _put_on(model: Any, patch: Patch, slots: list[tuple]) -> None:
    """Let a patch ride on a fresh clone instead of what rode on it; one that asks for nothing is left away.

    Slots stay where they are, within what others have put around them: which patch acts is told by the options.
    """
    if patch.watch is not None and patch.application is not None:
        _check_watched(patch.watch.embeds, patch.application.embeds)
    _take_off(model)
    asked = patch.application is not None or patch.watch is not None
    for layer, slot in enumerate(slots):
        occupant = _replacements(model).get(slot)
        if not isinstance(occupant, AttentionSlot):
            if asked:
                model.set_model_attn2_replace(AttentionSlot.around(layer, _replacements(model), slot), *slot)
        elif occupant.bare and not asked:
            del _replacements(model)[slot]
    if any(isinstance(occupant, AttentionSlot) for occupant in _replacements(model).values()):
        model.add_callback_with_key(CallbacksMP.ON_CLONE, KEY, _own_slots)
    if asked:
        model.model_options["transformer_options"][PATCH] = patch
        for moment in MOMENTS:
            comfy.patcher_extension.add_wrapper_with_key(
                moment, KEY, getattr(patch, moment), model.model_options, is_model_options=True
            )


def _take_off(model: Any) -> None:
    """Let nothing of ours ride on a fresh clone any more; the slots stay, as what others have added to them does."""
    options = model.model_options["transformer_options"]
    for wrappers in options.get("wrappers", {}).values():
        wrappers.pop(KEY, None)
    options.pop(PATCH, None)
    model.remove_callbacks_with_key(CallbacksMP.ON_CLONE, KEY)


def _check_watched(watched: SubjectEmbeds, applied: SubjectEmbeds) -> None:
    """Refuse to watch other subjects than are applied: their maps would carry wrong names."""
    same = len(watched.subjects) == len(applied.subjects) and all(
        a.phrase == b.phrase and (a.tokens is b.tokens or torch.equal(a.tokens, b.tokens))
        for a, b in zip(watched.subjects, applied.subjects, strict=True)
    )
    if not same:
        raise ValueError(
            f"Watch MS-Diffusion Attribution is given {_names(watched)} but {_names(applied)} is applied: link the "
            "same embeds to both."
            if _names(watched) != _names(applied) else
            f"Watch MS-Diffusion Attribution and Apply MS-Diffusion are given two encodings of {_names(watched)}: link "
            "the same embeds to both."
        )


def _names(embeds: SubjectEmbeds) -> str:
    return ", ".join(repr(subject.phrase) for subject in embeds.subjects)


def _replacements(model: Any) -> dict:
    """What stands in the model's attn2 slots."""
    return model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})


def _own_slots(model: Any, clone: Any) -> None:
    """Give a clone slots of its own, so that what is added to them does not reach the model it came from."""
    replacements = _replacements(clone)
    for slot, occupant in replacements.items():
        if isinstance(occupant, AttentionSlot):
            replacements[slot] = occupant.copy()
