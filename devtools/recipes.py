"""How the graph of each kind of example is put together: one plan, and what each kind changes of it.

Columns from left to right: the note, models and subjects, layout and prompt, apply, sample, then what comes after.
"""

from collections.abc import Mapping
from typing import Any

from msd_core.boxes import Box, format_boxes
from msd_core.demo.config import ADAPTER_SCALE, GUIDANCE, SCENE_SIZE, STEPS

from .examples import FRAMES, SEEDS, Example, ExampleSubject, Photo, note
from .graphs import Graph, Node, Output
from .kinds import KINDS

CONTROL_NET = "sdxl_scribble_controlnet.safetensors"
BLUE, GREEN, PURPLE, GOLD, GRAY, RED = "#3f789e", "#4d7f4d", "#7a5a9e", "#a1853b", "#5c6066", "#9e4f4f"
NEGATIVE = "blurry, low quality"
AFTER_SAMPLING = 2460
LAYOUT_SIZE = (380, 700)
"""A square layout fills the width of a node of this size."""
PROMPTS = 820
"""Where the column under the layout begins."""
_, DRAWING_SIZE = KINDS["MSDiffusionDemoSubject"].widgets["size"]
SHEET_SIZE = 2 * DRAWING_SIZE
SHEET = {"value": 1.0, "width": SHEET_SIZE, "height": SHEET_SIZE}
JUDGE = "demo judge"
SAMPLING = {"steps": STEPS, "cfg": GUIDANCE, "sampler_name": "euler", "scheduler": "simple"}


