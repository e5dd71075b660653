"""What is said of a picture of two subjects: looks, place, exchanged and doubled ones; and the table of many."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from msd_core.demo import config

from .finder import Sprite, looks_like
from .looks import Case

WITHIN = 0.15
"""In fractions of the frame: how far from where the bare model puts it a subject still counts as near."""

PAIRS = 40
"""How many held-out pairs a whole measurement has."""

SCORES = ("ident", "both", "near", "exchanged", "doubles")


@dataclass(frozen=True)
class Judged:
    """What is said of one picture.

    Attributes:
        ident: for each subject, whether a sprite has its looks.
        near: for each subject that the bare model draws too, whether it stands near where that puts it.
        exchanged: whether each of two stands nearer to the other's place in the bare model's picture; None where not
            both are in both pictures.
        doubles: sprites that are no subject's.
    """

    ident: tuple[bool, ...]
    near: tuple[bool, ...]
    exchanged: bool | None
    doubles: int


def judge(case: Case, picture: Tensor, sprites: list[Sprite], bare: list[Sprite]) -> Judged:
    """Match the sprites of a picture with the subjects, and with those of the bare model's picture."""
    identities = [subject.identity for subject in case.subjects]
    claimed: list[Sprite | None] = []
    ident, near = [], []
    for identity in identities:
        others = [other for other in identities if other is not identity]
        own = [sprite for sprite in sprites if sprite.kind == identity.kind and sprite not in claimed]
        right = [sprite for sprite in own if looks_like(picture, sprite, identity, others)]
        claimed.append(next(iter(right or own), None))
        ident.append(bool(right))
    before = [next((sprite for sprite in bare if sprite.kind == identity.kind), None) for identity in identities]
    for now, then in zip(claimed, before, strict=True):
        if then is not None:
            near.append(now is not None and _apart(now, then) <= WITHIN)
    exchanged = None
    if None not in (*claimed, *before):
        exchanged = (_apart(claimed[0], before[1]) < _apart(claimed[0], before[0])
                     and _apart(claimed[1], before[0]) < _apart(claimed[1], before[1]))
    doubles = len(sprites) - len([sprite for sprite in claimed if sprite is not None])
    return Judged(tuple(ident), tuple(near), exchanged, doubles)


def _apart(one: Sprite, other: Sprite) -> float:
    (a, b), (c, d) = one.centre, other.centre
    return math.hypot(a - c, b - d) / config.SCENE_SIZE


def summary(judged: list[list[Judged]]) -> dict[str, list[float]]:
    """Each score's mean, its standard error over pairs, and how many it is a mean of.

    Args:
        judged: for each pair, its pictures.
    """
    values = {
        "ident": [[hit for picture in pair for hit in picture.ident] for pair in judged],
        "both": [[all(picture.ident) for picture in pair] for pair in judged],
        "near": [[hit for picture in pair for hit in picture.near] for pair in judged],
        "exchanged": [[picture.exchanged for picture in pair if picture.exchanged is not None] for pair in judged],
        "doubles": [[picture.doubles for picture in pair] for pair in judged],
    }
    return {name: _mean_and_error(pairs) for name, pairs in values.items()}


def _mean_and_error(pairs: list[list[float]]) -> list[float]:
    """A mean over all, and its standard error where the pictures of a pair are not independent."""
    total, count = sum(map(sum, pairs)), sum(map(len, pairs))
    if not count:
        return [math.nan, math.nan, 0]
    mean, groups = total / count, [pair for pair in pairs if pair]
    if len(groups) < 2:
        return [mean, math.nan, count]
    residuals = sum((sum(pair) - mean * len(pair)) ** 2 for pair in groups)
    return [mean, math.sqrt(residuals * len(groups) / (len(groups) - 1)) / count, count]


def table(results: dict[str, dict[str, list[float]]]) -> str:
    """The results in Markdown."""
    lines = ["| start: method | " + " | ".join(SCORES) + " |", "|---|" + "---|" * len(SCORES)]
    for name, row in results.items():
        lines.append(f"| {name} | " + " | ".join(_cell(*row[score]) for score in SCORES) + " |")
    return "\n".join(lines)


def _cell(mean: float, error: float, count: int) -> str:
    """Empty for a mean of nothing, without an error for one of one pair."""
    return "" if not count else f"{mean:.2f}" if math.isnan(error) else f"{mean:.2f} ± {error:.2f}"
