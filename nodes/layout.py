"""The node that says what goes where."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from comfy_api.latest import io

from ..msd_core.boxes import EMPTY_BOXES, boxes_to_pixels, parse_boxes
from ..msd_core.overlap import OVERLAPS, Overlap
from .host.layout import build_layout, layout_masks
from .host.preview import draw_layout
from .host.report import layout_report
from .types import CATEGORY
from .types import Layout as LayoutType


class MSDiffusionLayout(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionLayout",
            display_name="MS-Diffusion Layout",
            category=CATEGORY,
            description="What goes where: one box per subject, in the subjects' order.",
            search_aliases=["boxes", "bounding boxes", "regions", "canvas", "composition"],
            inputs=[
                io.Int.Input(
                    "width",
                    default=1024,
                    min=64,
                    max=16384,
                    step=8,
                    tooltip="Width of the image in pixels. Boxes are fractions of it, so they survive a change.",
                ),
                io.Int.Input(
                    "height",
                    default=1024,
                    min=64,
                    max=16384,
                    step=8,
                    tooltip="Height of the image in pixels.",
                ),
                io.String.Input(
                    "boxes",
                    default=EMPTY_BOXES,
                    optional=True,
                    socketless=True,
                    extra_dict={"widgetType": "MSD_CANVAS"},
                    tooltip='The boxes as JSON: {"boxes":[[x0,y0,x1,y1],...]}, in fractions of width and height from '
                    "the top left corner.",
                ),
                io.Image.Input(
                    "background",
                    optional=True,
                    tooltip="Picture to draw the boxes over, such as a depth map. It changes neither width nor height.",
                ),
                io.MultiType.Input(
                    "bounding_boxes",
                    [io.BoundingBox, io.BoundingBoxes],
                    optional=True,
                    tooltip="Boxes in pixels of width and height, from a detector or another canvas. They replace the "
                    "drawn ones.",
                ),
                io.Mask.Input(
                    "masks",
                    optional=True,
                    tooltip="Free-form regions, one mask per subject, which replace the boxes: attention follows the "
                    "mask, its bounds are the box.",
                ),
                io.Combo.Input(
                    "overlap",
                    options=list(OVERLAPS),
                    default="mix",
                    optional=True,
                    tooltip="Where boxes overlap. mix: the subjects share the place. front: it belongs to the box in "
                    "front. nearest: to the box whose centre is nearer. apart: the boxes are moved until they share "
                    "nothing.",
                ),
            ],
            outputs=[
                LayoutType.Output(display_name="layout", tooltip="The layout, for Encode MS-Diffusion Subjects."),
                io.Int.Output(display_name="width", tooltip="Width in pixels, for the empty latent."),
                io.Int.Output(display_name="height", tooltip="Height in pixels, for the empty latent."),
                io.Mask.Output(display_name="masks", tooltip="One mask per region, white inside."),
                io.Image.Output(display_name="preview", tooltip="The boxes with their names, over the background."),
                io.BoundingBox.Output(display_name="bounding_boxes", tooltip="The boxes in pixels."),
            ],
            hidden=[io.Hidden.unique_id],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, boxes: str | None = None) -> bool | str:
        try:
            parse_boxes(boxes)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        width: int,
        height: int,
        boxes: str = EMPTY_BOXES,
        background: torch.Tensor | None = None,
        bounding_boxes: Any = None,
        masks: torch.Tensor | None = None,
        overlap: Overlap = "mix",
    ) -> io.NodeOutput:
        origin = cls.hidden.unique_id if cls.hidden else None
        layout = replace(build_layout(width, height, boxes, bounding_boxes, masks, overlap), origin=origin)
        preview = draw_layout(layout, background)
        pixels = boxes_to_pixels(layout.boxes, width, height)
        report = layout_report(layout, background, overlap)
        return io.NodeOutput(layout, width, height, layout_masks(layout), preview, pixels, ui=report)
