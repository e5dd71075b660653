"""The node that describes one subject."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ..msd_core.photo import Origin, Photo
from ..msd_core.subject import FITS, MASK_MEANINGS, Fit, MaskIs, Subject, cut_and_fit
from .types import CATEGORY
from .types import Subject as SubjectType


class MSDiffusionSubject(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionSubject",
            display_name="MS-Diffusion Subject",
            category=CATEGORY,
            description="One thing to place in the image: its photo, its name, and how strongly and when it acts.",
            search_aliases=["reference image", "character", "object", "multi subject"],
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="Photo of the subject, best cut out from its background; an alpha channel cuts it out. A "
                    "batch is several views of the same subject.",
                ),
                io.String.Input(
                    "phrase",
                    default="",
                    placeholder="dog",
                    tooltip="The subject in a word or a few, as in the prompt: dog, red backpack. No syntax.",
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=0.0,
                    max=3.0,
                    step=0.05,
                    tooltip="Factor on the adapter's scale for this subject, 0 to 3: 1 is neutral, more is more alike.",
                ),
                io.Combo.Input(
                    "fit",
                    options=list(FITS),
                    default="stretch",
                    tooltip="How a photo becomes square for the encoder: stretch it (as in the paper), pad it with "
                    "black, or crop its middle.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Cuts the subject out on black and crops to its bounds; mask_is says what is white in it. "
                    "One mask, or one for each view.",
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Share of the model's whole noise schedule after which this subject acts, 0 to 1.",
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    advanced=True,
                    tooltip="Share of the model's whole noise schedule after which this subject no longer acts, "
                    "0 to 1.",
                ),
                io.Combo.Input(
                    "mask_is",
                    options=list(MASK_MEANINGS),
                    default="subject",
                    optional=True,
                    tooltip="What is white in the mask. subject: painted in the mask editor, or from a segmentation. "
                    "background: the MASK of Load Image for a transparent picture.",
                ),
            ],
            outputs=[
                SubjectType.Output(display_name="subject", tooltip="The subject, for Encode MS-Diffusion Subjects."),
                io.Image.Output(
                    display_name="preview",
                    tooltip="What the image encoder will see, one image per view; where the checkerboard shows, it "
                    "sees black.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        phrase: str,
        weight: float,
        fit: Fit,
        mask: torch.Tensor | None = None,
        start_percent: float = 0.0,
        end_percent: float = 1.0,
        mask_is: MaskIs = "subject",
    ) -> io.NodeOutput:
        views = cut_and_fit(image, mask, fit, mask_is)
        photo = Photo(views.pixels, Origin(views.pixels, image, mask))
        subject = Subject(views.pixels, phrase.strip(), weight, start_percent, end_percent, photo, views.reference)
        return io.NodeOutput(subject, views.preview())
