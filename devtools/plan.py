"""How the graph of an example is put together: one plan, of which each kind of example changes something.

Columns from left to right: the note, models and subjects, layout and prompt, encode and apply, sample and result. What
a kind has besides goes below, or into columns after them. A graph is small enough to be seen whole with its titles.
"""

from collections.abc import Mapping
from typing import Any

from msd_core.boxes import Box, format_boxes
from msd_core.demo.config import ADAPTER_SCALE, GUIDANCE, SCENE_SIZE, STEPS

from .examples import Example, ExampleSubject, Photo, note
from .graphs import Graph, Node, Output
from .kinds import KINDS

BLUE, GREEN, PURPLE, GOLD, GRAY, RED = "#3f789e", "#4d7f4d", "#7a5a9e", "#a1853b", "#5c6066", "#9e4f4f"
NEGATIVE = "blurry, low quality"
NOTE_SIZE = (320, 1090)
SOURCES, SUBJECTS, LAYOUTS, PATCHES, SAMPLERS, AFTER = 380, 640, 960, 1400, 1740, 2130
"""Left edges of the columns."""
SOURCE_WIDTH, SUBJECT_WIDTH, LAYOUT_WIDTH, PATCH_WIDTH, SAMPLER_WIDTH = 230, 264, 380, 280, 330
GAP = 50
"""From a node's body to the next one's, title bar and some air."""
GROUP_GAP = 120
"""The same between two groups."""
LAYOUT_SIZE = (LAYOUT_WIDTH, 700)
"""A square layout fills the width of a node of this size."""
PROMPTS = LAYOUT_SIZE[1] + GROUP_GAP
"""Where the column under the layout begins."""
ENCODE_HEIGHT, APPLY_HEIGHT, SAMPLER_HEIGHT, PREVIEW_HEIGHT, SAVED_HEIGHT = 206, 220, 270, 260, 290
BELOW_APPLY = ENCODE_HEIGHT + APPLY_HEIGHT + 2 * GROUP_GAP
"""Where the column under *Apply MS-Diffusion* begins."""
SAMPLING = {"steps": STEPS, "cfg": GUIDANCE, "sampler_name": "euler", "scheduler": "simple"}


