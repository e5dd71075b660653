"""Training samples as WebDataset tars: one target picture, its caption, and 1 to 4 subjects with their boxes.

In a tar, `<key>.json` holds the words and boxes, `<key>.target.png` (or `.jpg`) the picture to learn, and
`<key>.subject0.png` and so on what the adapter is shown, with the subject's mask as its alpha channel where one is
known. Beside each `shard-00000.tar` stands a `shard-00000.json` that says where each sample begins and ends: any sample
is one read away, and an order of training is a permutation of numbers. The bytes depend on the samples alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from msd_core.bench.journal import Full, is_full

FORMAT = 1
SUBJECTS = 4
"""How many subjects a sample has at most."""
Pictures = Literal["png", "jpg"]
JPEG = {"quality": 95, "subsampling": 0}
KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
END = bytes(2 * tarfile.BLOCKSIZE)
"""What closes a tar."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One subject of a sample.

    Attributes:
        phrase: its name in words, as in the caption.
        box: where it stands in the target: x0, y0, x1, y1 in 0..1.
        picture: what the adapter is shown, `[h, w, 3]` uint8.
        mask: where the subject is in that picture, `[h, w]` bool; None where that is not known.
        source: "reference" if the picture is of another frame than the target, "target" if it is cut from the target.
    """

    phrase: str
    box: tuple[float, float, float, float]
    picture: np.ndarray
    mask: np.ndarray | None = None
    source: Literal["reference", "target"] = "reference"


@dataclass(frozen=True, eq=False)
class Sample:
    """One training sample.

    Attributes:
        key: its own name: letters, digits, `-` and `_`.
        caption: what the target shows.
        target: the picture to learn, `[H, W, 3]` uint8.
        subjects: 1 to 4.
        origin: where it comes from, as JSON can hold it.
    """

    key: str
    caption: str
    target: np.ndarray
    subjects: tuple[Subject, ...]
    origin: dict[str, Any] = field(default_factory=dict)


def encode(sample: Sample, pictures: Pictures = "png") -> bytes:
    """A sample as the part of a tar, whole blocks without the tar's end: parts behind one another are a tar.

    Args:
        pictures: how the target is kept; "png" keeps every value.

    Raises:
        ValueError: the sample is none.
    """
    _check(sample)
    height, width = sample.target.shape[:2]
    words = {
        "format": FORMAT, "caption": sample.caption, "size": [width, height],
        "subjects": [{"phrase": one.phrase, "box": [float(edge) for edge in one.box], "source": one.source}
                     for one in sample.subjects],
        "origin": sample.origin,
    }
    files = {"json": json.dumps(words, ensure_ascii=False).encode(),
             f"target.{pictures}": _picture_bytes(sample.target, pictures)}
    for number, subject in enumerate(sample.subjects):
        pixels = subject.picture
        if subject.mask is not None:
            pixels = np.dstack([pixels, subject.mask.astype(np.uint8) * 255])
        files[f"subject{number}.png"] = _picture_bytes(pixels, "png")
    blocks = []
    for name, content in files.items():
        entry = tarfile.TarInfo(f"{sample.key}.{name}")
        entry.size = len(content)
        blocks += [entry.tobuf(tarfile.USTAR_FORMAT), content, bytes(-len(content) % tarfile.BLOCKSIZE)]
    return b"".join(blocks)


def decode(part: bytes) -> Sample:
    """A sample from its part of a tar."""
    from PIL import Image

    key, files = "", {}
    with tarfile.open(fileobj=io.BytesIO(part + END)) as tar:
        for entry in tar:
            key, name = entry.name.split(".", 1)
            files[name] = tar.extractfile(entry).read()
    words = json.loads(files["json"])
    target = next(content for name, content in files.items() if name.startswith("target."))
    subjects = []
    for number, told in enumerate(words["subjects"]):
        pixels = np.asarray(Image.open(io.BytesIO(files[f"subject{number}.png"])))
        mask = pixels[..., 3] >= 128 if pixels.shape[2] == 4 else None
        subjects.append(Subject(told["phrase"], tuple(told["box"]), np.ascontiguousarray(pixels[..., :3]), mask,
                                told["source"]))
    pixels = np.array(Image.open(io.BytesIO(target)).convert("RGB"))
    return Sample(key, words["caption"], pixels, tuple(subjects), words["origin"])


class ShardWriter:
    """Writes samples into tars. A tar has its name only once it is whole, so whatever has a name is whole.

    In a folder that has shards it goes on behind them. As a context manager it closes the last shard, unless an error
    ends the block: then the samples behind the last whole shard are not kept.
    """

    def __init__(self, folder: str | Path, samples_per_shard: int = 1000, pictures: Pictures = "png") -> None:
        """
        Raises:
            ValueError: the folder can't be made.
        """
        if samples_per_shard < 1:
            raise ValueError(f"A shard has {samples_per_shard} samples but must have 1 or more: set at least 1.")
        self.folder, self.samples_per_shard, self.pictures = Path(folder), samples_per_shard, pictures
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"The folder {self.folder} can't be made ({error.strerror}): name a folder of yours."
            ) from None
        self.number = len(shard_files(self.folder))
        self.notes: list[Any] = []
        """What the listing of the shard at hand is to say of how it was made, as JSON can hold it."""
        self._entries: list[list[Any]] = []
        self._handle: BinaryIO | None = None

    def add(self, sample: Sample) -> bool:
        """Write a sample; whether that made a shard whole.

        Raises:
            ValueError: the sample is none.
            Full: it can't be written.
        """
        return self.add_encoded(sample.key, encode(sample, self.pictures))

    def add_encoded(self, key: str, part: bytes) -> bool:
        """Write a sample that `encode` has made; whether that made a shard whole."""
        try:
            if self._handle is None:
                self.number = len(shard_files(self.folder))
                self._handle = open(self._named(".tar.part"), "wb")  # noqa: SIM115 (kept open for the shard)
            start = self._handle.tell()
            self._handle.write(part)
            self._entries.append([key, start, start + len(part)])
            if len(self._entries) < self.samples_per_shard:
                return False
            self._publish()
        except OSError as error:
            raise self._stopped(error) from None
        return True

    def close(self) -> None:
        """Make the shard at hand whole, however few samples it has; without any there is none.

        Raises:
            Full: it can't be written.
        """
        if self._entries:
            try:
                self._publish()
            except OSError as error:
                raise self._stopped(error) from None

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.give_up()

    def give_up(self) -> None:
        """Leave the samples behind the last whole shard."""
        if self._handle is not None:
            self._handle.close()
        for end in (".tar.part", ".json.part"):
            self._named(end).unlink(missing_ok=True)
        self._handle, self._entries, self.notes = None, [], []

    def _named(self, end: str) -> Path:
        return self.folder / f"shard-{self.number:05d}{end}"

    def _publish(self) -> None:
        self._handle.write(END)
        _flush(self._handle)
        listing = {"format": FORMAT, "bytes": self._handle.tell(), "samples": self._entries, "notes": self.notes}
        self._handle.close()
        with open(self._named(".json.part"), "wb") as handle:
            handle.write(json.dumps(listing, ensure_ascii=False).encode())
            _flush(handle)
        # The listing first: a tar with its own name has one.
        os.replace(self._named(".json.part"), self._named(".json"))
        os.replace(self._named(".tar.part"), self._named(".tar"))
        self.number += 1
        self._handle, self._entries, self.notes = None, [], []

    def _stopped(self, error: OSError) -> Full:
        file = self._named(".tar")
        try:
            self.give_up()
        except OSError:  # what could not be written is tried again on closing, once
            self.give_up()
        remedy = "make room" if is_full(error) else "mend that"
        return Full(f"{file} can't be written ({error.strerror}): {remedy} and run the same command again, "
                    "it goes on from the last whole shard.")


class Shards:
    """The samples of a folder of shards, each read when asked for: `len(shards)`, `shards[i]`."""

    def __init__(self, folder: str | Path) -> None:
        """
        Raises:
            ValueError: the folder has no shards, or not all of one.
        """
        self.folder = Path(folder)
        self.files = shard_files(self.folder)
        if not self.files:
            raise ValueError(f"{self.folder} has no shard-*.tar: name a folder that python -m training.data has made.")
        places, names = [], hashlib.sha256()
        for file in self.files:
            samples = listing(file)["samples"]
            names.update(json.dumps(samples).encode())
            places.append(np.array([entry[1:] for entry in samples], np.int64))
        self.mark = names.hexdigest()[:16]
        """Another one where other samples, or others of another size, are in the folder."""
        self._places = np.concatenate(places)
        self._shard = np.repeat(np.arange(len(places)), [len(one) for one in places])

    def __len__(self) -> int:
        return len(self._shard)

    def __getitem__(self, number: int) -> Sample:
        """The `number`-th sample, in the order in which they were written.

        Raises:
            IndexError: there are fewer.
            ValueError: its tar has changed since.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"Sample {number} is asked for but there are {len(self)}.")
        start, end = self._places[number].tolist()
        file = self.files[self._shard[number]]
        with open(file, "rb") as handle:
            handle.seek(start)
            part = handle.read(end - start)
        try:
            return decode(part)
        except (tarfile.TarError, KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"Sample {number} of {file} can't be read ({error}): build or copy that shard again."
            ) from error


