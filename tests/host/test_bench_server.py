"""A benchmark through real ComfyUI servers: the same picture as headless, killed runs, shared runs, servers that go."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from devtools.server import ComfyServer
from msd_core.bench.conditions import Condition
from msd_core.bench.engines import Gone, Order, Settings
from msd_core.bench.engines.comfyui import ComfyEngine, ServerModels
from msd_core.bench.journal import read_results
from msd_core.bench.samples import Picture, WantedSubject
from msd_core.bench.sprites import sprite_bench
from tests.conftest import HOST
from tests.evaluation import conftest as tiny

PACK = Path(__file__).parents[2]
SMALL = ["sprites", "--per-type", "1", "--steps", "1", "--width", "64", "--height", "64"]
dino_file = tiny.dino_file
SETTINGS = Settings(1.0, 2.0, 6, 96, 96)


def bench(out, dino, *servers):
    shared = [part for server in servers for part in ("--server", server.url)]
    return subprocess.Popen(
        [sys.executable, "-m", "msd_core.bench", "run", *SMALL, "--dino", str(dino), "--engine", "comfyui",
         *shared, "--out", str(out)],
        cwd=PACK, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


def wait_for(out, lines, process):
    deadline = time.monotonic() + 300
    while not (out.exists() and out.read_bytes().count(b"\n") > lines):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)


@contextlib.contextmanager
def another_server():
    with ComfyServer(HOST, sys.executable) as server:
        yield server


def order_of(sample, **changes):
    return Order(sample.prompt, sample.subjects, (sample.seed(0, 0), sample.seed(0, 1)), Condition(**changes))


@pytest.fixture
def engine(comfy_server):
    return ComfyEngine(comfy_server.url, ServerModels(), SETTINGS)


def test_both_engines_make_the_same_pictures(engine):
    pytest.importorskip("diffusers")
    from msd_core.bench.engines.headless import HeadlessEngine
    from msd_core.headless.demo import demo_pipeline

    headless = HeadlessEngine(demo_pipeline(), SETTINGS)
    sample = sprite_bench(1).samples[7]
    pictures = []
    for changes in ({}, {"grounding": False}, {"auto_layout": "steady"}, {"auto_layout": "paper"}, {"adapter": False}):
        here, there = headless.make(order_of(sample, **changes)), engine.make(order_of(sample, **changes))
        assert here.shape == there.shape == (2, 96, 96, 3)
        assert (here - there).abs().max() < 2.5 / 255
        pictures.append(there)
    assert all((one - other).abs().max() > 0.05 for one, other in itertools.combinations(pictures, 2))


def test_a_transparent_picture_is_cut_out_on_the_server_too(engine):
    opaque = Image.new("RGB", (64, 64), (40, 60, 220))
    opaque.paste((220, 40, 40), (8, 8, 40, 40))
    cut = opaque.copy()
    cut.putalpha(Image.new("L", (64, 64)))
    cut.paste((220, 40, 40, 255), (8, 8, 40, 40))

    def make(picture):
        subject = WantedSubject.of("mug", (0.0, 0.25, 0.5, 0.75), Picture("it", lambda: picture))
        return engine.make(Order("a mug in the snow", (subject,), (3,), Condition()))

    assert not torch.equal(make(opaque), make(cut))


def test_what_the_server_refuses_is_the_samples_reason(comfy_server):
    engine = ComfyEngine(comfy_server.url, ServerModels("none.safetensors", "none.bin", "none.pt"), SETTINGS)
    with pytest.raises(RuntimeError, match=r"CheckpointLoaderSimple.*none\.safetensors") as refused:
        engine.make(order_of(sprite_bench(1).samples[0]))
    assert not isinstance(refused.value, Gone)


@pytest.mark.slow
def test_a_killed_run_goes_on_with_two_servers_and_one_that_goes_in_mid_run_loses_nothing(
    comfy_server, tmp_path, dino_file
):
    out = tmp_path / "a.jsonl"
    first = bench(out, dino_file, comfy_server)
    wait_for(out, 3, first)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    kept = read_results(out).scored
    assert 3 <= len(kept) < 10
    with another_server() as second:
        said, errors = bench(out, dino_file, comfy_server, second).communicate(timeout=300)
        assert "10 of 10 samples" in said, errors
        asked = len(second.get("/history").decode().split('"status_str"')) - 1
        assert 0 < asked < 10 - len(kept) + 1
        results = read_results(out)
        assert results.scored[: len(kept)] == kept
        ids = [line for line in out.read_text("utf-8").splitlines()[1:] if line.endswith("}")]
        assert len(ids) == 10

        alone = tmp_path / "b.jsonl"
        run = bench(alone, dino_file, second)
        wait_for(alone, 2, run)
        second.stop()
        _, said = run.communicate(timeout=300)
    assert run.returncode == 1
    last = said.strip().splitlines()[-1]
    assert "does not answer" in last and "samples are left; run the same command again" in last
    left = read_results(alone)
    assert not left.failed and 2 <= len(left.scored) < 10
    assert {one["id"]: one["images"] for one in left.scored}.items() <= {
        one["id"]: one["images"] for one in results.scored
    }.items()
