"""MS-Diffusion for ComfyUI: several photographed subjects in one SDXL image, each in its own box."""

from .nodes import MSDiffusionExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> MSDiffusionExtension:
    return MSDiffusionExtension()
