"""The runner with engines that take no time: what is made, kept, tried again and shared."""

import json

import pytest
import torch
from PIL import Image

from msd_core.bench.conditions import Condition
from msd_core.bench.journal import Full, read_results
from msd_core.bench.runner import Plan, Runner, file_name, opaque, share_of, this_worker

from .conftest import Painter


def test_every_sample_is_made_with_its_own_seeds_and_scored(samples, scorer, journal):
    engine, told = Painter(), []
    assert Runner([engine], scorer, journal, Plan(per_sample=2, seed=5), told.append).run(samples) == 0
    assert [order.seeds for order in engine.orders] == [
        (sample.seed(5, 0), sample.seed(5, 1)) for sample in samples
    ]
    found = read_results(journal.file).scored
    assert [entry["id"] for entry in found] == [sample.id for sample in samples] == [entry["id"] for entry in told]
    for entry, sample in zip(found, samples, strict=True):
        assert [row["seed"] for row in entry["images"]] == list(engine.orders[samples.index(sample)].seeds)
        assert {"clip_i", "clip_t", "dino", "m_dino", "region", "swap"} <= set(entry["images"][0])


def test_a_picture_without_the_adapter_and_one_of_each_subject_alone_are_made_where_asked_for(samples, scorer, journal):
    engine, plan = Painter(), Plan(bare=True, singles=True)
    one, pair = samples[0], samples[3]
    assert len(one.subjects) == 2 and pair.kind == "living+scene"
    Runner([engine], scorer, journal, plan).run([one])
    assert [(len(order.subjects), order.condition) for order in engine.orders] == [
        (2, Condition()), (2, Condition(adapter=False)), (1, Condition()), (1, Condition())
    ]
    assert len({order.seeds for order in engine.orders}) == 1
    row = read_results(journal.file).scored[0]["images"][0]
    # The painter paints the same picture each time.
    assert row["clip_t_gain"] == 0 and row["clip_t"] == row["clip_t_bare"]
    assert row["alone_each"] == pytest.approx(row["region_each"]) and row["collapse"] == 0
    assert plan.pictures_of(one) == 4


def test_a_failing_sample_is_recorded_with_its_reason_and_the_run_goes_on(samples, scorer, journal):
    bad = samples[2]
    Runner([Painter(fails=[bad.prompt])], scorer, journal, Plan()).run(samples)
    results = read_results(journal.file)
    assert [(entry["id"], entry["error"]) for entry in results.failed] == [(bad.id, "out of paint")]
    assert len(results.scored) == len(samples) - 1


def test_engines_share_the_samples_and_one_that_goes_loses_none(samples, scorer, journal):
    first, second = Painter("first", goes_after=2), Painter("second")
    runner = Runner([first, second], scorer, journal, Plan())
    assert runner.run(samples) == 0
    results = read_results(journal.file)
    assert len(results.scored) == len(samples) and not results.failed
    assert len(first.orders) + len(second.orders) == len(samples)


def test_when_the_last_engine_goes_the_rest_is_left_for_the_next_run(samples, scorer, journal):
    runner = Runner([Painter("the server", goes_after=3)], scorer, journal, Plan())
    assert runner.run(samples) == len(samples) - 3
    assert runner.gone == "the server does not answer (connection refused)"
    results = read_results(journal.file)
    assert len(results.scored) == 3 and not results.failed
    left = [sample for sample in samples if sample.id not in {entry["id"] for entry in results.scored}]
    assert Runner([Painter()], scorer, journal, Plan()).run(left) == 0
    assert len(read_results(journal.file).scored) == len(samples)


def test_a_full_disk_ends_the_run_and_is_no_failure_of_the_sample(samples, scorer, journal, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(Full, match="images can't be written .No space left on device.: make room"):
        Runner([Painter()], scorer, journal, Plan(images=tmp_path / "images")).run(samples)
    assert read_results(journal.file).records == ()


def test_pictures_and_references_are_kept_and_named_from_the_results(samples, scorer, journal, tmp_path):
    Runner([Painter()], scorer, journal, Plan(per_sample=2, images=tmp_path / "kept")).run(samples[:1])
    (entry,) = read_results(journal.file).scored
    for row in entry["images"]:
        wanted = torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(row["seed"]))
        with Image.open(journal.file.parent / row["file"]) as kept:
            assert kept.getpixel((3, 2)) == tuple((wanted[2, 3] * 255).round().int().tolist())
    for subject in entry["subjects"]:
        with Image.open(journal.file.parent / subject["reference"]) as shown:
            assert max(shown.size) <= 192


def test_the_same_sample_scores_the_same_in_any_run(samples, scorer, journal):
    Runner([Painter()], scorer, journal, Plan()).run(samples)
    first = {entry["id"]: entry["images"] for entry in read_results(journal.file).scored}
    Runner([Painter()], scorer, journal, Plan()).run(samples[::-1])
    again = {entry["id"]: entry["images"] for entry in read_results(journal.file).scored}
    assert json.dumps(first, sort_keys=True) == json.dumps(again, sort_keys=True)


def test_processes_share_the_samples_as_accelerate_tells_them(samples, monkeypatch):
    parts = [share_of(samples, rank, 3) for rank in range(3)]
    assert sorted(sample.id for part in parts for sample in part) == sorted(sample.id for sample in samples)
    assert {len(part) for part in parts} == {3, 4}
    assert this_worker() == (0, 1, 0)
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert this_worker() == (5, 8, 1)


def test_what_is_transparent_is_measured_on_white():
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (9, 9, 9, 0))
    assert [opaque(picture).getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (255, 255, 255)]
    assert opaque(Image.new("L", (1, 1), 7)).mode == "RGB"


def test_file_names_are_their_own_where_only_signs_differ():
    assert file_name("a/b c") != file_name("a-b-c")
    assert file_name("living+scene/dog2+mountain").startswith("living-scene-dog2-mountain-")
