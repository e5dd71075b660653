"""Bootstrap intervals: against scipy's, and what they must hold."""

import pytest
import torch

from msd_core.evaluation.intervals import difference_interval, mean_interval, statistic_interval

VALUES = torch.randn(40, generator=torch.Generator().manual_seed(1)).mul(0.2).add(0.5).tolist()


def test_the_interval_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    import numpy as np

    wanted = stats.bootstrap((np.array(VALUES),), np.mean, method="percentile", n_resamples=8000,
                             rng=np.random.default_rng(0)).confidence_interval
    found = mean_interval(VALUES, draws=8000)
    assert found.value == pytest.approx(sum(VALUES) / 40)
    assert (found.low, found.high) == (pytest.approx(wanted.low, abs=4e-3), pytest.approx(wanted.high, abs=4e-3))


def test_pairs_are_compared_sample_by_sample():
    better = [value + 0.01 for value in VALUES]
    found = difference_interval(VALUES, better)
    assert (found.low, found.value, found.high) == (pytest.approx(0.01),) * 3
    # Unpaired, the same two would lie within each other's intervals.
    assert mean_interval(VALUES).high > mean_interval(better).low
    with pytest.raises(ValueError, match="40 and 39 values"):
        difference_interval(VALUES, better[:-1])


def test_any_statistic_of_all_samples():
    found = statistic_interval(VALUES, max)
    assert found.value == max(VALUES) and found.low < found.value == found.high
    assert statistic_interval([], max) is None


def test_one_value_has_no_width_and_none_has_no_interval():
    assert mean_interval([0.25]) == (0.25, 0.25, 0.25, 1)
    assert mean_interval([]) is None


def test_the_same_values_give_the_same_interval():
    assert mean_interval(VALUES) == mean_interval(VALUES)
