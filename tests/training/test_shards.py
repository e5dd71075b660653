"""Shards: what goes in comes out, by our reader and by WebDataset's; only whole shards have names."""

import errno
import io
import json

import numpy as np
import pytest

from training import shards
from training.shards import Full, Sample, Shards, ShardWriter, Subject, encode

BLACK = np.zeros((2, 2, 3), np.uint8)


def sample(number: int, subjects: int = 2, size: tuple[int, int] = (24, 32)) -> Sample:
    draw = np.random.default_rng(number)

    def picture(height, width):
        return draw.integers(0, 256, (height, width, 3), dtype=np.uint8)

    made = tuple(
        Subject(f"thing {i}", (0.1 * i, 0.0, 0.1 * i + 0.25, 1 / 3), picture(7 + i, 9),
                draw.random((7 + i, 9)) > 0.5 if i % 2 == 0 else None, ("reference", "target")[i % 2])
        for i in range(subjects)
    )
    origin = {"clip": "a/b.mp4", "at": [1, 2]}
    return Sample(f"clip-{number}", f"a thing, no. {number}: é", picture(*size), made, origin)


def written(folder, count, **settings):
    with ShardWriter(folder, **settings) as writer:
        for number in range(count):
            writer.add(sample(number))
    return folder


def same(one: Sample, other: Sample) -> None:
    assert (one.key, one.caption, one.origin) == (other.key, other.caption, other.origin)
    np.testing.assert_array_equal(one.target, other.target)
    assert len(one.subjects) == len(other.subjects)
    for a, b in zip(one.subjects, other.subjects, strict=True):
        assert (a.phrase, a.box, a.source) == (b.phrase, b.box, b.source)
        np.testing.assert_array_equal(a.picture, b.picture)
        assert (a.mask is None) == (b.mask is None)
        if a.mask is not None:
            np.testing.assert_array_equal(a.mask, b.mask)


def test_every_sample_comes_back_as_it_was_in_any_order(tmp_path):
    read = Shards(written(tmp_path, 7, samples_per_shard=3))
    assert len(read) == 7 and len(read.files) == 3
    for number in (6, 0, 3, 2, 5, 1, 4):
        same(read[number], sample(number))
    with pytest.raises(IndexError):
        read[7]


def test_webdataset_reads_the_same(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    written(tmp_path, 3, samples_per_shard=2)
    files = [str(file) for file in shards.shard_files(tmp_path)]
    read = list(webdataset.WebDataset(files, shardshuffle=False).decode("rgb8"))
    assert [one["__key__"] for one in read] == ["clip-0", "clip-1", "clip-2"]
    wanted = sample(2)
    np.testing.assert_array_equal(read[2]["target.png"], wanted.target)
    np.testing.assert_array_equal(read[2]["subject1.png"], wanted.subjects[1].picture)
    assert read[2]["json"]["caption"] == wanted.caption
    assert read[2]["json"]["size"] == [32, 24]
    raw = list(webdataset.WebDataset(files, shardshuffle=False))
    from PIL import Image

    alpha = np.asarray(Image.open(io.BytesIO(raw[2]["subject0.png"])))[..., 3]
    np.testing.assert_array_equal(alpha == 255, wanted.subjects[0].mask)


def test_the_bytes_depend_on_the_samples_alone(tmp_path):
    first, second = written(tmp_path / "a", 5, samples_per_shard=2), written(tmp_path / "b", 5, samples_per_shard=2)
    names = sorted(file.name for file in first.iterdir())
    assert names == sorted(file.name for file in second.iterdir())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_a_jpeg_target_is_near_and_small(tmp_path):
    smooth = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (64, 64, 3)).copy()
    with ShardWriter(tmp_path, pictures="jpg") as writer:
        writer.add(Sample("a", "a", smooth, sample(0).subjects))
    read = Shards(tmp_path)[0]
    assert np.abs(read.target.astype(int) - smooth).max() < 6


def test_a_writer_goes_on_behind_the_shards_that_there_are(tmp_path):
    written(tmp_path, 2, samples_per_shard=2)
    with ShardWriter(tmp_path, samples_per_shard=2) as writer:
        assert writer.number == 1
        assert not writer.add(sample(2)) and writer.add(sample(3))
    read = Shards(tmp_path)
    assert [read[number].key for number in range(4)] == ["clip-0", "clip-1", "clip-2", "clip-3"]