def shard_files(folder: str | Path) -> list[Path]:
    """The whole shards of a folder, in order."""
    return sorted(Path(folder).glob("shard-*.tar"))


def listing(file: Path) -> dict[str, Any]:
    """What stands beside a shard: its `samples` as `[key, start, end]`, and the `notes` of how it was made.

    Raises:
        ValueError: there is none, or it is another shard's.
    """
    beside = file.with_suffix(".json")
    try:
        told = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError):
        raise ValueError(f"{file.name} has no readable {beside.name} beside it: copy both, in {file.parent}.") from None
    if told["bytes"] != (size := file.stat().st_size):
        raise ValueError(f"{file} has {size} bytes but {beside.name} says {told['bytes']}: copy both again.")
    return told


def _check(sample: Sample) -> None:
    """Refuse what would not be read back."""
    if not KEY.fullmatch(sample.key):
        raise ValueError(f"The key is {sample.key!r} but must be 1 to 80 letters, digits, - and _: name it so.")
    if not 1 <= len(sample.subjects) <= SUBJECTS:
        raise ValueError(
            f"{sample.key} has {len(sample.subjects)} subjects but must have 1 to {SUBJECTS}: leave some out."
        )
    pictures: Sequence[np.ndarray] = [sample.target, *(one.picture for one in sample.subjects)]
    for pixels in pictures:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(
                f"{sample.key} has a picture {pixels.dtype} {list(pixels.shape)} but it must be uint8 [h, w, 3]."
            )
    for one in sample.subjects:
        x0, y0, x1, y1 = one.box
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise ValueError(f"{sample.key} has the box {list(one.box)} but it must be 0 <= x0 < x1 <= 1, y alike.")
        if one.mask is not None and (one.mask.dtype != bool or one.mask.shape != one.picture.shape[:2]):
            raise ValueError(
                f"{sample.key} has a mask {one.mask.dtype} {list(one.mask.shape)} but it must be bool "
                f"{list(one.picture.shape[:2])}, as its picture."
            )


def _picture_bytes(pixels: np.ndarray, pictures: Pictures) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG" if pictures == "jpg" else "PNG", **(JPEG if pictures == "jpg" else {}))
    return out.getvalue()


def _flush(handle: BinaryIO) -> None:
    handle.flush()
    os.fsync(handle.fileno())
