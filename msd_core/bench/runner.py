"""Runs a benchmark: engines make pictures, the scorer scores them, the journal keeps the scores."""

from __future__ import annotations

import itertools
import os
import queue
import re
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..evaluation.regions import COLLAPSE_SHARE, collapsed
from ..evaluation.scorer import Scorer, ShownSubject
from .conditions import Condition
from .engines import Engine, Gone, Order
from .journal import Full, Journal, is_full
from .samples import Sample, WantedSubject

THUMBNAIL = 192


@dataclass(frozen=True)
class Plan:
    """What is made of each sample.

    Attributes:
        per_sample: pictures.
        seed: on which the samples' own seeds build.
        condition: what is left out.
        bare: whether each picture is made without the adapter too, for the text fidelity that this costs.
        singles: whether each subject is made alone too, for the collapse rate.
        images: the folder in which pictures are kept, None for none.
    """

    per_sample: int = 1
    seed: int = 0
    condition: Condition = Condition()
    bare: bool = False
    singles: bool = False
    images: Path | None = None

    def pictures_of(self, sample: Sample) -> int:
        """How many pictures a sample takes in all."""
        several = len(sample.subjects) if self.singles and len(sample.subjects) > 1 else 0
        return self.per_sample * (1 + self.bare + several)


def share_of(samples: Sequence[Sample], rank: int, world: int) -> list[Sample]:
    """One process's samples of all: every `world`-th, whatever the others have done."""
    return list(itertools.islice(samples, rank, None, world))