def test_what_an_error_or_a_kill_leaves_behind_is_no_shard(tmp_path):
    with pytest.raises(ZeroDivisionError), ShardWriter(tmp_path, samples_per_shard=2) as writer:
        for number in range(3):
            writer.add(sample(number))
        raise ZeroDivisionError
    assert sorted(file.name for file in tmp_path.iterdir()) == ["shard-00000.json", "shard-00000.tar"]
    (tmp_path / "shard-00001.tar.part").write_bytes(b"half")
    # Killed between the two names: the tar has none yet.
    (tmp_path / "shard-00001.json").write_text("{}")
    assert len(Shards(tmp_path)) == 2
    with ShardWriter(tmp_path, samples_per_shard=2) as writer:
        writer.add(sample(2))
    same(Shards(tmp_path)[2], sample(2))
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("code, remedy", [(errno.ENOSPC, "make room"), (errno.EIO, "mend that")])
def test_a_full_disk_is_one_sentence_and_no_half_shard(tmp_path, monkeypatch, code, remedy):
    writer = ShardWriter(tmp_path, samples_per_shard=2)
    for number in range(3):
        writer.add(sample(number))

    def refuse(*_):
        raise OSError(code, "No space left on device")

    monkeypatch.setattr(shards, "_flush", refuse)
    with pytest.raises(Full, match=f"shard-00001.tar can't be written .No space left on device.: {remedy} and run"):
        writer.add(sample(3))
    monkeypatch.undo()
    assert len(Shards(tmp_path)) == 2 and not list(tmp_path.glob("*.part"))
    # The same writer goes on where there is room again.
    writer.add(sample(2))
    writer.close()
    same(Shards(tmp_path)[2], sample(2))


def test_a_disk_that_takes_no_more_in_earnest(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = ShardWriter(tmp_path, samples_per_shard=100)
    size = len(encode(sample(0)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(2.5 * size), hard))
    try:
        with pytest.raises(Full, match="make room"):
            for number in range(100):
                writer.add(sample(number))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_a_shard_without_its_listing_and_one_cut_short_are_refused(tmp_path):
    written(tmp_path, 2, samples_per_shard=1)
    file = tmp_path / "shard-00001.tar"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=f"has {len(whole) - 100} bytes but shard-00001.json says {len(whole)}"):
        Shards(tmp_path)
    file.write_bytes(whole)
    (tmp_path / "shard-00001.json").unlink()
    with pytest.raises(ValueError, match="shard-00001.tar has no readable shard-00001.json"):
        Shards(tmp_path)
    with pytest.raises(ValueError, match="has no shard-"):
        Shards(tmp_path / "empty")


def test_a_sample_that_is_rotten_on_the_disk_is_named(tmp_path):
    written(tmp_path, 2, samples_per_shard=2)
    file = tmp_path / "shard-00000.tar"
    content = bytearray(file.read_bytes())
    start = json.loads(file.with_suffix(".json").read_text())["samples"][1][1]
    content[start : start + 512] = bytes(512)
    file.write_bytes(bytes(content))
    read = Shards(tmp_path)
    same(read[0], sample(0))
    with pytest.raises(ValueError, match="Sample 1 of .*shard-00000.tar can't be read"):
        read[1]


@pytest.mark.parametrize("change, says", [
    ({"key": "a.b"}, "The key is 'a.b'"),
    ({"subjects": ()}, "has 0 subjects but must have 1 to 4"),
    ({"subjects": sample(0).subjects * 3}, "has 6 subjects"),
    ({"target": np.zeros((4, 4, 3), np.float32)}, "float32"),
    ({"subjects": (Subject("a", (0.5, 0.0, 0.5, 1.0), BLACK),)}, r"the box \[0.5, 0.0, 0.5, 1.0\]"),
    ({"subjects": (Subject("a", (0, 0, 1, 1), BLACK, np.ones((2, 3), bool)),)}, r"bool \[2, 2\]"),
])
def test_what_is_no_sample_is_refused_before_anything_is_written(tmp_path, change, says):
    whole = {**vars(sample(0)), **change}
    with pytest.raises(ValueError, match=says):
        ShardWriter(tmp_path).add(Sample(**whole))
    assert not list(tmp_path.iterdir())