class Plan:
    """Subjects in boxes, and one sampler. The kinds of examples override its steps, which run in this order."""

    prompt_once = False
    """Whether the prompt is a node of its own, because several nodes read it."""
    side = SCENE_SIZE
    scale = ADAPTER_SCALE
    sampling = SAMPLING

    def __init__(self, example: Example):
        self.example = example
        self.graph = Graph(example.name, KINDS)
        self.text: Output | str = example.prompt
        self.bottom = 240
        self.drawings: list[Node] = []
        self.models: Mapping[str, Output] | Node
        self.positive: Output
        self.negative: Output

    def build(self) -> Graph:
        """The graph, laid out from left to right."""
        self.graph.note = (note(self.example), (0, 0), (420, 860))
        with self.graph.group("1. Models", BLUE):
            self.models = self.load()
        subjects = self.subjects()
        layout = self.layout()
        embeds = self.encode(layout, subjects)
        self.prompts()
        model = self.apply(embeds)
        latent = self.sample(model, layout)
        self.results(latent, embeds)
        return self.graph

    def add(self, type: str, at: tuple[int, int], size: tuple[int, int], title: str = "", **inputs: Any) -> Node:
        return self.graph.add(type, at, size, title, **inputs)

    def load(self) -> Mapping[str, Output] | Node:
        """What the graph runs on, by the demo node's output names."""
        return self.add("MSDiffusionDemoModels", (480, 0), (640, 110))

    def subjects(self) -> list[Output]:
        placed = []
        with self.graph.group("2. Subjects", GREEN):
            for subject in self.example.subjects:
                top = self.bottom
                self.bottom += 420 + 120 * subject.mirrored
                source = self.source(subject, (480, top))
                self.drawings.append(source)
                image, at = source[next(iter(source.kind.outputs))], (820, top)
                if subject.mirrored:
                    mirrored = self.add("ImageFlip", at, (300, 60), image=image)["IMAGE"]
                    views = self.add(
                        "BatchImagesNode", (820, top + 110), (300, 90), "Views of one subject", images=[image, mirrored]
                    )
                    image, at = views["IMAGE"], (820, top + 260)
                phrase = source["phrase"] if "phrase" in source.kind.outputs else subject.phrase
                node = self.add(
                    "MSDiffusionSubject", at, (300, 230), image=image, phrase=phrase, **dict(subject.settings),
                    **self.cut_out(source),
                )  # fmt: skip
                placed.append(node["subject"])
        return placed

    def source(self, subject: ExampleSubject, at: tuple[int, int]) -> Node:
        """The node that a subject's picture comes from."""
        if isinstance(subject.source, Photo):
            return self.add("LoadImage", at, (280, 330), image=subject.source.file)
        drawn = self.add(
            "MSDiffusionDemoSubject", at, (280, 150), kind=subject.source.kind, seed=subject.source.seed
        )
        self.add("PreviewImage", (at[0], at[1] + 190), (280, 170), images=drawn["image"])
        return drawn

    def cut_out(self, source: Node) -> dict[str, Output]:
        """The links of a subject that cut it out of its picture."""
        return {}

    def layout(self) -> Node:
        with self.graph.group("3. Layout", PURPLE):
            return self.layout_node()

    def layout_node(self, **links: Output) -> Node:
        boxes = format_boxes([Box(*subject.box, label=subject.phrase) for subject in self.example.subjects])
        return self.add(
            "MSDiffusionLayout", (1200, 0), LAYOUT_SIZE, width=self.side, height=self.side, boxes=boxes, **links
        )

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        with self.graph.group("5. Encode", GOLD):
            return self.encode_node(0, layout, subjects)["embeds"]

    def encode_node(self, top: int, layout: Node, subjects: list[Output], title: str = "") -> Node:
        models = self.models
        return self.add(
            "MSDiffusionEncode", (1660, top), (320, 190), title,
            adapter=models["adapter"], clip_vision=models["clip_vision"], clip=models["clip"],
            layout=layout["layout"], subjects=subjects,
        )  # fmt: skip

    def prompts(self) -> None:
        top = PROMPTS
        with self.graph.group("4. Prompt", GRAY):
            if self.prompt_once:
                self.text = self.add(
                    "PrimitiveStringMultiline", (1200, top), (380, 120), "Prompt text", value=self.example.prompt
                )["STRING"]
                top += 190
            self.positive, self.negative = (
                self.add("CLIPTextEncode", (1200, at), (380, 120), title, clip=self.models["clip"], text=text)[
                    "CONDITIONING"
                ]
                for title, at, text in (("Prompt", top, self.text), ("Negative prompt", top + 190, NEGATIVE))
            )

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply", GOLD):
            return self.apply_node((1660, 320), embeds)["model"]

    def apply_node(self, at: tuple[int, int], embeds: Output, title: str = "", **inputs: Any) -> Node:
        return self.add(
            "MSDiffusionApply", at, (320, 220), title, model=self.models["model"], embeds=embeds,
            scale=self.scale, **inputs,
        )  # fmt: skip

    def sample(self, model: Output, layout: Node) -> Output:
        with self.graph.group("7. Sample", BLUE):
            latent = self.latent_node(layout)
            return self.sampler_node((2060, 180), model, latent["LATENT"])["LATENT"]

    def latent_node(self, layout: Node, **inputs: Any) -> Node:
        return self.add(
            "EmptyLatentImage", (2060, 0), (320, 110), width=layout["width"], height=layout["height"], **inputs
        )

    def sampler_node(self, at: tuple[int, int], model: Output, latent: Output, seed: int = 0, **inputs: Any) -> Node:
        return self.add(
            "KSampler", at, (320, 270), model=model, positive=self.positive, negative=self.negative,
            latent_image=latent, seed=seed or self.example.seed, **(self.sampling | inputs),
        )  # fmt: skip

    def results(self, latent: Output, embeds: Output) -> None:
        self.saved(AFTER_SAMPLING, 8, latent)

    def saved(self, left: int, number: int, latent: Output) -> Output:
        """The last step: the latent as an image, saved."""
        with self.graph.group(f"{number}. Result", GREEN):
            image = self.decoded((left, 0), latent)
            self.add("SaveImage", (left, 120), (400, 440), images=image, filename_prefix="MS-Diffusion")
        return image

    def decoded(self, at: tuple[int, int], latent: Output) -> Output:
        return self.add("VAEDecode", at, (320, 50), samples=latent, vae=self.models["vae"])["IMAGE"]


class Control(Plan):
    """A sketch under the layout, and a bypassed ControlNet that follows it."""

    def layout(self) -> Node:
        top = self.bottom + 60
        with self.graph.group("Sketch", GRAY):
            paper = self.add("SolidMask", (480, top), (280, 110), "White sheet", **SHEET)
            sheet = self.add("MaskToImage", (820, top), (300, 50), mask=paper["MASK"])["IMAGE"]
            for column, (subject, drawing) in enumerate(zip(self.example.subjects, self.drawings, strict=True)):
                sheet = self.add(
                    "ImageCompositeMasked", (480 + 340 * column, top + 170), (280 + 20 * column, 170),
                    destination=sheet, source=drawing["image"], **_on_sheet(subject),
                )["IMAGE"]  # fmt: skip
            self.sketch = self.add("Canny", (480, top + 400), (280, 90), image=sheet)["IMAGE"]
            self.add("PreviewImage", (820, top + 400), (300, 260), images=self.sketch)
        with self.graph.group("3. Layout", PURPLE):
            return self.layout_node(background=self.sketch)

    def prompts(self) -> None:
        super().prompts()
        with self.graph.group("ControlNet", RED):
            loader = self.graph.add(
                "ControlNetLoader", (1660, 920), (320, 60), server_only=True, control_net_name=CONTROL_NET
            )
            control = self.graph.add(
                "ControlNetApplyAdvanced", (1660, 680), (320, 190), bypassed=True,
                positive=self.positive, negative=self.negative, control_net=loader["CONTROL_NET"],
                image=self.sketch, strength=0.6, end_percent=0.8,
            )  # fmt: skip
        self.positive, self.negative = control["positive"], control["negative"]


