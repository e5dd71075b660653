"""Where frames come from: videos of real containers, folders of frames, stills; what can't be read is said."""

import json
import os
import struct
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import FrameFolder, Settings, Still, Unreadable, Video, find_clips
from training.data.frames import draw_frames, draw_places
from training.data.make import make_clip

av = pytest.importorskip("av")

RATE, COUNT = 25, 40


def grey(number: int) -> int:
    return 20 + 5 * number


def write_video(file, codec="mpeg4", count=COUNT, size=(64, 48), every=12, aspect=None):
    """A video whose k-th frame is of the grey `grey(k)`, white in its left upper corner."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.gop_size = *size, every
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.bit_rate = 2_000_000
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        for number in range(count):
            pixels = np.full((size[1], size[0], 3), grey(number), np.uint8)
            pixels[: size[1] // 4, : size[0] // 4] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file


def number_of(pixels) -> int:
    return round((float(np.median(pixels)) - 20) / 5)


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx264"), ("a.mkv", "libx265"), ("a.avi", "mpeg4"),
                                         ("a.mov", "mjpeg"), ("a.webm", "libvpx"), ("a.ts", "mpeg2video")])
def test_frames_are_those_at_their_places_in_any_order(tmp_path, name, codec):
    file = write_video(tmp_path / name, codec)
    places = [0.9, 0.0, 0.31, 0.32, 1.0]
    seen = [number_of(pixels) for pixels in Video("a", file).frames(places)]
    for number, place in zip(seen, places, strict=True):
        assert abs(number - place * (COUNT - 1)) <= 1.01, (seen, places)
    assert all(pixels.shape == (48, 64, 3) and pixels.dtype == np.uint8 for pixels in Video("a", file).frames([0.5]))
    again = Video("a", file).frames(places)
    assert all(np.array_equal(one, other) for one, other in zip(Video("a", file).frames(places), again, strict=True))


def test_pixels_that_are_not_square_become_so(tmp_path):
    file = write_video(tmp_path / "a.mp4", aspect=(4, 3))
    assert Video("a", file).frames([0.5])[0].shape == (48, round(64 * 4 / 3), 3)


def test_a_video_that_was_held_upright_is_upright(tmp_path):
    """A telephone's: the pixels lie, and the track's matrix says that they are to be turned clockwise."""
    file = write_video(tmp_path / "a.mp4")
    content = bytearray(file.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    lying, upright = (struct.pack(">9i", *(round(one * 65536) for one in matrix[:8]), 1 << 30)
                      for matrix in ((1, 0, 0, 0, 1, 0, 0, 0), (0, 1, 0, -1, 0, 0, 48, 0)))
    assert content[place : place + 36] == lying
    content[place : place + 36] = upright
    file.write_bytes(content)
    pixels = Video("a", file).frames([0.5])[0]
    assert pixels.shape == (64, 48, 3)
    corners = [int(pixels[row, column].mean()) for row, column in ((2, 2), (2, 45), (61, 2), (61, 45))]
    assert corners[1] > 230 and max(corners[0], corners[2], corners[3]) < 200


def test_what_is_no_video_and_one_cut_short_are_unreadable_with_the_reason(tmp_path):
    (tmp_path / "text.mp4").write_text("no video at all")
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = write_video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "short.mp4").write_bytes(whole[: len(whole) // 2])
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    for name, says in (("text.mp4", "can't be read .Invalid data"), ("empty.mp4", "can't be read"),
                       ("short.mp4", "can't be read"), ("sound.wav", "has no video stream"),
                       ("none.mp4", "can't be read .No such file")):
        with pytest.raises(Unreadable, match=f"{name} {says}"):
            Video("a", tmp_path / name).frames([0.0, 0.9])


def test_a_video_whose_container_names_no_length_is_measured(tmp_path):
    file = tmp_path / "a.mjpeg"
    with av.open(str(file), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(COUNT):
            pixels = np.full((48, 64, 3), grey(number), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    seen = [number_of(pixels) for pixels in Video("a", file).frames([0.0, 0.5, 1.0])]
    assert seen[0] == 0 and abs(seen[1] - 20) <= 2 and abs(seen[2] - 39) <= 2


def save(file, value, mode="RGB", size=(32, 24)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(file)


def test_a_folder_of_frames_is_in_the_order_of_its_numbers_and_gives_each_once(tmp_path):
    for number in range(12):
        save(tmp_path / f"frame{number}.png", (number * 10,) * 3)
    clip = FrameFolder("a", tmp_path)
    seen = [int(pixels[0, 0, 0]) // 10 for pixels in clip.frames([0.99, 0.0, 0.42, 0.43])]
    assert seen[:2] == [11, 0] and seen[2] == 5 and seen[3] in (4, 6)
    with pytest.raises(Unreadable, match="has no pictures"):
        FrameFolder("a", tmp_path / "..").frames([0.0])


def test_pictures_of_all_modes_are_read_as_they_look(tmp_path):
    save(tmp_path / "grey.png", 128, "L")
    save(tmp_path / "clear.png", (255, 0, 0, 0), "RGBA")
    Image.fromarray(np.full((24, 32), 128 * 257, np.uint16)).save(tmp_path / "deep.png")
    turned = Image.new("RGB", (32, 24), (1, 2, 3))
    exif = turned.getexif()
    exif[274] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    names = ("grey", "clear", "deep", "turned")
    read = {name: Still(name, tmp_path / f"{name}.png").frames([0.0])[0] for name in names}
    assert {name: pixels[0, 0].tolist() for name, pixels in read.items()} == {
        "grey": [128] * 3, "clear": [255] * 3, "deep": [128] * 3, "turned": [1, 2, 3]}
    assert read["turned"].shape == (32, 24, 3)
    (tmp_path / "broken.png").write_bytes((tmp_path / "grey.png").read_bytes()[:40])
    with pytest.raises(Unreadable, match="broken.png can't be read"):
        Still("a", tmp_path / "broken.png").frames([0.0])


def test_clips_are_found_by_kind_and_named_by_their_folders(tmp_path):
    (tmp_path / "v" / "deep").mkdir(parents=True)
    for name in ("b.mp4", "deep/a.MOV", "notes.txt"):
        (tmp_path / "v" / name).touch()
    for name in ("one/1.png", "one/2.png", "two/1.jpg"):
        save(tmp_path / "f" / name, (0, 0, 0))
    save(tmp_path / "s" / "dog.png", (0, 0, 0))
    clips = find_clips([tmp_path / "v"], [tmp_path / "f"], [tmp_path / "s"])
    assert [(clip.name, type(clip), clip.still) for clip in clips] == [
        ("f/one", FrameFolder, False), ("f/two", FrameFolder, False), ("s/dog.png", Still, True),
        ("v/b.mp4", Video, False), ("v/deep/a.MOV", Video, False)]
    assert find_clips([tmp_path / "v" / "b.mp4"])[0].name == "v/b.mp4"
    # The same folder twice is the same clips.
    assert find_clips([tmp_path / "v", tmp_path / "v"]) == find_clips([tmp_path / "v"])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_a_clip_as_any_other(tmp_path):
    """A file from an old archive: its name's bytes are not UTF-8."""
    (tmp_path / "v").mkdir()
    file = Path(os.fsdecode(os.fsencode(tmp_path / "v") + b"/caf\xe9.mp4"))
    file.write_bytes(b"no video")
    clip, = find_clips([tmp_path / "v"])
    assert clip.name == "v/caf\\xe9.mp4"
    made = make_clip(clip, None, Settings())
    assert "caf\\xe9.mp4 can't be read (Invalid data" in made.record["why"]
    json.dumps(made.record, ensure_ascii=False).encode()
    file.unlink()
    write_video(tmp_path / "whole.mp4")
    (tmp_path / "whole.mp4").rename(file)
    assert clip.frames([0.5])[0].shape == (48, 64, 3)


