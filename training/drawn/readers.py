"""What reads a drawn frame instead of looking at it: captioner, entity finder, detector and masks.

They stand where BLIP-2, spaCy, Grounding DINO and SAM stand for photographs, and they say no more than those would:
the caption names whom it sees, the finder knows the caption alone, the detector the picture and the words, the masks
the picture and a box. Who is who in another frame none of them says; that is for the matching.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from msd_core.demo.sprites import COLOURS, KINDS
from msd_core.demo.world import Box, Identity, caption

from ..text import describe
from .clips import Figure, Frame

BRIEF = 0.7
"""Share of captions that say kinds, sometimes with a colour, and nothing more."""
COLOURED = 0.25
_ENTITY = re.compile(rf"\b(?:an?|the) ((?:(?!an? |the )[a-z]+ )*?(?:{'|'.join(KINDS)}))\b")


def captioned(frame: Frame) -> str:
    """What a frame shows: all in it, in some order, and the scene; the same frame always gives the same words."""
    rng = np.random.default_rng([frame.light, len(frame.figures)])
    people = [frame.figures[i].identity for i in rng.permutation(len(frame.figures))]
    kinds = [who.kind for who in people]
    brief = rng.random() < BRIEF
    return caption(frame.scene, [_phrase(who, kinds.count(who.kind) > 1, brief, rng) for who in people])


def _phrase(who: Identity, ambiguous: bool, brief: bool, rng: np.random.Generator) -> str:
    if ambiguous:
        return f"{who.main} {who.kind}"
    if not brief:
        return describe(who, rng)
    return f"{who.main} {who.kind}" if rng.random() < COLOURED else who.kind


def entities(text: str) -> list[str]:
    """The things that a caption names, each once: `red cat` of `a red cat`, and the noun alone where more is said."""
    found = []
    for words in (match.split() for match in _ENTITY.findall(text)):
        found.append(" ".join(words) if len(words) <= 2 and words[0] in (*COLOURS, words[-1]) else words[-1])
    return list(dict.fromkeys(found))


def named(figure: Figure, phrase: str) -> bool:
    """Whether a phrase's noun, and its colour where it says one, are a figure's."""
    *colours, kind = phrase.split()
    return figure.identity.kind == kind and all(colour == figure.identity.main for colour in colours)


def detected(frame: Frame, phrase: str) -> list[Box]:
    """The boxes of everybody in a frame whom a phrase names."""
    return [figure.box for figure in frame.figures if named(figure, phrase)]


def masked(frame: Frame, box: Box) -> np.ndarray:
    """Where in a frame the sprite of a box is, `[H, W]` bool; nowhere where the box is nobody's."""
    figure = max(frame.figures, key=lambda one: shared(one.box, box), default=None)
    if figure is None or shared(figure.box, box) < 0.5:
        return np.zeros(frame.picture.shape[:2], bool)
    return frame.mask(figure)


def shared(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    both = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return both / (sum(areas) - both)
