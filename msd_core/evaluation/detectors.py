"""Open-vocabulary detectors of transformers, Grounding DINO and OWLv2, from folders on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..headless.tensor_files import check_folder
from ..packages import require_package
from .placement import Detection

THRESHOLDS = {"grounding-dino": 0.35, "owlv2": 0.2}
"""Least scores, those that the detectors' own authors use in their demos."""
BATCH = 8


class Detector:
    """Finds things by their phrases; each phrase is asked for alone, so that a detection has one phrase for sure."""

    def __init__(self, model: Any, processor: Any, threshold: float | None = None) -> None:
        """
        Args:
            model: `GroundingDinoForObjectDetection` or `Owlv2ForObjectDetection`.
            processor: its processor.
            threshold: least score of a detection; None for the detector's usual one.
        """
        self.model, self.processor = model.eval().requires_grad_(False), processor
        self.kind = model.config.model_type
        self.threshold = THRESHOLDS[self.kind] if threshold is None else threshold
        self.name = f"{self.kind}, scores from {self.threshold:g}"

    def detect(self, pictures: Tensor, phrases: Sequence[str]) -> list[list[Detection]]:
        """What is found of the phrases in each picture.

        Args:
            pictures: `[b, h, w, 3]` in 0..1.
            phrases: what to look for; one that comes twice is asked for once.
        """
        asked = [(number, phrase) for number in range(len(pictures)) for phrase in dict.fromkeys(phrases)]
        pixels = (pictures.clamp(0, 1) * 255).round().byte().cpu()
        found: list[list[Detection]] = [[] for _ in pictures]
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            for (number, phrase), boxes in zip(part, self._ask([pixels[n] for n, _ in part],
                                                               [phrase for _, phrase in part]), strict=True):
                found[number] += [Detection(phrase, box, score) for box, score in boxes]
        return found

    @torch.no_grad()
    def _ask(
        self, pictures: Sequence[Tensor], phrases: Sequence[str]
    ) -> list[list[tuple[tuple[float, ...], float]]]:
        device = next(self.model.parameters()).device
        grounded = self.kind == "grounding-dino"
        # Grounding DINO reads lower case with a full stop behind each phrase.
        texts = [f"{phrase.lower()}." for phrase in phrases] if grounded else [[f"a photo of a {p}"] for p in phrases]
        inputs = self.processor(
            images=[picture.movedim(-1, 0).numpy() for picture in pictures], text=texts, return_tensors="pt",
            padding=True,
        ).to(device)
        outputs = self.model(**inputs)
        sizes = [tuple(picture.shape[:2]) for picture in pictures]
        more = {"input_ids": inputs["input_ids"], "text_threshold": 0.0} if grounded else {}
        results = self.processor.post_process_grounded_object_detection(
            outputs, threshold=self.threshold, target_sizes=sizes, **more
        )
        return [
            [(_fractions(box, size), float(score))
             for box, score in zip(result["boxes"].tolist(), result["scores"].tolist(), strict=True)]
            for result, size in zip(results, sizes, strict=True)
        ]


def load_detector(
    folder: str | Path, device: str | torch.device = "cpu", threshold: float | None = None
) -> Detector:
    """A detector from a folder as transformers keeps it, with its processor.

    Raises:
        ValueError: transformers is missing, or the folder missing or another model.
    """
    transformers = require_package("transformers", "transformers", "layout accuracy", "evaluation")
    check_folder(folder, "detector", "config.json", "model_type", tuple(THRESHOLDS),
                 "take IDEA-Research/grounding-dino-base or google/owlv2-base-patch16-ensemble")
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(str(folder), local_files_only=True)
    processor = transformers.AutoProcessor.from_pretrained(str(folder), local_files_only=True)
    return Detector(model.to(device), processor, threshold)


def _fractions(box: Sequence[float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    height, width = size
    x0, x1 = (min(max(x / width, 0.0), 1.0) for x in box[0::2])
    y0, y1 = (min(max(y / height, 0.0), 1.0) for y in box[1::2])
    return x0, y0, x1, y1
