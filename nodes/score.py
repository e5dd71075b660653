"""The node that measures pictures."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..msd_core.embeds import SubjectEmbeds
from ..msd_core.evaluation.encoders import CLIP_MODEL
from ..msd_core.layout import Layout
from .host.score import (
    NONE,
    Measures,
    detector_choices,
    dinov2_choices,
    encoder_choices,
    score_images,
)
from .host.sockets import by_socket
from .types import CATEGORY, Embeds, subjects_input
from .types import Layout as LayoutType


class MSDiffusionScore(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionScore",
            display_name="MS-Diffusion Score",
            category=CATEGORY,
            description=(
                "Measures how well images show their subjects and their prompt, by the paper's CLIP-I, CLIP-T, DINO "
                "and M-DINO, and with a layout in each subject's own region. Changes nothing of the images."
            ),
            search_aliases=["metrics", "clip score", "dino", "evaluate", "benchmark"],
            inputs=[
                io.Image.Input("images", tooltip="The results, one or more of one prompt and the same subjects."),
                io.String.Input(
                    "prompt", multiline=True, default="", tooltip="What the images are to show, for CLIP-T."
                ),
                subjects_input("Whom the images are to show, in the sockets of Encode MS-Diffusion Subjects."),
                io.Combo.Input(
                    "clip",
                    options=encoder_choices(),
                    default=NONE,
                    tooltip="For CLIP-I and CLIP-T: a file of open_clip's format in models/clip_vision, the paper's is "
                    "ViT-B/32. demo judge: for the demo's drawings.",
                ),
                io.Combo.Input(
                    "dino",
                    options=encoder_choices(),
                    default=NONE,
                    tooltip="For DINO and M-DINO: a DINO file in models/clip_vision, the paper's is ViT-S/16. demo "
                    "judge: for the demo's drawings.",
                ),
                LayoutType.Input(
                    "layout",
                    optional=True,
                    tooltip="Where the subjects were to stand: adds a score for each subject's own region.",
                ),
                Embeds.Input(
                    "embeds",
                    optional=True,
                    tooltip="The embeds that were applied. They count before layout, and know a tile's part of it.",
                ),
                io.Combo.Input(
                    "dinov2",
                    options=dinov2_choices(),
                    default=NONE,
                    optional=True,
                    advanced=True,
                    tooltip="For the scores per region: a DINOv2 folder in models/clip_vision. none: dino, else clip.",
                ),
                io.Combo.Input(
                    "detector",
                    options=detector_choices(),
                    default=NONE,
                    optional=True,
                    advanced=True,
                    tooltip="For mIoU, AP50 and counts: a folder of Grounding DINO or OWLv2 in models/detection.",
                ),
                io.String.Input(
                    "clip_model",
                    default=CLIP_MODEL,
                    optional=True,
                    advanced=True,
                    tooltip="open_clip's name of the clip file's architecture, which the file does not tell.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="The scores to read, a line for each image."),
                io.String.Output(
                    display_name="scores",
                    tooltip="The same as JSON: images, one object each by metric, mean, and measured_by.",
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        images: torch.Tensor,
        prompt: str,
        clip: str,
        dino: str,
        subjects: io.Autogrow.Type | None = None,
        layout: Layout | None = None,
        embeds: SubjectEmbeds | None = None,
        dinov2: str = NONE,
        detector: str = NONE,
        clip_model: str = CLIP_MODEL,
    ) -> io.NodeOutput:
        measures = Measures(clip, dino, dinov2, detector, clip_model)
        told = score_images(measures, images, prompt, by_socket(subjects), layout, embeds)
        return io.NodeOutput(told.report, told.scores, ui=told.bars)
