"""The node that lets a model see the subjects."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..msd_core.embeds import SubjectEmbeds
from .host.patch import AutoLayoutRequest, apply_subjects
from .types import CATEGORY, AutoLayout, Embeds


class MSDiffusionApply(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionApply",
            display_name="Apply MS-Diffusion",
            category=CATEGORY,
            description=(
                "Lets the model's cross-attention see the subjects, each in its own region. Goes anywhere between the "
                "checkpoint and the sampler, together with LoRA, ControlNet, IPAdapter and the like."
            ),
            search_aliases=["ms-diffusion", "multi subject", "subject adapter", "layout to image"],
            inputs=[
                io.Model.Input("model", tooltip="An SDXL model, or one of the same shape."),
                Embeds.Input("embeds", tooltip="From Encode MS-Diffusion Subjects."),
                io.Float.Input(
                    "scale",
                    default=0.6,
                    min=0.0,
                    max=3.0,
                    step=0.05,
                    tooltip="Strength of all subjects, 0 to 3. 0.6 suits most images; 0.4 where a subject is the whole "
                    "background; 0 is off.",
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Share of the model's whole noise schedule after which the subjects act, 0 to 1. No share "
                    "of the steps: a run with denoise below 1 walks the last part of the schedule only.",
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Share of the model's whole noise schedule after which they no longer act, 0 to 1. At "
                    "denoise 0.3 an end of 0.5 is behind the run already.",
                ),
                AutoLayout.Input(
                    "auto_layout",
                    optional=True,
                    tooltip="From MS-Diffusion Auto Layout: lets the prompt's own attention take over from the boxes.",
                ),
                *(
                    io.Float.Input(
                        f"{part}_weight",
                        default=1.0,
                        min=0.0,
                        max=3.0,
                        step=0.05,
                        optional=True,
                        advanced=True,
                        tooltip=f"Factor on the scale in the UNet's {section}, 0 to 3.",
                    )
                    for part, section in (
                        ("down", "down blocks"), ("mid", "middle block"), ("up", "up blocks, which paint the looks"),
                    )
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The model that sees the subjects.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        embeds: SubjectEmbeds,
        scale: float,
        start_percent: float,
        end_percent: float,
        auto_layout: AutoLayoutRequest | None = None,
        down_weight: float = 1.0,
        mid_weight: float = 1.0,
        up_weight: float = 1.0,
    ) -> io.NodeOutput:
        section_scales = {"down": down_weight, "mid": mid_weight, "up": up_weight}
        return io.NodeOutput(
            apply_subjects(model, embeds, scale, start_percent, end_percent, auto_layout, section_scales)
        )
