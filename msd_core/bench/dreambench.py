"""DreamBench (Ruiz et al., 2023): 30 subjects, 25 prompts each, one box in the middle as the paper sets it.

Subjects, categories and prompts are the data set's own (google/dreambooth, CC BY 4.0); its `dataset` folder has one
folder of photos for each subject. The adapter is shown the first photo, and the result is measured against all of
them, as DreamBooth does.
"""

from __future__ import annotations

import re
from pathlib import Path

from .samples import Benchmark, Picture, Sample, WantedSubject, pictures_in

BOX = (0.25, 0.25, 0.75, 0.75)
PER_SAMPLE = 5
SUBJECTS = 30

CLASSES = {
    "backpack": "backpack", "backpack_dog": "backpack", "bear_plushie": "stuffed animal", "berry_bowl": "bowl",
    "can": "can", "candle": "candle", "cat": "cat", "cat2": "cat", "clock": "clock", "colorful_sneaker": "sneaker",
    "dog": "dog", "dog2": "dog", "dog3": "dog", "dog5": "dog", "dog6": "dog", "dog7": "dog", "dog8": "dog",
    "duck_toy": "toy", "fancy_boot": "boot", "grey_sloth_plushie": "stuffed animal", "monster_toy": "toy",
    "pink_sunglasses": "glasses", "poop_emoji": "toy", "rc_car": "toy", "red_cartoon": "cartoon", "robot_toy": "toy",
    "shiny_sneaker": "sneaker", "teapot": "teapot", "vase": "vase", "wolf_plushie": "stuffed animal",
}
"""Subject to category."""

LIVE = ("cat", "dog")
"""Categories that have the prompts of living subjects."""

_BOTH = (
    "a {} in the jungle", "a {} in the snow", "a {} on the beach", "a {} on a cobblestone street",
    "a {} on top of pink fabric", "a {} on top of a wooden floor", "a {} with a city in the background",
    "a {} with a mountain in the background", "a {} with a blue house in the background",
    "a {} on top of a purple rug in a forest",
)
_LOOKS = ("a red {}", "a purple {}", "a shiny {}", "a wet {}", "a cube shaped {}")
OBJECT_PROMPTS = (
    *_BOTH, "a {} with a wheat field in the background", "a {} with a tree and autumn leaves in the background",
    "a {} with the Eiffel Tower in the background", "a {} floating on top of water",
    "a {} floating in an ocean of milk", "a {} on top of green grass with sunflowers around it",
    "a {} on top of a mirror", "a {} on top of the sidewalk in a crowded street", "a {} on top of a dirt road",
    "a {} on top of a white rug", *_LOOKS,
)
LIVE_PROMPTS = (
    *_BOTH, "a {} wearing a red hat", "a {} wearing a santa hat", "a {} wearing a rainbow scarf",
    "a {} wearing a black top hat and a monocle", "a {} in a chef outfit", "a {} in a firefighter outfit",
    "a {} in a police outfit", "a {} wearing pink glasses", "a {} wearing a yellow shirt",
    "a {} in a purple wizard outfit", *_LOOKS,
)


def dream_bench(folder: str | Path) -> Benchmark:
    """All samples over DreamBench's `dataset` folder, or another of the same form.

    A subject that is none of DreamBench's is called by the last word of its folder's name, without its number.

    Raises:
        ValueError: the folder is missing, has no subjects, or a subject has no photo.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"DreamBench's subjects are to be in {folder} but there is no such folder: check --data.")
    subjects = sorted(inner for inner in folder.iterdir() if inner.is_dir() and not inner.name.startswith("."))
    if not subjects:
        raise ValueError(f"{folder} holds no folders but DreamBench has one of photos for each subject: check --data.")
    samples = []
    for subject in subjects:
        photos = tuple(Picture(f"{subject.name}/{file.name}", file) for file in pictures_in(subject))
        if not photos:
            raise ValueError(f"{subject} holds no picture but each subject needs one or more: put one there.")
        phrase = CLASSES.get(subject.name) or re.sub(r"\d+$", "", re.split(r"[_ ]", subject.name)[-1]) or subject.name
        wanted = WantedSubject(phrase, BOX, photos[:1], photos)
        kind = "living" if phrase in LIVE else "object"
        prompts = LIVE_PROMPTS if kind == "living" else OBJECT_PROMPTS
        samples += [Sample(f"{subject.name}/{prompt.format(phrase)}", kind, prompt.format(phrase), (wanted,))
                    for prompt in prompts]
    count = (f"{len(subjects)} subjects x {len(OBJECT_PROMPTS)} prompts = {len(samples)} samples"
             + ("" if len(subjects) == SUBJECTS else f" (DreamBench has {SUBJECTS} subjects)"),)
    return Benchmark("DreamBench", tuple(samples), count, PER_SAMPLE)
