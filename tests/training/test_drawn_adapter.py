"""The adapter stage, and table 3 on the drawn world: the trainer of photos on drawn samples, and the scores."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from msd_core.bench.journal import read_results
from msd_core.checkpoint import read_adapter
from msd_core.demo.config import ADAPTER_FILE as SHIPPED
from training import table3
from training.drawn import scoring, stages
from training.drawn.models import drawn_base
from training.drawn.scoring import multi_samples, single_samples
from training.sdxl.checkpoints import ADAPTER_FILE, checkpoints
from training.sdxl.settings import ROWS
from training.shipped import write_shipped
from training.student import load_student

WHOLE = table3.WHOLE


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run's folder with the weights that ship and the shards of a few clips."""
    folder = tmp_path_factory.mktemp("run")
    write_shipped(folder)
    stages.build_shards(folder, 3)
    return folder


@pytest.fixture
def tiny(monkeypatch) -> None:
    settings = replace(stages.TRAINING, batch=2, held_out=1, look_every=0)
    monkeypatch.setattr(stages, "TRAINING", settings)
    monkeypatch.setattr(table3, "TRAINING", settings)


def test_the_shipped_weights_are_the_base_that_the_stage_freezes(folder: Path) -> None:
    from msd_core.headless.demo import demo_pipeline

    made, wanted = drawn_base(folder), demo_pipeline()
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        pairs = zip(getattr(made.pipe, part).state_dict().items(), getattr(wanted.pipe, part).state_dict().values(),
                    strict=True)
        for (key, value), other in pairs:
            assert torch.equal(value, other), f"{part}.{key}"
    for value, other in zip(made.image_encoder.parameters(), wanted.image_encoder.parameters(), strict=True):
        assert torch.equal(value, other)


def test_the_adapter_stage_goes_on_from_the_joint_stages_adapter_and_leaves_one_that_loads(folder: Path, tiny) -> None:
    before = load_student(folder).adapter.state_dict()
    stages.train_adapter(folder, 2)
    file = checkpoints(folder / "adapter")[-1] / ADAPTER_FILE
    read = read_adapter(file)
    assert read.state.keys() == read_adapter(SHIPPED).state.keys() and read.head_dim == 32
    after = load_student(folder).adapter.state_dict()
    moved = {key: float((after[key] - before[key]).abs().max()) for key in before}
    assert 0 < max(moved.values()) < 0.1
    assert moved["image_proj.proj_in.weight"] > 0 and moved["ms_adapter.1.to_k_ip.weight"] > 0


def test_every_row_of_table_3_trains_on_the_same_samples_with_the_same_budget() -> None:
    found = table3.trials(3)
    assert len(found) == 18 and [one.row for one in found[:6]] == list(ROWS) and len({one.name for one in found}) == 18
    settings = [one.settings(50) for one in found]
    assert len({(one.steps, one.batch, one.rate, one.drop, one.held_out) for one in settings}) == 1
    assert [(one.projector, one.masks) for one in settings[:6]] == [
        ("grounding", True), ("linear", True), ("plain", True), ("grounding", False), ("plain", False), ("plain", False)
    ]
    assert [(one.image_attention_loss, one.text_attention_loss) for one in settings[3:6]] == [
        (0, 0), (0.01, 0), (0.01, 0.01)
    ]


def test_a_trial_is_trained_scored_and_not_done_twice(folder: Path, tiny, monkeypatch) -> None:
    trial = table3.Trial("w/o LG w/IAL&TAL", 1)
    stages.encoded_samples(folder, drawn_base(folder))
    few = {"single": single_samples(1)[:1], "multi": multi_samples(1)[:1]}
    monkeypatch.setattr(table3, "samples", lambda per_type: few)
    assert table3.values(trial, folder, 1) is None
    table3.results_file(trial, folder, 1).parent.mkdir(parents=True)
    trial.measure(folder, 1, 1)
    found = table3.values(trial, folder, 1)
    assert set(found["m_dino"]) == {one.id for part in few.values() for one in part}
    header = read_results(table3.results_file(trial, folder, 1)).header
    assert header["condition"]["grounding"] is False and header["condition"]["masks"] is False
    monkeypatch.setattr(table3, "drawn_base", lambda folder: pytest.fail("it is done again"))
    trial.measure(folder, 1, 1)


def test_the_shipped_adapter_draws_whom_its_references_show_in_their_boxes(folder: Path, monkeypatch) -> None:
    some = multi_samples(2)[:4]
    monkeypatch.setattr(table3, "scored", lambda per_type: some)
    regions = []
    for job in table3.BESIDE:
        table3.results_file(job, folder, 2).parent.mkdir(parents=True, exist_ok=True)
        job.measure(folder, 2, 1)
        records = read_results(table3.results_file(job, folder, 2)).scored
        assert len(records) == 4
        regions.append(sum(record["images"][0]["region"] for record in records) / 4)
    without, shipped = regions
    assert shipped > 0.7 > 0.5 > without


def test_what_was_trained_without_masks_is_scored_without_them(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "SAMPLING", replace(scoring.SAMPLING, steps=1))
    one = multi_samples(1)[:1]
    masked, free = (scoring.Pictures(drawn_base(folder), SHIPPED, masks).make(one) for masks in (True, False))
    assert not torch.equal(masked, free)


def values(m_dino: float, ids: list[str]) -> table3.Values:
    each = {one: m_dino + 0.01 * k for k, one in enumerate(ids)}
    return {metric: dict(each) for metric in table3.NAMES}


def test_the_table_has_means_of_the_whole_method_and_paired_differences_from_it() -> None:
    parts = {"single": single_samples(1), "multi": multi_samples(1)}
    ids = [one.id for part in parts.values() for one in part]
    found = {WHOLE: [values(0.3, ids), values(0.4, ids)], "w/o RS": [values(0.25, ids), values(0.25, ids)]}
    head, _, whole, other = table3.table(found, parts).splitlines()
    assert head.split(" | ")[1:3] == ["single: DINO", "single: CLIP-T"] and "multi: M-DINO" in head
    # Ids 2 to 8 are the several ones: 0.35 + 0.01 * 5; every pair differs by 0.1, so the interval is a point.
    assert "0.400 (" in whole and whole.endswith("0.350, 0.450 |")
    assert "−0.100 (−0.100 to −0.100)" in other and "+" not in other


def test_a_table_without_the_whole_method_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="has no whole run of MS-Diffusion, with which others are compared: run it"):
        table3.report(tmp_path, 200, 3, 1)


@pytest.mark.parametrize(("options", "said"), [
    (["--part", "3/2"], "--part is 3/2 but must be as 1/2, the first of two shares: say --part 1/2."),
    ([], "has no shards: run python -m training --folder"),
])
def test_what_is_missing_is_said_in_a_sentence(tmp_path, monkeypatch, capsys, options: list[str], said: str) -> None:
    monkeypatch.setattr(sys, "argv", ["table3", "--folder", str(tmp_path), *options])
    assert table3.main() == 1
    assert said in capsys.readouterr().err
