"""Which samples a step learns from, and its random numbers: both follow from seed, step and rank alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch


def seeded(*numbers: int) -> torch.Generator:
    """A generator on the CPU for this seed, step, rank and whatever else tells draws apart."""
    state = np.random.SeedSequence([len(numbers), *numbers]).generate_state(1, np.uint64)[0]
    return torch.Generator("cpu").manual_seed(int(state >> np.uint64(1)))


class Order:
    """The samples in the order of training: a new permutation for every pass over them, without end.

    All processes share one order. A step takes the next `batch * accumulate * processes` of it, each process its own
    consecutive part; where a run goes on with another number of processes, it goes on in the same order.
    """

    def __init__(self, samples: int, seed: int) -> None:
        """
        Raises:
            ValueError: there are no samples.
        """
        if samples < 1:
            raise ValueError("There are 0 samples to learn from but 1 or more are needed: hold out fewer, or add some.")
        self.samples, self.seed = samples, seed
        self._epoch, self._permutation = -1, np.empty(0, np.int64)

    def at(self, place: int) -> int:
        """The sample at a place of the order."""
        epoch, within = divmod(place, self.samples)
        if epoch != self._epoch:
            self._epoch = epoch
            self._permutation = np.random.default_rng([self.seed, epoch]).permutation(self.samples)
        return int(self._permutation[within])

    def batches(self, seen: int, size: int, rank: int = 0, processes: int = 1) -> Iterator[list[int]]:
        """The batches of one process, once `seen` samples have been learned from by all of them together."""
        while True:
            start = seen + rank * size
            yield [self.at(place) for place in range(start, start + size)]
            seen += size * processes
