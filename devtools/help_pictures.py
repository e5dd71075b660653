"""Makes the pictures of the help pages: each node at work, by real runs of the example workflows on the demo's models.

Usage, from the pack's folder, with a ComfyUI where the two commands look for it: python -m devtools.help_pictures
The pictures of the canvas and of the loaders are taken by tests/browser/take_screenshots.py.
"""

import copy
import io
import json
import sys
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont

from msd_core.demo.world import KINDS

from .environment import environment_python
from .host import PACK, find_or_clone_host
from .server import ComfyServer

FOLDER = PACK / "web" / "docs" / "images"
SIDE, GAP, CAPTION = 240, 8, 26
PAPER, FRAME, INK = "#1e2126", "#3a3f47", "#f2f0ea"
Workflow = dict[str, dict]
Panel = tuple[str, Image.Image]
"""A caption in words that no language changes, and a picture."""


def example(name: str) -> Workflow:
    return json.loads((PACK / "tests" / "workflows" / f"{name}.api.json").read_text("utf-8"))


def node(workflow: Workflow, kind: str, number: int = 0) -> str:
    """The id of a workflow's first node of a class, or of a further one."""
    return [key for key, entry in workflow.items() if entry["class_type"] == kind][number]


def with_inputs(workflow: Workflow, kind: str, **inputs: object) -> Workflow:
    """The workflow with other values in the first node of a class."""
    changed = copy.deepcopy(workflow)
    changed[node(changed, kind)]["inputs"] |= inputs
    return changed


class Studio:
    """Runs workflows on a server and hands back what nodes put out."""

    def __init__(self, server: ComfyServer):
        self.server = server

    def images(self, workflow: Workflow, *outputs: tuple[str, int]) -> list[Image.Image]:
        """All images of these outputs, each a node's id and a number, in their order."""
        asked = dict(workflow)
        for number, output in enumerate(outputs):
            asked[f"shown{number}"] = {"class_type": "PreviewImage", "inputs": {"images": list(output)}}
        shown = self.server.run(asked)["outputs"]
        records = [record for number in range(len(outputs)) for record in shown[f"shown{number}"]["images"]]
        return [Image.open(io.BytesIO(self.server.view(**record))).convert("RGB") for record in records]

    def result(self, workflow: Workflow) -> list[Image.Image]:
        """What the last VAE Decode puts out."""
        decoders = [key for key, entry in workflow.items() if entry["class_type"] == "VAEDecode"]
        return self.images(workflow, (decoders[-1], 0))


def subject(studio: Studio) -> list[Panel]:
    drawn = {"class_type": "MSDiffusionDemoSubject", "inputs": {"kind": "cat", "seed": 16, "size": 512}}
    inputs = {"image": ["1", 0], "mask": ["1", 1], "phrase": "cat", "weight": 1.0, "fit": "stretch"}
    workflow = {
        "1": drawn,
        "2": {"class_type": "MaskToImage", "inputs": {"mask": ["1", 1]}},
        "3": {"class_type": "MSDiffusionSubject", "inputs": inputs},
    }
    return list(zip(("image", "mask", "preview"), studio.images(workflow, ("1", 0), ("2", 0), ("3", 1)), strict=True))


def encode(studio: Studio) -> list[Panel]:
    workflow = example("try_it_now")
    links = workflow[node(workflow, "MSDiffusionEncode")]["inputs"]
    first, second = links["subjects.subject0"], links["subjects.subject1"]
    swapped = with_inputs(
        workflow, "MSDiffusionEncode", **{"subjects.subject0": second, "subjects.subject1": first}
    )
    return [("0: cat, 1: mug", studio.result(workflow)[0]), ("0: mug, 1: cat", studio.result(swapped)[0])]


def apply(studio: Studio) -> list[Panel]:
    workflow = example("try_it_now")
    return [
        (f"scale {scale:g}", studio.result(with_inputs(workflow, "MSDiffusionApply", scale=scale))[0])
        for scale in (0.0, 0.4, 1.0)
    ]


def auto_layout(studio: Studio) -> list[Panel]:
    workflow = example("auto_layout")
    boxes, = studio.images(workflow, (node(workflow, "MSDiffusionLayout"), 4))
    return [("layout", boxes), ("auto_layout", studio.result(workflow)[0])]


def blend(studio: Studio) -> list[Panel]:
    still = example("blend_batch")
    latent = node(still, "EmptyLatentImage")
    still["still"] = {"class_type": "LatentBatchSeedBehavior",
                      "inputs": {"samples": [latent, 0], "seed_behavior": "fixed"}}  # fmt: skip
    still[node(still, "KSampler")]["inputs"]["latent_image"] = ["still", 0]
    return [(f"{number}", image) for number, image in enumerate(studio.result(still), 1)]


def watch(studio: Studio) -> list[Panel]:
    workflow = example("attribution_maps")
    maps = studio.images(workflow, (node(workflow, "MSDiffusionAttributionMaps"), 0))
    return [("images", studio.result(workflow)[0]), *(("subject", picture) for picture in maps)]


