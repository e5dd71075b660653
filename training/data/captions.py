"""Step 1, captions: BLIP-2 of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from msd_core.packages import require_package

from .clips import View
from .loading import load_model

WORDS = 40
"""Tokens of a caption at most."""


class Blip2Captioner:
    """Says what frames show."""

    def __init__(self, model: Any, processor: Any) -> None:
        """
        Args:
            model: `Blip2ForConditionalGeneration`.
            processor: its processor.
        """
        self.model, self.processor = model, processor

    @torch.no_grad()
    def __call__(self, views: Sequence[View]) -> list[str]:
        """A caption of each frame, by greedy search, so that it is the same each time."""
        parameter = next(self.model.parameters())
        inputs = self.processor(images=[view.picture for view in views], return_tensors="pt").to(parameter.device)
        said = self.model.generate(
            pixel_values=inputs["pixel_values"].to(parameter.dtype), max_new_tokens=WORDS, do_sample=False
        )
        return [" ".join(text.split()) for text in self.processor.batch_decode(said, skip_special_tokens=True)]


def load_captioner(folder: str | Path, device: str = "cpu", dtype: str = "auto") -> Blip2Captioner:
    """BLIP-2 from a folder as transformers keeps it.

    Raises:
        ValueError: transformers is missing, or the folder missing or another model.
    """
    model, path = load_model(folder, "captioner", ("blip-2",), "Blip2ForConditionalGeneration",
                             "take Salesforce/blip2-opt-2.7b", device, dtype)
    processor = require_package("transformers", "transformers", "the captioner", "training").AutoProcessor
    return Blip2Captioner(model, processor.from_pretrained(path, local_files_only=True))
