"""Which sampling step an evaluation of the model belongs to.

Samplers evaluate once, twice or more a step, and the host names none of it. What tells the step is the noise level:
evaluations between two scheduled levels belong to the step that starts at the higher one. Only samplers that look ahead
to the next scheduled level itself, such as Heun's, need to be known.
"""

from __future__ import annotations

from collections.abc import Sequence

# They evaluate at the level where the step ends, where the next step will evaluate again.
LOOKING_AHEAD = {"sample_heun", "sample_heunpp2", "sample_exp_heun_2_x0", "sample_exp_heun_2_x0_sde"}


def looks_ahead(sampler: object) -> bool:
    """Whether a sampler evaluates a step's end before the next step begins there."""
    return getattr(getattr(sampler, "sampler_function", None), "__name__", "") in LOOKING_AHEAD


class StepCounter:
    """Counts the steps of one sampling run from the noise levels of its evaluations."""

    def __init__(self, sigmas: Sequence[float], looks_ahead: bool) -> None:
        """
        Args:
            sigmas: the run's schedule, one level per step and the last one's end, falling.
            looks_ahead: whether the sampler evaluates the step's end too.
        """
        self._sigmas = [float(sigma) for sigma in sigmas]
        self._looks_ahead = looks_ahead
        self._looked = False
        self._step = 0

    def evaluation(self, sigma: float) -> int:
        """The step, from 1, of an evaluation at a noise level; call it once for each, in order."""
        landed = max((i for i, level in enumerate(self._sigmas[:-1]) if level >= sigma * (1 - 1e-5)), default=0)
        if landed > self._step and not (self._looks_ahead and self._is_look_ahead(landed)):
            self._step, self._looked = landed, False
        return self._step + 1

    def _is_look_ahead(self, landed: int) -> bool:
        if landed > self._step + 1:
            return True
        first, self._looked = not self._looked, True
        return first
