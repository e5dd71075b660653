"""The order of the samples and the random numbers of a step."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
import torch

from tests.tiny_sdxl import drawn_sample
from training.sdxl.order import Order, seeded
from training.sdxl.sources import held_out


def taken(order: Order, seen: int, size: int, processes: int, steps: int) -> list[int]:
    """What all processes together learn from, in order."""
    parts = [list(islice(order.batches(seen, size, rank, processes), steps)) for rank in range(processes)]
    return [number for step in zip(*parts, strict=True) for batch in step for number in batch]


def test_every_pass_takes_every_sample_once_in_another_order():
    order = Order(10, seed=3)
    first, second = [order.at(place) for place in range(10)], [order.at(place) for place in range(10, 20)]
    assert sorted(first) == sorted(second) == list(range(10)) and first != second
    assert first != [Order(10, seed=4).at(place) for place in range(10)]
    assert [Order(10, seed=3).at(place) for place in range(20)] == first + second


def test_processes_share_one_order():
    alone = taken(Order(7, 0), 0, 6, 1, 4)
    assert taken(Order(7, 0), 0, 3, 2, 4) == taken(Order(7, 0), 0, 2, 3, 4) == alone


def test_a_run_goes_on_in_the_order_also_with_other_processes():
    whole = taken(Order(9, 1), 0, 4, 1, 6)
    assert whole[:12] + taken(Order(9, 1), 12, 2, 2, 3) == whole


def test_random_numbers_follow_from_seed_step_and_process():
    def draw(*numbers):
        return torch.rand(3, generator=seeded(*numbers)).tolist()

    assert draw(0, 5, 1) == draw(0, 5, 1)
    assert len({tuple(draw(*numbers)) for numbers in ((0, 5, 1), (0, 5, 0), (0, 4, 1), (1, 5, 1), (0, 5), (5, 0))}) == 6


def test_without_samples_there_is_no_order():
    with pytest.raises(ValueError, match="There are 0 samples to learn from"):
        Order(0, 0)


@pytest.mark.parametrize("wanted, first", [(0, 9), (1, 7), (2, 7), (3, 6), (4, 3), (6, 3), (7, 0)])
def test_no_clip_is_both_learned_and_looked_at(wanted, first):
    clips = ["a", "a", "a", "b", "b", "b", "c", "d", "d"]
    samples = [replace(drawn_sample(number), origin={"clip": clip}) for number, clip in enumerate(clips)]
    assert held_out(samples, wanted) == list(range(first, 9))


def test_samples_that_name_no_clip_are_each_of_their_own():
    samples = [drawn_sample(number) for number in range(5)]
    assert held_out(samples, 2) == [3, 4]
