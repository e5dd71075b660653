"""The command as users launch it, over processes."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time

import pytest

from devtools.host import PACK
from msd_core.checkpoint import read_adapter
from tests.tiny_sdxl import SIDE

psutil = pytest.importorskip("psutil")

PROCESSES = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no",
             "--dynamo_backend", "no", "--main_process_port", "0"]


def curve(folder) -> dict[int, tuple[str, str]]:
    """Loss and gradient of every step that is told."""
    file = folder / "losses.csv"
    if not file.exists():
        return {}
    with file.open(encoding="utf-8") as lines:
        return {int(row["step"]): (row["loss"], row["gradient"]) for row in csv.DictReader(lines) if row["seconds"]}


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_with_the_same_losses(base_files, shards_folder, tmp_path):
    base, encoder = base_files
    command = [
        sys.executable, "-m", "accelerate.commands.launch", *PROCESSES, "-m", "training.sdxl", "--base", str(base),
        "--image-encoder", str(encoder), "--shards", str(shards_folder), "--folder", str(tmp_path / "run"),
        "--size", f"{SIDE}x{SIDE}", "--batch", "2", "--held-out", "2", "--look-every", "0", "--log-every", "1",
        "--save-every", "3", "--rate", "1e-3", "--precision", "fp32", "--workers", "1", "--width", "64",
        "--layers", "1",
    ]
    killed = subprocess.Popen([*command, "--steps", "1000"], cwd=PACK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
    deadline = time.monotonic() + 300
    while len(curve(tmp_path / "run")) < 5:
        assert killed.poll() is None and time.monotonic() < deadline, killed.stdout.read()
        time.sleep(0.05)
    launcher = psutil.Process(killed.pid)
    workers = launcher.children(recursive=True)
    for process in (launcher, *workers):
        process.kill()
    psutil.wait_procs(workers)
    killed.communicate()
    before = curve(tmp_path / "run")
    steps = max(before)
    for entry in (tmp_path / "run").glob("checkpoint-??????"):
        if int(entry.name[11:]) > 3:  # so that steps which the killed run has told are learned again
            shutil.rmtree(entry)
    went_on = subprocess.run([*command, "--steps", str(steps)], cwd=PACK, capture_output=True, text=True, timeout=300)
    assert went_on.returncode == 0, went_on.stderr
    assert "from step 3 to" in went_on.stdout
    assert curve(tmp_path / "run") == before
    assert len(set(before.values())) == steps
    adapter = read_adapter(tmp_path / "run" / f"checkpoint-{steps:06d}" / "ms_adapter.safetensors")
    assert adapter.state["image_proj.grounding_latents"].shape == (1, 16, 64)
