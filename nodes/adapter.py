"""Nodes that load model files: the adapter, and an image encoder in open_clip's format."""

from __future__ import annotations

import folder_paths
from comfy_api.latest import io

from .host.adapter import ManagedAdapter
from .host.folders import (
    ADAPTERS,
    OPEN_CLIP,
    RELEASED_ADAPTER,
    VISION,
    adapter_names,
    model_path,
    name_to_get,
    why_missing,
)
from .host.open_clip import load_open_clip_vision
from .types import CATEGORY, Adapter


class MSDiffusionAdapterLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionAdapterLoader",
            display_name="Load MS-Diffusion Adapter",
            category=CATEGORY,
            description="Loads ms_adapter.bin (or the same as .safetensors) from models/msdiffusion.",
            search_aliases=["ms_adapter", "multi subject adapter", "msd adapter"],
            inputs=[
                io.Combo.Input(
                    "adapter_name",
                    options=adapter_names(),
                    default=name_to_get(ADAPTERS, RELEASED_ADAPTER),
                    tooltip="Adapter file in models/msdiffusion, under any name. It is recognised by its content.",
                ),
            ],
            outputs=[Adapter.Output(display_name="adapter", tooltip="The adapter, for Encode MS-Diffusion Subjects.")],
        )

    @classmethod
    def validate_inputs(cls, adapter_name: str | None = None) -> bool | str:
        return why_missing(ADAPTERS, adapter_name, RELEASED_ADAPTER) or True

    @classmethod
    def execute(cls, adapter_name: str) -> io.NodeOutput:
        path = model_path(ADAPTERS, adapter_name, RELEASED_ADAPTER)
        return io.NodeOutput(ManagedAdapter.load(path, adapter_name))


class MSDiffusionOpenCLIPVision(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MSDiffusionOpenCLIPVision",
            display_name="Load CLIP-G (open_clip)",
            category=CATEGORY,
            description=(
                "Loads the image encoder out of an open_clip checkpoint (open_clip_pytorch_model.bin of "
                "CLIP-ViT-bigG-14-laion2B-39B-b160k) with the open_clip package. Its output is interchangeable with "
                "that of Load CLIP Vision, which reads Hugging Face files and needs no extra package."
            ),
            search_aliases=["open_clip", "clip vision bigG", "ViT-bigG-14", "image encoder"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=folder_paths.get_filename_list(VISION),
                    default=name_to_get(VISION, OPEN_CLIP),
                    tooltip="Checkpoint file in models/clip_vision, in open_clip's format.",
                ),
            ],
            outputs=[io.ClipVision.Output(display_name="clip_vision", tooltip="The image encoder.")],
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None) -> bool | str:
        return why_missing(VISION, name, OPEN_CLIP) or True

    @classmethod
    def execute(cls, name: str) -> io.NodeOutput:
        return io.NodeOutput(load_open_clip_vision(model_path(VISION, name, OPEN_CLIP), name))
