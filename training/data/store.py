"""Made clips whose samples are not yet all in a whole shard, a file each: a kill loses only the clips at work."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msd_core.bench.journal import is_full

from ..shards import Full
from .make import Made


class Store:
    """A folder of made clips. A file has its name only once it is whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        for rest in folder.glob("*.part"):
            rest.unlink()
        self._files = {}
        for file in folder.glob("*.made"):
            with open(file, "rb") as handle:
                self._files[json.loads(handle.readline())["record"]["clip"]] = file

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def names(self) -> list[str]:
        """The clips that there are."""
        return sorted(self._files)

    def put(self, made: Made) -> None:
        """Keep a clip, through to the disk.

        Raises:
            Full: it can't be written; nothing of it is left.
        """
        file = self.folder / f"{hashlib.sha256(made.name.encode()).hexdigest()[:24]}.made"
        part = file.with_suffix(".part")
        head = {"record": made.record, "parts": [[key, len(content)] for key, content in made.parts]}
        try:
            with open(part, "wb") as handle:
                handle.write(json.dumps(head, ensure_ascii=False).encode() + b"\n")
                handle.writelines(content for _, content in made.parts)
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(part, file)
        except OSError as error:
            part.unlink(missing_ok=True)
            remedy = "make room" if is_full(error) else "mend that"
            raise Full(
                f"{file} can't be written ({error.strerror}): {remedy} and run the same command again, it goes on "
                f"with {made.name}."
            ) from None
        self._files[made.name] = file

    def get(self, name: str) -> Made:
        """A clip that is there."""
        with open(self._files[name], "rb") as handle:
            head = json.loads(handle.readline())
            return Made(head["record"], tuple((key, handle.read(size)) for key, size in head["parts"]))

    def remove(self, name: str) -> None:
        """A clip that is in whole shards."""
        self._files.pop(name).unlink()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process builds in the folder inside the `with` block; a kill gives it free.

    Raises:
        ValueError: one does.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where this is not held
        yield
        return
    with open(folder / ".lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                f"{folder} is being built by another process: wait for it, or name another --out."
            ) from None
        yield
