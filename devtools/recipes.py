"""What each kind of example changes of the plan."""

from collections.abc import Mapping
from typing import Any

from msd_core.demo.config import SCENE_SIZE

from .examples import FRAMES, SEEDS, ExampleSubject
from .graphs import Node, Output
from .kinds import KINDS
from .plan import (
    AFTER,
    AFTER_WIDTH,
    APPLY_HEIGHT,
    BELOW_APPLY,
    BLUE,
    COLUMN_GAP,
    ENCODE_HEIGHT,
    GAP,
    GOLD,
    GRAY,
    GROUP_GAP,
    LAYOUTS,
    PATCH_WIDTH,
    PATCHES,
    PREVIEW_HEIGHT,
    PURPLE,
    RED,
    SAMPLER_WIDTH,
    SAMPLERS,
    Plan,
)

JUDGE = "demo judge"
_, DRAWING_SIZE = KINDS["MSDiffusionDemoSubject"].widgets["size"]
SHEET_SIZE = 2 * DRAWING_SIZE


class Collaging(Plan):
    """The subjects' cut-outs in their boxes, for what comes after."""

    def cut_out(self, subject: ExampleSubject, source: Node, top: int) -> dict[str, Output]:
        return {"mask": source["mask"]}

    def collage(self, layout: Node, top: int, **links: Output) -> Output:
        return self.add(
            "MSDiffusionCollage", (self.patches, top), (PATCH_WIDTH, 170), layout=layout["layout"],
            subjects=self.placed, **links,
        )["image"]  # fmt: skip


class Control(Collaging):
    """The lines of the collage, and a ControlNet that follows them."""

    samplers = SAMPLERS + PATCH_WIDTH + COLUMN_GAP
    control_at = 0
    """Top of the node that applies the ControlNet."""
    following: Mapping[str, float] = {}
    """How strongly, and how long."""

    def cut_out(self, subject: ExampleSubject, source: Node, top: int) -> dict[str, Output]:
        return {}  # drawings are on white, as the demo's models know them

    def paper(self) -> dict[str, Output]:
        """White, into which the white around drawings vanishes, so that only their own lines are found."""
        paper = self.add(
            "EmptyImage", (self.patches, BELOW_APPLY + 200 + GAP), (PATCH_WIDTH, 134), "White paper",
            width=self.side, height=self.side, color=0xFFFFFF,
        )  # fmt: skip
        return {"background": paper["IMAGE"]}

    def control_net(self) -> Output:
        return self.models["control_net"]

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        self.placed_layout = layout
        return super().encode(layout, subjects)

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("Collage", GRAY):
            collage = self.collage(self.placed_layout, BELOW_APPLY, **self.paper())
        below = self.control_at + 200 + GROUP_GAP
        with self.graph.group("Sketch", GRAY):
            sketch = self.add("Canny", (SAMPLERS, below), (PATCH_WIDTH, 90), image=collage)["IMAGE"]
            self.add("PreviewImage", (SAMPLERS, below + 90 + GAP), (PATCH_WIDTH, PREVIEW_HEIGHT), images=sketch)
        with self.graph.group("ControlNet", RED):
            net = self.control_net()
            control = self.add(
                "ControlNetApplyAdvanced", (SAMPLERS, self.control_at), (PATCH_WIDTH, 200), positive=self.positive,
                negative=self.negative, control_net=net, image=sketch, **self.following,
            )  # fmt: skip
        self.positive, self.negative = control["positive"], control["negative"]
        return super().apply(embeds)


class Hires(Plan):
    """A second pass at one and a half times the size."""

    def sample(self, model: Output, layout: Node) -> Output:
        first = super().sample(model, layout)
        with self.graph.group("8. Hires fix", GOLD):
            larger = self.add(
                "LatentUpscaleBy", (self.patches, BELOW_APPLY), (PATCH_WIDTH, 90), samples=first,
                upscale_method="bicubic", scale_by=1.5,
            )["LATENT"]  # fmt: skip
            return self.sampler_node(
                (self.patches, BELOW_APPLY + 90 + GAP), model, larger, seed=2, width=PATCH_WIDTH, denoise=0.5
            )["LATENT"]  # fmt: skip

    def results(self, latent: Output, embeds: Output) -> None:
        self.saved(9, latent)