def this_worker() -> tuple[int, int, int]:
    """Rank, number of processes and rank on this machine, as accelerate and torchrun tell them; (0, 1, 0) alone."""
    rank, world, local = (os.environ.get(name, default)
                          for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")))
    return int(rank), int(world), int(local)


class Runner:
    """One run over some samples with one or more engines, each of which works for itself."""

    def __init__(
        self, engines: Sequence[Engine], scorer: Scorer, journal: Journal, plan: Plan,
        told: Callable[[dict[str, Any]], None] = lambda record: None,
    ) -> None:
        """
        Args:
            told: called with each new record.
        """
        self.engines, self.scorer, self.journal, self.plan, self._told = engines, scorer, journal, plan, told
        self._turn = threading.Lock()
        self._waiting: queue.SimpleQueue[Sample] = queue.SimpleQueue()
        self._end: BaseException | None = None
        self._gone: dict[Engine, str] = {}

    def run(self, samples: Sequence[Sample]) -> int:
        """Make and score every sample; how many were left because all engines went.

        Raises:
            Full: the disk is full.
        """
        for sample in samples:
            self._waiting.put(sample)
        engines = list(self.engines)
        # Again where an engine went after the others had found nothing left to do.
        while engines and not self._waiting.empty():
            threads = [threading.Thread(target=self._work, args=(engine,), daemon=True) for engine in engines]
            for thread in threads:
                thread.start()
            # Waited for in small steps, so that Ctrl+C is heard.
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(0.2)
            if self._end is not None:
                raise self._end
            engines = [engine for engine in engines if engine not in self._gone]
        return self._waiting.qsize()

    @property
    def gone(self) -> str:
        """Why engines went, in one line."""
        return "; ".join(self._gone.values())

    def _work(self, engine: Engine) -> None:
        while self._end is None:
            try:
                sample = self._waiting.get_nowait()
            except queue.Empty:
                return
            began = time.monotonic()
            try:
                record = self._score(engine, sample)
            except Gone as error:
                # Another engine, or the next run, makes it.
                self._waiting.put(sample)
                self._gone[engine] = str(error)
                return
            except Exception as error:
                if is_full(error) or isinstance(error, Full):
                    self._end = Full(f"{self.plan.images} can't be written ({error.strerror}): make room and run the "
                                     "same command again, it goes on from here.") if is_full(error) else error
                    return
                reason = (str(error).strip().splitlines() or [""])[0] or type(error).__name__
                record = {"id": sample.id, "kind": sample.kind, "error": reason}
            record["seconds"] = round(time.monotonic() - began, 2)
            try:
                with self._turn:
                    self.journal.append(record)
                    self._told(record)
            except BaseException as error:
                self._end = error
                return

    def _score(self, engine: Engine, sample: Sample) -> dict[str, Any]:
        """Make a sample's pictures and score them."""
        plan = self.plan
        seeds = tuple(sample.seed(plan.seed, number) for number in range(plan.per_sample))
        made = engine.make(Order(sample.prompt, sample.subjects, seeds, plan.condition))
        bare, alone = None, []
        if plan.bare:
            bare = engine.make(Order(sample.prompt, sample.subjects, seeds, plan.condition.bare()))
        if plan.singles and len(sample.subjects) > 1:
            alone = [engine.make(Order(sample.prompt, (one,), seeds, plan.condition)) for one in sample.subjects]
        with self._turn:
            subjects = [shown_subject(subject) for subject in sample.subjects]
            rows = self.scorer.score(made, sample.prompt, subjects)
            if bare is not None:
                without = self.scorer.score(bare, sample.prompt, [])
                for row, other in zip(rows, without, strict=True):
                    if "clip_t" in row:
                        row |= {"clip_t_bare": other["clip_t"], "clip_t_gain": row["clip_t"] - other["clip_t"]}
            singles = [self.scorer.score(pictures, sample.prompt, [subject])
                       for pictures, subject in zip(alone, subjects, strict=False)]
            for number, row in enumerate(rows):
                if singles and "region_each" in row:
                    single = [scores[number]["region"] for scores in singles]
                    verdicts = collapsed(row["region_each"], single, COLLAPSE_SHARE)
                    row |= {"alone_each": single, "collapse": sum(verdicts) / len(verdicts)}
                row["seed"] = seeds[number]
            record: dict[str, Any] = {"id": sample.id, "kind": sample.kind, "prompt": sample.prompt, "images": rows,
                                      "subjects": [{"phrase": one.phrase, "box": list(one.box)}
                                                   for one in sample.subjects]}
            if plan.images is not None:
                self._keep(sample, made, record)
        return record

    def _keep(self, sample: Sample, pictures: Tensor, record: dict[str, Any]) -> None:
        """Write pictures and thumbnails of references, and note their names relative to the results."""
        from PIL import Image

        folder, name = self.plan.images, file_name(sample.id)
        (folder / "references").mkdir(parents=True, exist_ok=True)
        base = self.journal.file.absolute().parent
        for number, (row, picture) in enumerate(zip(record["images"], pictures, strict=True)):
            file = folder / f"{name}-{number}.png"
            Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy()).save(file)
            row["file"] = os.path.relpath(file.absolute(), base).replace(os.sep, "/")
        for entry, subject in zip(record["subjects"], sample.subjects, strict=True):
            shown = subject.pictures[0]
            file = folder / "references" / f"{file_name(shown.name)}.png"
            if not file.exists():
                small = opaque(shown.open())
                small.thumbnail((THUMBNAIL, THUMBNAIL))
                small.save(file)
            entry["reference"] = os.path.relpath(file.absolute(), base).replace(os.sep, "/")


def file_name(name: str) -> str:
    """A file's name for a sample or picture: readable, and its own."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')[:80]}-{zlib.crc32(name.encode()):08x}"


def opaque(picture: Any) -> Any:
    """A picture as it is measured: RGB, on white where it is transparent."""
    from PIL import Image

    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def shown_subject(subject: WantedSubject) -> ShownSubject:
    """A sample's subject as the scorer takes it, its photos on white where they are transparent."""
    photos = tuple(
        torch.from_numpy(np.asarray(opaque(picture.open())).astype(np.float32) / 255) for picture in subject.photos
    )
    name = "|".join(picture.name for picture in subject.photos)
    return ShownSubject(subject.phrase, photos, subject.box, name)
