"""`python -m msd_core generate`: what it makes, and what it refuses before it computes anything."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from msd_core.__main__ import main
from msd_core.demo.world import draw_subject

pytest.importorskip("diffusers")

from msd_core.headless import command, demo  # noqa: E402
from msd_core.headless.device import choose_device, devices  # noqa: E402

SMALL = ["--demo", "--prompt", "a mug in the snow", "--steps", "1", "--width", "64", "--height", "64"]
MUG = "mug#3:mug:0,0.45,0.5,0.95"


@pytest.fixture
def generate(shared, tmp_path, monkeypatch, capsys):
    """`generate(*options)`: the pictures that the command writes, by file name, with their settings."""
    monkeypatch.setattr(demo, "demo_pipeline", lambda: shared)
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> dict[str, tuple[np.ndarray, dict]]:
        status, said = main(["generate", *SMALL, *options]), capsys.readouterr()
        assert status == 0, said.err
        made = {}
        for name in said.out.removeprefix("wrote ").strip().split(", "):
            with Image.open(name) as picture:
                made[name] = np.asarray(picture.convert("RGB")).astype(int), json.loads(picture.text["ms_diffusion"])
        return made

    return run


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """`refused(*options)`: the one sentence that the command ends with, before any model is loaded."""

    def load(*_, **__):
        pytest.fail("a model was loaded before the options were checked")

    monkeypatch.setattr(demo, "demo_pipeline", load)
    monkeypatch.setattr(command.MSDiffusionPipeline, "from_files", load)
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> str:
        assert main(["generate", "--prompt", "a mug", *options]) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: ") and said.count("\n") == 1
        return said.removeprefix("error: ").rstrip("\n")

    return run


def only(made: dict) -> tuple[np.ndarray, dict]:
    (picture, settings), = made.values()
    return picture, settings


def test_it_says_in_the_png_how_the_picture_was_made(generate) -> None:
    _, told = only(generate("--subject", f"{MUG}:weight=0.5", "--seed", "7", "--schedule", "simple"))
    assert told == {
        "prompt": "a mug in the snow", "negative": "", "seed": 7, "scale": 1.0, "guidance": 2.0, "steps": 1,
        "width": 64, "height": 64, "schedule": "simple", "scheduler": "EulerDiscreteScheduler", "grounding": True,
        "overlap": "mix", "auto_layout": None, "base": "demo", "adapter": "demo", "controlnet": None,
        "subjects": [{"picture": "mug#3", "phrase": "mug", "box": [0, 0.45, 0.5, 0.95], "weight": 0.5, "start": 0.0,
                      "end": 1.0, "fit": "stretch", "mask": None, "mask_is": "subject"}],
    }


def test_several_pictures_have_numbers_and_the_seeds_that_follow(generate) -> None:
    made = generate("--subject", MUG, "--count", "3", "--seed", "7", "--out", "mug.png")
    assert list(made) == ["mug-1.png", "mug-2.png", "mug-3.png"]
    assert [settings["seed"] for _, settings in made.values()] == [7, 8, 9]
    alone, _ = only(generate("--subject", MUG, "--seed", "8"))
    assert abs(made["mug-2.png"][0] - alone).max() <= 1 < abs(made["mug-1.png"][0] - alone).max()


def test_weight_start_and_end_of_a_subject_act(generate) -> None:
    plain, _ = only(generate("--subject", MUG))
    bare, _ = only(generate())
    for settings in ("weight=0", "start=0.5"):
        silent, _ = only(generate("--subject", f"{MUG}:{settings}"))
        assert abs(silent - bare).max() <= 1 < abs(silent - plain).max(), settings


def test_a_file_of_subjects_is_the_same_as_options(generate, tmp_path) -> None:
    entry = {"picture": "mug#3", "phrase": "mug", "box": [0, 0.45, 0.5, 0.95], "weight": 0.5}
    (tmp_path / "subjects.json").write_text(json.dumps([entry]), "utf-8")
    a, b = (only(generate(*options)) for options in (("--subject", f"{MUG}:weight=0.5"),
                                                     ("--subjects", "subjects.json")))
    assert (a[0] == b[0]).all() and a[1] == b[1]


BOTH = ("--subject", "mug#3:mug:0,0.2,0.7,0.9", "--subject", "rocket#9:rocket:0.3,0.2,1,0.9")


def test_overlapping_subjects_share_nothing_if_asked_to_and_a_file_may_say_so(generate, tmp_path) -> None:
    mixed, told = only(generate(*BOTH))
    front, told_front = only(generate(*BOTH, "--overlap", "front"))
    assert (told["overlap"], told_front["overlap"]) == ("mix", "front")
    assert abs(front - mixed).max() > 1
    subjects = [{"picture": entry["picture"], "phrase": entry["phrase"], "box": entry["box"]} for entry in
                told["subjects"]]
    file = tmp_path / "subjects.json"
    file.write_text(json.dumps({"overlap": "front", "subjects": subjects}), "utf-8")
    for options, expected in (((), front), (("--overlap", "mix"), mixed)):
        picture, _ = only(generate("--subjects", file.name, *options))
        assert (picture == expected).all(), options


def test_what_is_painted_of_a_box_acts_and_is_told_in_the_png(generate, tmp_path) -> None:
    plain, _ = only(generate("--subject", "mug#3:mug:0,0.2,0.7,0.9"))
    box = {"x0": 0.0, "y0": 0.2, "x1": 0.7, "y1": 0.9, "z": 1, "mask": {"size": [1, 2], "counts": "11"}}
    (tmp_path / "subjects.json").write_text(json.dumps([{"picture": "mug#3", "phrase": "mug", "box": box}]), "utf-8")
    painted, told = only(generate("--subjects", "subjects.json"))
    assert abs(painted - plain).max() > 1
    assert told["subjects"][0]["box"] == {**box, "label": "", "color": ""}


def test_the_alpha_of_a_png_and_a_mask_and_a_fit_change_what_the_subject_looks_like(generate, tmp_path) -> None:
    pixels, mask, _ = draw_subject("mug", 3, 128)
    photo = (pixels * 255).round().astype(np.uint8)
    photo[mask < 0.5] = np.random.default_rng(0).integers(0, 256, ((mask < 0.5).sum(), 3))
    photo, cut = photo[:, 8:120], (mask > 0.5).astype(np.uint8)[:, 8:120] * 255
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(np.dstack([photo, cut])).save(tmp_path / "cut.png")
    Image.fromarray(cut).save(tmp_path / "mask.png")
    Image.fromarray(255 - cut).save(tmp_path / "inverse.png")
    made = {
        name: only(generate("--subject", f"{name}"))[0]
        for name in ("photo.png:mug:0,0,1,1", "cut.png:mug:0,0,1,1", "photo.png:mug:0,0,1,1:mask=mask.png",
                     "photo.png:mug:0,0,1,1:mask=inverse.png:mask_is=background", "photo.png:mug:0,0,1,1:fit=pad")
    }
    plain, alpha, masked, inverse, padded = made.values()
    assert (alpha == masked).all() and (alpha == inverse).all()
    assert abs(plain - alpha).max() > 1 and abs(plain - padded).max() > 1


def test_numbers_out_of_range_are_refused(refused) -> None:
    assert refused("--demo", "--steps", "0") == "--steps is 0 but must be 1 or more: leave it out for 20."
    assert refused("--base", "b", "--adapter", "a", "--image-encoder", "i", "--steps", "-3") == (
        "--steps is -3 but must be 1 or more: leave it out for 30."
    )
    assert refused("--demo", "--count", "0") == "--count is 0 but must be 1 or more: leave it out for 1."
    assert refused("--demo", "--width", "100") == "--width is 100 but must be a multiple of 8: say 96."
    assert refused("--demo", "--height", "0") == "--height is 0 but must be a multiple of 8: say 8."
    assert refused("--demo", "--seed", "-1") == f"--seed is -1 but must lie from 0 to {2**64 - 1}: choose another."
    assert refused("--demo", "--seed", str(2**64 - 1), "--count", "2").endswith(f"0 to {2**64 - 2}: choose another.")
    assert refused("--demo", "--auto-layout", "2").startswith("The threshold is 2 but must be from 0 to below 1")
    assert "the method steady has neither" in refused("--demo", "--auto-layout", "0.4")
    assert "the method steady has neither" in refused("--demo", "--auto-layout", "--auto-layout-from", "3")
    assert refused("--demo", "--scale", "nan") == "--scale is nan but must be a finite number: leave it out for 1.0."


def test_what_can_not_be_written_is_told_before_sampling(refused, tmp_path, monkeypatch) -> None:
    said = refused("--demo", "--out", os.path.join("none", "mug.png"))
    assert said == f"--out is {os.path.join('none', 'mug.png')} but there is no folder none: make it, or name another."
    (tmp_path / "folder.png").mkdir()
    assert "folder.png but that is a folder: name a file" in refused("--demo", "--out", "folder.png")
    assert refused("--demo", "--out", "mug.jpg").endswith("name it mug.png.")
    monkeypatch.setattr(os, "access", lambda *_: False)
    said = refused("--demo", "--out", "mug.png", "--count", "2")
    assert said == "--out is mug.png but mug-1.png can't be written: name a file in a folder of yours."


def test_files_that_belong_together_are_asked_for(refused) -> None:
    assert refused() == "--base, --adapter, --image-encoder not given but needed without --demo: name the files."
    assert refused("--base", "b", "--image-encoder", "i").startswith("--adapter not given but needed without --demo")
    files = ("--base", "b", "--adapter", "a", "--image-encoder", "i")
    assert refused(*files, "--controlnet", "c").startswith("--controlnet and --control-image belong together")
    assert refused("--demo", "--controlnet", "c", "--control-image", "p.png").startswith(
        "--demo and --controlnet are both given"
    )


def test_subjects_and_pictures_are_read_before_models_are_loaded(refused) -> None:
    assert "none.png can't be read (there is no such file)" in refused("--demo", "--subject", "none.png:a:0,0,1,1")
    assert "none.json can't be read (there is no such file)" in refused("--demo", "--subjects", "none.json")
    files = ("--base", "b", "--adapter", "a", "--image-encoder", "i")
    said = refused(*files, "--controlnet", "c", "--control-image", "none.png")
    assert "none.png can't be read (there is no such file)" in said
    assert refused("--demo", "--subject", "mug#x:mug:0,0,1,1").endswith("needs a number after #: write mug#7.")
    assert refused("--demo", "--subject", "dog#7:dog:0,0,1,1").startswith("No kind 'dog' in the demo world")
    said = refused("--demo", *BOTH, "--subject", "cat#1:cat:0,0,1,1", "--overlap", "front")
    assert said.startswith("Box 1 lies wholly behind box 3 and would act nowhere with overlap front: bring it")
    said = refused("--demo", *BOTH, "--subject", "cat#1:cat:0,0,1,1", "--overlap", "apart", "--width", "96")
    assert said.startswith("Box 1 and box 2 can't be moved apart, they measure 67x112 and 67x112 pixels in a frame of")
    said = refused("--demo", "--subject", f"{MUG}:mask=mask.png")
    assert said == "The drawn subject 'mug#3' has a mask but stands on plain white: leave mask out."


def test_a_device_that_is_not_there_is_refused(refused, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name in ("cuda", "cuda:0", "mps", "tpu", "cpu:x", ""):
        said = f"The device is {name!r} but PyTorch finds cpu here: name one of these, or leave --device out."
        assert refused("--demo", f"--device={name}") == said


def test_the_fastest_device_is_found(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices() == ["mps", "cpu"] and choose_device() == torch.device("mps")
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device() == torch.device("cuda") and choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match=r"'cuda:2' but PyTorch finds cuda \(2\), mps, cpu here"):
        choose_device("cuda:2")
