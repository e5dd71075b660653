"""The node that pastes subjects into their boxes."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..msd_core.collage import PLACINGS, Placing, paste
from ..msd_core.layout import Layout
from .host.sockets import by_socket, check_counts
from .types import CATEGORY, subjects_input
from .types import Layout as LayoutType


class MSDiffusionCollage(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionCollage",
            display_name="MS-Diffusion Collage",
            category=CATEGORY,
            description="Pastes each subject's cut-out into its box: a picture to start from (img2img), a sketch for a "
            "ControlNet, or the reference sheet of an edit model.",
            search_aliases=["composite", "paste subjects", "reference sheet", "img2img start", "cut-outs"],
            inputs=[
                LayoutType.Input(
                    "layout", tooltip="From MS-Diffusion Layout. The k-th socket's subject takes the k-th box."
                ),
                subjects_input(
                    "The subjects, in the order of the boxes. An empty socket keeps its box.",
                    each="From MS-Diffusion Subject; its mask cuts it out. A free socket follows the last.",
                ),
                io.Image.Input(
                    "background",
                    optional=True,
                    tooltip="What lies under the cut-outs, stretched to the layout's size; a batch makes a batch of "
                    "collages. Without it: grey.",
                ),
                io.Combo.Input(
                    "fit",
                    options=list(PLACINGS),
                    default="whole",
                    optional=True,
                    tooltip="whole: the cut-out as large as fits into its box. fill: it fills the box, the rest is cut "
                    "off. Both keep its aspect. subject: as fit of MS-Diffusion Subject says, stretched too.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The collage, in the layout's size."),
                io.Mask.Output(display_name="mask", tooltip="White where a subject is."),
            ],
        )

    @classmethod
    def execute(
        cls,
        layout: Layout,
        subjects: io.Autogrow.Type | None = None,
        background: torch.Tensor | None = None,
        fit: Placing = "whole",
    ) -> io.NodeOutput:
        placed = by_socket(subjects)
        check_counts(layout, placed)
        references = {socket: subject.reference for socket, subject in placed.items()}
        return io.NodeOutput(*paste(layout, references, background, fit))
