"""The graph that runs on SDXL and the released files."""

from collections.abc import Mapping

from .files import ADAPTER, BACKGROUND_REMOVAL, CHECKPOINT, IMAGE_ENCODER
from .graphs import Node, Output
from .recipes import RED, SAMPLING, Plan


class RealFiles(Plan):
    """SDXL and the released files with the paper's settings, and a bypassed background removal."""

    side, scale = 1024, 0.6
    sampling = SAMPLING | {"steps": 30, "cfg": 7.5, "scheduler": "normal"}
    cut_outs = ("Cut-outs (bypassed)", RED)

    def load(self) -> Mapping[str, Output]:
        self.bottom = 300
        checkpoint = self.add(
            "CheckpointLoaderSimple", (480, 0), (300, 100), file=CHECKPOINT, ckpt_name=CHECKPOINT.name
        )
        encoder = self.add("CLIPVisionLoader", (820, 0), (300, 60), file=IMAGE_ENCODER, clip_name=IMAGE_ENCODER.name)
        adapter = self.add("MSDiffusionAdapterLoader", (820, 130), (300, 60), file=ADAPTER, adapter_name=ADAPTER.name)
        return {
            "model": checkpoint["MODEL"], "clip": checkpoint["CLIP"], "vae": checkpoint["VAE"],
            "clip_vision": encoder["CLIP_VISION"], "adapter": adapter["adapter"],
        }  # fmt: skip

    def subjects(self) -> list[Output]:
        self.below = self.bottom + 420 * len(self.example.subjects) + 60
        with self.graph.group(*self.cut_outs):
            self.remover = self.add(
                "LoadBackgroundRemovalModel", (480, self.below), (280, 60), bypassed=True, file=BACKGROUND_REMOVAL,
                bg_removal_name=BACKGROUND_REMOVAL.name,
            )["bg_model"]  # fmt: skip
        return super().subjects()

    def cut_out(self, source: Node) -> dict[str, Output]:
        at = (820, self.below + 100 * (len(self.drawings) - 1))
        with self.graph.group(*self.cut_outs):
            removed = self.add(
                "RemoveBackground", at, (300, 50), bypassed=True, bg_removal_model=self.remover, image=source["IMAGE"]
            )
        return {"mask": removed["mask"]}
