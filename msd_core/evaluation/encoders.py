"""Encoders to measure with: CLIP (open_clip), DINO (timm) and DINOv2 (transformers).

Each is read from a file or folder on this machine; nothing is downloaded. An encoder is anything with `name` and
`images(pictures)`; one that reads captions too has `texts(captions)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..headless.tensor_files import check_folder, read_tensors, tensor_shapes
from ..packages import require_package

CLIP_NORM = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_NORM = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MODEL = "ViT-B-32-quickgelu"
"""OpenAI's ViT-B/32, DreamBooth's choice, which the literature follows."""
DINO_HEAD_WIDTH = 64
BATCH = 32


class ImageEncoder(Protocol):
    """Pictures to vectors."""

    name: str

    def images(self, pictures: Tensor) -> Tensor:
        """Vectors `[b, d]` of pictures `[b, h, w, 3]` in 0..1."""


class TextImageEncoder(ImageEncoder, Protocol):
    """Pictures and captions to vectors of one space."""

    def texts(self, captions: Sequence[str]) -> Tensor:
        """Vectors `[b, d]` of captions."""


def prepare(
    pictures: Tensor, size: int, norm: tuple[Sequence[float], Sequence[float]], resize: int | None = None
) -> Tensor:
    """The usual preprocessing: the shorter side to `resize` (default `size`), bicubic, the middle, 8 bits, normalised.

    Args:
        pictures: `[b, h, w, 3]` in 0..1.

    Returns:
        `[b, 3, size, size]`.
    """
    height, width = pictures.shape[1:3]
    factor = (resize or size) / min(height, width)
    to = max(size, round(height * factor)), max(size, round(width * factor))
    pixels = pictures.movedim(-1, 1).float()
    if to != (height, width):
        pixels = F.interpolate(pixels, size=to, mode="bicubic", antialias=True)
    top, left = round((to[0] - size) / 2), round((to[1] - size) / 2)
    pixels = pixels[..., top : top + size, left : left + size]
    pixels = (pixels.clamp(0, 1) * 255).round() / 255
    mean, std = (torch.tensor(values, device=pixels.device).view(3, 1, 1) for values in norm)
    return (pixels - mean) / std


@torch.no_grad()
def in_batches(encode: Callable[[Tensor], Tensor], pictures: Tensor, size: int = BATCH) -> Tensor:
    """An encoder's fp32 vectors of many pictures, a batch at a time."""
    return torch.cat([encode(part).float() for part in pictures.split(size)])


class ClipEncoder:
    """A CLIP of open_clip, for CLIP-I and CLIP-T."""

    def __init__(self, model: nn.Module, tokenizer: Callable[[Sequence[str]], Tensor], name: str = "CLIP") -> None:
        self.model, self.tokenizer, self.name = model.eval().requires_grad_(False), tokenizer, name
        size = model.visual.image_size
        self.size = size[0] if isinstance(size, tuple) else size

    def images(self, pictures: Tensor) -> Tensor:
        parameter = next(self.model.parameters())
        return in_batches(
            lambda part: self.model.encode_image(prepare(part.to(parameter.device), self.size, CLIP_NORM)
                                                 .to(parameter.dtype)), pictures
        )

    @torch.no_grad()
    def texts(self, captions: Sequence[str]) -> Tensor:
        device = next(self.model.parameters()).device
        return self.model.encode_text(self.tokenizer(list(captions)).to(device)).float()


class DinoEncoder:
    """DINO as timm's `VisionTransformer`: the class token after the last norm."""

    def __init__(self, model: nn.Module, name: str = "DINO") -> None:
        self.model, self.name = model.eval().requires_grad_(False), name
        self.size = model.patch_embed.img_size[0]

    def images(self, pictures: Tensor) -> Tensor:
        device, resize = next(self.model.parameters()).device, round(self.size * 256 / 224)
        return in_batches(
            lambda part: self.model(prepare(part.to(device), self.size, IMAGENET_NORM, resize)), pictures
        )


class Dinov2Encoder:
    """DINOv2 of transformers: the class token after the last norm."""

    size, resize = 224, 256

    def __init__(self, model: nn.Module, name: str = "DINOv2") -> None:
        self.model, self.name = model.eval().requires_grad_(False), name

    def images(self, pictures: Tensor) -> Tensor:
        device = next(self.model.parameters()).device
        return in_batches(
            lambda part: self.model(pixel_values=prepare(part.to(device), self.size, IMAGENET_NORM, self.resize))
            .last_hidden_state[:, 0], pictures
        )


