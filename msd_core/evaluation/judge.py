"""The drawn world's judge in the place of CLIP and DINO."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..demo.judge import SIDE, load_judge
from .encoders import in_batches


class JudgeEncoder:
    """The judge in the place of CLIP (`space` "said") or DINO ("like")."""

    def __init__(self, judge: nn.Module, space: str) -> None:
        self.judge, self.name = judge, f"the demo's judge ({space})"
        self._space = getattr(judge, space)

    def images(self, pictures: Tensor) -> Tensor:
        def encode(part: Tensor) -> Tensor:
            pixels = part.movedim(-1, 1).float()
            if pixels.shape[-2:] != (SIDE, SIDE):
                pixels = F.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", antialias=True)
            return self._space(pixels.to(self.judge.tones.device))

        return in_batches(encode, pictures)

    @torch.no_grad()
    def texts(self, captions: Sequence[str]) -> Tensor:
        return self.judge.read(captions)


def judge_encoders(device: str | torch.device = "cpu") -> tuple[JudgeEncoder, JudgeEncoder]:
    """The drawn world's stand-ins for CLIP and for DINO."""
    judge = load_judge().to(device)
    return JudgeEncoder(judge, "said"), JudgeEncoder(judge, "like")
