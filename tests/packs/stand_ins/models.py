"""Models that the packs need and that no file of a few kilobytes can be."""

import os
import sys

import comfy.clip_vision
import comfy.model_patcher
import folder_paths
import gguf
import torch

GGUF_PACK = "ComfyUI-GGUF"


class EvaClip:
    """What PuLID needs of its image encoder: features that follow the picture, made without one."""

    image_size, image_mean, image_std = 336, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

    def to(self, *_, **__):
        return self

    def __call__(self, image, **_):
        generator = torch.Generator().manual_seed(int(image.double().abs().sum()))
        hidden = [torch.randn(1, 577, 1024, generator=generator) for _ in range(5)]
        return torch.randn(1, 768, generator=generator), hidden


class StandInEvaClip:
    INPUT_TYPES = classmethod(lambda cls: {"required": {}})
    RETURN_TYPES = ("EVA_CLIP",)
    FUNCTION = "load"
    CATEGORY = "stand-ins"

    def load(self):
        return (EvaClip(),)


class StandInClipVision:
    """A tiny image encoder with random weights for pictures of 224 x 224, the size that IPAdapter insists on."""

    INPUT_TYPES = classmethod(lambda cls: {"required": {}})
    RETURN_TYPES = ("CLIP_VISION",)
    FUNCTION = "load"
    CATEGORY = "stand-ins"

    def load(self):
        config = {
            "model_type": "clip_vision_model", "hidden_size": 96, "intermediate_size": 384, "num_hidden_layers": 2,
            "num_attention_heads": 3, "num_channels": 3, "image_size": 224, "patch_size": 28, "projection_dim": 64,
            "hidden_act": "gelu", "layer_norm_eps": 1e-5, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
        }  # fmt: skip
        encoder = comfy.clip_vision.ClipVisionModel(config)
        generator = torch.Generator().manual_seed(0)
        state = {
            name: torch.randn(value.shape, generator=generator) * 0.1 if value.dtype.is_floating_point else value
            for name, value in encoder.model.state_dict().items()
        }
        encoder.model.load_state_dict(state)
        return (encoder,)


class StandInQuantized:
    """A model written to a GGUF file and read from it, through that pack's own reader, layers and patcher.

    Its loader lets the host guess the model from the sizes of the weights, and the host knows none so small.
    """

    INPUT_TYPES = classmethod(lambda cls: {"required": {"model": ("MODEL",)}})
    RETURN_TYPES = ("MODEL",)
    FUNCTION = "quantize"
    CATEGORY = "stand-ins"

    def quantize(self, model):
        loader, operations, nodes = (
            next(module for name, module in sys.modules.items() if name.endswith(f"{GGUF_PACK}.{part}"))
            for part in ("loader", "ops", "nodes")
        )
        path = os.path.join(folder_paths.get_temp_directory(), "packs.gguf")
        write_gguf(path, model.model.diffusion_model.state_dict())
        state = loader.gguf_sd_loader(path)
        config = model.model.model_config
        given, config.custom_operations = config.custom_operations, operations.GGMLOps()
        try:
            quantized = config.get_model({"v_pred": torch.empty(0)}, "", device=model.offload_device)
        finally:
            config.custom_operations = given
        quantized.diffusion_model.load_state_dict(state[0] if isinstance(state, tuple) else state)
        patcher = comfy.model_patcher.ModelPatcher(quantized.eval(), model.load_device, model.offload_device)
        return (nodes.GGUFModelPatcher.clone(patcher),)


def write_gguf(path, state):
    """Write weights, those of linear layers in blocks of 32 numbers of 8 bits each."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    writer = gguf.GGUFWriter(path, "sdxl")
    for name, value in state.items():
        value = value.float().cpu().numpy()
        blocks = value.ndim == 2 and value.shape[-1] % 32 == 0
        kind = gguf.GGMLQuantizationType.Q8_0 if blocks else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quants.quantize(value, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
