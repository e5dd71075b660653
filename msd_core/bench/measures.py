"""Which models measure, as the command line names them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..evaluation.encoders import CLIP_MODEL, load_clip, load_dino, load_dinov2
from ..evaluation.scorer import Scorer
from ..headless.device import choose_device

FOLDERS = ("clip_vision", "text_encoders", "clip", "detection")
"""ComfyUI's model folders in which a name that is no path is looked for."""


def add_measures(parser: argparse.ArgumentParser) -> None:
    """The options that name what measures."""
    add = parser.add_argument
    add("--clip", metavar="FILE", help="CLIP in open_clip's format, for CLIP-I and CLIP-T")
    add("--clip-model", default=CLIP_MODEL, metavar="NAME", help=f"open_clip's name of it (default {CLIP_MODEL})")
    add("--dino", metavar="FILE", help="DINO ViT-S/16, for DINO and M-DINO")
    add("--dinov2", metavar="FOLDER", help="DINOv2, for scores per region (default: DINO, else CLIP)")
    add("--detector", metavar="FOLDER", help="Grounding DINO or OWLv2, for layout accuracy")
    add("--detector-threshold", type=float, metavar="X", help="least score of a detection (default the detector's)")
    add("--measure-device", metavar="DEVICE", help="where they compute (default the fastest there is)")


def scorer_of(options: argparse.Namespace, local: int = 0, drawn: bool = False) -> Scorer:
    """The scorer that the options ask for.

    Args:
        local: which of a machine's processes this is, for a GPU of its own.
        drawn: whether the pictures are of the drawn world, whose judge measures where nothing is named.

    Raises:
        ValueError: nothing is named that could measure, or a file is missing or another model.
    """
    named = [options.clip, options.dino, options.dinov2, options.detector]
    if drawn and not any(named):
        from ..evaluation.judge import judge_encoders

        return Scorer(*judge_encoders())
    if not any(named):
        raise ValueError(
            "None of --clip, --dino, --dinov2 and --detector is given but scores need one: name CLIP ViT-B/32 and DINO "
            "ViT-S/16 for the paper's."
        )
    asked = options.measure_device
    if asked is None:
        import torch

        asked = f"cuda:{local}" if torch.cuda.is_available() and torch.cuda.device_count() > local else None
    device = choose_device(asked)
    clip = dino = region = detector = None
    if options.clip:
        clip = load_clip(find_model(options.clip), options.clip_model, device)
    if options.dino:
        dino = load_dino(find_model(options.dino), device)
    if options.dinov2:
        region = load_dinov2(find_model(options.dinov2), device)
    if options.detector:
        from ..evaluation.detectors import load_detector

        detector = load_detector(find_model(options.detector), device, options.detector_threshold)
    return Scorer(clip, dino, region, detector)


def find_model(name: str) -> Path:
    """A model by its path, or by its name in the model folders of the ComfyUI that COMFYUI_PATH names."""
    path, host = Path(name), os.environ.get("COMFYUI_PATH")
    if path.exists() or not host:
        return path
    places = (Path(host).expanduser() / "models" / folder / name for folder in FOLDERS)
    return next((place for place in places if place.exists()), path)
