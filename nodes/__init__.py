"""The nodes: schemas and short `execute` bodies. What they do lives in `host` and in `msd_core`."""

from __future__ import annotations

import logging

from comfy_api.latest import ComfyExtension, io

from .adapter import MSDiffusionAdapterLoader, MSDiffusionOpenCLIPVision
from .apply import MSDiffusionApply
from .attribution import MSDiffusionAttribution, MSDiffusionAttributionMaps
from .auto_layout import MSDiffusionAutoLayout
from .blend import MSDiffusionBlend
from .collage import MSDiffusionCollage
from .crop import MSDiffusionCropEmbeds
from .demo import MSDiffusionDemoModels, MSDiffusionDemoSubject
from .encode import MSDiffusionEncode
from .host import folders, served
from .layout import MSDiffusionLayout
from .score import MSDiffusionScore
from .subject import MSDiffusionSubject

# As chatty as the host was told to be, whatever other packs do to its log while they sample.
logging.getLogger("MS-Diffusion").setLevel(logging.getLogger().getEffectiveLevel())


class MSDiffusionExtension(ComfyExtension):
    """Everything that the pack adds to ComfyUI."""

    async def on_load(self) -> None:
        folders.register()
        served.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            MSDiffusionAdapterLoader,
            MSDiffusionSubject,
            MSDiffusionLayout,
            MSDiffusionEncode,
            MSDiffusionApply,
            MSDiffusionAutoLayout,
            MSDiffusionBlend,
            MSDiffusionCropEmbeds,
            MSDiffusionAttribution,
            MSDiffusionAttributionMaps,
            MSDiffusionCollage,
            MSDiffusionScore,
            MSDiffusionOpenCLIPVision,
            MSDiffusionDemoModels,
            MSDiffusionDemoSubject,
        ]
