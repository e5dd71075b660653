"""MS-Bench (the paper's section 4.1, appendix B and table 4), generated from a folder of subject pictures.

The folder has one folder for each of `living`, `object`, `upwearing`, `midwearing`, `downwearing`, `wholewearing` and
`scene`. Every choice of subjects that a combination type allows is a combination; those without a scene come in six
scenes. With the paper's 40 subjects that makes 1148 combinations and 4488 samples.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..evaluation.regions import Edges
from .dreambench import CLASSES
from .samples import Benchmark, Picture, Sample, WantedSubject, pictures_in

SCENES = ("in a room", "in the jungle", "in the snow", "on the beach", "on the grass", "on a cobblestone street")
GROUPS = ("living", "object", "upwearing", "midwearing", "downwearing", "wholewearing", "scene")
PHRASES_FILE = "phrases.json"
PER_SAMPLE = 5

LEFT, RIGHT = (0.0, 0.25, 0.5, 0.75), (0.5, 0.25, 1.0, 0.75)
MIDDLE, WHOLE = (0.25, 0.25, 0.75, 0.75), (0.0, 0.0, 1.0, 1.0)
HEAD, CHEST, LEGS = (0.25, 0.0, 0.75, 0.25), (0.25, 0.25, 0.75, 0.6), (0.25, 0.6, 0.75, 1.0)
THREE_ABREAST = (0.0, 0.25, 0.35, 0.75), (0.35, 0.25, 0.65, 0.75), (0.65, 0.25, 1.0, 0.75)


@dataclass(frozen=True)
class Combination:
    """A combination type: its groups, its prompt without the scene, and its boxes."""

    groups: tuple[str, ...]
    prompt: str
    boxes: tuple[Edges, ...]

    @property
    def name(self) -> str:
        return "+".join(self.groups)

    @property
    def has_scene(self) -> bool:
        return "scene" in self.groups


def _type(name: str, prompt: str, *boxes: Edges) -> Combination:
    return Combination(tuple(name.split("+")), prompt, boxes)


COMBINATIONS = (
    _type("living+living", "a {0} and a {1}", LEFT, RIGHT),
    _type("living+object", "a {0} and a {1}", LEFT, RIGHT),
    _type("object+object", "a {0} and a {1}", LEFT, RIGHT),
    _type("living+upwearing", "a {0} wearing a {1}", MIDDLE, HEAD),
    _type("living+midwearing", "a {0} wearing a {1}", MIDDLE, MIDDLE),
    _type("living+wholewearing", "a {0} wearing a {1}", MIDDLE, MIDDLE),
    _type("midwearing+downwearing", "a woman wearing a {0} and a {1}", CHEST, LEGS),
    _type("living+scene", "a {0} with a {1} in the background", MIDDLE, WHOLE),
    _type("object+scene", "a {0} with a {1} in the background", MIDDLE, WHOLE),
    _type("living+living+living", "a {0}, a {1}, and a {2}", *THREE_ABREAST),
    _type("object+object+object", "a {0}, a {1}, and a {2}", *THREE_ABREAST),
    _type("living+object+scene", "a {0} and a {1} with a {2} in the background", LEFT, RIGHT, WHOLE),
    _type("upwearing+midwearing+downwearing", "a woman wearing a {0}, a {1}, and a {2}", HEAD, CHEST, LEGS),
)
"""The 13 types of table 4, in its order."""


def ms_bench(folder: str | Path) -> Benchmark:
    """All samples over a folder of subject pictures.

    What a subject is called is its category: DreamBench's of that name, or the last word of the file's name without
    its number (`dog2.jpg` is a dog, `colorful_sneaker.jpg` a sneaker), or what `phrases.json` in the folder says, as
    `{"object/teapot": "red teapot"}`.

    Raises:
        ValueError: the folder or one of its groups is missing, or `phrases.json` names nobody.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"MS-Bench's subjects are to be in {folder} but there is no such folder: check --data.")
    missing = [group for group in GROUPS if not (folder / group).is_dir()]
    if missing:
        raise ValueError(
            f"{folder} lacks the folder{'s' * (len(missing) > 1)} {', '.join(missing)} of MS-Bench's {len(GROUPS)}: "
            "put each subject's picture into its group's folder."
        )
    subjects = {group: pictures_in(folder / group) for group in GROUPS}
    phrases = _phrases(folder, {f"{group}/{file.stem}" for group, files in subjects.items() for file in files})
    samples, count = [], []
    total = 0
    for combination in COMBINATIONS:
        chosen = list(_choices(combination, subjects))
        scenes = ("",) if combination.has_scene else SCENES
        samples += [_sample(combination, files, phrases, scene) for files in chosen for scene in scenes]
        total += len(chosen)
        ways = _ways(combination, {group: len(files) for group, files in subjects.items()})
        count.append(f"{combination.name}: {ways} = {len(chosen)} combinations x {len(scenes)} = "
                     f"{len(chosen) * len(scenes)} samples")
    sizes = ", ".join(f"{len(files)} {group}" for group, files in subjects.items())
    count.append(f"{sum(map(len, subjects.values()))} subjects ({sizes}): {total} combinations, {len(samples)} samples")
    return Benchmark("MS-Bench", tuple(samples), tuple(count), PER_SAMPLE)


def _choices(combination: Combination, subjects: dict[str, list[Path]]) -> Iterator[tuple[Path, ...]]:
    """Every choice of subjects: of one group without order and repetition, of several groups all with all."""
    parts = [itertools.combinations(subjects[group], len(list(run)))
             for group, run in itertools.groupby(combination.groups)]
    for choice in itertools.product(*parts):
        yield tuple(itertools.chain.from_iterable(choice))


def _ways(combination: Combination, sizes: dict[str, int]) -> str:
    """How the number of choices comes out, in words: `C(10, 2)`, `10 x 5`."""
    runs = [(sizes[group], len(list(run))) for group, run in itertools.groupby(combination.groups)]
    return " x ".join(str(size) if picked == 1 else f"C({size}, {picked})" for size, picked in runs)


def _sample(combination: Combination, files: tuple[Path, ...], phrases: dict[str, str], scene: str) -> Sample:
    keys = [f"{file.parent.name}/{file.stem}" for file in files]
    prompt = f"{combination.prompt} {scene}".strip().format(*(phrases[key] for key in keys))
    subjects = tuple(
        WantedSubject.of(phrases[key], box, Picture(key, file))
        for key, box, file in zip(keys, combination.boxes, files, strict=True)
    )
    name = "+".join(file.stem for file in files)
    own = "/".join(part for part in (combination.name, name, scene) if part)
    return Sample(own, combination.name, prompt, subjects)


def category(stem: str) -> str:
    """What a subject of this file name is: DreamBench's category, or its last word without its number."""
    return CLASSES.get(stem) or re.sub(r"\d+$", "", re.split(r"[_ ]", stem)[-1]) or stem


def _phrases(folder: Path, known: set[str]) -> dict[str, str]:
    """Each subject's phrase, under `group/stem`."""
    phrases = {key: category(key.split("/")[1]) for key in known}
    file = folder / PHRASES_FILE
    if not file.is_file():
        return phrases
    try:
        told = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f'{file} can\'t be read ({error}): write JSON as {{"object/teapot": "teapot"}}.') from None
    unknown = next((key for key in told if key not in known), None)
    if unknown is not None:
        raise ValueError(f"{file} names {unknown!r} but there is no such picture: write it as object/teapot.")
    return phrases | told
