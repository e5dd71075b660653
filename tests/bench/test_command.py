"""`python -m msd_core.bench`: what it refuses before it computes anything, and a run that is killed and goes on."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from msd_core.bench import command
from msd_core.bench.journal import read_results

pytest.importorskip("diffusers")

PACK = Path(__file__).parents[2]
SMALL = ["sprites", "--per-type", "1", "--steps", "1", "--width", "64", "--height", "64"]


@pytest.fixture
def small(dino_file):
    """A run of ten samples that takes seconds."""
    return [*SMALL, "--dino", str(dino_file)]


@pytest.fixture
def refused(capsys, monkeypatch):
    """`refused(*arguments)`: the one sentence that the command ends with, before any model is loaded."""
    monkeypatch.setattr(command, "_engines", lambda *_: pytest.fail("an engine was made before all was checked"))

    def run(*arguments) -> str:
        assert command.main([str(argument) for argument in arguments]) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: ") and said.count("\n") == 1
        return said

    return run


@pytest.fixture
def subjects(tmp_path):
    folder = tmp_path / "subjects"
    for group in ("living", "object", "upwearing", "midwearing", "downwearing", "wholewearing", "scene"):
        (folder / group).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(folder / group / f"{group}.png")
    return folder


def test_what_is_wrong_is_told_before_anything_is_made(refused, tmp_path, subjects, clip_file):
    out = ("--out", tmp_path / "a.jsonl")
    assert "--data is not given but msbench needs" in refused("run", "msbench", *out)
    assert "there is no such folder" in refused("run", "msbench", "--data", tmp_path / "none", *out)
    assert "--base, --adapter, --image-encoder not given" in refused("run", "msbench", "--data", subjects, *out)
    data = ("run", "msbench", "--data", subjects, "--demo", *out)
    assert "None of --clip, --dino, --dinov2 and --detector is given" in refused(*data)
    assert "none.bin is named but there is no such file" in refused(*data, "--clip", tmp_path / "none.bin")
    assert "--limit is 0 but must be 1 or more" in refused("run", *SMALL, "--limit", 0, *out)
    assert "--per-sample is 0" in refused("run", *SMALL, "--per-sample", 0, *out)
    assert "--seed is -1" in refused("run", *SMALL, "--seed", -1, *out)
    assert "--batch is 0" in refused("run", *SMALL, "--batch", 0, *out)
    assert "--width is 63 but must be a multiple of 8: say 64" in refused("run", *SMALL, "--width", 63, *out)
    assert "--scale is nan but must be a finite number" in refused("run", *SMALL, "--scale", "nan", *out)
    assert "--guidance is inf but must be a finite number" in refused("run", *SMALL, "--guidance", "inf", *out)
    assert "--steps is 0 but must be 1 or more: leave it out for 20" in refused("count", "sprites", "--steps", 0)
    assert "--steps-per-second is nan" in refused("count", "sprites", "--steps-per-second", "nan")
    for flag in ("--no-masks", "--adapter-off"):
        said = refused("run", *SMALL, "--auto-layout", "steady", flag, *out)
        assert f"--auto-layout and {flag} are both given" in said
    assert "the nodes always mask" in refused("run", *SMALL, "--engine", "comfyui", "--no-masks", *out)
    assert "say --engine comfyui too" in refused("run", *SMALL, "--server", "127.0.0.1:1", *out)
    (subjects / "living" / "living.png").write_text("no picture")
    assert "living.png can't be read" in refused(*data)
    assert "can't be made" in refused("run", *SMALL, "--images", subjects / "living" / "living.png" / "x", *out)
    assert not (tmp_path / "a.jsonl").exists()
    assert "there is no such file" in refused("report", tmp_path / "a.jsonl")


def test_a_model_is_named_by_its_path_or_by_its_name_in_comfyuis_folders(tmp_path, monkeypatch, dino_file):
    from msd_core.bench.measures import find_model

    placed = tmp_path / "models" / "clip_vision" / "dino.pth"
    placed.parent.mkdir(parents=True)
    placed.write_bytes(dino_file.read_bytes())
    assert find_model(str(dino_file)) == dino_file and not find_model("none.pth").exists()
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    assert find_model("clip_vision.pth") == Path("clip_vision.pth")
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    assert find_model("dino.pth") == placed


def test_a_server_that_is_not_there_is_told(capsys, tmp_path, small):
    assert command.main(["run", *small, "--engine", "comfyui", "--server", "127.0.0.1:9",
                         "--out", str(tmp_path / "a.jsonl")]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "The ComfyUI at http://127.0.0.1:9 does not answer" in said and "correct --server" in said


def test_count_says_how_long_it_takes(capsys, subjects):
    arguments = ["count", "msbench", "--data", str(subjects), "--per-sample", "2", "--singles", "--bare"]
    assert command.main([*arguments, "--steps-per-second", "10"]) == 0
    said = capsys.readouterr().out
    # One subject in each group allows nine types; a sample has its pictures, bare ones, and those of each subject.
    assert "7 subjects" in said and ": 9 combinations, 39 samples" in said
    several = 5 * 6 * (2 + 2) + 6 * (2 + 3) + 2 * (2 + 2) + (2 + 3)
    assert f"39 samples, {2 * several} pictures, {2 * several * 30} steps of 30 a picture" in said
    assert f"about {2 * several * 30 / 36000:.1f} hours at 10 steps a second" in said
    assert command.main(["count", "msbench", "--data", str(subjects), "--steps-per-second", "0"]) == 1


def test_a_run_writes_its_table_its_sheet_and_its_plot(tmp_path, capsys, small):
    out, images = tmp_path / "a.jsonl", tmp_path / "images"
    assert command.main(["run", *small, "--limit", "2", "--out", str(out), "--images", str(images)]) == 0
    said = capsys.readouterr().out
    assert "sprites, MS-Diffusion: 2 of 2 samples, 2 pictures" in said and "dino: DINO ViT 128/8" in said
    pictures = sorted(images.glob("*.png"))
    assert len(pictures) == 2 and Image.open(pictures[0]).size == (64, 64)
    # Again: nothing is left to do, and nothing is made.
    before = out.read_bytes()
    assert command.main(["run", *small, "--limit", "2", "--out", str(out), "--images", str(images)]) == 0
    assert out.read_bytes() == before
    written = [str(tmp_path / name) for name in ("table.csv", "sheet.html", "plot.png")]
    assert command.main(["report", str(out), "--csv", written[0], "--html", written[1], "--plot", written[2]]) == 0
    assert all(Path(name).stat().st_size > 300 for name in written)
    off = tmp_path / "off.jsonl"
    assert command.main(["run", *small, "--limit", "2", "--adapter-off", "--out", str(off)]) == 0
    assert command.main(["compare", str(out), str(off)]) == 0
    assert "off (adapter off) against a (MS-Diffusion): 2 samples of both" in capsys.readouterr().out


def test_each_ablation_makes_another_picture_and_the_same_one_twice(tmp_path, small):
    seen = {}
    for name, flags in (("full", []), ("again", []), ("plain", ["--no-grounding"]), ("unmasked", ["--no-masks"]),
                        ("off", ["--adapter-off"])):
        out, images = tmp_path / f"{name}.jsonl", tmp_path / name
        assert command.main(["run", *small, "--steps", "2", "--limit", "1", *flags, "--out", str(out), "--images",
                             str(images)]) == 0
        (picture,) = images.glob("*.png")
        seen[name] = Image.open(picture).tobytes()
    assert seen["full"] == seen["again"]
    assert len(set(seen.values())) == 4


def test_where_boxes_overlap_every_choice_makes_another_picture():
    from msd_core.bench.conditions import Condition
    from msd_core.bench.engines import Order, Settings
    from msd_core.bench.engines.headless import HeadlessEngine
    from msd_core.bench.sprites import sprite_bench
    from msd_core.headless.demo import demo_pipeline

    engine = HeadlessEngine(demo_pipeline(), Settings(1.0, 2.0, 6, 64, 64))
    sample = sprite_bench(1).samples[8]
    assert sample.kind == "living+object, overlapping"
    made = [engine.make(Order(sample.prompt, sample.subjects, (1,), Condition(**changes)))
            for changes in ({}, {"overlap": "front"}, {"overlap": "nearest"},
                            {"auto_layout": "steady"}, {"auto_layout": "paper"})]
    assert all((one - other).abs().max() > 0.01 for one, other in itertools.combinations(made, 2))


def test_the_drawn_world_has_a_judge_of_its_own_where_nothing_else_measures(tmp_path, capsys):
    out = tmp_path / "a.jsonl"
    assert command.main(["run", *SMALL, "--limit", "1", "--out", str(out)]) == 0
    assert "dino: the demo's judge (like)" in capsys.readouterr().out
    assert {"clip_i", "clip_t", "dino", "m_dino", "region"} <= set(read_results(out).scored[0]["images"][0])


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_over_the_processes_of_accelerate_launch_with_nothing_lost_or_done_twice(
    tmp_path, small
):
    """Launched as on GPUs; without one, each process computes on the CPU."""
    out = tmp_path / "a.jsonl"
    first = subprocess.Popen([sys.executable, "-m", "msd_core.bench", "run", *small, "--out", str(out)], cwd=PACK,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (out.exists() and out.read_bytes().count(b"\n") >= 4):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    kept = read_results(out).scored
    assert 3 <= len(kept) < 10
    launched = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
         "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
         "-m", "msd_core.bench", "run", *small, "--out", str(out)],
        cwd=PACK, capture_output=True, text=True, timeout=300,
    )
    assert launched.returncode == 0, launched.stderr
    results = read_results(out)
    entries = [json.loads(line) for line in out.read_text("utf-8").splitlines()[1:] if line.endswith("}")]
    assert len(entries) == len({entry["id"] for entry in entries}) == len(results.scored) == 10
    assert tuple(entries[: len(kept)]) == kept
    shares = [int(total) for total in re.findall(r" 0/(\d+) \[", launched.stderr)]
    assert len(shares) == 2 and sum(shares) == 10 - len(kept) and min(shares) >= 1
