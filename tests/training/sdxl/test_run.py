"""Runs of the trainer: the loss falls, they go on where they stopped, their checkpoints are whole and load."""

from __future__ import annotations

import csv

import pytest
import torch

from msd_core.checkpoint import read_adapter
from tests.training.sdxl.conftest import SIDE, SIZES, settings
from training.sdxl.projectors import untrained
from training.sdxl.run import Run
from training.sdxl.sources import LiveSamples
from training.shards import Shards


@pytest.fixture
def start(base, shards_folder, tmp_path):
    """`start(steps=4, ...)`: a run in one folder."""

    def made(folder="run", **changes) -> Run:
        for module in base.pipe.unet.modules():
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
        told = settings(**changes)
        torch.manual_seed(told.seed)
        trained = untrained(base, told.projector, SIZES)
        samples = LiveSamples(Shards(shards_folder), base, (SIDE, SIDE))
        return Run(base, trained, samples, told, tmp_path / folder)

    return made


def losses(folder) -> dict[int, str]:
    with (folder / "losses.csv").open() as file:
        return {int(row["step"]): row["loss"] for row in csv.DictReader(file)}


def test_a_run_learns_and_what_is_frozen_stays(start, base, tmp_path):
    before = {name: p.clone() for name, p in base.pipe.unet.named_parameters()}
    run = start(steps=6)
    first = run.held_out_loss()
    began = {name: p.detach().clone() for name, p in run.weights.masters.items()}
    run.run()
    assert all(torch.equal(p, before[name]) for name, p in base.pipe.unet.named_parameters())
    still = [name for name, p in run.weights.masters.items() if torch.equal(p, began[name])]
    assert still == []
    assert run.held_out_loss() < first
    read = read_adapter(tmp_path / "run/checkpoint-000006/ms_adapter.safetensors")
    assert read.head_dim == SIZES.head_dim and read.state["dummy_image_tokens"].shape == (1, 4, 32)


def test_a_run_that_is_cut_off_goes_on_with_the_same_losses(start, tmp_path):
    start("whole", steps=6).run()
    start("cut", steps=6).run()
    for late in ("checkpoint-000004", "checkpoint-000006"):
        for file in (tmp_path / "cut" / late).iterdir():
            file.unlink()
        (tmp_path / "cut" / late).rmdir()
    again = start("cut", steps=6)
    assert again.step == 2 and list(losses(tmp_path / "cut")) == [1, 2]
    again.run()
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
