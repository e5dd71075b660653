"""What every engine takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..conditions import Condition
from ..samples import WantedSubject


class Gone(RuntimeError):
    """The engine can make no more pictures, whatever the sample; the message says why."""


@dataclass(frozen=True)
class Settings:
    """How pictures are sampled, the same for all samples of a run.

    Attributes:
        scale: strength of the subjects.
        guidance: classifier-free guidance.
        steps: sampling steps.
        width, height: in pixels.
        negative: the negative prompt.
        schedule: one of ComfyUI's schedules.
    """

    scale: float
    guidance: float
    steps: int
    width: int
    height: int
    negative: str = ""
    schedule: str = "normal"


@dataclass(frozen=True)
class Order:
    """Pictures to make of one prompt.

    Attributes:
        prompt: what they show.
        subjects: whom they show.
        seeds: one for each picture.
        condition: what is left out.
    """

    prompt: str
    subjects: tuple[WantedSubject, ...]
    seeds: tuple[int, ...]
    condition: Condition


class Engine(Protocol):
    """Makes pictures."""

    name: str

    def make(self, order: Order) -> Tensor:
        """Pictures `[seeds, h, w, 3]` in 0..1.

        Raises:
            Gone: it can make none any more.
            Exception: it could not make these.
        """