class AutoLayout(Plan):
    """The prompt's own attention takes over from rough boxes."""

    shared_prompt, layout_height = True, 610

    def apply(self, embeds: Output) -> Output:
        top = ENCODE_HEIGHT + GROUP_GAP
        with self.graph.group("6. Apply", GOLD):
            auto = self.add(
                "MSDiffusionAutoLayout", (self.patches, top), (PATCH_WIDTH, 270), clip=self.models["clip"],
                prompt=self.text,
            )  # fmt: skip
            return self.apply_node((self.patches, top + 270 + GAP), embeds, auto_layout=auto["auto_layout"])["model"]


class Regions(Plan):
    """Regions in the shape of the drawings, in a column before the layout's."""

    layouts, patches, samplers = (left + PATCH_WIDTH + COLUMN_GAP for left in (LAYOUTS, PATCHES, SAMPLERS))

    def layout(self) -> Node:
        sheet = {"width": SHEET_SIZE, "height": SHEET_SIZE}
        with self.graph.group("Regions", RED):
            empty = self.add("SolidMask", (LAYOUTS, 0), (PATCH_WIDTH, 120), "Empty mask", value=0.0, **sheet)["MASK"]
            masks, top = [], 120 + GAP
            for subject, drawing in zip(self.example.subjects, self.drawings, strict=True):
                laid = self.add(
                    "MaskComposite", (LAYOUTS, top), (PATCH_WIDTH, 150), subject.phrase,
                    destination=empty, source=drawing["mask"], **_on_sheet(subject),
                )  # fmt: skip
                masks.append(laid["MASK"])
                top += 150 + GAP
            batch = self.add("BatchMasksNode", (LAYOUTS, top), (PATCH_WIDTH, 90), masks=masks)["MASK"]
            grown = self.add("GrowMask", (LAYOUTS, top + 90 + GAP), (PATCH_WIDTH, 90), mask=batch, expand=10)["MASK"]
        with self.graph.group("3. Layout", PURPLE):
            return self.layout_node(masks=grown)

    def prompts(self) -> None:
        super().prompts()
        layout = next(node for node in self.graph.nodes if node.type == "MSDiffusionLayout")
        with self.graph.group("What goes where", GRAY):
            self.add(
                "PreviewImage", (self.patches, BELOW_APPLY), (PATCH_WIDTH, PREVIEW_HEIGHT), images=layout["preview"]
            )


class Views(Plan):
    """Weights of the UNet's parts; views, weights and schedules of the subjects come with the example."""

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply", GOLD):
            return self.apply_node(
                (self.patches, ENCODE_HEIGHT + GROUP_GAP), embeds, down_weight=0.8, up_weight=1.1
            )["model"]  # fmt: skip


class Blend(Plan):
    """A transition between two subjects in one box, one step for each image of a batch."""

    sample_top = 90 + GAP

    def placed_subjects(self) -> tuple[ExampleSubject, ...]:
        return self.example.subjects[:1]

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        encoded = 2 * (ENCODE_HEIGHT + GAP)
        with self.graph.group("7. Sample", BLUE):
            self.frames = self.add(
                "PrimitiveInt", (self.samplers, 0), (SAMPLER_WIDTH, 90), "Frames", value=FRAMES
            )["INT"]  # fmt: skip
        with self.graph.group("5. Encode", GOLD):
            first, second = (
                self.encode_node(
                    (ENCODE_HEIGHT + GAP) * index, layout, [subject], f"{self.example.subjects[index].phrase} {name}"
                )["embeds"]
                for index, (subject, name) in enumerate(zip(subjects, "AB", strict=True))
            )  # fmt: skip
            return self.add(
                "MSDiffusionBlend", (self.patches, encoded), (PATCH_WIDTH, 170), embeds_a=first, embeds_b=second,
                frames=self.frames,
            )["embeds"]  # fmt: skip

    def apply(self, embeds: Output) -> Output:
        with self.graph.group("6. Apply", GOLD):
            return self.apply_node((self.patches, 2 * (ENCODE_HEIGHT + GAP) + 170 + GROUP_GAP), embeds)["model"]

    def latent_node(self, layout: Node, **inputs: Any) -> Node:
        return super().latent_node(layout, batch_size=self.frames)


WATCH_HEIGHT, MAPS_HEIGHT = 184, 300


