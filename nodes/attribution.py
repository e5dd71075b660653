"""Nodes that show where each subject acts."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..msd_core.attribution import Attribution
from ..msd_core.embeds import SubjectEmbeds
from .host.heat_map import SOURCES, draw_attribution
from .host.patch import watch_subjects
from .host.report import attribution_report
from .host.text import Prompt
from .host.watched import Place, run_of
from .types import CATEGORY, Embeds
from .types import Attribution as AttributionType


class MSDiffusionAttribution(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionAttribution",
            display_name="Watch MS-Diffusion Attribution",
            category=CATEGORY,
            description=(
                "Watches a sampling run: where the prompt speaks of each subject, and where and how much each subject "
                "acts. Changes nothing of the picture; costs time while it is linked."
            ),
            search_aliases=["heat map", "attention map", "daam"],
            inputs=[
                io.Model.Input("model", tooltip="The model to sample with, from Apply MS-Diffusion."),
                Embeds.Input("embeds", tooltip="The same embeds that are applied."),
                io.Clip.Input("clip", tooltip="The CLIP that encodes the positive prompt."),
                io.String.Input(
                    "prompt", multiline=True, default="", tooltip="The positive prompt, word for word, weights too."
                ),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The watched model, for the sampler."),
                AttributionType.Output(
                    display_name="attribution", tooltip="What is seen, for MS-Diffusion Attribution Maps."
                ),
            ],
            # Each Watch node has runs of its own, also beside another with the same inputs.
            not_idempotent=True,
        )

    @classmethod
    def execute(cls, model: Any, embeds: SubjectEmbeds, clip: Any, prompt: str) -> io.NodeOutput:
        return io.NodeOutput(*watch_subjects(model, embeds, Prompt.of(clip, prompt)))


class MSDiffusionAttributionMaps(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionAttributionMaps",
            display_name="MS-Diffusion Attribution Maps",
            category=CATEGORY,
            description="Draws what a watched run has shown, as heat maps over the images that it made.",
            search_aliases=["heat map", "attention map", "subject regions"],
            inputs=[
                AttributionType.Input("attribution", tooltip="From Watch MS-Diffusion Attribution."),
                io.Image.Input(
                    "images",
                    tooltip="The decoded result of the watched run: it tells which run is drawn, and makes this node "
                    "run after it.",
                ),
                io.Combo.Input(
                    "source",
                    options=list(SOURCES),
                    default="subject",
                    tooltip="subject: where the subject's tokens act, as a share of the text's say. text: where the "
                    "prompt attends to its phrase.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="maps",
                    tooltip="One heat map per subject over each image, with its name and how much it acts.",
                ),
                io.Mask.Output(
                    display_name="masks",
                    tooltip="One mask per map. subject: the region that the subject ended with. text: where its map is "
                    "above half of its range. Fits the layout's masks input.",
                ),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.unique_id],
            has_intermediate_output=True,
        )

    @classmethod
    def execute(cls, attribution: Attribution, images: torch.Tensor, source: str) -> io.NodeOutput:
        place = Place(cls.hidden.dynprompt, cls.hidden.unique_id) if cls.hidden else None
        run = run_of(attribution, images.shape[0], place)
        drawn = draw_attribution(run, attribution.phrases, images, source)
        return io.NodeOutput(*drawn, ui=attribution_report(run, source))
