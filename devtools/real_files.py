"""The graphs that run on SDXL and the released files."""

from collections.abc import Mapping
from typing import Any

from .examples import ExampleSubject
from .files import ADAPTER, BACKGROUND_REMOVAL, CHECKPOINT, CONTROL_NET, IMAGE_ENCODER, LIGHTNING
from .graphs import Node, Output
from .plan import (
    BELOW_APPLY,
    BLUE,
    GAP,
    GROUP_GAP,
    PATCH_WIDTH,
    RED,
    SAMPLERS,
    SAMPLING,
    SOURCE_WIDTH,
    SOURCES,
    SUBJECT_WIDTH,
    Plan,
)
from .plan import SUBJECTS as SUBJECT_COLUMN
from .recipes import Collaged, Control, Hires, Regional


class RealFiles(Plan):
    """SDXL and the released files with the paper's settings; what removes backgrounds is bypassed where it may be."""

    side = 1024
    sampling = SAMPLING | {"steps": 30, "cfg": 7.5, "scheduler": "normal"}
    denoise = 0.75

    @property
    def scale(self) -> float:
        return self.example.scale

    def load(self) -> Mapping[str, Output]:
        self.bottom = 180 + 112 + GROUP_GAP
        checkpoint = self.add(
            "CheckpointLoaderSimple", (SOURCES, 0), (SOURCE_WIDTH, 128), file=CHECKPOINT, ckpt_name=CHECKPOINT.name
        )
        encoder = self.add(
            "CLIPVisionLoader", (SUBJECT_COLUMN, 0), (SUBJECT_WIDTH, 90), file=IMAGE_ENCODER,
            clip_name=IMAGE_ENCODER.name,
        )  # fmt: skip
        adapter = self.add(
            "MSDiffusionAdapterLoader", (SOURCES, 180), (SOURCE_WIDTH, 112), file=ADAPTER,
            adapter_name=ADAPTER.name,
        )  # fmt: skip
        return {
            "model": checkpoint["MODEL"], "clip": checkpoint["CLIP"], "vae": checkpoint["VAE"],
            "clip_vision": encoder["CLIP_VISION"], "adapter": adapter["adapter"],
        }  # fmt: skip

    def subjects(self) -> list[Output]:
        with self.graph.group("1. Models", BLUE):
            self.remover = self.add(
                "LoadBackgroundRemovalModel", (SUBJECT_COLUMN, 90 + GAP), (SUBJECT_WIDTH, 90),
                bypassed=not self.example.cut_outs, file=BACKGROUND_REMOVAL, bg_removal_name=BACKGROUND_REMOVAL.name,
            )["bg_model"]  # fmt: skip
        return super().subjects()

    def cut_out(self, subject: ExampleSubject, source: Node, top: int) -> dict[str, Output]:
        if subject.whole:
            return {}
        removed = self.add(
            "RemoveBackground", (SUBJECT_COLUMN, top), (SUBJECT_WIDTH, 60), bypassed=not self.example.cut_outs,
            bg_removal_model=self.remover, image=source["IMAGE"],
        )  # fmt: skip
        return {"mask": removed["mask"]}


class RealControl(RealFiles, Control):
    """A ControlNet from its file."""

    control_at = 86 + GAP
    following = {"strength": 0.6, "end_percent": 0.8}

    def paper(self) -> dict[str, Output]:
        return {}

    def control_net(self) -> Output:
        loader = self.add(
            "ControlNetLoader", (SAMPLERS, 0), (PATCH_WIDTH, 86), file=CONTROL_NET, control_net_name=CONTROL_NET.name
        )
        return loader["CONTROL_NET"]


class RealHires(RealFiles, Hires):
    """A second pass at 1536."""


class RealRegional(RealFiles, Regional):
    """A prompt for each subject."""


class RealCollaged(RealFiles, Collaged):
    """A run that starts from the collage of the photos."""


class Lightning(RealFiles):
    """Eight steps with a LoRA."""

    sampling = RealFiles.sampling | {"steps": 8, "cfg": 1.0, "scheduler": "sgm_uniform"}

    def apply_node(self, at: tuple[int, int], embeds: Output, title: str = "", **inputs: Any) -> Node:
        with self.graph.group("LoRA", RED):
            lora = self.add(
                "LoraLoaderModelOnly", (self.patches, BELOW_APPLY), (PATCH_WIDTH, 114), file=LIGHTNING,
                lora_name=LIGHTNING.name, model=self.models["model"],
            )["MODEL"]  # fmt: skip
        self.models = {**self.models, "model": lora}
        return super().apply_node(at, embeds, title, **inputs)