def test_a_folders_numbers_are_plain_digits(tmp_path):
    for name in ("1²2.png", "1²10.png"):
        save(tmp_path / name, (0, 0, 0))
    assert len(FrameFolder("a", tmp_path).frames([0.0, 0.9])) == 2


def test_folders_that_are_missing_empty_or_of_one_name_are_refused(tmp_path):
    for root in ("a", "b"):
        (tmp_path / root / "v").mkdir(parents=True)
        (tmp_path / root / "v" / "x.mp4").touch()
    (tmp_path / "none").mkdir()
    for roots, says in (([tmp_path / "x"], "there is no such file or folder"), ([tmp_path / "none"], "but has none"),
                        ([tmp_path / "a" / "v", tmp_path / "b" / "v"], "Two clips are named 'v/x.mp4'")):
        with pytest.raises(ValueError, match=says):
            find_clips(roots)


@pytest.mark.parametrize("frames, apart", [(2, 0.1), (2, 0.5), (5, 0.2), (3, 0.0)])
def test_places_are_apart_anywhere_and_in_any_order(frames, apart):
    settings = Settings(frames_per_clip=frames, apart=apart)
    drawn = np.array([draw_places(f"clip {number}", settings) for number in range(400)])
    assert drawn.shape == (400, frames) and drawn.min() >= 0 and drawn.max() <= 1
    assert np.diff(np.sort(drawn)).min() >= apart - 1e-9
    assert 0.4 < (drawn[:, 0] < drawn[:, 1]).mean() < 0.6
    assert abs(drawn.mean() - 0.5) < 0.05
    first, again, other = (draw_places("a", Settings(seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_frames_are_made_smaller_and_those_that_show_nothing_are_left_out(tmp_path):
    from collections import Counter

    draw = np.random.default_rng(0)
    for number in range(2):
        noise = Image.fromarray(draw.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((512, 384))
        noise.save(tmp_path / f"{number}.png")
    counts = Counter()
    settings = Settings(longest=256, shortest=100)
    views = draw_frames(FrameFolder("a", tmp_path), settings, counts)
    assert [view.pixels.shape for view in views] == [(192, 256, 3)] * 2 and counts == {"frames drawn": 2}
    for settings, fault in ((Settings(longest=256, shortest=200), "too few pixels"),
                            (Settings(shortest=100, blank=0.9), "blank")):
        counts = Counter()
        assert draw_frames(FrameFolder("a", tmp_path), settings, counts) == []
        assert counts == {"frames drawn": 2, f"frames {fault}": 2}
