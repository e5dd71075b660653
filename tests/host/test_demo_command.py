"""What `python dev.py demo` runs and draws; its way through ComfyUI is that of the example workflows."""

import json
import sys

import pytest
from PIL import Image, ImageChops

from devtools import demo


@pytest.fixture
def workflow() -> dict:
    return json.loads(demo.WORKFLOW.read_text("utf-8"))


def test_the_boxes_are_exchanged_and_the_adapter_is_off_in_its_variants(workflow):
    plain, swapped, off = demo.variants(workflow).values()
    assert plain == workflow
    assert demo.Scene.of(swapped).boxes == demo.Scene.of(plain).boxes[::-1]
    assert demo._only(off, "MSDiffusionApply")["inputs"]["scale"] == 0
    for variant in (swapped, off):
        changed = [number for number in workflow if variant[number] != workflow[number]]
        assert len(changed) == 1


def test_without_a_comfyui_the_same_pictures_are_made_headless(workflow, tmp_path, monkeypatch):
    pytest.importorskip("diffusers")
    demo._only(workflow, "KSampler")["inputs"]["steps"] = 2
    files = demo.run_headless(sys.executable, workflow, tmp_path)
    pictures = [Image.open(file).convert("RGB") for file in files.values()]
    assert list(files) == ["result", "boxes swapped", "adapter off"]
    assert all(ImageChops.difference(pictures[0], other).getbbox() for other in pictures[1:])
    said = json.loads(Image.open(files["boxes swapped"]).text["ms_diffusion"])
    assert (said["steps"], said["seed"]) == (2, demo._only(workflow, "KSampler")["inputs"]["seed"])
    assert [tuple(subject["box"]) for subject in said["subjects"]] == list(demo.Scene.of(workflow).boxes[::-1])

    monkeypatch.setattr(demo, "RESULT", tmp_path / "out" / "demo.png")
    demo._write_sheet(sys.executable, workflow, files, tmp_path)
    with Image.open(demo.RESULT) as sheet:
        assert sheet.width > 5 * sheet.height / 2
