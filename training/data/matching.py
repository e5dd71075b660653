"""Which thing of one frame is which of the other: the assignment of greatest likeness (the Hungarian method)."""

from __future__ import annotations

import numpy as np

from msd_core.packages import require_package


def match(reference: np.ndarray, target: np.ndarray, least: float) -> list[tuple[int, int, float]]:
    """Pair things one to one so that the likeness above `least` adds up to the most.

    What is not more alike than `least` counts nothing, so that it never takes a thing from another pair.

    Args:
        reference, target: vectors of length 1, `[n, d]` and `[m, d]`.
        least: cosine from which two can be one thing.

    Returns:
        Of each pair its place in `reference`, its place in `target`, its cosine; in the order of `target`.
    """
    if not len(reference) or not len(target):
        return []
    optimize = require_package("scipy.optimize", "scipy", "matching frames", "training")
    alike = np.asarray(reference, np.float64) @ np.asarray(target, np.float64).T
    gain = np.clip(alike - least, 0.0, None)
    pairs = zip(*optimize.linear_sum_assignment(gain, maximize=True), strict=True)
    return sorted(
        ((int(i), int(j), float(alike[i, j])) for i, j in pairs if alike[i, j] >= least), key=lambda pair: pair[1]
    )
