"""Image encoders in open_clip's file format, run by open_clip, behind the interface of the host's CLIP vision."""

from __future__ import annotations

from typing import Any

import comfy.clip_model
import comfy.clip_vision
import comfy.model_management
import comfy.model_patcher
import comfy.utils
import torch
from torch import Tensor

PREFIX = "visual."
DEFAULT_HEAD_WIDTH = 64


class OpenCLIPVision:
    """A CLIP_VISION value whose net is open_clip's `VisionTransformer`."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        """
        Args:
            state: the checkpoint's `visual.` tensors without that prefix.
        """
        open_clip = _import_open_clip()
        width, _, patch, _ = state["conv1.weight"].shape
        layers = len({key.split(".")[2] for key in state if key.startswith("transformer.resblocks.")})
        grid = round((state["positional_embedding"].shape[0] - 1) ** 0.5)
        self.image_size = grid * patch
        self.load_device = comfy.model_management.text_encoder_device()
        offload_device = comfy.model_management.text_encoder_offload_device()
        # The net computes in its weights' dtype, so half precision only where the device is good at it.
        half = comfy.model_management.should_use_fp16(self.load_device, prioritize_performance=False)
        self.dtype = torch.float16 if half else torch.float32
        with torch.device("meta"):
            self.model = open_clip.transformer.VisionTransformer(
                image_size=self.image_size,
                patch_size=patch,
                width=width,
                layers=layers,
                heads=width // _head_width(open_clip, width, layers, patch),
                mlp_ratio=state["transformer.resblocks.0.mlp.c_fc.weight"].shape[0] / width,
                output_dim=state["proj"].shape[1],
            )
        self.load_sd(state)
        self.model.eval().requires_grad_(False)
        # The net is not made of the host's operations, so it is loaded whole or not at all.
        self.patcher = comfy.model_patcher.ModelPatcher(self.model, self.load_device, offload_device)
        self._penultimate = layers - 2

    @property
    def feature_width(self) -> int:
        return self.model.conv1.out_channels

    def load_sd(self, sd: dict[str, Tensor]) -> Any:
        """Take over weights in the encoder's dtype."""
        return self.model.load_state_dict({key: value.to(self.dtype) for key, value in sd.items()}, assign=True)

    def get_sd(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def encode_image(self, image: Tensor, crop: bool = True) -> comfy.clip_vision.Output:
        """Encode IMAGE `[b, h, w, 3]` as the host's CLIP vision does, with the same fields in the result."""
        comfy.model_management.load_models_gpu([self.patcher], force_full_load=True)
        pixels = comfy.clip_model.clip_preprocess(image.to(self.load_device), size=self.image_size, crop=crop)
        last = len(self.model.transformer.resblocks) - 1
        found = self.model.forward_intermediates(
            pixels.to(self.dtype), indices=[self._penultimate, last], output_fmt="NLC", output_extra_tokens=True
        )
        penultimate, final = (
            torch.cat([prefix, patches], dim=1)
            for prefix, patches in zip(
                found["image_intermediates_prefix"], found["image_intermediates"], strict=True
            )
        )
        device = comfy.model_management.intermediate_device()
        output = comfy.clip_vision.Output()
        output["last_hidden_state"] = final.float().to(device)
        output["penultimate_hidden_states"] = penultimate.float().to(device)
        output["image_embeds"] = found["image_features"].float().to(device)
        output["image_sizes"] = [pixels.shape[1:]] * pixels.shape[0]
        output["mm_projected"] = None
        return output


def load_open_clip_vision(path: str, name: str) -> OpenCLIPVision:
    """Load the image encoder out of an open_clip checkpoint.

    Raises:
        ImportError: the open_clip package is missing.
        ValueError: the file is no open_clip checkpoint.
    """
    _import_open_clip()
    state = comfy.utils.load_torch_file(path, safe_load=True)
    if any(key.startswith(PREFIX) for key in state):
        state = {key.removeprefix(PREFIX): value for key, value in state.items() if key.startswith(PREFIX)}
    needed = ("conv1.weight", "positional_embedding", "transformer.resblocks.0.mlp.c_fc.weight", "proj")
    missing = [key for key in needed if key not in state]
    if missing:
        raise ValueError(
            f"{name} lacks {PREFIX}{missing[0]}, so it is no open_clip checkpoint with a vision transformer: "
            "load a Hugging Face file with Load CLIP Vision instead."
        )
    return OpenCLIPVision(state)


def _import_open_clip() -> Any:
    try:
        import open_clip
        import open_clip.transformer
    except ImportError:
        raise ImportError(
            "The Python package open_clip_torch is not installed: install it, or use Load CLIP Vision with a Hugging "
            "Face file, which needs no extra package."
        ) from None
    return open_clip


def _head_width(open_clip: Any, width: int, layers: int, patch: int) -> int:
    """The width of a head, which weights don't show: that of open_clip's own model of this shape, else its default."""
    for name in open_clip.list_models():
        vision = open_clip.get_model_config(name)["vision_cfg"]
        if (vision.get("width"), vision.get("layers"), vision.get("patch_size")) == (width, layers, patch):
            return vision.get("head_width", DEFAULT_HEAD_WIDTH)
    return DEFAULT_HEAD_WIDTH
