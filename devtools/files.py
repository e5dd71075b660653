"""The released files: their names, where they are, and where they go."""

from .graphs import ModelFile

HUGGING_FACE = "https://huggingface.co"

CHECKPOINT = ModelFile(
    "sd_xl_base_1.0.safetensors",
    f"{HUGGING_FACE}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
    "checkpoints",
    "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
)
IMAGE_ENCODER = ModelFile(
    "CLIP-ViT-bigG-14.safetensors",
    f"{HUGGING_FACE}/h94/IP-Adapter/resolve/main/sdxl_models/image_encoder/model.safetensors",
    "clip_vision",
    "657723e09f46a7c3957df651601029f66b1748afb12b419816330f16ed45d64d",
)
ADAPTER = ModelFile(
    "ms_adapter.bin", f"{HUGGING_FACE}/doge1516/MS-Diffusion/resolve/main/ms_adapter.bin", "msdiffusion"
)
BACKGROUND_REMOVAL = ModelFile(
    "birefnet.safetensors",
    f"{HUGGING_FACE}/Comfy-Org/BiRefNet/resolve/main/background_removal/birefnet.safetensors",
    "background_removal",
    "9ab37426bf4de0567af6b5d21b16151357149139362e6e8992021b8ce356a154",
)
CONTROL_NET = ModelFile(
    "controlnet-canny-sdxl-1.0.fp16.safetensors",
    f"{HUGGING_FACE}/diffusers/controlnet-canny-sdxl-1.0/resolve/main/diffusion_pytorch_model.fp16.safetensors",
    "controlnet",
)
LIGHTNING = ModelFile(
    "sdxl_lightning_8step_lora.safetensors",
    f"{HUGGING_FACE}/ByteDance/SDXL-Lightning/resolve/main/sdxl_lightning_8step_lora.safetensors",
    "loras",
)