class Hires(Plan):
    """A second pass at one and a half times the size."""

    def sample(self, model: Output, layout: Node) -> Output:
        first = super().sample(model, layout)
        with self.graph.group("8. Hires fix", GOLD):
            larger = self.add("LatentUpscaleBy", (AFTER_SAMPLING, 0), (320, 90), samples=first, scale_by=1.5)["LATENT"]
            return self.sampler_node((AFTER_SAMPLING, 180), model, larger, seed=2, denoise=0.5)["LATENT"]

    def results(self, latent: Output, embeds: Output) -> None:
        self.saved(AFTER_SAMPLING + 400, 9, latent)


class AutoLayout(Plan):
    """The prompt's own attention takes over from rough boxes."""

    prompt_once = True

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply", GOLD):
            auto = self.add(
                "MSDiffusionAutoLayout", (1660, 320), (320, 260), clip=self.models["clip"], prompt=self.text
            )
            return self.apply_node((1660, 650), embeds, auto_layout=auto["auto_layout"])["model"]


class Regions(Plan):
    """Regions in the shape of the drawings."""

    def layout(self) -> Node:
        top = self.bottom + 60
        with self.graph.group("Regions", RED):
            empty = self.add("SolidMask", (480, top), (280, 110), "Empty mask", **(SHEET | {"value": 0.0}))["MASK"]
            masks = []
            for row, (subject, drawing) in enumerate(zip(self.example.subjects, self.drawings, strict=True)):
                at = top + 170 + 210 * row
                laid = self.add(
                    "MaskComposite", (480, at), (280, 150), subject.phrase,
                    destination=empty, source=drawing["mask"], **_on_sheet(subject),
                )  # fmt: skip
                grown = self.add("GrowMask", (820, at), (300, 90), mask=laid["MASK"], expand=10)
                masks.append(grown["MASK"])
            batch = self.add("BatchMasksNode", (820, top), (300, 90), masks=masks)
        with self.graph.group("3. Layout", PURPLE):
            return self.layout_node(masks=batch["MASK"])

    def prompts(self) -> None:
        super().prompts()
        layout = next(node for node in self.graph.nodes if node.type == "MSDiffusionLayout")
        with self.graph.group("What goes where", GRAY):
            self.add("PreviewImage", (1200, PROMPTS + 420), (380, 300), images=layout["preview"])


class Views(Plan):
    """Weights of the UNet's parts; views, weights and schedules of the subjects come with the example."""

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply", GOLD):
            return self.apply_node((1660, 320), embeds, down_weight=0.8, up_weight=1.1)["model"]


class Blend(Plan):
    """A transition between two subjects, one step for each image of a batch."""

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        with self.graph.group("Frames", RED):
            self.frames = self.add("PrimitiveInt", (1200, PROMPTS + 420), (380, 90), "Frames", value=FRAMES)["INT"]
        with self.graph.group("5. Encode", GOLD):
            first, second = (
                self.encode_node(240 * index, layout, [subject], self.example.subjects[index].phrase)["embeds"]
                for index, subject in enumerate(subjects)
            )
            return self.add(
                "MSDiffusionBlend", (1660, 480), (320, 160), embeds_a=first, embeds_b=second, frames=self.frames
            )["embeds"]

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply", GOLD):
            return self.apply_node((1660, 770), embeds)["model"]

    def latent_node(self, layout: Node, **inputs: Any) -> Node:
        return super().latent_node(layout, batch_size=self.frames)


class Attribution(Plan):
    """A watched run, and what was seen of each subject."""

    prompt_once = True

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply and watch", GOLD):
            model = self.apply_node((1660, 320), embeds)["model"]
            watch = self.add(
                "MSDiffusionAttribution", (1660, 610), (320, 180),
                model=model, embeds=embeds, clip=self.models["clip"], prompt=self.text,
            )  # fmt: skip
        self.attribution = watch["attribution"]
        return watch["model"]

    def results(self, latent: Output, embeds: Output) -> None:
        image = self.saved(AFTER_SAMPLING, 8, latent)
        for index, (source, color) in enumerate((("subject", PURPLE), ("text", GRAY))):
            left = AFTER_SAMPLING + 480 * (index + 1)
            with self.graph.group(f"{9 + index}. Maps: {source}", color):
                maps = self.add(
                    "MSDiffusionAttributionMaps", (left, 0), (400, 90),
                    attribution=self.attribution, images=image, source=source,
                )  # fmt: skip
                prefix = f"MS-Diffusion-{source}"
                self.add("SaveImage", (left, 160), (400, 400), images=maps["maps"], filename_prefix=prefix)
                self.add("MaskPreview", (left, 630), (400, 300), mask=maps["masks"])


