"""Encoding subjects with the workflow's own CLIP vision, CLIP and adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...msd_core.boxes import Box
from ...msd_core.embeds import Projections, SubjectEmbeds, SubjectTokens
from ...msd_core.layout import Layout
from ...msd_core.photo import Features
from ...msd_core.subject import Subject
from .adapter import ManagedAdapter
from .open_clip import OpenCLIPVision
from .sockets import check_counts

ENCODERS = {1664: "CLIP ViT-bigG/14", 1280: "ViT-H/14", 1024: "ViT-L/14", 768: "ViT-B", 1152: "SigLIP"}
PHRASE_ENCODER = "clip_l"


def encode_subjects(
    adapter: ManagedAdapter,
    clip_vision: Any,
    clip: Any,
    layout: Layout,
    subjects: Mapping[int, Subject],
    grounding: bool,
) -> SubjectEmbeds:
    """Turn subjects into tokens, the one at k with the k-th region of the layout.

    Args:
        adapter: the loaded adapter.
        clip_vision: CLIP_VISION, of the adapter's feature width.
        clip: CLIP with a CLIP-L text encoder.
        layout: regions, one for each subject; the rest are unused.
        subjects: one or more, by socket. A socket left out keeps its region: the others do not move up.
        grounding: whether phrase and box start the resampler's queries (SPEC 3).

    Raises:
        ValueError: no subject, a subject without a box, a wrong CLIP vision model, or a CLIP without CLIP-L.
    """
    check_counts(layout, subjects)
    check_encoder(adapter, clip_vision)
    encoded = []
    in_order = sorted(subjects.items())
    regions = layout.among([socket for socket, _ in in_order])
    for (_, subject), region in zip(in_order, regions, strict=True):
        made = subject_tokens(adapter, clip_vision, clip, subject, region.box, grounding)
        encoded.append(SubjectTokens(
            made.tokens, region, subject.phrase, subject.weight, subject.start, subject.end, made
        ))
    return SubjectEmbeds(tuple(encoded), adapter, frame=(layout.width, layout.height), origin=layout.origin)


def subject_tokens(
    adapter: ManagedAdapter, clip_vision: Any, clip: Any, subject: Subject, box: Box, grounding: bool
) -> Projections:
    """A subject's tokens `[1, views * t, C]`, with its keys and values as far as they have been made.

    What was made of the same photo before is not made again: features are the photo's, an embedding is the phrase's,
    and tokens come of both and the box.
    """
    photo = subject.photo
    adapter.photos.meet(photo)
    seen = photo.result(
        clip_vision, _state(clip_vision), lambda: Features(image_features(clip_vision, photo.views).detach().cpu())
    )
    named = photo.result(
        clip, (_state(clip), subject.phrase), lambda: phrase_embedding(clip, subject.phrase).detach().cpu()
    )
    start = (box.edges, *named.flatten().tolist()) if grounding else None

    def resampled() -> Projections:
        views = seen.states.shape[0]
        edges = torch.tensor([box.edges], dtype=torch.float32).expand(views, -1)
        tokens = adapter.resample(seen.states, named.expand(views, -1), edges, grounding)
        return Projections(tokens.flatten(0, 1)[None])

    return photo.result(adapter, (seen.mark, start), resampled)


def check_encoder(adapter: ManagedAdapter, clip_vision: Any) -> None:
    """Raise a ValueError if the CLIP vision model's features have another width than the adapter takes."""
    width = encoder_width(clip_vision)
    if width != adapter.feature_width:
        raise ValueError(
            f"{adapter.name} needs features {_encoder(adapter.feature_width)}, got {_encoder(width)}: "
            "load that CLIP vision model."
        )


def encoder_width(clip_vision: Any) -> int:
    """How wide a CLIP_VISION value's features are, the host's or open_clip's."""
    if isinstance(clip_vision, OpenCLIPVision):
        return clip_vision.feature_width
    return clip_vision.config["hidden_size"]


def image_features(clip_vision: Any, views: Tensor) -> Tensor:
    """Penultimate hidden states `[v, patches + 1, width]` of square views `[v, 512, 512, 3]` (SPEC 2)."""
    return clip_vision.encode_image(views)["penultimate_hidden_states"]


def phrase_embedding(clip: Any, phrase: str) -> Tensor:
    """The phrase's pooled CLIP-L embedding `[1, 768]`: final-layer-norm state at the end token, unprojected (SPEC 3).

    Prompt weights don't apply, and clip skip doesn't reach it.
    """
    encoder = getattr(clip.cond_stage_model, PHRASE_ENCODER, None)
    if encoder is None:
        encoders = [name for name, _ in clip.cond_stage_model.named_children()]
        raise ValueError(
            f"The phrase needs a CLIP-L text encoder, but this CLIP has {', '.join(encoders)}: "
            "use the CLIP output of an SDXL checkpoint."
        )
    tokens = clip.tokenize(phrase, disable_weights=True)["l"]
    model = clip.cond_stage_model
    model.reset_clip_options()
    clip.load_model()
    model.set_clip_options({"projected_pooled": False, "execution_device": clip.patcher.load_device})
    try:
        return encoder.encode_token_weights(tokens)[1].float()
    finally:
        model.reset_clip_options()


def _state(model: Any) -> Any:
    """What tells a model's weights from those that it may get in place."""
    return getattr(getattr(model, "patcher", None), "patches_uuid", None)


def _encoder(width: int) -> str:
    return f"{width} wide ({ENCODERS[width]})" if width in ENCODERS else f"{width} wide"
