"""Nodes of the demo, which needs no files."""

from __future__ import annotations

import torch
from comfy_api.latest import io, ui

from ..msd_core.demo.sprites import KINDS
from ..msd_core.demo.world import draw_subject
from .host.demo import demo_models
from .types import CATEGORY, Adapter

DEMO_CATEGORY = f"{CATEGORY}/demo"


class MSDiffusionDemoModels(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionDemoModels",
            display_name="MS-Diffusion Demo Models",
            category=DEMO_CATEGORY,
            description=(
                "A tiny trained set of models with SDXL's shape, for trying graphs in seconds without a download. It "
                "knows eight kinds of drawn sprites in six scenes, at 160 x 160 pixels: a demonstration, not a product."
            ),
            search_aliases=["tiny sdxl", "test models", "try it"],
            inputs=[],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The tiny UNet."),
                io.Clip.Output(display_name="clip", tooltip="Its two text encoders."),
                io.Vae.Output(display_name="vae", tooltip="Its autoencoder."),
                io.ClipVision.Output(display_name="clip_vision", tooltip="Its image encoder."),
                Adapter.Output(display_name="adapter", tooltip="Its MS-Diffusion adapter."),
                io.ControlNet.Output(
                    display_name="control_net", tooltip="Its ControlNet, for sketches: white lines on black."
                ),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(*demo_models())


class MSDiffusionDemoSubject(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionDemoSubject",
            display_name="MS-Diffusion Demo Subject",
            category=DEMO_CATEGORY,
            description="Draws a sprite as a subject's photo, so that a graph can be tried without any file.",
            search_aliases=["sprite", "test subject", "try it"],
            is_output_node=True,  # or a run in which what follows is cached shows no drawing
            inputs=[
                io.Combo.Input("kind", options=list(KINDS), tooltip="What it is; its phrase is the same word."),
                io.Int.Input(
                    "seed",
                    default=1,
                    min=0,
                    max=0xFFFFFFFF,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="Its looks: two colours, pattern and accessory, and its pose in the picture.",
                ),
                io.Int.Input(
                    "size", default=256, min=16, max=4096, step=8, tooltip="Width and height of the picture in pixels."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The sprite on white."),
                io.Mask.Output(display_name="mask", tooltip="White where the sprite is."),
                io.String.Output(display_name="phrase", tooltip="What it is, for MS-Diffusion Subject."),
            ],
        )

    @classmethod
    def execute(cls, kind: str, seed: int, size: int) -> io.NodeOutput:
        drawn, mask, phrase = draw_subject(kind, seed, size)
        image = torch.from_numpy(drawn)[None]
        return io.NodeOutput(image, torch.from_numpy(mask)[None], phrase, ui=ui.PreviewImage(image))
