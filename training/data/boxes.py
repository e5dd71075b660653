"""Step 3, boxes: an open-vocabulary detector of transformers, Grounding DINO, finds a caption's entities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from msd_core.evaluation.detectors import Detector, load_detector
from msd_core.evaluation.placement import Detection

from .clips import View


class DetectorBoxes:
    """Looks for phrases in frames."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    def __call__(self, view: View, phrases: Sequence[str]) -> list[Detection]:
        """All that is found of the phrases, in fractions of the frame."""
        return self.detector.detect(torch.from_numpy(view.pixels)[None].float() / 255, phrases)[0]


def load_boxes(folder: str | Path, device: str = "cpu", threshold: float | None = None) -> DetectorBoxes:
    """Grounding DINO (or OWLv2) from a folder as transformers keeps it.

    Args:
        threshold: least score; None for the detector's usual one.

    Raises:
        ValueError: transformers is missing, or the folder missing or another model.
    """
    return DetectorBoxes(load_detector(folder, device, threshold))
