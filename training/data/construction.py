"""The construction of a data set: clips in, whole shards and statistics out, and where it was killed it goes on.

Clips are made in any order and packed in the order of their names. A made clip is kept in a file until a whole shard
has all of its samples; the shard's listing then has its record. So the shards' bytes depend on clips, steps and
settings alone, however often the work was ended and by how many machines it was done.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from msd_core.bench.journal import check_same

from ..shards import Full, Pictures, ShardWriter, listing, shard_files
from .clips import Clip
from .make import Made, Stuck, make_one_by_one
from .settings import FRAMES, Settings
from .statistics import Statistics
from .steps import Steps
from .store import Store, alone

FORMAT = "msd-data-1"
HEADER, STATISTICS, STORE = "construction.json", "statistics.json", "made"
IN_A_ROW = 20
"""Clips that fail in a row until it is the steps and not the clips."""

Loaded = Steps | Callable[[], Steps]
"""The steps, or what loads them where they are needed."""


class Maker(Protocol):
    """How clips are made: one by one, or on many machines."""

    def __call__(self, clips: Sequence[Clip], steps: Loaded, settings: Settings, pictures: Pictures) -> Iterable[Made]:
        """Each clip made, in any order."""


def construct(
    clips: Sequence[Clip], steps: Loaded, settings: Settings, writer: ShardWriter, *,
    models: dict[str, str] | None = None, make: Maker = make_one_by_one, again: bool = False,
    tell: Callable[[int, int, Statistics], None] | None = None,
) -> Statistics:
    """Build a data set, or go on with it.

    Args:
        clips: with different names; those that are in the shards already are not made again.
        steps: the five, or what loads them.
        writer: where the shards go.
        models: what the steps are, kept with the settings so that a set is made with one kind of each.
        make: how clips are made.
        again: also make clips that failed before; their samples come behind the others.
        tell: is called after each clip with how many are made, how many there are, and the statistics so far.

    Returns:
        The statistics of all that there is, which `statistics.json` holds too.

    Raises:
        ValueError: the folder's set was begun otherwise, or another process builds it, or two clips have one name.
        Full: nothing more can be written.
        Stuck: clip after clip fails.
    """
    names = [clip.name for clip in clips]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"Two clips are named {twice!r} but each must have a name of its own: rename one.")
    with alone(writer.folder):
        _begin(writer, settings, models or {})
        return _Construction(writer, again).run(clips, steps, settings, make, tell)


class _Construction:
    def __init__(self, writer: ShardWriter, again: bool) -> None:
        self.writer, self.store = writer, Store(writer.folder / STORE)
        self.statistics = Statistics()
        packed: set[str] = set()
        self.keys: set[str] = set()
        """Samples of the last shards, in which a clip may have begun."""
        files = shard_files(writer.folder)
        for number, file in enumerate(files):
            told = listing(file)
            for record in told["notes"]:
                self.statistics.add(record)
                packed.add(record["clip"])
            if number >= len(files) - FRAMES[1]:
                self.keys.update(key for key, _, _ in told["samples"])
        for name in self.store.names():
            made = self.store.get(name)
            # Killed after a shard had its name and before its clips were removed. What failed and was made again since
            # has another record than the shard's listing.
            noted = name in packed and self.statistics.faults.get(name, made.record) == made.record
            if noted or again and made.failed:
                self.store.remove(name)
            else:
                packed.discard(name)
                self.statistics.add(made.record)
        if again:
            packed -= {name for name, record in self.statistics.faults.items() if "clips failed" in record["counts"]}
        self.packed, self.finished = packed, deque()

    def run(self, clips: Sequence[Clip], steps: Loaded, settings: Settings, make: Maker,
            tell: Callable[[int, int, Statistics], None] | None) -> Statistics:
        left = [clip for clip in clips if clip.name not in self.packed and clip.name not in self.store]
        names = (set(self.store.names()) | {clip.name for clip in left}) - self.packed
        order = deque(sorted(names, key=lambda name: (not self._begun(name), name)))
        total, done = len(self.packed | names), len(self.packed | names) - len(left)
        try:
            self._pack(order)
            failures = 0
            for made in make(sorted(left, key=lambda clip: clip.name), steps, settings, self.writer.pictures):
                self.store.put(made)
                self.statistics.add(made.record)
                done += 1
                if tell:
                    tell(done, total, self.statistics)
                failures = failures + 1 if made.failed else 0
                self._pack(order)
                if failures == IN_A_ROW:
                    raise Stuck(
                        f"{failures} clips in a row failed, the last one, {made.name}, in {made.record['why']}: mend "
                        "that and run again with --again, which makes them again."
                    )
            self.writer.close()
            self._clear()
        except BaseException:
            with suppress(Full):
                self._write_statistics()
            raise
        finally:
            # Whatever is not in a whole shard is in the store.
            self.writer.give_up()
        self._write_statistics()
        return self.statistics

    def _begun(self, name: str) -> bool:
        """Whether some of a made clip's samples are in a whole shard, so that the next one begins with its others."""
        return name in self.store and any(key in self.keys for key, _ in self.store.get(name).parts)

    def _pack(self, order: deque[str]) -> None:
        """Write what is there of the next clips in order."""
        while order and order[0] in self.store:
            name = order.popleft()
            made = self.store.get(name)
            for key, part in made.parts:
                if key not in self.keys and self.writer.add_encoded(key, part):
                    self._clear()
            self.writer.notes.append(made.record)
            self.finished.append(name)

    def _clear(self) -> None:
        """A shard has become whole: the clips that its listing has are not needed any more."""
        if not self.writer.notes:
            while self.finished:
                self.store.remove(self.finished.popleft())

    def _write_statistics(self) -> None:
        file = self.writer.folder / STATISTICS
        _replace(file, self.statistics.as_json())


def _begin(writer: ShardWriter, settings: Settings, models: dict[str, str]) -> None:
    """Keep what a set is made with, or make sure that it is the same."""
    file = writer.folder / HEADER
    asked: dict[str, Any] = {"format": FORMAT, "settings": asdict(settings), "models": models,
                             "samples-per-shard": writer.samples_per_shard, "pictures": writer.pictures}
    if file.exists():
        check_same(writer.folder, json.loads(file.read_text("utf-8")), asked)
    elif shard_files(writer.folder):
        raise ValueError(f"{writer.folder} has shards but no {HEADER}: name another --out.")
    else:
        _replace(file, asked)


def _replace(file: Path, content: dict[str, Any]) -> None:
    """Write a small file whole or not at all."""
    part = file.with_suffix(".part")
    try:
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
        os.replace(part, file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Full(f"{file} can't be written ({error.strerror}): make room and run the same command again.") from None