def load_clip(file: str | Path, model_name: str = CLIP_MODEL, device: str | torch.device = "cpu") -> ClipEncoder:
    """CLIP from a file in open_clip's format (`open_clip_pytorch_model.bin` or `.safetensors`).

    Args:
        model_name: open_clip's name of its architecture, which the file does not tell.

    Raises:
        ValueError: the package is missing, the name unknown, or the file missing or of another architecture.
    """
    open_clip = require_package("open_clip", "open_clip_torch", "CLIP-I and CLIP-T", "evaluation")
    if model_name not in open_clip.list_models():
        alike = [name for name in open_clip.list_models() if name.lower().startswith(model_name.lower()[:5])]
        raise ValueError(
            f"The CLIP model is {model_name!r} but open_clip has none of that name: write one such as "
            f"{', '.join(alike[:4] or [CLIP_MODEL])}."
        )
    shapes = tensor_shapes(Path(file))
    model = open_clip.create_model(model_name, load_weights=False)
    _fill(model, _prefixed(read_tensors(Path(file)), shapes), Path(file), f"open_clip's {model_name}",
          "name its architecture with --clip-model")
    return ClipEncoder(model.to(device), open_clip.get_tokenizer(model_name), f"CLIP {model_name}")


def load_dino(file: str | Path, device: str | torch.device = "cpu") -> DinoEncoder:
    """DINO from its authors' file (`dino_deitsmall16_pretrain.pth`) or timm's of it; sizes are read from the shapes.

    Raises:
        ValueError: timm is missing, or the file missing or another model.
    """
    timm = require_package("timm.models.vision_transformer", "timm", "DINO", "evaluation")
    shapes = tensor_shapes(Path(file))
    needed = ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight", "norm.weight")
    missing = [key for key in needed if key not in shapes]
    if missing:
        raise ValueError(
            f"{Path(file).name} lacks {missing[0]}, so it is no vision transformer of DINO: take "
            "dino_deitsmall16_pretrain.pth or timm's vit_small_patch16_224.dino."
        )
    width, _, patch, _ = shapes["patch_embed.proj.weight"]
    side = round((shapes["pos_embed"][1] - 1) ** 0.5) * patch
    model = timm.VisionTransformer(
        img_size=side, patch_size=patch, embed_dim=width, num_heads=max(width // DINO_HEAD_WIDTH, 1), num_classes=0,
        depth=len({key.split(".")[1] for key in shapes if key.startswith("blocks.")}),
        mlp_ratio=shapes["blocks.0.mlp.fc1.weight"][0] / width,
    )
    state = {key: value for key, value in read_tensors(Path(file)).items() if not key.startswith("head.")}
    _fill(model, state, Path(file), "DINO's vision transformer", "take dino_deitsmall16_pretrain.pth")
    return DinoEncoder(model.to(device), f"DINO ViT {width}/{patch}")


def load_dinov2(folder: str | Path, device: str | torch.device = "cpu") -> Dinov2Encoder:
    """DINOv2 from a folder as transformers keeps it.

    Raises:
        ValueError: transformers is missing, or the folder missing or another model.
    """
    transformers = require_package("transformers", "transformers", "DINOv2", "evaluation")
    check_folder(folder, "DINOv2", "config.json", "model_type", "dinov2", "take facebook/dinov2-base")
    model = transformers.AutoModel.from_pretrained(str(folder), local_files_only=True)
    return Dinov2Encoder(model.to(device), f"DINOv2 {Path(folder).name}")


def _prefixed(state: dict[str, Tensor], shapes: dict[str, Any]) -> dict[str, Tensor]:
    """Training checkpoints have each name behind `module.`."""
    if all(key.startswith("module.") for key in shapes):
        return {key.removeprefix("module."): value for key, value in state.items()}
    return state


def _fill(model: nn.Module, state: dict[str, Tensor], file: Path, what: str, remedy: str) -> None:
    """Load a file's tensors.

    Raises:
        ValueError: they are not the model's.
    """
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in state.items()}
    optional = {"attn_mask", "logit_bias", "visual.pos_embed_pretrained"}
    wrong = next((key for key in wanted if key not in optional and wanted[key] != given.get(key)), None)
    if wrong is not None:
        has = f"has {wrong} as {list(given[wrong])}" if wrong in given else f"lacks {wrong}"
        raise ValueError(f"{file.name} {has} but {what} needs it as {list(wanted[wrong])}: {remedy}.")
    model.load_state_dict({key: value.float() for key, value in state.items() if key in wanted}, strict=False)
