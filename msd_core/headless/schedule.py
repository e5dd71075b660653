"""Steps and noise levels: ComfyUI's own schedules, and where in a run a call of the UNet stands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# Timesteps that follow from float32 noise levels are this near, and those of different steps are not.
ROUNDING = 1e-3


class HostSchedule(NamedTuple):
    """One of ComfyUI's schedules: a noise level for each step and the final 0, and the timestep of each step."""

    sigmas: list[float]
    timesteps: list[int]


def _simple(levels: Tensor, steps: int) -> Tensor:
    """Trained noise levels at equal distances from the highest."""
    count = len(levels)
    return levels.float()[[count - 1 - int(step * (count / steps)) for step in range(steps)]]


def _normal(levels: Tensor, steps: int) -> Tensor:
    return _between(levels, torch.linspace(len(levels) - 1, 0, steps))


def _sgm_uniform(levels: Tensor, steps: int) -> Tensor:
    return _between(levels, torch.linspace(len(levels) - 1, 0, steps + 1)[:-1])


def _between(levels: Tensor, times: Tensor) -> Tensor:
    """Noise levels between the trained ones, interpolated in the logarithm."""
    low, high, share = times.floor().long(), times.ceil().long(), times.frac()
    logarithms = levels.log().float()
    return ((1 - share) * logarithms[low] + share * logarithms[high]).exp()


SCHEDULES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "normal": _normal, "simple": _simple, "sgm_uniform": _sgm_uniform,
}
"""ComfyUI's schedules by its own names: from the trained noise levels, rising, to those of the steps, falling."""


def host_schedule(scheduler: Any, schedule: str, steps: int) -> HostSchedule:
    """One of ComfyUI's schedules for a scheduler's noise levels.

    The UNet of ComfyUI is told the trained timestep that is nearest to a level.

    Raises:
        ValueError: an unknown schedule, or a scheduler that is not ComfyUI's sampler `euler`.
    """
    if schedule not in SCHEDULES:
        raise ValueError(
            f"The schedule is {schedule!r} but must be one of {', '.join(SCHEDULES)}, which are ComfyUI's, or None for "
            "the scheduler's own: choose one."
        )
    if type(scheduler).__name__ != "EulerDiscreteScheduler":
        raise ValueError(
            f"The schedule {schedule!r} is ComfyUI's and goes with its sampler euler, but the pipeline has a "
            f"{type(scheduler).__name__}: put an EulerDiscreteScheduler on it, or leave schedule out."
        )
    trained = _noise_levels(scheduler)
    sigmas = SCHEDULES[schedule](trained, steps)
    timesteps = (sigmas.log() - trained.log().float()[:, None]).abs().argmin(dim=0)
    return HostSchedule([*sigmas.tolist(), 0.0], timesteps.tolist())


def _noise_levels(scheduler: Any) -> Tensor:
    """The levels that a scheduler's model was trained on, in rising order: float64.

    From the settings where they tell all, because the scheduler's own table is summed up in float32; levels half way
    between two timesteps are so near to both that this decides.
    """
    settings = scheduler.config
    alphas = scheduler.alphas_cumprod.double()
    if settings.beta_schedule == "scaled_linear" and not settings.trained_betas and not settings.rescale_betas_zero_snr:
        ends = settings.beta_start**0.5, settings.beta_end**0.5
        alphas = (1 - torch.linspace(*ends, len(alphas), dtype=torch.float64) ** 2).cumprod(dim=0)
    return ((1 - alphas) / alphas).sqrt()


@contextmanager
def told_timesteps(timesteps: Sequence[int], *models: nn.Module) -> Iterator[None]:
    """UNet and ControlNet are told these timesteps, call by call, in the place of the scheduler's."""

    def tell(left: Iterator[int]) -> Callable[[nn.Module, tuple], tuple]:
        def told(_: nn.Module, inputs: tuple) -> tuple:
            sample, timestep, *others = inputs
            return sample, torch.full_like(timestep, next(left)), *others

        return told

    handles = [model.register_forward_pre_hook(tell(iter(timesteps))) for model in models]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_scheduler(scheduler: Any) -> None:
    """Make sure that a scheduler can sample SDXL as diffusers' pipeline asks it to.

    Raises:
        ValueError: it has another idea of noise, or needs more than a prediction to take a step.
    """
    name, instead = type(scheduler).__name__, "put EulerDiscreteScheduler or another of its kind on the pipeline"
    if not hasattr(scheduler, "alphas_cumprod") or not hasattr(scheduler, "init_noise_sigma"):
        raise ValueError(
            f"{name} has no table of noise levels (alphas_cumprod) but SDXL was trained on one: {instead}."
        )
    given = ("model_output", "timestep", "sample")
    parameters = inspect.signature(scheduler.step).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if tuple(needed) != given:
        raise ValueError(
            f"{name} takes a step from {', '.join(needed)} but SDXL's pipeline gives {', '.join(given)}: {instead}."
        )


def check_start(scheduler: Any, steps: int) -> None:
    """Make sure that a scheduler begins this many steps where there is noise: some begin their only step at the end.

    Raises:
        ValueError: it begins in the lower half of its table, or can't take so few steps.
    """
    counted = f"{steps} {'step' if steps == 1 else 'steps'}"
    try:
        scheduler.set_timesteps(steps)
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise ValueError(
            f"{type(scheduler).__name__} can't take {counted} ({str(error).strip()}): take more, or another scheduler."
        ) from None
    first, last = float(scheduler.timesteps[0]), scheduler.config.num_train_timesteps - 1
    if first < last / 2:
        raise ValueError(
            f"{type(scheduler).__name__} begins {counted} at timestep {first:g} of {last}, where too little noise is "
            'left to make a picture of: take more steps, set its timestep_spacing to "trailing", or with Euler take '
            'the schedule "normal".'
        )


class Clock:
    """Where a run stands: which sampling step, and how far down the noise schedule."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler, self._calls = scheduler, 0
        self._timestep: Any = None

    def tick(self, timestep: Any) -> None:
        """The UNet is called, for this timestep."""
        self._calls += 1
        self._timestep = timestep

    @property
    def step(self) -> int:
        """The sampling step, from 1. A scheduler that evaluates twice in a step counts once."""
        call, scheduler = self._calls - 1, self._scheduler
        if hasattr(scheduler, "plms_timesteps"):
            # PNDM begins with Runge-Kutta steps of four calls, or else with a first step of two.
            warm_up = len(scheduler.prk_timesteps)
            if call < warm_up:
                return call // 4 + 1
            return warm_up // 4 + call - warm_up + 1 if warm_up else max(call, 1)
        return call // scheduler.order + 1

    @property
    def share(self) -> float:
        """How much of the noise schedule lies behind: 0 at pure noise, 1 at the finished picture. Asks the device."""
        return 1 - float(self._timestep) / (self._scheduler.config.num_train_timesteps - 1)

    def acting(self, windows: Sequence[tuple[float, float]]) -> tuple[bool, ...]:
        """Which of the windows, each a start and an end, hold this point of the noise schedule.

        0 is pure noise and 1 the finished picture. Asks the device, unless all windows are the whole schedule.
        """
        if all(window == (0.0, 1.0) for window in windows):
            return (True,) * len(windows)
        last = self._scheduler.config.num_train_timesteps - 1
        left = float(self._timestep)
        return tuple(
            (start == 0.0 or left <= last * (1 - start) + ROUNDING)
            and (end == 1.0 or left >= last * (1 - end) - ROUNDING)
            for start, end in windows
        )

