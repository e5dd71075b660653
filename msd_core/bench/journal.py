"""Results as JSON Lines that survive a kill: appended whole, written through, read back to go on.

The first line says what the run is; each further line is one sample, with its scores or with the reason why it has
none. Several processes may append to one file. A line that a killed process left half-written is no result: it is
stepped over, and its sample is made again.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = "msd-bench-1"


class Full(RuntimeError):
    """Nothing more can be written, so that the run has to end; the message says what to do."""


@dataclass(frozen=True)
class Results:
    """What a file holds.

    Attributes:
        header: what the run is.
        records: one for each sample, scores and failures, the last one of each in the order of the first.
        torn: how many lines were half-written.
    """

    header: dict[str, Any]
    records: tuple[dict[str, Any], ...]
    torn: int = 0

    @property
    def scored(self) -> tuple[dict[str, Any], ...]:
        return tuple(record for record in self.records if "error" not in record)

    @property
    def failed(self) -> tuple[dict[str, Any], ...]:
        return tuple(record for record in self.records if "error" in record)


def read_results(file: str | Path) -> Results:
    """Read a file of results.

    Raises:
        ValueError: there is none, or it is none.
    """
    file = Path(file)
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        reason = "there is no such file" if not file.exists() else error.strerror
        raise ValueError(f"The results {file} can't be read ({reason}): name a file that a run has written.") from None
    header, records, torn = None, {}, 0
    for line in lines:
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            torn += 1
            continue
        if header is None and isinstance(entry, dict) and entry.get("format") == FORMAT:
            header = entry
        elif header is not None and isinstance(entry, dict) and "id" in entry:
            records[entry["id"]] = entry
    if header is None:
        raise ValueError(f"{file} holds no results of msd_core.bench: name a file that a run has written, or none yet.")
    return Results(header, tuple(records.values()), torn)


class Journal:
    """A file of results that a run appends to."""

    def __init__(self, file: str | Path, header: dict[str, Any]) -> None:
        """Begin a file, or go on with one of the same run.

        Raises:
            ValueError: the file is another run's, or can't be written.
        """
        self.file = Path(file)
        header = {"format": FORMAT, **header}
        try:
            handle = open(self.file, "ab+")  # noqa: SIM115 (kept open for the run)
        except OSError as error:
            raise ValueError(
                f"The results {self.file} can't be written ({error.strerror}): name a file in a folder of yours."
            ) from None
        self._handle: BinaryIO = handle
        with _locked(handle):
            handle.seek(0)
            empty = not handle.read().strip()
        if empty:
            self._append(header)
        self.results = read_results(self.file)
        check_same(self.file, self.results.header, json.loads(json.dumps(header)))

    def close(self) -> None:
        self._handle.close()

    def append(self, record: dict[str, Any]) -> None:
        """Write one sample's record, through to the disk.

        Raises:
            Full: it can't be written; nothing of it is left in the file.
        """
        self._append(record)

    def _append(self, entry: dict[str, Any]) -> None:
        text = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        with _locked(self._handle):
            end = self._handle.seek(0, os.SEEK_END)
            if "format" in entry and end:
                return  # another process has begun the file
            if end:
                self._handle.seek(end - 1)
                # A killed process may have left half a line.
                text = text if self._handle.read(1) == b"\n" else b"\n" + text
            try:
                self._write(text)
            except OSError as error:
                os.ftruncate(self._handle.fileno(), end)
                raise Full(
                    f"{self.file} can't be written ({error.strerror}): make room and run the same command again, "
                    "it goes on from here."
                ) from None

    def _write(self, text: bytes) -> None:
        number = self._handle.fileno()
        while text:
            text = text[os.write(number, text):]
        os.fsync(number)


def is_full(error: BaseException) -> bool:
    """Whether an error means that the disk takes no more."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_same(file: Path, told: dict[str, Any], asked: dict[str, Any], where: str = "") -> None:
    """Raise a ValueError naming the first setting in which two headers differ."""
    for key in sorted(told.keys() | asked.keys()):
        ours, theirs = asked.get(key), told.get(key)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            check_same(file, theirs, ours, f"{where}{key} ")
        elif ours != theirs:
            raise ValueError(
                f"{file} was begun with {where}{key} {theirs!r} but {ours!r} is asked for: ask for the same to go on, "
                "or name another --out."
            )


@contextmanager
def _locked(handle: BinaryIO) -> Iterator[None]:
    """The file is this process's alone inside the `with` block."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        place = handle.tell()
        handle.seek(2**40)
        msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
        handle.seek(place)
        try:
            yield
        finally:
            handle.seek(2**40)
            msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
