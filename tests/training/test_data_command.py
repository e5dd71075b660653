"""`python -m training.data`: videos in, shards, statistics and a contact sheet out, by the real models."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from tests.training.test_clips import save, write_video
from training.data import construction
from training.data.__main__ import main
from training.data.sheet import COLOURS, draw_sheet
from training.shards import Sample, Shards, ShardWriter, Subject

pytestmark = pytest.mark.usefixtures("no_network")
LAX = ["--shortest", "32", "--blank", "0", "--side", "1", "--smallest", "0", "--largest", "1", "--fill", "0",
       "--proportions", "100", "--similar", "-1", "--threshold", "0", "--samples-per-shard", "2"]


def command(models, out, *more):
    named = [word for name in ("captioner", "entities", "detector", "segmenter", "embedder")
             for word in (f"--{name}", str(models[name]))]
    return ["--out", str(out), *named, *LAX, *map(str, more)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    pytest.importorskip("av")
    folder = tmp_path_factory.mktemp("clips")
    (folder / "videos").mkdir()
    for number in range(3):
        write_video(folder / "videos" / f"{number}.mp4", "libx264", size=(64 + 16 * number, 64))
    (folder / "videos" / "broken.mp4").write_text("no video")
    draw = np.random.default_rng(1)
    for number in range(2):
        file = folder / "frames" / "walk" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file)
    save(folder / "stills" / "dog.png", (200, 90, 10), size=(64, 64))
    return folder


def test_videos_frames_and_stills_become_shards_statistics_and_a_sheet(models, clips, tmp_path, capsys):
    out = tmp_path / "set"
    arguments = command(models, out, "--videos", clips / "videos", "--frames", clips / "frames", "--stills",
                        clips / "stills", "--pictures", "jpg")
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "1 of 6 clips are single pictures" in said and "copies and pastes" in said
    assert "videos/broken.mp4: " in said and re.search("1 +16.7%  clips unreadable", said)
    read = Shards(out)
    assert {read[number].origin["clip"] for number in range(len(read))} == {
        "frames/walk", "stills/dog.png", "videos/0.mp4", "videos/1.mp4", "videos/2.mp4"}
    for number in range(len(read)):
        sample = read[number]
        assert 1 <= len(sample.subjects) <= 4
        assert all(one.phrase in sample.caption and one.mask is not None for one in sample.subjects)
        still = sample.origin["reference"] is None
        assert still == (sample.origin["clip"] == "stills/dog.png")
        assert {one.source for one in sample.subjects} >= {"target" if still else "reference"}
    told = json.loads((out / "statistics.json").read_text("utf-8"))
    assert told["totals"]["clips"] == 6 and told["parts"]["pairs"]["samples"] == len(read) == 5
    assert Image.open(out / "sheet.png").width > 800
    # The same again: nothing is loaded, nothing changes.
    before = {file.name: file.read_bytes() for file in out.glob("shard-*")}
    assert main(arguments) == 0
    assert {file.name: file.read_bytes() for file in out.glob("shard-*")} == before
    # And from nothing, the same bytes.
    assert main([str(tmp_path / "other") if word == str(out) else word for word in arguments]) == 0
    assert {file.name: file.read_bytes() for file in (tmp_path / "other").glob("shard-*")} == before


def test_where_no_clip_gives_a_sample_the_command_says_so_and_fails(models, clips, tmp_path, capsys):
    assert main([*command(models, tmp_path / "set", "--videos", clips / "videos"), "--shortest", "1000"]) == 2
    said = capsys.readouterr()
    assert "frames too few pixels" in said.out and "no clip gave a sample" in said.err
    assert not list((tmp_path / "set").glob("shard-*"))


@pytest.mark.parametrize("more, says", [
    (["--videos", "none"], "none is named for videos but there is no such file or folder"),
    (["--frames-per-clip", "7"], "frames-per-clip is 7 but must be 2 to 5"),
    ([], "name videos, frames or stills"),
])
def test_what_can_not_be_is_one_sentence(models, tmp_path, capsys, more, says):
    assert main(command(models, tmp_path / "set", *more)) == 1
    error = capsys.readouterr().err
    assert says in error and error.startswith("error: ") and error.count("\n") == 1


def test_models_are_read_before_the_first_clip_and_a_wrong_one_is_one_sentence(models, clips, tmp_path, capsys):
    arguments = command({**models, "segmenter": models["embedder"]}, tmp_path / "set", "--videos", clips / "videos")
    assert main(arguments) == 1
    assert "is a dinov2 but must be a sam" in capsys.readouterr().err
    # Nothing is held against the clips.
    assert main(command(models, tmp_path / "other", "--videos", clips / "videos")) == 0


def test_a_full_disk_ends_the_command_with_one_sentence(models, clips, tmp_path, capsys, monkeypatch):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    real = construction.Store.put

    def put(self, made):
        # From the second clip on the disk takes hardly anything.
        if self.names():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        return real(self, made)

    monkeypatch.setattr(construction.Store, "put", put)
    arguments = command(models, tmp_path / "set", "--stills", clips / "stills", "--frames", clips / "frames")
    try:
        assert main(arguments) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    error = capsys.readouterr().err
    assert "can't be written (File too large): make room and run the same command again" in error
    monkeypatch.undo()
    assert main(arguments) == 0 and len(Shards(tmp_path / "set")) == 2


def picture(value, height=20, width=30):
    return np.full((height, width, 3), value, np.uint8)


def test_the_sheet_shows_target_boxes_and_what_the_adapter_is_shown(tmp_path):
    mask = np.zeros((20, 30), bool)
    mask[:, :15] = True
    subjects = (Subject("dog", (0.1, 0.1, 0.5, 0.9), picture(10), mask),
                Subject("a hat with a very long name that has no room at all", (0.5, 0.5, 0.9, 0.9), picture(240), None,
                        "target"))
    with ShardWriter(tmp_path) as writer:
        for number in range(5):
            writer.add(Sample(f"s{number}", "word " * 60, picture(60 + number, 160, 240), subjects,
                              {"subjects": [{"similar": 0.87}, {}]}))
    sheet = np.asarray(draw_sheet(Shards(tmp_path), count=3))
    assert sheet.shape == np.asarray(draw_sheet(Shards(tmp_path), count=3)).shape
    for value in (10, 240, *COLOURS[:2]):
        assert (sheet == value).all(axis=-1).any(), value
    # Three of five, by the seed, each once.
    shown = {number for number in range(5) if (sheet == 60 + number).all(axis=-1).sum() > 1000}
    assert len(shown) == 3
    other = np.asarray(draw_sheet(Shards(tmp_path), count=3, seed=1))
    assert {number for number in range(5) if (other == 60 + number).all(axis=-1).sum() > 1000} != shown
    assert draw_sheet(Shards(tmp_path), count=99).height > sheet.shape[0]