class Plan:
    """Subjects in boxes, and one sampler. The kinds of examples override its steps, which run in this order."""

    prompt_at: int | None = None
    """Top of the prompt's own node under *Apply MS-Diffusion*, where several nodes read the prompt."""
    samplers = SAMPLERS
    """Left edge of the column of the sampler."""
    side = SCENE_SIZE
    sampling = SAMPLING
    denoise = 0.5
    """Of a run that starts from a picture."""

    def __init__(self, example: Example):
        self.example = example
        self.graph = Graph(example.name, KINDS)
        self.text: Output | str = example.prompt
        self.bottom = 260
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
        self.graph.note = (note(self.example), (0, 0), NOTE_SIZE)
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
        placed = []
        with self.graph.group("2. Subjects", GREEN):
            for subject in self.example.subjects:
                top = self.bottom
                source, below = self.source(subject, top)
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
                    "MSDiffusionSubject", (SUBJECTS, top), (SUBJECT_WIDTH, 230), image=image, phrase=phrase,
                    **dict(subject.settings), **self.cut_out(subject, source, top + 230 + GAP),
                )  # fmt: skip
                placed.append(node["subject"])
                self.bottom = below + 36
        return placed

    def source(self, subject: ExampleSubject, top: int) -> tuple[Node, int]:
        """The node that a subject's picture comes from, and where it and what belongs to it end."""
        if isinstance(subject.source, Photo):
            loaded = self.add("LoadImage", (SOURCES, top), (SOURCE_WIDTH, 350), image=subject.source.file)
            return loaded, top + 350
        drawn = self.add(
            "MSDiffusionDemoSubject", (SOURCES, top), (SOURCE_WIDTH, 190), kind=subject.source.kind,
            seed=subject.source.seed,
        )  # fmt: skip
        self.add("PreviewImage", (SOURCES, top + 190 + GAP), (SOURCE_WIDTH, PREVIEW_HEIGHT), images=drawn["image"])
        return drawn, top + 190 + GAP + PREVIEW_HEIGHT

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
            for number, subject in enumerate(self.example.subjects)
        ])  # fmt: skip
        return self.add(
            "MSDiffusionLayout", (LAYOUTS, 0), LAYOUT_SIZE, width=self.side, height=self.side, boxes=boxes,
            overlap=self.example.overlap, **links,
        )  # fmt: skip

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        with self.graph.group("5. Encode", GOLD):
            return self.encode_node(0, layout, subjects)["embeds"]

    def encode_node(self, top: int, layout: Node, subjects: list[Output], title: str = "") -> Node:
        models = self.models
        return self.add(
            "MSDiffusionEncode", (PATCHES, top), (PATCH_WIDTH, ENCODE_HEIGHT - 20 * (2 - len(subjects))), title,
            adapter=models["adapter"], clip_vision=models["clip_vision"], clip=models["clip"],
            layout=layout["layout"], subjects=subjects,
        )  # fmt: skip

    def prompts(self) -> None:
        if self.prompt_at is not None:
            with self.graph.group("Prompt text", GRAY):
                self.text = self.add(
                    "PrimitiveStringMultiline", (PATCHES, self.prompt_at), (PATCH_WIDTH, 110), "Prompt text",
                    value=self.example.prompt,
                )["STRING"]  # fmt: skip
        with self.graph.group("4. Prompt", GRAY):
            self.positive = self.prompt_node((LAYOUTS, PROMPTS), LAYOUT_WIDTH, "Prompt", self.text)
            self.negative = self.prompt_node(
                (LAYOUTS, PROMPTS + 110 + GAP), LAYOUT_WIDTH, "Negative prompt", NEGATIVE
            )  # fmt: skip

    def prompt_node(self, at: tuple[int, int], width: int, title: str, text: Output | str) -> Output:
        node = self.add("CLIPTextEncode", at, (width, 110), title, clip=self.models["clip"], text=text)
        return node["CONDITIONING"]

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply", GOLD):
            return self.apply_node((PATCHES, ENCODE_HEIGHT + GROUP_GAP), embeds)["model"]

    def apply_node(self, at: tuple[int, int], embeds: Output, title: str = "", **inputs: Any) -> Node:
        return self.add(
            "MSDiffusionApply", at, (PATCH_WIDTH, APPLY_HEIGHT), title, model=self.models["model"], embeds=embeds,
            scale=self.scale, **inputs,
        )  # fmt: skip

    def sample(self, model: Output, layout: Node) -> Output:
        with self.graph.group("7. Sample", BLUE):
            latent = self.latent_node(layout)
            return self.sampler_node((self.samplers, 120 + GAP), model, latent["LATENT"])["LATENT"]

    def latent_node(self, layout: Node, **inputs: Any) -> Node:
        return self.add(
            "EmptyLatentImage", (self.samplers, 0), (SAMPLER_WIDTH, 120), width=layout["width"],
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
        top = 120 + GAP + SAMPLER_HEIGHT + GROUP_GAP
        with self.graph.group(f"{number}. Result", GREEN):
            image = self.decoded((self.samplers, top), latent, SAMPLER_WIDTH)
            self.add(
                "SaveImage", (self.samplers, top + 56 + GAP), (SAMPLER_WIDTH, SAVED_HEIGHT + 60), images=image,
                filename_prefix="MS-Diffusion",
            )  # fmt: skip
        return image

    def decoded(self, at: tuple[int, int], latent: Output, width: int) -> Output:
        return self.add("VAEDecode", at, (width, 56), samples=latent, vae=self.models["vae"])["IMAGE"]
