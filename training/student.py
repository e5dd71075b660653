"""The demo's student, an image encoder with an adapter, its base, and both from what the stages have left."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from msd_core.boxes import Box
from msd_core.demo.config import ADAPTER, CONTEXT_WIDTH
from msd_core.demo.world import Placed
from msd_core.layout import Region

from .attention import subject_tokens
from .base import new_base
from .new_adapter import AdapterSizes, new_adapter
from .references import normalise
from .sdxl.checkpoints import ADAPTER_FILE, checkpoints
from .sdxl.projectors import read_trained
from .text import TextEncoders
from .trainer import has_weights, load_averaged
from .vision import TraitHeads, image_features, new_image_encoder

SIZES = AdapterSizes(**{key: ADAPTER[key] for key in (
    "tokens", "width", "layers", "head_dim", "ffn_mult", "fourier_frequencies", "feature_width", "phrase_width")})
"""What the demo's resampler measures."""
ADAPTER_RUN = "adapter"
"""The folder in which the adapter stage runs."""


class Student(nn.Module):
    """What the stage trains: image encoder, adapter, and the trait heads that help."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.vision = new_image_encoder()
        self.adapter = new_adapter(unet, SIZES)
        self.traits = TraitHeads(ADAPTER["tokens"] * CONTEXT_WIDTH)
        for part in (self.vision.vision_model.encoder.layers[-1], self.vision.vision_model.post_layernorm,
                     self.vision.visual_projection):
            part.requires_grad_(False)

    def tokens(self, text: TextEncoders, pictures: Tensor, phrases: list[str], boxes: Tensor,
               grounding: Tensor | bool = True, seen: Tensor | None = None) -> Tensor:
        """Subject tokens `[n, t, C]` of reference pictures `[n, 3, H, W]` in 0..1; unseen ones have zero features."""
        features = image_features(self.vision, normalise(pictures))
        with torch.no_grad():
            embedded = text.phrase(phrases)
        return subject_tokens(self.adapter, features, embedded, boxes, grounding, seen)


def regions_of(subjects: list[Placed]) -> list[Region]:
    """The subjects' boxes as regions."""
    return [Region(Box(*subject.box)) for subject in subjects]


def load_frozen_base(folder: Path) -> nn.ModuleDict:
    """The averaged weights of the joint stage, where it has run, else of the base stage; frozen."""
    return _joint(folder)[0]


def load_frozen_vision(folder: Path) -> nn.Module:
    """The image encoder of the joint stage, where it has run, else of the vision stage; frozen."""
    return _joint(folder)[1].vision


def _joint(folder: Path) -> tuple[nn.ModuleDict, Student]:
    base = new_base()
    student = Student(base["unet"])
    if has_weights("joint", folder):
        load_averaged("joint", folder, joint_modules(base, student))
    else:
        load_averaged("base", folder, base)
        _load_seeing(folder, student)
    return base.eval().requires_grad_(False), student.eval().requires_grad_(False)


def joint_modules(base: nn.ModuleDict, student: Student) -> nn.ModuleDict:
    """What the joint stage trains, in its checkpoint's order."""
    return nn.ModuleDict({"unet": base["unet"], "text": base["text"], "student": student})


def load_student(folder: Path) -> Student:
    """The adapter of the adapter stage, where it has run, else of the joint stage, and the image encoder; frozen."""
    student = _joint(folder)[1]
    found = checkpoints(folder / ADAPTER_RUN)
    if found:
        student.adapter = read_trained(found[-1] / ADAPTER_FILE).adapter
    return student.eval().requires_grad_(False)


def start_student(folder: Path, base: nn.ModuleDict) -> Student:
    """A student to start from: the joint stage's, else a new one with the trained image encoder."""
    student = Student(base["unet"])
    if has_weights("joint", folder):
        load_averaged("joint", folder, joint_modules(new_base(), student))
    else:
        _load_seeing(folder, student)
    return student


def _load_seeing(folder: Path, student: Student) -> None:
    """Give a student the image encoder of the vision stage, where it has run."""
    if (folder / "vision.pt").exists():
        saved = torch.load(folder / "vision.pt", map_location="cpu", weights_only=True)["modules"]
        student.vision.load_state_dict({
            key.removeprefix("vision."): value for key, value in saved.items() if key.startswith("vision.")
        })
