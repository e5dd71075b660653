"""Engines and scorers that take no time."""

import threading

import pytest
import torch

from msd_core.bench.engines import Gone
from msd_core.bench.journal import Journal
from msd_core.bench.sprites import sprite_bench
from msd_core.evaluation.scorer import Scorer
from tests.evaluation import conftest as tiny

clip_file, dino_file = tiny.clip_file, tiny.dino_file

HEADER = {"benchmark": "sprites", "condition": {}, "measured_by": {}, "samples": 10}


class MeanColour:
    """A picture's vector is its mean colour."""

    name = "mean colour"

    def images(self, pictures):
        return pictures.mean(dim=(1, 2)) + 1e-3

    def texts(self, captions):
        return torch.ones(len(captions), 3)


class Painter:
    """Paints noise of the seed; fails and goes as told.

    Attributes:
        orders: what it was asked for.
        fails: phrases of prompts that it can't make.
        goes_after: orders after which it is gone, None for never.
    """

    def __init__(self, name="painter", fails=(), goes_after=None):
        self.name, self.fails, self.goes_after, self.orders = name, fails, goes_after, []
        self._lock = threading.Lock()

    def make(self, order):
        with self._lock:
            if self.goes_after is not None and len(self.orders) >= self.goes_after:
                raise Gone(f"{self.name} does not answer (connection refused)")
            self.orders.append(order)
        if any(phrase in order.prompt for phrase in self.fails):
            raise RuntimeError("out of paint\nand more")
        return torch.stack([torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(seed))
                            for seed in order.seeds])


@pytest.fixture
def samples():
    return sprite_bench(1).samples


@pytest.fixture
def scorer():
    return Scorer(clip=MeanColour(), dino=MeanColour())


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "results.jsonl", HEADER)
    yield opened
    opened.close()
