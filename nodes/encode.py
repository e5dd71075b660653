"""The node that turns subjects into tokens."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..msd_core.layout import Layout
from .host.adapter import ManagedAdapter
from .host.encode import encode_subjects
from .host.sockets import by_socket
from .types import CATEGORY, Adapter, Embeds, subjects_input
from .types import Layout as LayoutType


class MSDiffusionEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionEncode",
            display_name="Encode MS-Diffusion Subjects",
            category=CATEGORY,
            description="Turns each subject's photo, phrase and box into the tokens that the model will see.",
            search_aliases=["grounding resampler", "subject embeds", "encode subjects"],
            inputs=[
                Adapter.Input("adapter", tooltip="From Load MS-Diffusion Adapter."),
                io.ClipVision.Input(
                    "clip_vision",
                    tooltip="The image encoder the adapter was trained with: CLIP ViT-bigG/14, 1664 wide.",
                ),
                io.Clip.Input("clip", tooltip="The SDXL checkpoint's CLIP. Its CLIP-L encodes the phrases."),
                LayoutType.Input(
                    "layout", tooltip="From MS-Diffusion Layout. The k-th socket's subject takes the k-th box."
                ),
                subjects_input("The subjects, in the order of the boxes. An empty socket keeps its box."),
                io.Boolean.Input(
                    "grounding",
                    default=True,
                    tooltip="Let phrase and box shape the tokens. Off: one and the same start for every subject.",
                ),
            ],
            outputs=[Embeds.Output(display_name="embeds", tooltip="The encoded subjects, for Apply MS-Diffusion.")],
        )

    @classmethod
    def execute(
        cls,
        adapter: ManagedAdapter,
        clip_vision: Any,
        clip: Any,
        layout: Layout,
        grounding: bool,
        subjects: io.Autogrow.Type | None = None,
    ) -> io.NodeOutput:
        return io.NodeOutput(encode_subjects(adapter, clip_vision, clip, layout, by_socket(subjects), grounding))
