"""How the graph of an example is put together: one plan, of which each kind of example changes something.

Columns from left to right: the note, models and subjects, layout and prompt, encode and apply, sample and result. What
a kind has besides goes below, or into a column after them. A graph is small enough that the frontend opens it at a zoom
which draws titles in a window of 1600 x 900: 2080 by 1160 with the first titles.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from msd_core.boxes import Box, format_boxes
from msd_core.demo.config import ADAPTER_SCALE, GUIDANCE, SCENE_SIZE, STEPS

from .examples import Example, ExampleSubject, Photo, note
from .graphs import Graph, Node, Output
from .kinds import KINDS

BLUE, GREEN, PURPLE, GOLD, GRAY, RED = "#3f789e", "#4d7f4d", "#7a5a9e", "#a1853b", "#5c6066", "#9e4f4f"
NEGATIVE = "blurry, low quality"
NOTE_WIDTH = 250
NOTE_LETTERS, NOTE_LINE = 37, 18
"""How many letters a line of the note has, and its height."""
SOURCES, SUBJECTS, LAYOUTS, PATCHES, SAMPLERS, AFTER = 294, 544, 828, 1222, 1516, 1824
"""Left edges of the columns."""
SOURCE_WIDTH, SUBJECT_WIDTH, LAYOUT_WIDTH, PATCH_WIDTH, SAMPLER_WIDTH, AFTER_WIDTH = 230, 240, 350, 250, 264, 246
COLUMN_GAP = 44
"""Between two columns: their groups' frames do not touch."""
GAP = 42
"""From a node's body to the next one's, title bar and some air."""
GROUP_GAP = 106
"""The same between two groups."""
DRAWING_HEIGHT, PHOTO_HEIGHT, SUBJECT_HEIGHT = 414, 340, 230
ENCODE_HEIGHT, APPLY_HEIGHT, SAMPLER_HEIGHT, PREVIEW_HEIGHT, SAVED_HEIGHT = 206, 220, 270, 266, 310
BELOW_APPLY = ENCODE_HEIGHT + APPLY_HEIGHT + 2 * GROUP_GAP
"""Where the column under *Apply MS-Diffusion* begins."""
BELOW_SAMPLER = 120 + GAP + SAMPLER_HEIGHT + GROUP_GAP
"""Where the column under the sampler begins."""
SAMPLING = {"steps": STEPS, "cfg": GUIDANCE, "sampler_name": "euler", "scheduler": "simple"}


