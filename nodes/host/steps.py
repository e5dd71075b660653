"""Which sampling step an evaluation of the model belongs to.

The host names no step. Two facts tell it: a step begins with an evaluation at the next scheduled noise level, and some
samplers evaluate at or beyond that level within the step before. So a pointer moves forward through the schedule, and
a sampler that evaluates more than once a step is known by how often it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isclose
from typing import Any

import torch

# Samplers that compute their levels through logarithms miss the scheduled ones by some 1e-7.
TOLERANCE = 1e-5

Rule = Callable[[Sequence[float], int, Mapping[str, Any]], int]


def _always(count: int) -> Rule:
    return lambda sigmas, step, options: count


def _three_ahead(sigmas: Sequence[float], step: int, options: Mapping[str, Any]) -> int:
    """Where the next two steps begin too, but not at the schedule's last level."""
    ahead = sigmas[step + 1 : step + 3]
    return 1 + ahead.index(sigmas[-1]) if sigmas[-1] in ahead else 3


def _two_ancestral(sigmas: Sequence[float], step: int, options: Mapping[str, Any]) -> int:
    """Two where new noise leaves something to step down to; not where levels rise or, in float32, fall very far.

    Flow models leave something for an `eta` above 1 too; which kind the model is, isn't known here.
    """
    start, end = torch.tensor(sigmas[step : step + 2], dtype=torch.float32)
    noise = options.get("eta", 1.0) * (end**2 * (start**2 - end**2) / start**2) ** 0.5
    return 2 if noise < end else 1


def _two_corrected(sigmas: Sequence[float], step: int, options: Mapping[str, Any]) -> int:
    """Two at the same level, once there is a step to correct from."""
    return 2 if step > 0 and options.get("corrector_order", 4) > 0 else 1


def _two_corrected_if_asked(sigmas: Sequence[float], step: int, options: Mapping[str, Any]) -> int:
    return _two_corrected(sigmas, step, options) if options.get("use_pece") else 1


# How many evaluations a step has, by the name of the sampler's function; the last step may end after the first of them.
# The host's other samplers make one a step.
EVALUATIONS: Mapping[str, Rule] = {
    "sample_heun": _always(2),
    "sample_heunpp2": _three_ahead,
    "sample_exp_heun_2_x0": _always(2),
    "sample_exp_heun_2_x0_sde": _always(2),
    "sample_dpm_2": _always(2),
    "sample_dpm_2_ancestral": _two_ancestral,
    "sample_dpmpp_2s_ancestral": _two_ancestral,
    "sample_dpmpp_2s_ancestral_cfg_pp": _two_ancestral,
    "sample_dpmpp_sde": _always(2),
    "sample_dpmpp_sde_gpu": _always(2),
    "sample_seeds_2": _always(2),
    "sample_seeds_3": _always(3),
    "sample_sa_solver": _two_corrected_if_asked,
    "sample_sa_solver_pece": _two_corrected,
}

# Those of them that stay between a step's levels, where their option `r`, a share of the step, is below 1.
BETWEEN = {"sample_dpm_2", "sample_dpmpp_sde", "sample_dpmpp_sde_gpu", "sample_seeds_2", "sample_seeds_3"}


class StepCounter:
    """Counts the steps of one sampling run from the noise levels of its evaluations.

    An evaluation of a sampler that isn't known, or that chooses its own levels (`dpm_fast`, `dpm_adaptive`), belongs to
    the step whose levels it lies between. The count never goes back.
    """

    def __init__(self, sigmas: Sequence[float], sampler: object) -> None:
        """
        Args:
            sigmas: the run's schedule, one level per step and the last one's end, falling or rising.
            sampler: the host's sampler.
        """
        function = getattr(getattr(sampler, "sampler_function", None), "__name__", "")
        self._options = getattr(sampler, "extra_options", None) or {}
        self._evaluations = EVALUATIONS.get(function, _always(1))
        self._between = function in BETWEEN and self._options.get("r", 0.5) < 1
        self._sigmas = [float(sigma) for sigma in sigmas]
        self._starts = _churned(self._sigmas[:-1], self._options)
        self._step, self._left = -1, 0

    @property
    def steps(self) -> int:
        """How many steps the schedule has."""
        return max(len(self._sigmas) - 1, 1)

    def evaluation(self, sigma: float) -> int:
        """The step, from 1, of an evaluation at a noise level; call it once for each, in order."""
        # Between its levels a step's evaluations are known by their level too, should a cache skip some.
        if self._left > 0 and (not self._between or self._holds(self._step, sigma)):
            self._left -= 1
            return self._step + 1
        self._step = self._follow(sigma)
        self._left = self._evaluations(self._sigmas, self._step, self._options) - 1
        return self._step + 1

    def _follow(self, sigma: float) -> int:
        """The step that begins at this level, or else the first from here on that holds it, or else the present one."""
        if self._begins(self._step + 1, sigma):
            return self._step + 1
        present = max(self._step, 0)
        return next((step for step in range(present, len(self._starts)) if self._holds(step, sigma)), present)

    def _begins(self, step: int, sigma: float) -> bool:
        return step < len(self._starts) and isclose(sigma, self._starts[step], rel_tol=TOLERANCE)

    def _holds(self, step: int, sigma: float) -> bool:
        """Whether a level lies between those of a step; its end belongs to the next."""
        low, high = sorted((self._starts[step], self._sigmas[step + 1]))
        return self._begins(step, sigma) or (low < sigma < high and not self._begins(step + 1, sigma))


def _churned(starts: Sequence[float], options: Mapping[str, Any]) -> list[float]:
    """The levels at which steps begin, where a sampler adds noise (`s_churn`) before it evaluates."""
    factor = 1 + min(options.get("s_churn", 0.0) / max(len(starts), 1), 2**0.5 - 1)
    low, high = options.get("s_tmin", 0.0), options.get("s_tmax", inf)
    return [start * factor if low <= start <= high else start for start in starts]
