"""The node that lets the prompt's own attention place the subjects."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..msd_core.auto_layout import METHODS, AutoLayoutSettings
from .host.patch import AutoLayoutRequest
from .host.text import Prompt
from .types import CATEGORY, AutoLayout


class MSDiffusionAutoLayout(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionAutoLayout",
            display_name="MS-Diffusion Auto Layout",
            category=CATEGORY,
            description=(
                "Lets the prompt's own cross-attention say where each subject is. Boxes may be rough or overlap; drawn "
                "over the whole frame they say nothing. Each subject's phrase should stand in the prompt."
            ),
            search_aliases=["pseudo layout", "no boxes", "layout from attention"],
            inputs=[
                io.Clip.Input("clip", tooltip="The CLIP that encodes the positive prompt, the very same."),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    default="",
                    tooltip="The positive prompt, word for word, weights and embeddings too: its tokens are compared "
                    "with those that are sampled.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=0.99,
                    step=0.01,
                    tooltip="Method paper only: share of a map's range above which a place belongs to the subject, 0 "
                    "to 0.99. Lower gives larger regions.",
                ),
                io.Int.Input(
                    "start_step",
                    default=5,
                    min=1,
                    max=10000,
                    tooltip="Method paper only: first sampling step of the run on which the prompt's attention rules, "
                    "counted from 1. Steady begins at a share of the noise schedule.",
                ),
                io.Combo.Input(
                    "before_start",
                    options=["boxes", "off"],
                    default="boxes",
                    optional=True,
                    tooltip="What rules before the prompt's attention does: boxes, where they are more or less right; "
                    "off, so that no subject acts and the picture finds its own composition, where they are a guess.",
                ),
                io.Combo.Input(
                    "absent_phrase",
                    options=["keep box", "vanish"],
                    default="keep box",
                    optional=True,
                    advanced=True,
                    tooltip="What becomes of a subject whose phrase is not in the prompt: it keeps its box, or it "
                    "vanishes, as in the original code.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=METHODS[0],
                    optional=True,
                    tooltip="steady: one region of the box's size for each subject, where the prompt's attention fits "
                    "it best, near its box, apart from the others, then kept. paper: each layer cuts its own maps at "
                    "the threshold, from start_step on.",
                ),
            ],
            outputs=[AutoLayout.Output(display_name="auto_layout", tooltip="For Apply MS-Diffusion.")],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        prompt: str,
        threshold: float,
        start_step: int,
        before_start: str = "boxes",
        absent_phrase: str = "keep box",
        method: str = METHODS[0],
    ) -> io.NodeOutput:
        settings = AutoLayoutSettings(
            threshold, start_step, before_start == "boxes", absent_phrase == "keep box", method
        )
        return io.NodeOutput(AutoLayoutRequest(settings, Prompt.of(clip, prompt)))