class Attribution(Plan):
    """A watched run, and what was seen of each subject."""

    shared_prompt, layout_height = True, 610

    def apply(self, embeds: Output) -> Output:
        top = ENCODE_HEIGHT + GROUP_GAP
        with self.graph.group("6. Apply and watch", GOLD):
            model = self.apply_node((self.patches, top), embeds)["model"]
            watch = self.add(
                "MSDiffusionAttribution", (self.patches, top + APPLY_HEIGHT + GAP), (PATCH_WIDTH, WATCH_HEIGHT),
                model=model, embeds=embeds, clip=self.models["clip"], prompt=self.text,
            )  # fmt: skip
        self.attribution = watch["attribution"]
        return watch["model"]

    def results(self, latent: Output, embeds: Output) -> None:
        image = self.saved(8, latent)
        for index, (source, color) in enumerate((("subject", PURPLE), ("text", GRAY))):
            top = (110 + GAP + MAPS_HEIGHT + GROUP_GAP) * index
            with self.graph.group(f"{9 + index}. Maps: {source}", color):
                maps = self.add(
                    "MSDiffusionAttributionMaps", (AFTER, top), (AFTER_WIDTH, 110),
                    attribution=self.attribution, images=image, source=source,
                )  # fmt: skip
                self.add(
                    "SaveImage", (AFTER, top + 110 + GAP), (AFTER_WIDTH, MAPS_HEIGHT), images=maps["maps"],
                    filename_prefix=f"MS-Diffusion-{source}",
                )  # fmt: skip
            if source == "subject":
                below = ENCODE_HEIGHT + APPLY_HEIGHT + WATCH_HEIGHT + GAP + 2 * GROUP_GAP
                with self.graph.group("Masks: subject", PURPLE):
                    self.add(
                        "MaskPreview", (self.patches, below), (PATCH_WIDTH, PREVIEW_HEIGHT), mask=maps["masks"]
                    )


class Tiles(Plan):
    """The result at one and a half times the size, sampled again tile by tile."""

    factor = 1.5
    tile_width, left_edge, seam = 144, 96, 24
    tile_sampling = {"denoise": 0.3, "cfg": 1.0}
    """Little and without guidance: the demo's models know drawings of one size, and paint smaller ones over larger."""

    def results(self, latent: Output, embeds: Output) -> None:
        side, top = round(SCENE_SIZE * self.factor), BELOW_APPLY
        with self.graph.group("8. Enlarge", PURPLE):
            image = self.decoded((self.patches, top), latent, PATCH_WIDTH)
            larger = self.add(
                "ImageScaleBy", (self.patches, top + 56 + GAP), (PATCH_WIDTH, 90), image=image,
                upscale_method="lanczos", scale_by=self.factor,
            )  # fmt: skip
            top += 146 + 2 * GAP
            whole = self.add(
                "VAEEncode", (self.patches, top), (PATCH_WIDTH, 56), pixels=larger["IMAGE"], vae=self.models["vae"]
            )
            self.side, self.width, edge = (
                self.add("PrimitiveInt", (self.patches, top + 56 + GAP + (82 + GAP) * index), (PATCH_WIDTH, 82), title,
                         value=value)["INT"]
                for index, (title, value) in enumerate((
                    ("Enlarged side", side), ("Tile width", self.tile_width),
                    ("Right tile's left edge", self.left_edge),
                ))
            )  # fmt: skip
        with self.graph.group("9. Left tile", GOLD):
            half_done = self.tile(AFTER, whole["LATENT"], embeds, 0, seed=2)
        with self.graph.group("10. Right tile", GOLD):
            done = self.tile(AFTER + AFTER_WIDTH + COLUMN_GAP, half_done, embeds, edge, seed=3)
        self.saved(11, done)

    def tile(self, left: int, whole: Output, embeds: Output, x: Output | int, seed: int) -> Output:
        """The whole latent with one tile sampled anew."""
        place = {"width": self.width, "height": self.side, "x": x}
        cropped = self.add(
            "MSDiffusionCropEmbeds", (left, 0), (AFTER_WIDTH, 230),
            embeds=embeds, **place, frame_width=self.side, frame_height=self.side,
        )  # fmt: skip
        model = self.add(
            "MSDiffusionApply", (left, 280), (AFTER_WIDTH, APPLY_HEIGHT), model=self.models["model"],
            embeds=cropped["embeds"], scale=self.scale,
        )["model"]  # fmt: skip
        part = self.add("LatentCrop", (left, 550), (AFTER_WIDTH, 150), samples=whole, **place)
        sampled = self.sampler_node(
            (left, 750), model, part["LATENT"], seed, AFTER_WIDTH, **self.tile_sampling
        )
        return self.add(
            "LatentComposite", (left, 1070), (AFTER_WIDTH, 150),
            samples_to=whole, samples_from=sampled["LATENT"], x=x, feather=self.seam,
        )["LATENT"]  # fmt: skip


