"""CLIP ViT-bigG/14, which sees the subjects' pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .tensor_files import check_folder, read_tensors, tensor_shapes

FACTS = Path(__file__).parent / "sdxl" / "image_encoder"
"""Its configuration in transformers' form."""

REMEDY = "take model.safetensors of h94/IP-Adapter, sdxl_models/image_encoder"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def load_image_encoder(encoder: str | Path, dtype: torch.dtype, facts: Path = FACTS) -> Any:
    """Load CLIP ViT-bigG/14's vision part on the CPU, from a folder or a single file with Hugging Face's key names.

    Args:
        facts: the configuration of a single file.

    Raises:
        ValueError: the encoder is missing, damaged, or a single file of another model.
    """
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    encoder = Path(encoder)
    if encoder.is_dir():
        check_folder(encoder, "image encoder", "config.json", "model_type", "clip", "use CLIP ViT-bigG/14")
        return CLIPVisionModelWithProjection.from_pretrained(str(encoder), dtype=dtype, local_files_only=True)
    config = CLIPVisionConfig.from_pretrained(str(facts), local_files_only=True)
    shapes, prefix = tensor_shapes(encoder), "vision_model.encoder.layers."
    if any(key.startswith("visual.") for key in shapes):
        raise ValueError(
            f"{encoder.name} has open_clip's key names but Hugging Face's are needed: {REMEDY}."
        )
    embedding = shapes.get("vision_model.embeddings.class_embedding", (0,))
    found = (embedding[0], len({key.split(".")[3] for key in shapes if key.startswith(prefix)}))
    wanted = (config.hidden_size, config.num_hidden_layers)
    if found != wanted:
        raise ValueError(
            f"{encoder.name} holds an image encoder {found[0]} wide and {found[1]} layers deep but CLIP ViT-bigG/14 "
            f"has {wanted[0]} and {wanted[1]}: {REMEDY}."
        )
    model, said = CLIPVisionModelWithProjection.from_pretrained(
        None, config=config, state_dict=read_tensors(encoder), dtype=dtype, output_loading_info=True
    )
    if said["missing_keys"]:
        raise ValueError(
            f"{encoder.name} lacks {min(said['missing_keys'])} ({len(said['missing_keys'])} tensors are missing): "
            "download it again."
        )
    return model


def encoder_pixels(views: Tensor, size: int) -> Tensor:
    """Views `[v, H, W, 3]` in 0..1 as an image encoder of a side in pixels takes them: fp32 `[v, 3, size, size]`."""
    pixels = F.interpolate(views.movedim(-1, 1).float(), size=(size, size), mode="bicubic", antialias=True)
    pixels = (pixels.clamp(0, 1) * 255).round() / 255
    mean, std = (torch.tensor(x, device=views.device).view(3, 1, 1) for x in (MEAN, STD))
    return (pixels - mean) / std


@torch.no_grad()
def pixel_features(encoder: Any, pixels: Tensor) -> Tensor:
    """Penultimate hidden states `[v, patches, width]` of what `encoder_pixels` has made."""
    return encoder(pixels.to(encoder.device, encoder.dtype), output_hidden_states=True).hidden_states[-2]


def image_features(encoder: Any, views: Tensor) -> Tensor:
    """Penultimate hidden states `[v, patches, width]` of views `[v, H, W, 3]` in 0..1."""
    return pixel_features(encoder, encoder_pixels(views, encoder.config.image_size))
