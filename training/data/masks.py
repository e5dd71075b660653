"""Step 4, masks: SAM of transformers, asked with the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from msd_core.evaluation.regions import Edges
from msd_core.packages import require_package

from .clips import View
from .loading import load_model


class SamSegmenter:
    """Cuts out what stands in boxes."""

    def __init__(self, model: Any, processor: Any) -> None:
        """
        Args:
            model: `SamModel`.
            processor: its processor.
        """
        self.model, self.processor = model, processor

    @torch.no_grad()
    def __call__(self, view: View, boxes: Sequence[Edges]) -> list[np.ndarray]:
        """A mask `[h, w]` bool of the whole frame for each box, of SAM's three the one that it thinks best."""
        if not boxes:
            return []
        height, width = view.pixels.shape[:2]
        pixels = [[x0 * width, y0 * height, x1 * width, y1 * height] for x0, y0, x1, y1 in boxes]
        inputs = self.processor(images=view.picture, input_boxes=[pixels], return_tensors="pt")
        parameter = next(self.model.parameters())
        outputs = self.model(
            pixel_values=inputs["pixel_values"].to(parameter.device, parameter.dtype),
            input_boxes=inputs["input_boxes"].to(parameter.device, parameter.dtype), multimask_output=True,
        )
        masks = self.processor.image_processor.post_process_masks(
            outputs.pred_masks.float().cpu(), inputs["original_sizes"], inputs["reshaped_input_sizes"]
        )[0]
        best = outputs.iou_scores[0].float().argmax(dim=-1).cpu()
        return [mask[number].numpy().astype(bool) for mask, number in zip(masks, best.tolist(), strict=True)]


def load_segmenter(folder: str | Path, device: str = "cpu", dtype: str = "auto") -> SamSegmenter:
    """SAM from a folder as transformers keeps it.

    Raises:
        ValueError: transformers is missing, or the folder missing or another model.
    """
    model, path = load_model(folder, "segmenter", ("sam",), "SamModel", "take facebook/sam-vit-huge", device, dtype)
    processor = require_package("transformers", "transformers", "the segmenter", "training").SamProcessor
    return SamSegmenter(model, processor.from_pretrained(path, local_files_only=True))
