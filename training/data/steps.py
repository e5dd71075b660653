"""The five steps that stand for models, as the construction asks them; any of them can be another's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from msd_core.evaluation.placement import Detection
from msd_core.evaluation.regions import Edges

from .clips import Unreadable, View


class Captioner(Protocol):
    def __call__(self, views: Sequence[View]) -> Sequence[str]:
        """A caption of each frame."""


class Entities(Protocol):
    def __call__(self, caption: str) -> Sequence[str]:
        """The things that a caption names, in its words and order."""


class Boxes(Protocol):
    def __call__(self, view: View, phrases: Sequence[str]) -> Sequence[Detection]:
        """What is found of the phrases in a frame."""


class Masks(Protocol):
    def __call__(self, view: View, boxes: Sequence[Edges]) -> Sequence[np.ndarray]:
        """The mask `[h, w]` bool of the thing in each box of a frame."""


class Embeddings(Protocol):
    def __call__(self, view: View, boxes: Sequence[Edges], masks: Sequence[np.ndarray]) -> np.ndarray:
        """A vector of length 1 for each thing of a frame, `[n, d]`; one thing in two frames has nearly the same."""


@dataclass(frozen=True)
class Steps:
    """What the construction asks, in this order. Each is deterministic: the same frame gives the same answer."""

    captions: Captioner
    entities: Entities
    boxes: Boxes
    masks: Masks
    embeddings: Embeddings


class StepFailed(RuntimeError):
    """A step could not do its work on a clip; the message says which and why."""


def ask(name: str, count: int | None, step: Callable[..., Any], *inputs: Any) -> Any:
    """What a step answers, `count` answers if that is given.

    Raises:
        Unreadable: the clip can't be read.
        StepFailed: it raised an error, or gave another number of answers.
    """
    try:
        answers = step(*inputs)
        if count is not None and len(answers) != count:
            raise ValueError(f"it gave {len(answers)} answers to {count} questions")
    except Unreadable:
        raise
    except Exception as error:  # whatever a model can stumble over
        reason = (str(error).splitlines() or [""])[0]
        raise StepFailed(f"{name}: {type(error).__name__}: {reason}") from error
    return answers
