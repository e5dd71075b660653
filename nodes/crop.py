"""The node that gives a tile its part of the layout."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io

from ..msd_core.cells import pixel_window, within
from ..msd_core.embeds import SubjectEmbeds
from .types import CATEGORY, Embeds


class MSDiffusionCropEmbeds(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        sides = (
            ("x", 0, 0, "Left edge of the tile, in pixels of the frame."),
            ("y", 0, 0, "Top edge of the tile, in pixels of the frame."),
            ("width", 512, 1, "Width of the tile in pixels."),
            ("height", 512, 1, "Height of the tile in pixels."),
            ("frame_width", 1024, 1, "Width of the whole image that the layout means, in pixels."),
            ("frame_height", 1024, 1, "Height of the whole image that the layout means, in pixels."),
        )
        return io.Schema(
            node_id="MSDiffusionCropEmbeds",
            display_name="Crop MS-Diffusion Embeds",
            category=CATEGORY,
            description=(
                "For sampling one tile of an image: each subject acts in that part of its region which the tile shows."
            ),
            search_aliases=["tile", "tiled upscale", "crop layout"],
            inputs=[
                Embeds.Input("embeds", tooltip="From Encode MS-Diffusion Subjects, made for the whole frame."),
                *(
                    io.Int.Input(name, default=default, min=low, max=65536, tooltip=tooltip)
                    for name, default, low, tooltip in sides
                ),
            ],
            outputs=[Embeds.Output(display_name="embeds", tooltip="The subjects as the tile shows them.")],
        )

    @classmethod
    def execute(
        cls, embeds: SubjectEmbeds, x: int, y: int, width: int, height: int, frame_width: int, frame_height: int
    ) -> io.NodeOutput:
        tile = pixel_window(x, y, width, height, frame_width, frame_height)
        return io.NodeOutput(replace(embeds, window=within(embeds.window, tile)))