def maps(studio: Studio) -> list[Panel]:
    workflow = example("attribution_maps")
    sources = [(node(workflow, "MSDiffusionAttributionMaps", number), 0) for number in range(2)]
    return list(zip(("subject", "subject", "text", "text"), studio.images(workflow, *sources), strict=True))


def crop(studio: Studio) -> list[Panel]:
    """The enlarged frame, and both tiles in their places of it."""
    workflow = example("tiles")
    side, width, right = (workflow[node(workflow, "PrimitiveInt", number)]["inputs"]["value"] for number in range(3))
    decoder = workflow[node(workflow, "VAEDecode")]["inputs"]
    tiles = []
    for number in (1, 2):
        workflow[f"tile{number}"] = {
            "class_type": "VAEDecode", "inputs": decoder | {"samples": [node(workflow, "KSampler", number), 0]}
        }
        tiles.append((f"tile{number}", 0))
    pictures = studio.images(workflow, *tiles)
    panels = [("frame", studio.result({key: entry for key, entry in workflow.items() if "tile" not in key})[0])]
    for left, picture in zip((0, right), pictures, strict=True):
        frame = Image.new("RGB", (side, side), FRAME)
        frame.paste(picture, (left, 0))
        panels.append((f"x {left}, width {width}", frame))
    return panels


def score(studio: Studio) -> Image.Image:
    """What the node shows of two images."""
    workflow = example("scores")
    scores = node(workflow, "MSDiffusionScore")
    records = studio.server.run(workflow)["outputs"][scores]["images"][:2]
    bars = [Image.open(io.BytesIO(studio.server.view(**record))).convert("RGB") for record in records]
    page = Image.new("RGB", (bars[0].width, sum(one.height for one in bars) + GAP), PAPER)
    page.paste(bars[0], (0, 0))
    page.paste(bars[1], (0, bars[0].height + GAP))
    return page


def collage(studio: Studio) -> list[Panel]:
    workflow = example("collage")
    pasted, = studio.images(workflow, (node(workflow, "MSDiffusionCollage"), 0))
    return [("image", pasted), ("denoise", studio.result(workflow)[0])]


def demo_models(studio: Studio) -> list[Panel]:
    workflow = example("try_it_now")
    text = node(workflow, "CLIPTextEncode")
    panels = []
    for scene in ("on the grass", "on the beach", "in the snow", "by a brick wall"):
        changed = copy.deepcopy(workflow)
        changed[text]["inputs"]["text"] = f"a cat and a mug {scene}"
        panels.append((scene, studio.result(changed)[0]))
    return panels


def demo_subject(studio: Studio) -> list[Panel]:
    workflow = {
        kind: {"class_type": "MSDiffusionDemoSubject", "inputs": {"kind": kind, "seed": number + 3, "size": 256}}
        for number, kind in enumerate(KINDS)
    }
    return list(zip(KINDS, studio.images(workflow, *((kind, 0) for kind in KINDS)), strict=True))


PICTURES: dict[str, Callable[[Studio], list[Panel] | Image.Image]] = {
    "subject": subject, "encode": encode, "apply": apply, "auto_layout": auto_layout, "blend": blend, "watch": watch,
    "maps": maps, "collage": collage, "crop": crop, "score": score, "demo_models": demo_models,
    "demo_subject": demo_subject,
}  # fmt: skip


def sheet(panels: list[Panel]) -> Image.Image:
    """Panels in rows of two, or of three or four where that is all of them or they are many, each over its caption."""
    columns = {3: 3, 8: 4}.get(len(panels), 2)
    rows = -(-len(panels) // columns)
    page = Image.new("RGB", (GAP + columns * (SIDE + GAP), GAP + rows * (SIDE + CAPTION + GAP)), PAPER)
    draw = ImageDraw.Draw(page)
    for number, (caption, picture) in enumerate(panels):
        left = GAP + number % columns * (SIDE + GAP)
        top = GAP + number // columns * (SIDE + CAPTION + GAP)
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        larger = picture.resize((SIDE, SIDE * picture.height // picture.width), Image.Resampling.BICUBIC)
        page.paste(larger.crop((0, 0, SIDE, SIDE)), (left, top))
        draw.text((left + 2, top + SIDE + 3), caption, INK, ImageFont.load_default(17))
    return page


def main(names: list[str]) -> None:
    host = find_or_clone_host()
    if host is None:
        sys.exit("The pictures need a ComfyUI: set COMFYUI_PATH to its folder.")
    with ComfyServer(host, environment_python(host)) as server:
        for name in names or PICTURES:
            made = PICTURES[name](Studio(server))
            page = made if isinstance(made, Image.Image) else sheet(made)
            page.save(FOLDER / f"at_work_{name}.jpg", quality=82, optimize=True)
            print(name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