class Scores(Plan):
    """Several images, measured."""

    shared_prompt, layout_height = True, 610

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        self.measured = {"subjects": subjects, "layout": layout["layout"]}
        return super().encode(layout, subjects)

    def latent_node(self, layout: Node, **inputs: Any) -> Node:
        return super().latent_node(layout, batch_size=SEEDS)

    def results(self, latent: Output, embeds: Output) -> None:
        image = self.saved(8, latent)
        with self.graph.group("9. Scores", PURPLE):
            score = self.add(
                "MSDiffusionScore", (AFTER, 0), (AFTER_WIDTH, 720), images=image, prompt=self.text, clip=JUDGE,
                dino=JUDGE, **self.measured,
            )  # fmt: skip
            self.add("PreviewAny", (AFTER, 720 + GAP), (AFTER_WIDTH, 320), source=score["report"])


class Collaged(Collaging):
    """A run that starts from the subjects' cut-outs in their boxes."""

    def encode(self, layout: Node, subjects: list[Output]) -> Output:
        with self.graph.group("7. Collage", PURPLE):
            self.picture = self.collage(layout, BELOW_APPLY)
            self.add(
                "PreviewImage", (self.patches, BELOW_APPLY + 170 + GAP), (PATCH_WIDTH, PREVIEW_HEIGHT),
                images=self.picture,
            )  # fmt: skip
        return super().encode(layout, subjects)

    def sample(self, model: Output, layout: Node) -> Output:
        with self.graph.group("8. Sample", BLUE):
            latent = self.add(
                "VAEEncode", (SAMPLERS, 0), (SAMPLER_WIDTH, 60), pixels=self.picture, vae=self.models["vae"]
            )["LATENT"]  # fmt: skip
            return self.sampler_node((SAMPLERS, 120 + GAP), model, latent, denoise=self.denoise)["LATENT"]

    def results(self, latent: Output, embeds: Output) -> None:
        self.saved(9, latent)


class Regional(Plan):
    """A prompt for each subject, bounded by its mask."""

    samplers = SAMPLERS + PATCH_WIDTH + COLUMN_GAP

    def apply(self, embeds: Output) -> Output:
        layout = next(node for node in self.graph.nodes if node.type == "MSDiffusionLayout")
        with self.graph.group("Prompt for each subject", GRAY):
            texts = [
                self.prompt_node(
                    (self.patches, BELOW_APPLY + (110 + GAP) * row), PATCH_WIDTH, subject.phrase,
                    f"a {subject.phrase}, detailed photo",
                )  # fmt: skip
                for row, subject in enumerate(self.example.subjects)
            ]
        with self.graph.group("Where each holds", RED):
            planes = self.add("MaskToImage", (SAMPLERS, 0), (PATCH_WIDTH, 56), mask=layout["masks"])["IMAGE"]
            top, together = 56 + GAP, self.positive
            for number, (subject, text) in enumerate(zip(self.example.subjects, texts, strict=True)):
                plane = self.add(
                    "ImageFromBatch", (SAMPLERS, top), (PATCH_WIDTH, 82), image=planes, batch_index=number
                )["IMAGE"]
                mask = self.add("ImageToMask", (SAMPLERS, top + 82 + GAP), (PATCH_WIDTH, 60), image=plane)["MASK"]
                bound = self.add(
                    "ConditioningSetMask", (SAMPLERS, top + 142 + 2 * GAP), (PATCH_WIDTH, 110), subject.phrase,
                    conditioning=text, mask=mask,
                )["CONDITIONING"]  # fmt: skip
                together = self.add(
                    "ConditioningCombine", (SAMPLERS, top + 252 + 3 * GAP), (PATCH_WIDTH, 56),
                    conditioning_1=together, conditioning_2=bound,
                )["CONDITIONING"]  # fmt: skip
                top += 308 + 4 * GAP
        self.positive = together
        return super().apply(embeds)


def _on_sheet(subject: ExampleSubject) -> dict[str, int]:
    """Where a subject's drawing lies on a sheet, in pixels from the upper left: in the middle of its box."""
    x0, y0, x1, y1 = subject.box
    x, y = (round((low + high) / 2 * SHEET_SIZE) - DRAWING_SIZE // 2 for low, high in ((x0, x1), (y0, y1)))
    return {"x": x, "y": y}
