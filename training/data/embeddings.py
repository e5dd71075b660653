"""Step 5, embeddings: what the things of a frame look like, by CLIP's or DINO's image encoder of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msd_core.evaluation.regions import Edges
from msd_core.packages import require_package

from .clips import View
from .crops import cut_out
from .loading import load_model

KINDS = ("clip", "dinov2", "dinov3_vit", "vit", "siglip")


class CropEmbedder:
    """Sees each thing alone, cut out of its frame."""

    def __init__(self, model: Any, processor: Any) -> None:
        """
        Args:
            model: CLIP, SigLIP, or a vision transformer whose first token stands for the picture.
            processor: its image processor.
        """
        self.model, self.processor = model, processor
        self.side = (getattr(processor, "crop_size", None) or processor.size)["height"]

    @torch.no_grad()
    def __call__(self, view: View, boxes: Sequence[Edges], masks: Sequence[np.ndarray]) -> np.ndarray:
        """A vector of length 1 for each thing, `[n, d]` fp32."""
        from PIL import Image

        things = [Image.fromarray(cut_out(view.pixels, box, mask)) for box, mask in zip(boxes, masks, strict=True)]
        # At once to the size that the encoder sees, so that no edge of the thing is cut off.
        size = {"height": self.side, "width": self.side}
        pixels = self.processor(images=things, size=size, return_tensors="pt")["pixel_values"]
        parameter = next(self.model.parameters())
        pixels = pixels.to(parameter.device, parameter.dtype)
        if hasattr(self.model, "get_image_features"):
            seen = self.model.get_image_features(pixel_values=pixels)
            seen = getattr(seen, "pooler_output", seen)
        else:
            seen = self.model(pixel_values=pixels).last_hidden_state[:, 0]
        return torch.nn.functional.normalize(seen.float(), dim=-1).cpu().numpy()


def load_embedder(folder: str | Path, device: str = "cpu", dtype: str = "auto") -> CropEmbedder:
    """An image encoder from a folder as transformers keeps it.

    Raises:
        ValueError: transformers is missing, or the folder missing or another model.
    """
    model, path = load_model(folder, "embedder", KINDS, "AutoModel",
                             "take facebook/dinov2-base or openai/clip-vit-large-patch14", device, dtype)
    processor = require_package("transformers", "transformers", "the embedder", "training").AutoImageProcessor
    return CropEmbedder(model, processor.from_pretrained(path, local_files_only=True))