class Tiles(Plan):
    """The result at twice the size, sampled again tile by tile."""

    factor = 2
    tile_width, left_edge, seam = 192, 128, 32

    def results(self, latent: Output, embeds: Output) -> None:
        left, side = AFTER_SAMPLING, SCENE_SIZE * self.factor
        with self.graph.group("8. Enlarge", PURPLE):
            image = self.decoded((left, 0), latent)
            larger = self.add(
                "ImageScaleBy", (left, 120), (320, 90), image=image, upscale_method="lanczos", scale_by=self.factor
            )
            whole = self.add("VAEEncode", (left, 280), (320, 50), pixels=larger["IMAGE"], vae=self.models["vae"])
            self.side, self.width, edge = (
                self.add("PrimitiveInt", (left, 400 + 160 * index), (320, 90), title, value=value)["INT"]
                for index, (title, value) in enumerate((
                    ("Enlarged side", side), ("Tile width", self.tile_width),
                    ("Right tile's left edge", self.left_edge),
                ))
            )  # fmt: skip
        with self.graph.group("9. Left tile", GOLD):
            half_done = self.tile(left + 400, whole["LATENT"], embeds, 0, seed=2)
        with self.graph.group("10. Right tile", GOLD):
            done = self.tile(left + 800, half_done, embeds, edge, seed=3)
        self.saved(left + 1200, 11, done)

    def tile(self, left: int, whole: Output, embeds: Output, x: Output | int, seed: int) -> Output:
        """The whole latent with one tile sampled anew."""
        place = {"width": self.width, "height": self.side, "x": x}
        cropped = self.add(
            "MSDiffusionCropEmbeds", (left, 0), (320, 190),
            embeds=embeds, **place, frame_width=self.side, frame_height=self.side,
        )  # fmt: skip
        model = self.apply_node((left, 260), cropped["embeds"])["model"]
        part = self.add("LatentCrop", (left, 550), (320, 140), samples=whole, **place)
        sampled = self.sampler_node((left, 760), model, part["LATENT"], seed, steps=STEPS // 2, denoise=0.25)
        return self.add(
            "LatentComposite", (left, 1100), (320, 140),
            samples_to=whole, samples_from=sampled["LATENT"], x=x, feather=self.seam,
        )["LATENT"]  # fmt: skip


class Scores(Plan):
    """Several images, measured."""

    prompt_once = True

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        self.measured = {"subjects": subjects, "layout": layout["layout"]}
        return super().encode(layout, subjects)

    def latent_node(self, layout: Node, **inputs: Any) -> Node:
        return super().latent_node(layout, batch_size=SEEDS)

    def results(self, latent: Output, embeds: Output) -> None:
        image, left = self.saved(AFTER_SAMPLING, 8, latent), AFTER_SAMPLING + 480
        with self.graph.group("9. Scores", PURPLE):
            score = self.add(
                "MSDiffusionScore", (left, 0), (520, 1000), images=image, prompt=self.text, clip=JUDGE, dino=JUDGE,
                **self.measured,
            )  # fmt: skip
            self.add("PreviewAny", (left + 580, 0), (420, 320), source=score["report"])


def _on_sheet(subject: ExampleSubject) -> dict[str, int]:
    """Where a subject's drawing lies on a sheet, in pixels from the upper left: in the middle of its box."""
    x0, y0, x1, y1 = subject.box
    x, y = (round((low + high) / 2 * SHEET_SIZE) - DRAWING_SIZE // 2 for low, high in ((x0, x1), (y0, y1)))
    return {"x": x, "y": y}


class Collaged(Plan):
    """A run that starts from the subjects' cut-outs in their boxes."""

    denoise = 0.5

    def cut_out(self, source: Node) -> dict[str, Output]:
        return {"mask": source["mask"]}

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        with self.graph.group("7. Collage", PURPLE):
            collage = self.add(
                "MSDiffusionCollage", (2060, 0), (320, 150), layout=layout["layout"], subjects=subjects
            )
            self.collage = collage["image"]
            self.add("PreviewImage", (2060, 220), (320, 320), images=self.collage)
        return super().encode(layout, subjects)

    def sample(self, model: Output, layout: Node) -> Output:
        with self.graph.group("8. Sample", BLUE):
            latent = self.add(
                "VAEEncode", (AFTER_SAMPLING, 0), (320, 60), pixels=self.collage, vae=self.models["vae"]
            )["LATENT"]  # fmt: skip
            return self.sampler_node((AFTER_SAMPLING, 130), model, latent, denoise=self.denoise)["LATENT"]

    def results(self, latent: Output, embeds: Output) -> None:
        self.saved(AFTER_SAMPLING + 400, 9, latent)
