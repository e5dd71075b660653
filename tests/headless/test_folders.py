"""The headless engine on folders: the demo set written out as diffusers keeps models makes the demo's own picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from msd_core.__main__ import main
from msd_core.demo import config
from msd_core.demo.world import draw_subject

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

DRAWN = {"mug#3": "mug:0,0.45,0.5,0.95", "rocket#9": "rocket:0.5,0.1,1,0.6"}
WORDS = ["--prompt", "a mug and a rocket in the snow", "--negative", "blurry", "--seed", "11"]
SIZES = ["--steps", "4", "--guidance", "2", "--scale", "1", "--width", "160", "--height", "160", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory) -> Path:
    """Base, image encoder and ControlNet as folders, references and a sketch as pictures."""
    folder = tmp_path_factory.mktemp("headless")
    shared.pipe.save_pretrained(folder / "base")
    shared.image_encoder.save_pretrained(folder / "image_encoder")

    control_net = diffusers.ControlNetModel.from_unet(shared.pipe.unet)
    torch.manual_seed(0)  # a fresh ControlNet's last layers are zero
    control_net.controlnet_cond_embedding.conv_out.weight.data.normal_(std=10)
    for block in (*control_net.controlnet_down_blocks, control_net.controlnet_mid_block):
        block.weight.data.normal_(std=0.1)
    control_net.save_pretrained(folder / "control_net")
    sketch = np.zeros((160, 160, 3), np.uint8)
    sketch[40:120, 40:120] = 255
    Image.fromarray(sketch).save(folder / "sketch.png")
    for name in DRAWN:
        kind, seed = name.split("#")
        pixels, _, _ = draw_subject(kind, int(seed), 256)
        Image.fromarray((pixels * 255).round().astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def generate(folder: Path, *options: str) -> Image.Image:
    """The picture that the command makes."""
    target = folder / "made.png"
    assert main(["generate", *WORDS, *SIZES, *options, "--out", str(target)]) == 0
    with Image.open(target) as picture:
        picture.load()
        return picture


def from_files(folder: Path, *options: str) -> Image.Image:
    subjects = [word for name, rest in DRAWN.items() for word in ("--subject", f"{folder / name}.png:{rest}")]
    return generate(
        folder, *subjects, "--base", str(folder / "base"), "--image-encoder", str(folder / "image_encoder"),
        "--adapter", str(config.ADAPTER_FILE), *options,
    )


def largest_difference(a: Image.Image, b: Image.Image) -> int:
    return max(high for _, high in ImageChops.difference(a.convert("RGB"), b.convert("RGB")).getextrema())


def test_a_base_from_a_folder_makes_the_demos_picture(folder, no_network) -> None:
    drawn = [word for name, rest in DRAWN.items() for word in ("--subject", f"{name}:{rest}")]
    demo = generate(folder, "--demo", *drawn)
    ours = from_files(folder)
    assert largest_difference(demo, ours) <= 1
    told = json.loads(ours.text["ms_diffusion"])
    assert told["prompt"] == WORDS[1] and told["steps"] == 4 and told["base"] == str(folder / "base")


def test_a_control_net_changes_the_picture_with_its_sketch(folder, no_network) -> None:
    plain = from_files(folder, "--schedule", "normal")
    control = ("--schedule", "normal", "--controlnet", str(folder / "control_net"), "--control-image")
    drawn, empty = folder / "sketch.png", folder / "empty.png"
    Image.new("RGB", (160, 160)).save(empty)
    sketched = from_files(folder, *control, str(drawn))
    assert largest_difference(plain, sketched) > 2
    assert largest_difference(from_files(folder, *control, str(empty)), sketched) > 2


def test_an_image_encoder_of_another_width_is_refused(folder, capsys) -> None:
    other = transformers.CLIPVisionConfig(hidden_size=64, intermediate_size=64, num_hidden_layers=2,
                                          num_attention_heads=2, image_size=64, patch_size=32)
    transformers.CLIPVisionModelWithProjection(other).save_pretrained(folder / "narrow")
    status = main([
        "generate", *WORDS, "--base", str(folder / "base"), "--adapter", str(config.ADAPTER_FILE),
        "--image-encoder", str(folder / "narrow"), "--device", "cpu", "--out", str(folder / "made.png"),
    ])  # fmt: skip
    assert status == 1
    assert "features 96 wide but the image encoder gives 64" in capsys.readouterr().err
