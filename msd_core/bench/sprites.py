"""The drawn world's benchmark: held-out sprites in MS-Bench's combination types, without any file.

Of table 4's types those that a world without clothes has, with the table's boxes; a scene is a subject too, shown as
a picture of the scene. Two types of its own: boxes that overlap, and references that show two sprites, of which the
phrase says which is meant, so that grounding has something to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..demo.scenes import SCENES, paint_scene
from ..demo.world import Identity, caption, paint_reference, paint_shared_reference, sample_identity
from ..evaluation.regions import Edges
from .msbench import LEFT, MIDDLE, RIGHT, THREE_ABREAST, WHOLE
from .samples import Benchmark, Picture, Sample, WantedSubject

KINDS = {"living": ("cat", "fish", "robot"), "object": ("house", "mushroom", "mug", "car", "rocket")}
REFERENCE_SIZE = 192
PER_TYPE = 20
OVERLAPPING = (0.05, 0.2, 0.6, 0.75), (0.4, 0.25, 0.95, 0.8)


@dataclass(frozen=True)
class SpriteType:
    """A combination type: its groups, its boxes, and whether each reference shows a second sprite too."""

    name: str
    groups: tuple[str, ...]
    boxes: tuple[Edges, ...]
    shared: bool = False


def _type(name: str, *boxes: Edges, shared: bool = False) -> SpriteType:
    return SpriteType(name, tuple(name.split(",")[0].split("+")), boxes, shared)


TYPES = (
    _type("living+living", LEFT, RIGHT),
    _type("living+object", LEFT, RIGHT),
    _type("object+object", LEFT, RIGHT),
    _type("living+scene", MIDDLE, WHOLE),
    _type("object+scene", MIDDLE, WHOLE),
    _type("living+living+living", *THREE_ABREAST),
    _type("object+object+object", *THREE_ABREAST),
    _type("living+object+scene", LEFT, RIGHT, WHOLE),
    _type("living+object, overlapping", *OVERLAPPING),
    _type("living+object, two in each reference", LEFT, RIGHT, shared=True),
)
SINGLE_TYPES = (_type("living", MIDDLE), _type("object", MIDDLE))
"""One subject in DreamBench's box, for the columns of the paper's tables that TYPES have nothing for."""


def sprite_bench(per_type: int = PER_TYPE, seed: int = 0, types: Sequence[SpriteType] = TYPES) -> Benchmark:
    """Samples drawn from a seed, `per_type` of each type.

    Raises:
        ValueError: there are to be none.
    """
    if per_type < 1:
        raise ValueError(f"There are to be {per_type} samples of each type but 1 is the least: say --per-type 20.")
    samples = [_sample(kind, [seed, place, number]) for place, kind in enumerate(types) for number in range(per_type)]
    count = f"{len(types)} types x {per_type} = {len(samples)} samples"
    return Benchmark("sprites", tuple(samples), (count,), 1)


def _sample(kind: SpriteType, drawn_from: list[int]) -> Sample:
    rng = np.random.default_rng(drawn_from)
    seed, _, number = drawn_from
    scene = str(rng.choice(list(SCENES)))
    identities = _identities(kind, rng)
    name = f"{kind.name}/{seed}-{number}"
    subjects = []
    for position, (group, box) in enumerate(zip(kind.groups, kind.boxes, strict=True)):
        mark, draws = f"{name}/{position}", [int(rng.integers(1 << 30)) for _ in range(2)]
        if group == "scene":
            picture = Picture(mark, _drawer(lambda rng, scene=scene: _scene(scene, rng), draws[0]))
            subjects.append(WantedSubject.of(SCENES[scene].split()[-1], box, picture))
            continue
        identity, other = identities[position], identities[position - 1]
        alone = Picture(f"{mark} alone", _drawer(lambda rng, who=identity: paint_reference(who, REFERENCE_SIZE, rng)[0],
                                                 draws[0]))
        shown = alone
        if kind.shared:
            shown = Picture(mark, _drawer(lambda rng, pair=(identity, other): _pair(*pair, rng), draws[1]))
        subjects.append(WantedSubject(identity.kind, box, (shown,), (alone,)))
    prompt = caption(scene, [identity.kind for identity in identities])
    return Sample(name, kind.name, prompt, tuple(subjects))


def _identities(kind: SpriteType, rng: np.random.Generator) -> list[Identity]:
    """Held-out sprites of different kinds and colours."""
    while True:
        chosen = {group: [str(name) for name in rng.permutation(kinds)] for group, kinds in KINDS.items()}
        found = [sample_identity(rng, kind=chosen[group].pop(), held_out=True)
                 for group in kind.groups if group != "scene"]
        if len({frozenset((one.main, one.second)) for one in found}) == len(found):
            return found


def _drawer(paint: Callable[[np.random.Generator], np.ndarray], seed: int) -> Callable[[], Any]:
    def draw() -> Any:
        from PIL import Image

        return Image.fromarray(paint(np.random.default_rng(seed)))

    return draw


def _scene(scene: str, rng: np.random.Generator) -> np.ndarray:
    drawn = paint_scene(scene, REFERENCE_SIZE, REFERENCE_SIZE, int(rng.integers(1 << 30)))
    return np.round(drawn * 255).astype(np.uint8)


def _pair(first: Identity, second: Identity, rng: np.random.Generator) -> np.ndarray:
    pair = (first, second) if rng.random() < 0.5 else (second, first)
    return paint_shared_reference(*pair, REFERENCE_SIZE, rng)
