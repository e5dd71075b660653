"""The construction, whole: what is built, what is counted, and that nothing is lost however it is ended."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training import drawn_clips
from tests.training.drawn_clips import COLOURS, SETTINGS, STEPS, Broken, Moving, no_steps
from training import shards
from training.data import Stuck, construct, construction, store
from training.data.statistics import TABLE
from training.shards import Full, Shards, ShardWriter

pytest.importorskip("scipy")
CLIPS = [
    Moving("a.mp4"), Broken("b.mp4"), Moving("c.mp4", {"green": (4, 4, 30, 30)}), Moving("d.mp4", {}),
    Moving("e.mp4", dict(zip(COLOURS, [(4 + 4 * i, 2 + 10 * i, 20, 11 + 10 * i) for i in range(4)], strict=False))),
    Moving("f.png", still=True), Moving("g.mp4", speed=0), Moving("h.mp4"), Moving("i.mp4"),
]

FEW = CLIPS[:6]


def build(folder, clips=CLIPS, settings=SETTINGS, steps=STEPS, per_shard=2, **more):
    return construct(clips, steps, settings, ShardWriter(folder, per_shard), **more)


def content(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.glob("shard-*"))}


def test_the_target_has_its_own_words_and_boxes_and_the_other_frames_pictures(tmp_path):
    build(tmp_path, [Moving("a.mp4")])
    sample = Shards(tmp_path)[0]
    assert sample.caption == "a red block and a blue block"
    assert [one.phrase for one in sample.subjects] == ["red block", "blue block"]
    at = {name: round(30 * sample.origin[name]) for name in ("target", "reference")}
    assert at["target"] != at["reference"]
    for one, (left, top, right, bottom) in zip(sample.subjects, Moving("a.mp4").things.values(), strict=True):
        assert one.box == ((left + at["target"]) / 64, top / 64, (right + at["target"]) / 64, bottom / 64)
        assert one.source == "reference"
        assert one.picture.shape == (bottom - top, right - left, 3) and one.mask.all()
    np.testing.assert_array_equal(sample.target, Moving("a.mp4").frames([sample.origin["target"]])[0])
    assert [one["similar"] for one in sample.origin["subjects"]] == [1.0, 1.0]


def test_everything_is_counted_once_and_adds_up(tmp_path):
    statistics = build(tmp_path)
    counts = statistics.counts
    assert counts["clips unreadable"] == 1 and counts["clips failed"] == 0
    assert counts["clips with samples"] == 6 and counts["clips without a sample"] == 2
    assert statistics.as_json()["totals"]["clips"] == len(CLIPS)
    # Seven clips of two frames, one of one.
    assert statistics.as_json()["totals"]["frames drawn"] == counts["frames drawn"] == 15
    assert counts["frames without an entity"] == 2
    totals = statistics.as_json()["totals"]
    assert {total: totals[total] for total in ("entities named", "pairs")} == {
        total: counts[total] for total in ("entities named", "pairs")
    }
    # A clip that stands still is no pair, one of nothing has no target.
    assert counts["pairs too much alike"] == 1 and counts["pairs without a thing in the target"] == 1
    assert counts["samples"] == len(Shards(tmp_path)) == 6
    read = [Shards(tmp_path)[number] for number in range(6)]
    sources = Counter(one.source for sample in read for one in sample.subjects)
    assert sources == {"reference": counts["subjects from the reference"], "target": counts["subjects from the target"]}
    told = json.loads((tmp_path / "statistics.json").read_text("utf-8"))
    assert told["faults"] == {"b.mp4": "b.mp4 can't be read (Invalid data)"} and told["parts"].keys() == TABLE.keys()
    assert "b.mp4 can't be read" in statistics.as_text()


def test_a_set_does_not_depend_on_the_order_in_which_clips_are_given_or_made(tmp_path):
    build(tmp_path / "a")

    def backwards(clips, *rest):
        return construction.make_one_by_one(reversed(clips), *rest)

    build(tmp_path / "b", CLIPS[::-1], make=backwards)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert len(content(tmp_path / "a")) == 6


def test_another_seed_draws_other_frames_of_each_clip_and_no_two_clips_alike(tmp_path):
    places = []
    for seed in (0, 1):
        build(tmp_path / str(seed), settings=replace(SETTINGS, seed=seed))
        read = Shards(tmp_path / str(seed))
        places += [read[number].origin["target"] for number in range(len(read)) if "f.png" not in read[number].origin]
    # The still is at 0 in both.
    assert len(set(places)) == len(places) - 1


class Ended(BaseException):
    """Stands for a kill: nothing catches it but what must leave things whole."""


@pytest.mark.parametrize("per_shard", [1, 2, 5])
def test_ended_after_any_clip_it_goes_on_to_the_same_shards(tmp_path, per_shard):
    settings = replace(SETTINGS, frames_per_clip=4)
    wanted = build(tmp_path / "whole", FEW, settings=settings, per_shard=per_shard)
    made_twice = Counter()
    for count in range(len(FEW) + 1):
        folder = tmp_path / str(count)

        def end(clips, *rest, left=count):
            for number, clip in enumerate(clips):
                if number == left:
                    raise Ended
                made_twice[clip.name] += 1
                yield from construction.make_one_by_one([clip], *rest)

        if count < len(FEW):
            with pytest.raises(Ended):
                build(folder, FEW, settings=settings, per_shard=per_shard, make=end)
        again = build(folder, FEW, settings=settings, per_shard=per_shard, make=lambda clips, *rest, end=end: end(
            clips, *rest, left=-1))
        assert content(folder) == content(tmp_path / "whole")
        assert again.as_json() == wanted.as_json()
    # No clip is made a second time for a kill.
    assert set(made_twice.values()) == {len(FEW) + 1}


@pytest.mark.parametrize("point", ["replace", "unlink", "fsync"])
def test_ended_before_any_write_it_goes_on_to_the_same_shards(tmp_path, monkeypatch, point):
    wanted = build(tmp_path / "whole", FEW)
    place = Path if point == "unlink" else os
    real = getattr(place, point)
    for at in range(100):
        folder, seen = tmp_path / str(at), 0

        def end(*inputs, at=at, **named):
            nonlocal seen
            seen += 1
            # A kill does nothing more: what would be tidied up is not.
            if seen > at:
                raise Ended
            return real(*inputs, **named)

        monkeypatch.setattr(place, point, end)
        ended = False
        try:
            build(folder, FEW)
        except Ended:
            ended = True
        monkeypatch.setattr(place, point, real)
        again = build(folder, FEW)
        assert content(folder) == content(tmp_path / "whole") and again.as_json() == wanted.as_json()
        if not ended:
            break
    assert 4 < at < 99


def test_a_clip_that_is_half_in_a_shard_comes_first_whatever_has_come_since(tmp_path):
    settings = replace(SETTINGS, frames_per_clip=4)

    def end(clips, *rest):
        yield from construction.make_one_by_one(clips, *rest)
        raise Ended

    # Three samples of m.mp4, of which two make the first shard.
    with pytest.raises(Ended):
        build(tmp_path, [Moving("m.mp4")], settings, make=end)
    assert len(Shards(tmp_path)) == 2
    clips = [Moving(f"{number}.mp4") for number in range(9)] + [Moving("m.mp4")]
    with pytest.raises(Ended):
        build(tmp_path, clips, settings, make=end)
    build(tmp_path, clips, settings)
    read = Shards(tmp_path)
    names = [read[number].origin["clip"] for number in range(len(read))]
    assert names[:6] == ["m.mp4"] * 3 + ["0.mp4"] * 3
    keys = [read[number].key for number in range(len(read))]
    assert len(keys) == len(set(keys)) == 30


def test_killed_with_signal_9_it_goes_on_to_the_same_shards(tmp_path):
    program = (
        "import sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "import tests; tests.__path__ = [sys.argv[2] + '/tests']\n"
        "from tests.training import test_construct as here\n"
        "def slowly(clips, *rest):\n"
        "    for clip in clips:\n"
        "        yield from here.construction.make_one_by_one([clip], *rest)\n"
        "        print(clip.name, flush=True)\n"
        "        clip.name == 'e.mp4' and sys.stdin.read()\n"
        "here.build(sys.argv[1], make=slowly)\n"
    )
    pack = str(shards.__file__).rsplit("training", 1)[0]
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "a"), pack], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("e.mp4"):
            break
    with pytest.raises(ValueError, match="is being built by another process"):
        build(tmp_path / "a")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert 0 < len(content(tmp_path / "a")) < 6
    build(tmp_path / "a")
    build(tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(tmp_path, monkeypatch):
    wanted = build(tmp_path / "whole")
    for where, name in ((store.os, "fsync"), (shards, "_flush")):
        for at in range(4):
            folder, seen = tmp_path / f"{name}{at}", 0
            real = getattr(where, name)

            def refuse(handle, at=at, real=real):
                nonlocal seen
                seen += 1
                if seen > at:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return real(handle)

            monkeypatch.setattr(where, name, refuse)
            with pytest.raises(Full, match="can't be written .No space left on device.: make room and run the same"):
                build(folder)
            monkeypatch.setattr(where, name, real)
            assert not list(folder.glob("**/*.part"))
            if (folder / "shard-00000.tar").exists():
                Shards(folder)[0]
            again = build(folder)
            assert content(folder) == content(tmp_path / "whole") and again.as_json() == wanted.as_json()


def test_clips_that_come_later_are_added_behind_and_those_that_are_gone_stay(tmp_path):
    build(tmp_path, CLIPS[:3])
    before = content(tmp_path)
    statistics = build(tmp_path, [Moving("0.mp4"), *CLIPS[1:]])
    assert content(tmp_path).items() >= before.items()
    assert statistics.as_json()["totals"]["clips"] == len(CLIPS) + 1
    read = Shards(tmp_path)
    names = [read[number].origin["clip"] for number in range(len(read))]
    assert names[:3] == ["a.mp4", "c.mp4", "0.mp4"] and len(names) == len(set(names)) == statistics.counts["samples"]
    # Nothing to do, nothing done.
    whole = content(tmp_path)
    assert build(tmp_path, CLIPS, steps=lambda: pytest.fail("loaded for nothing")).as_json() == statistics.as_json()
    assert content(tmp_path) == whole and not list((tmp_path / "made").glob("*.part"))


def failing(names):
    def answer(views):
        if views[0].clip.name in names:
            raise RuntimeError("CUDA out of memory\nmore of it")
        return drawn_clips.captions(views)

    return replace(STEPS, captions=answer)


def test_embeddings_that_are_no_numbers_are_a_failure_of_their_clip(tmp_path):
    """As half precision can make them; the others are built."""
    def embeddings(view, asked, found):
        vectors = drawn_clips.embeddings(view, asked, found)
        return vectors * np.nan if view.clip.name == "a.mp4" else vectors

    statistics = build(tmp_path, steps=replace(STEPS, embeddings=embeddings))
    assert list(statistics.faults) == ["a.mp4", "b.mp4"]
    assert statistics.as_json()["faults"]["a.mp4"].startswith("embeddings: ValueError: a vector is not of length 1")
    assert len(Shards(tmp_path)) == 5


def test_a_clip_that_a_step_fails_on_is_named_and_made_again_when_asked(tmp_path):
    statistics = build(tmp_path, steps=failing({"a.mp4", "h.mp4"}))
    assert statistics.counts["clips failed"] == 2 and statistics.counts["samples"] == 4
    assert statistics.as_json()["faults"]["a.mp4"] == "captions: RuntimeError: CUDA out of memory"
    # Not by itself: the set would change.
    assert build(tmp_path).as_json() == statistics.as_json()
    before = content(tmp_path)
    assert build(tmp_path, steps=failing({"h.mp4"}), again=True).counts["clips failed"] == 1
    last = build(tmp_path, again=True)
    assert last.counts["clips failed"] == 0 and last.counts["samples"] == len(Shards(tmp_path)) == 6
    assert last.as_json()["totals"]["clips"] == len(CLIPS)
    assert content(tmp_path).items() >= before.items()
    # So it is read again.
    assert build(tmp_path).as_json() == last.as_json()


def test_a_clip_that_is_made_again_and_then_killed_is_not_lost(tmp_path):
    build(tmp_path, [Moving("a.mp4"), Moving("b.mp4"), Moving("c.mp4")], steps=failing({"a.mp4"}))

    def end(clips, *rest):
        yield from construction.make_one_by_one(clips, *rest)
        raise Ended

    with pytest.raises(Ended):
        build(tmp_path, [Moving("a.mp4")], again=True, make=end)
    assert len(Shards(tmp_path)) == 2
    assert build(tmp_path, [Moving("a.mp4")], steps=no_steps).counts["samples"] == len(Shards(tmp_path)) == 3


def test_clip_after_clip_failing_ends_the_run_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(construction, "IN_A_ROW", 3)
    clips = [Moving(f"{number}.mp4") for number in range(9)]
    with pytest.raises(Stuck, match="3 clips in a row failed, the last one, 6.mp4, in captions: RuntimeError: CUDA"):
        build(tmp_path, clips, steps=failing({"2.mp4", "4.mp4", "5.mp4", "6.mp4"}))
    assert build(tmp_path, clips, again=True).counts["samples"] == 9


def test_a_clip_that_breaks_in_a_way_of_its_own_is_named_too(tmp_path):
    class Odd(Moving):
        def frames(self, places):
            raise KeyError("what?")

    class Short(Moving):
        def frames(self, places):
            return super().frames(places)[:1]

    statistics = build(tmp_path, [Odd("a.mp4"), Short("b.mp4"), Moving("c.mp4")])
    assert statistics.as_json()["faults"] == {
        "a.mp4": "frames: KeyError: 'what?'", "b.mp4": "frames: ValueError: it gave 1 answers to 2 questions"}
    assert statistics.counts["samples"] == 1


@pytest.mark.parametrize("change, says", [
    ({"captions": lambda views: ["one"]}, "captions: ValueError: it gave 1 answers to 2 questions"),
    ({"boxes": lambda view, phrases: [drawn_clips.Detection(phrases[0], (0, 0, 1.5, 1), 1.0)]},
     r"boxes: ValueError: the box \[0, 0, 1.5, 1\] is not in 0..1"),
    ({"masks": lambda view, boxes: [np.ones((3, 3), bool)] * 2}, r"masks: ValueError: a mask is bool \[3, 3\]"),
    ({"embeddings": lambda *_: np.ones((1, 3))}, "embeddings: ValueError: it gave 1 answers to 2 questions"),
])
def test_a_step_that_answers_otherwise_than_it_must_is_named(tmp_path, change, says):
    statistics = build(tmp_path, [Moving("a.mp4")], steps=replace(STEPS, **change))
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(statistics.faults["a.mp4"]["why"])


@pytest.mark.parametrize("change, says", [
    ({"settings": replace(SETTINGS, similar=0.5)}, "begun with settings similar 0.6 but 0.5 is asked for"),
    ({"per_shard": 3}, "begun with samples-per-shard 2 but 3"),
    ({"models": {"detector": "b"}}, "models detector 'a' but 'b'"),
])
def test_a_set_is_not_gone_on_with_in_another_way(tmp_path, change, says):
    build(tmp_path, models={"detector": "a"})
    with pytest.raises(ValueError, match=says):
        build(tmp_path, **{"models": {"detector": "a"}, **change})


def test_two_clips_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Two clips are named 'a.mp4'"):
        build(tmp_path, [Moving("a.mp4"), Moving("a.mp4", {})])


def test_where_every_clip_is_bad_nothing_is_built_and_all_is_said(tmp_path):
    for make in (construction.make_one_by_one, lambda clips, *_: clips):
        # The second time nothing is made again.
        statistics = build(tmp_path, [Broken("a"), Broken("b"), Moving("c", {})], make=make)
        assert statistics.counts["clips unreadable"] == 2 and statistics.counts["clips without a sample"] == 1
        assert statistics.as_json()["totals"]["clips"] == 3 and not content(tmp_path)
