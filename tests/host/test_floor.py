"""The oldest supported ComfyUI, which MSD_FLOOR_HOST names, runs what the newest one runs."""

import io
import json
import shutil

from PIL import Image

from devtools.workflows import API_EXAMPLES, EXAMPLES
from msd_core.demo.config import SCENE_SIZE


def test_two_subjects_run_on_the_floor(floor_server):
    for name in ("cat.jpg", "cup.jpg"):
        shutil.copy(EXAMPLES / "photos" / name, floor_server.input)
    workflow = json.loads((API_EXAMPLES / "two_subjects.api.json").read_text("utf-8"))
    images = [_picture(floor_server, _with_scale(workflow, scale)) for scale in (0, 1)]
    assert [image.size for image in images] == [(SCENE_SIZE, SCENE_SIZE)] * 2
    assert images[0].tobytes() != images[1].tobytes()


def _picture(server, workflow: dict) -> Image.Image:
    (saved,) = server.images(server.run(workflow))
    return Image.open(io.BytesIO(server.view(**saved))).convert("RGB")


def _with_scale(workflow: dict, scale: float) -> dict:
    changed = json.loads(json.dumps(workflow))
    (apply,) = (node for node in changed.values() if node["class_type"] == "MSDiffusionApply")
    apply["inputs"]["scale"] = scale
    return changed
