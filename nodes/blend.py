"""The node that blends subjects."""

from __future__ import annotations

from comfy_api.latest import io

from ..msd_core.blend import MODES, Mode, blend_embeds
from ..msd_core.embeds import SubjectEmbeds
from .types import CATEGORY, Embeds


class MSDiffusionBlend(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionBlend",
            display_name="Blend MS-Diffusion Subjects",
            category=CATEGORY,
            description="Subjects between two sets of subjects, pair by pair: one blend, or a transition in a batch.",
            search_aliases=["interpolate subjects", "morph", "mix subjects"],
            inputs=[
                Embeds.Input("embeds_a", tooltip="The subjects at amount 0."),
                Embeds.Input("embeds_b", tooltip="The subjects at amount 1, as many as in a."),
                io.Float.Input(
                    "amount",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="0 is exactly a, 1 is exactly b. Unused with several frames.",
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default="linear",
                    tooltip="linear mixes the tokens; slerp turns them from a's direction to b's, which keeps their "
                    "strength.",
                ),
                io.Int.Input(
                    "frames",
                    default=1,
                    min=1,
                    max=4096,
                    tooltip="Above 1: image k of a latent batch of this size gets the k-th step from a to b.",
                ),
            ],
            outputs=[Embeds.Output(display_name="embeds", tooltip="The blended subjects, for Apply MS-Diffusion.")],
        )

    @classmethod
    def execute(
        cls, embeds_a: SubjectEmbeds, embeds_b: SubjectEmbeds, amount: float, mode: Mode, frames: int
    ) -> io.NodeOutput:
        return io.NodeOutput(blend_embeds(embeds_a, embeds_b, amount, mode, frames))