class Plan:
    """Subjects in boxes, and one sampler. The kinds of examples override its steps, which run in this order."""

    shared_prompt = False
    """Whether the prompt is a node of its own, because more than the text encoder reads it."""
    layouts, patches, samplers = LAYOUTS, PATCHES, SAMPLERS
    """Left edges of columns that a kind may move aside for one of its own."""
    layout_height = 650
    """At which a square layout fills the width of its node."""
    sample_top = 0
    """Where the latent and the sampler begin in theirs."""
    side = SCENE_SIZE
    sampling = SAMPLING
    denoise = 0.5
    """Of a run that starts from a picture."""

    def __init__(self, example: Example):
        self.example = example
        self.graph = Graph(example.name, KINDS)
        self.text: Output | str = example.prompt
        self.bottom = 140 + GROUP_GAP
        self.drawings: list[Node] = []
        self.placed: list[Output] = []
        self.models: Mapping[str, Output] | Node
        self.positive: Output
        self.negative: Output

    @property
    def scale(self) -> float:
        return ADAPTER_SCALE

    def build(self) -> Graph:
        """The graph, laid out from left to right."""
        text = note(self.example)
        self.graph.note = (text, (0, 0), (NOTE_WIDTH, _height(text)))
        with self.graph.group("1. Models", BLUE):
            self.models = self.load()
        self.placed = self.subjects()
        layout = self.layout()
        embeds = self.encode(layout, self.placed)
        self.prompts()
        model = self.apply(embeds)
        latent = self.sample(model, layout)
        self.results(latent, embeds)
        return self.graph

    def add(self, type: str, at: tuple[int, int], size: tuple[int, int], title: str = "", **inputs: Any) -> Node:
        return self.graph.add(type, at, size, title, **inputs)

    def load(self) -> Mapping[str, Output] | Node:
        """What the graph runs on, by the demo node's output names."""
        return self.add("MSDiffusionDemoModels", (SOURCES, 0), (SUBJECTS + SUBJECT_WIDTH - SOURCES, 140))

    def subjects(self) -> list[Output]:
        placed, free = [], self.bottom
        with self.graph.group("2. Subjects", GREEN):
            for subject in self.example.subjects:
                source, below = self.source(subject, self.bottom)
                top, self.bottom = max(self.bottom, free), below + GAP
                self.drawings.append(source)
                image = source[next(iter(source.kind.outputs))]
                if subject.mirrored:
                    mirrored = self.add("ImageFlip", (SUBJECTS, top), (SUBJECT_WIDTH, 66), image=image)["IMAGE"]
                    views = self.add(
                        "BatchImagesNode", (SUBJECTS, top + 66 + GAP), (SUBJECT_WIDTH, 90), "Views of one subject",
                        images=[image, mirrored],
                    )  # fmt: skip
                    image, top = views["IMAGE"], top + 156 + 2 * GAP
                phrase = source["phrase"] if "phrase" in source.kind.outputs else subject.phrase
                node = self.add(
                    "MSDiffusionSubject", (SUBJECTS, top), (SUBJECT_WIDTH, SUBJECT_HEIGHT), image=image, phrase=phrase,
                    **dict(subject.settings), **self.cut_out(subject, source, top + SUBJECT_HEIGHT + GAP),
                )  # fmt: skip
                placed.append(node["subject"])
                free = top + SUBJECT_HEIGHT + GAP
        return placed

    def source(self, subject: ExampleSubject, top: int) -> tuple[Node, int]:
        """The node that a subject's picture comes from, and where it and what belongs to it end."""
        if isinstance(subject.source, Photo):
            loaded = self.add("LoadImage", (SOURCES, top), (SOURCE_WIDTH, PHOTO_HEIGHT), image=subject.source.file)
            return loaded, top + PHOTO_HEIGHT
        drawn = self.add(
            "MSDiffusionDemoSubject", (SOURCES, top), (SOURCE_WIDTH, DRAWING_HEIGHT), kind=subject.source.kind,
            seed=subject.source.seed,
        )  # fmt: skip
        return drawn, top + DRAWING_HEIGHT

    def cut_out(self, subject: ExampleSubject, source: Node, top: int) -> dict[str, Output]:
        """The links of a subject that cut it out of its picture; nodes of its own go below its node."""
        return {}

    def layout(self) -> Node:
        with self.graph.group("3. Layout", PURPLE):
            return self.layout_node()

    def layout_node(self, **links: Output) -> Node:
        in_front = self.example.overlap == "front"
        boxes = format_boxes([
            Box(*subject.box, label=subject.phrase, z=number * in_front)
            for number, subject in enumerate(self.placed_subjects())
        ])  # fmt: skip
        return self.add(
            "MSDiffusionLayout", (self.layouts, 0), (LAYOUT_WIDTH, self.layout_height), width=self.side,
            height=self.side, boxes=boxes, overlap=self.example.overlap, **links,
        )  # fmt: skip

    def placed_subjects(self) -> tuple[ExampleSubject, ...]:
        """The subjects that have boxes of their own."""
        return self.example.subjects

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        with self.graph.group("5. Encode", GOLD):
            return self.encode_node(0, layout, subjects)["embeds"]

    def encode_node(self, top: int, layout: Node, subjects: list[Output], title: str = "") -> Node:
        models = self.models
        return self.add(
            "MSDiffusionEncode", (self.patches, top), (PATCH_WIDTH, ENCODE_HEIGHT - 20 * (2 - len(subjects))), title,
            adapter=models["adapter"], clip_vision=models["clip_vision"], clip=models["clip"],
            layout=layout["layout"], subjects=subjects,
        )  # fmt: skip

    def prompts(self) -> None:
        top = self.layout_height + GROUP_GAP
        with self.graph.group("4. Prompt", GRAY):
            if self.shared_prompt:
                self.text = self.add(
                    "PrimitiveStringMultiline", (self.layouts, top), (LAYOUT_WIDTH, 110), "Prompt text",
                    value=self.example.prompt,
                )["STRING"]  # fmt: skip
                top += 110 + GAP
            self.positive = self.prompt_node((self.layouts, top), LAYOUT_WIDTH, "Prompt", self.text)
            self.negative = self.prompt_node(
                (self.layouts, top + 110 + GAP), LAYOUT_WIDTH, "Negative prompt", NEGATIVE
            )  # fmt: skip

    def prompt_node(self, at: tuple[int, int], width: int, title: str, text: Output | str) -> Output:
        node = self.add("CLIPTextEncode", at, (width, 110), title, clip=self.models["clip"], text=text)
        return node["CONDITIONING"]

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply", GOLD):
            return self.apply_node((self.patches, ENCODE_HEIGHT + GROUP_GAP), embeds)["model"]

    def apply_node(self, at: tuple[int, int], embeds: Output, title: str = "", **inputs: Any) -> Node:
        return self.add(
            "MSDiffusionApply", at, (PATCH_WIDTH, APPLY_HEIGHT), title, model=self.models["model"], embeds=embeds,
            scale=self.scale, **inputs,
        )  # fmt: skip

    def sample(self, model: Output, layout: Node) -> Output:
        with self.graph.group("7. Sample", BLUE):
            latent = self.latent_node(layout)
            return self.sampler_node((self.samplers, self.sample_top + 120 + GAP), model, latent["LATENT"])["LATENT"]

    def latent_node(self, layout: Node, **inputs: Any) -> Node:
        return self.add(
            "EmptyLatentImage", (self.samplers, self.sample_top), (SAMPLER_WIDTH, 120), width=layout["width"],
            height=layout["height"], **inputs,
        )  # fmt: skip

    def sampler_node(
        self, at: tuple[int, int], model: Output, latent: Output, seed: int = 0, width: int = SAMPLER_WIDTH,
        **inputs: Any,
    ) -> Node:  # fmt: skip
        return self.add(
            "KSampler", at, (width, SAMPLER_HEIGHT), model=model, positive=self.positive, negative=self.negative,
            latent_image=latent, seed=seed or self.example.seed, **(self.sampling | inputs),
        )  # fmt: skip

    def results(self, latent: Output, embeds: Output) -> None:
        self.saved(8, latent)

    def saved(self, number: int, latent: Output) -> Output:
        """The last step: the latent as an image, saved, under the sampler."""
        top = self.sample_top + BELOW_SAMPLER
        with self.graph.group(f"{number}. Result", GREEN):
            image = self.decoded((self.samplers, top), latent, SAMPLER_WIDTH)
            self.add(
                "SaveImage", (self.samplers, top + 56 + GAP), (SAMPLER_WIDTH, SAVED_HEIGHT), images=image,
                filename_prefix="MS-Diffusion",
            )  # fmt: skip
        return image

    def decoded(self, at: tuple[int, int], latent: Output, width: int) -> Output:
        return self.add("VAEDecode", at, (width, 56), samples=latent, vae=self.models["vae"])["IMAGE"]


def _height(text: str) -> int:
    """How high the note has to be for its text: lines of Nodes 2.0, which takes more room."""
    height = 40
    for paragraph in text.splitlines():
        words = re.sub(r"\]\([^)]*\)", "", paragraph)  # a link is as long as its words
        indented = words.startswith("- ")
        lines = max(math.ceil(len(words) / (NOTE_LETTERS - 5 * indented)), 1)
        height += (lines * NOTE_LINE if words else NOTE_LINE // 2) + 20 * words.startswith("#")
    return height
