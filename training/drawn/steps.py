"""The steps of data construction for drawn clips, and its settings at their size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import normalize

from msd_core.evaluation.placement import Detection
from msd_core.evaluation.regions import Edges

from ..data import Settings, Steps, View
from ..data.crops import cut_out
from ..references import normalise
from ..vision import image_features
from .clips import Frame
from .readers import captioned, detected, entities, masked

SETTINGS = Settings(frames_per_clip=5, shortest=160, side=32, proportions=2.0, similar=0.95)
"""Four samples of a clip; sides in pixels of frames of 160; a likeness between that of one sprite in two frames (by the
image encoder's mean feature 0.97 and more) and that of two sprites (0.94 at most in 199 of 200)."""


def frame_of(view: View) -> Frame:
    """What the painter knows of a frame."""
    return view.clip.at(view.place)


def caption(views: Sequence[View]) -> list[str]:
    """Captions of frames."""
    return [captioned(frame_of(view)) for view in views]


def find(view: View, phrases: Sequence[str]) -> list[Detection]:
    """Whom phrases name, each with certainty."""
    return [Detection(phrase, box, 1.0) for phrase in phrases for box in detected(frame_of(view), phrase)]


def cut(view: View, boxes: Sequence[Edges]) -> list[np.ndarray]:
    """Where the sprites of boxes are."""
    return [masked(frame_of(view), box) for box in boxes]


class SpriteEmbedder:
    """What sprites look like to the tiny set's image encoder: its mean feature. Nothing of the drawing is read."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        self.encoder = encoder

    @torch.no_grad()
    def __call__(self, view: View, boxes: Sequence[Edges], masks: Sequence[np.ndarray]) -> np.ndarray:
        """A vector of length 1 for each sprite, `[n, d]`."""
        alone = [torch.from_numpy(cut_out(view.pixels, box, mask)).movedim(-1, 0)[None].float() / 255
                 for box, mask in zip(boxes, masks, strict=True)]
        seen = image_features(self.encoder, torch.cat([normalise(picture) for picture in alone]))
        return normalize(seen.mean(1), dim=-1).numpy()


def drawn_steps(encoder: torch.nn.Module) -> Steps:
    """All five steps; only the likeness of sprites is a model's, the tiny set's image encoder."""
    return Steps(caption, entities, find, cut, SpriteEmbedder(encoder))
