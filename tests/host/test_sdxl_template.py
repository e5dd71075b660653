"""The SDXL templates as the frontend queues them: on the demo models, and on files of the released formats."""

import io
import shutil
import sys

import pytest
from PIL import Image, ImageChops

from devtools.files import ADAPTER, CHECKPOINT, CONTROL_NET, IMAGE_ENCODER
from devtools.server import ComfyServer, ServerError
from devtools.workflows import PHOTOS, REAL_EXAMPLES, TWO_PHOTOS_SDXL, build
from msd_core.demo import config
from tests.conftest import HOST
from tests.host.released_files import write_released_files

LOADERS = {"CheckpointLoaderSimple", "CLIPVisionLoader", "LoraLoaderModelOnly"}
CUTTING = ("LoadBackgroundRemovalModel", "RemoveBackground")
EVERY = pytest.mark.parametrize("example", REAL_EXAMPLES, ids=lambda example: example.name)
SIDE = 128


def queued(example=TWO_PHOTOS_SDXL, without: tuple[str, ...] = (), **settings) -> dict:
    """What the frontend queues: bypassed nodes and their links left out, and nodes of some types as if bypassed.

    Settings go by input name.
    """
    graph = build(example)
    left_out = {str(node.id) for node in graph.nodes if node.bypassed or node.type in without}
    prompt = {number: node for number, node in graph.to_api().items() if number not in left_out}
    for node in prompt.values():
        kept = {name: value for name, value in node["inputs"].items()
                if not (isinstance(value, list) and value[0] in left_out)}  # fmt: skip
        node["inputs"] = kept | {name: value for name, value in settings.items() if name in kept
                                 and not isinstance(kept[name], list)}  # fmt: skip
    return prompt


def on_demo_models(prompt: dict) -> dict:
    """The same with the demo models in the place of the host's loaders, a LoRA's too."""
    taken, slots = {}, {"CheckpointLoaderSimple": (0, 1, 2), "CLIPVisionLoader": (3,), "LoraLoaderModelOnly": (0,)}
    for number, node in prompt.items():
        for slot, output in enumerate(slots.get(node["class_type"], ())):
            taken[number, slot] = ["demo", output]
    rest = {number: node for number, node in prompt.items() if node["class_type"] not in LOADERS}
    for node in rest.values():
        node["inputs"] = {name: taken.get(tuple(value), value) if isinstance(value, list) else value
                          for name, value in node["inputs"].items()}  # fmt: skip
    return rest | {"demo": {"class_type": "MSDiffusionDemoModels", "inputs": {}}}


def picture(server, prompt: dict) -> Image.Image:
    (record,) = server.images(server.run(prompt))
    return Image.open(io.BytesIO(server.view(**record))).convert("RGB")


def difference(a: Image.Image, b: Image.Image) -> int:
    return max(high for _, high in ImageChops.difference(a, b).getextrema())


def put_photos(server) -> None:
    for subject in TWO_PHOTOS_SDXL.subjects:
        shutil.copy(PHOTOS / subject.source.file, server.input)


def test_the_graph_samples_as_the_paper_does():
    prompt = queued()
    inputs = {node["class_type"]: node["inputs"] for node in prompt.values()}
    assert inputs["MSDiffusionApply"]["scale"] == 0.6
    assert (inputs["KSampler"]["steps"], inputs["KSampler"]["cfg"]) == (30, 7.5)
    assert (inputs["MSDiffusionLayout"]["width"], inputs["MSDiffusionLayout"]["height"]) == (1024, 1024)
    phrases = [node["inputs"]["phrase"] for node in prompt.values() if node["class_type"] == "MSDiffusionSubject"]
    assert len(phrases) == 2
    assert all(phrase in TWO_PHOTOS_SDXL.prompt for phrase in phrases)


def test_without_its_files_the_server_names_all_three(comfy_server):
    put_photos(comfy_server)
    with pytest.raises(ServerError) as refusal:
        comfy_server.post_prompt(queued())
    for file in (CHECKPOINT, IMAGE_ENCODER, ADAPTER):
        assert file.name in refusal.value.message


def test_the_photos_reach_the_picture_with_the_adapter_from_its_file(comfy_server):
    put_photos(comfy_server)
    file = comfy_server.models / ADAPTER.directory / ADAPTER.name
    shutil.copy(config.ADAPTER_FILE, file)
    try:
        prompts = (queued(width=SIDE, height=SIDE, steps=4), queued(width=SIDE, height=SIDE, steps=4, image="cup.jpg"))
        pictures = [picture(comfy_server, on_demo_models(prompt)) for prompt in prompts]
    finally:
        file.unlink()
    assert pictures[0].size == (SIDE, SIDE)
    assert difference(*pictures) > 2


@EVERY
def test_every_template_runs_on_the_demo_models_and_its_subjects_reach_the_picture(comfy_server, example):
    put_photos(comfy_server)
    control_net = comfy_server.models / CONTROL_NET.directory / CONTROL_NET.name
    control_net.parent.mkdir(exist_ok=True)
    shutil.copy(config.CONTROL_NET_FILE, control_net)
    file = comfy_server.models / ADAPTER.directory / ADAPTER.name
    shutil.copy(config.ADAPTER_FILE, file)
    settings = {"without": CUTTING, "width": SIDE, "height": SIDE, "steps": 4}
    try:
        pictures = [picture(comfy_server, on_demo_models(queued(example, **settings, **scale)))
                    for scale in ({}, {"scale": 0.0})]  # fmt: skip
    finally:
        file.unlink()
    side = int(SIDE * (1.5 if example.kind == "hires" else 1))
    assert [shown.size for shown in pictures] == [(side, side)] * 2
    assert difference(*pictures) > 2


def test_each_regional_prompt_reaches_the_picture_in_its_own_place(comfy_server):
    (example,) = (example for example in REAL_EXAMPLES if example.kind == "regional")
    put_photos(comfy_server)
    file = comfy_server.models / ADAPTER.directory / ADAPTER.name
    shutil.copy(config.ADAPTER_FILE, file)
    try:
        plain, other = (queued(example, width=SIDE, height=SIDE, steps=1) for _ in range(2))
        for node in other.values():
            if node["inputs"].get("text", "").startswith("a cat, "):
                node["inputs"]["text"] = "a red rocket at night"
        pictures = [picture(comfy_server, on_demo_models(prompt)) for prompt in (plain, other)]
    finally:
        file.unlink()
    left, right = (
        max(high for _, high in ImageChops.difference(*(shown.crop(part) for shown in pictures)).getextrema())
        for part in ((16, 40, 64, 112), (96, 72, SIDE, SIDE))
    )
    assert left > right, "the cat's prompt acts in the cat's box"


@pytest.mark.slow
def test_the_photos_reach_the_picture_on_files_of_the_released_formats():
    with ComfyServer(HOST, sys.executable) as server:
        put_photos(server)
        write_released_files(server.models)
        settings = {"width": SIDE, "height": SIDE, "steps": 2, "scale": 3.0}  # random weights say little
        pictures = [picture(server, prompt) for prompt in (queued(**settings), queued(**settings, image="cup.jpg"))]
        log = server.log()
    assert pictures[0].size == (SIDE, SIDE)
    assert difference(*pictures) > 2
    assert "missing" not in log and "unexpected" not in log, log
    assert "31 of 31" in log, log
