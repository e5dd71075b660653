"""Where a run's encoded samples come from: shards as they are needed, or files in which all are encoded once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader

from ..shards import Full, Sample, Shards
from .base import Base
from .batch import NAMES, Encoded, encode
from .samples import PreparedSamples

BLOCK = 64
"""Samples in a file."""
ABOUT = "encoded.json"
EMPTY = "empty.safetensors"


class LiveSamples:
    """Samples of shards, encoded each time they are learned from."""

    def __init__(self, shards: Shards, base: Base, pixels: tuple[int, int], workers: int = 0) -> None:
        """
        Args:
            base: on the device that encodes.
            pixels: width and height of the pictures to learn.
            workers: processes that read and cut pictures.
        """
        self.base, self.workers = base, workers
        self.prepared = PreparedSamples(shards, *pixels, base.image_encoder.config.image_size)

    def __len__(self) -> int:
        return len(self.prepared)

    def empty(self) -> tuple[Tensor, Tensor]:
        """Context and pooled text of the empty caption."""
        return self.base.text([""])

    def take(self, numbers: Iterable[int]) -> list[Encoded]:
        """Some samples."""
        return encode(self.base, [self.prepared[number] for number in numbers])

    def batches(self, numbers: Iterable[list[int]]) -> Iterator[list[Encoded]]:
        """Batches of samples, read ahead by the workers."""
        if not self.workers:
            for one in numbers:
                yield self.take(one)
            return
        loader = DataLoader(self.prepared, batch_sampler=numbers, num_workers=self.workers, collate_fn=list)
        for samples in loader:
            yield encode(self.base, samples)


class StoredSamples:
    """Samples that `store` has encoded; the models that encode are not needed."""

    def __init__(self, folder: str | Path) -> None:
        """
        Raises:
            ValueError: the folder has none, or not all of them.
        """
        self.folder = Path(folder)
        about = self.folder / ABOUT
        if not about.is_file():
            raise ValueError(f"{self.folder} has no {ABOUT}: encode the shards into it first.")
        self.about = json.loads(about.read_text("utf-8"))
        missing = [name for name in (EMPTY, *map(_block_name, range(-(-len(self) // BLOCK))))
                   if not (self.folder / name).exists()]
        if missing:
            raise ValueError(f"{self.folder} has no {missing[0]}: encode the shards into it again, to the end.")
        self._open = lru_cache(maxsize=256)(self._opened)

    def __len__(self) -> int:
        return self.about["samples"]

    def _opened(self, block: int) -> Any:
        return safe_open(self.folder / _block_name(block), framework="pt")

    def empty(self) -> tuple[Tensor, Tensor]:
        """Context and pooled text of the empty caption."""
        with safe_open(self.folder / EMPTY, framework="pt") as opened:
            return opened.get_tensor("context"), opened.get_tensor("pooled")

    def take(self, numbers: Iterable[int]) -> list[Encoded]:
        """Some samples, on the CPU."""
        found = []
        for number in numbers:
            file, within = self._open(number // BLOCK), number % BLOCK
            found.append(Encoded(**{name: file.get_tensor(f"{within}.{name}") for name in NAMES}))
        return found

    def batches(self, numbers: Iterable[list[int]]) -> Iterator[list[Encoded]]:
        """Batches of samples."""
        return (self.take(one) for one in numbers)


def store(shards: Shards, base: Base, pixels: tuple[int, int], folder: str | Path, about: dict[str, Any], *,
          rank: int = 0, processes: int = 1, wait: Callable[[], None] = lambda: None,
          told: Callable[[int, int], None] = lambda done, of: None) -> StoredSamples:
    """Encode all samples into a folder, or those that are not there yet; each process its share.

    Args:
        about: what the encoding depends on, to be compared when it is used again.
        wait: lets processes wait for one another.
        told: is told of each file, how many are there and of how many.

    Raises:
        ValueError: the folder holds another encoding.
        Full: a file can't be written.
    """
    folder, blocks = Path(folder), -(-len(shards) // BLOCK)
    about = {**about, "samples": len(shards), "size": list(pixels)}
    samples = PreparedSamples(shards, *pixels, base.image_encoder.config.image_size)
    try:
        if rank == 0 and not (folder / ABOUT).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f"{ABOUT}.part"
            part.write_text(json.dumps(about), "utf-8")
            os.replace(part, folder / ABOUT)
        wait()
        _check(folder, about)
        if rank == 0 and not (folder / EMPTY).exists():
            context, pooled = base.text([""])
            _write(folder / EMPTY, {"context": context.cpu(), "pooled": pooled.cpu()})
        for block in range(rank, blocks, processes):
            if not (folder / _block_name(block)).exists():
                _write(folder / _block_name(block), _encoded(samples, base, block))
                told(block + 1, blocks)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Full(
            f"{folder} can't take the encoded samples ({reason}): make room and run the same command again, it goes "
            "on from there."
        ) from None
    wait()
    return StoredSamples(folder)


def _check(folder: Path, about: dict[str, Any]) -> None:
    found = json.loads((folder / ABOUT).read_text("utf-8"))
    other = next((key for key in about if found.get(key) != about[key]), None)
    if other is not None:
        raise ValueError(
            f"{folder} was encoded with {other} {found.get(other)} but this run has {about[other]}: name another "
            "folder, or delete it."
        )


def _encoded(samples: PreparedSamples, base: Base, block: int) -> dict[str, Tensor]:
    numbers = range(block * BLOCK, min((block + 1) * BLOCK, len(samples)))
    tensors = {}
    for start in range(0, len(numbers), 8):
        part = numbers[start : start + 8]
        for number, one in zip(part, encode(base, [samples[number] for number in part]), strict=True):
            tensors |= {f"{number % BLOCK}.{name}": getattr(one, name).cpu().contiguous().clone() for name in NAMES}
    return tensors


def _write(file: Path, tensors: dict[str, Tensor]) -> None:
    part = file.with_suffix(".part")
    try:
        save_file(tensors, part)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def _block_name(block: int) -> str:
    return f"encoded-{block:05d}.safetensors"


def held_out(shards: Shards | Sequence[Sample], wanted: int) -> list[int]:
    """Which samples are looked at and not learned: the last ones, and all others of their clips, which look alike.

    Args:
        wanted: how many, at least; 0 for none.
    """
    first = count = len(shards)
    clip: Any = None
    while first and (count - first < wanted or (wanted and shards[first - 1].origin.get("clip", first) == clip)):
        first -= 1
        clip = shards[first].origin.get("clip")
    return list(range(first, count))

