"""Every scheduler that a user puts on the pipeline samples with subjects, step by step, or is refused in a sentence."""

from __future__ import annotations

import math

import pytest
import torch

from msd_core.auto_layout import AutoLayoutSettings

diffusers = pytest.importorskip("diffusers")

from msd_core.headless import auto_layout  # noqa: E402
from msd_core.headless.schedule import Clock, host_schedule  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")

ONE_CALL, TWO_CALLS = [1, 2, 3, 4], [1, 1, 2, 2, 3, 3, 4]
SCHEDULERS = {
    "Euler": ("EulerDiscreteScheduler", {}, ONE_CALL),
    "Euler, Karras": ("EulerDiscreteScheduler", {"use_karras_sigmas": True}, ONE_CALL),
    "Euler a": ("EulerAncestralDiscreteScheduler", {}, ONE_CALL),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", {}, ONE_CALL),
    "DPM++ 2M SDE Karras": (
        "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True}, ONE_CALL,
    ),
    "DPM++ 2S": ("DPMSolverSinglestepScheduler", {}, ONE_CALL),
    "DPM++ SDE": ("DPMSolverSDEScheduler", {}, TWO_CALLS),
    "DDIM": ("DDIMScheduler", {}, ONE_CALL),
    "DDPM": ("DDPMScheduler", {}, ONE_CALL),
    "LCM": ("LCMScheduler", {}, ONE_CALL),
    "TCD": ("TCDScheduler", {}, ONE_CALL),
    "UniPC": ("UniPCMultistepScheduler", {}, ONE_CALL),
    "DEIS": ("DEISMultistepScheduler", {}, ONE_CALL),
    "SA-Solver": ("SASolverScheduler", {}, ONE_CALL),
    "Heun": ("HeunDiscreteScheduler", {}, TWO_CALLS),
    "DPM2": ("KDPM2DiscreteScheduler", {}, TWO_CALLS),
    "DPM2 a": ("KDPM2AncestralDiscreteScheduler", {}, TWO_CALLS),
    "LMS": ("LMSDiscreteScheduler", {}, ONE_CALL),
    "PLMS": ("PNDMScheduler", {"skip_prk_steps": True}, [1, 1, 2, 3, 4]),
    "PNDM": ("PNDMScheduler", {"skip_prk_steps": False}, [1] * 4 + [2] * 4 + [3] * 4 + [4]),
}
NEEDS = {"DPMSolverSDEScheduler": "torchsde", "LMSDiscreteScheduler": "scipy"}


@pytest.fixture
def steps_told(monkeypatch):
    """The steps that auto layout is told, one for each call of the UNet."""
    told, cells = [], auto_layout.PaperLayout.cells

    def remember(self, layer, images, step, *others):
        if layer == 0:
            told.append(step)
        return cells(self, layer, images, step, *others)

    monkeypatch.setattr(auto_layout.PaperLayout, "cells", remember)
    return told


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_samples_with_subjects_and_its_steps_are_counted(
    name, pipeline, embeds, sample, calls, steps_told
) -> None:
    kind, settings, steps = SCHEDULERS[name]
    pytest.importorskip(NEEDS.get(kind, "diffusers"))
    pipeline.pipe.scheduler = getattr(diffusers, kind).from_config(pipeline.pipe.scheduler.config, **settings)
    pictures = []
    for shown, settings in ((None, None), (embeds, None), (embeds, AutoLayoutSettings(start_step=3, method="paper"))):
        calls.clear()
        pictures.append(sample(shown, num_inference_steps=4, auto_layout=settings))
        assert len(calls) == len(steps)
    assert steps_told == steps
    bare, boxes, placed = pictures
    assert torch.isfinite(torch.cat(pictures)).all()
    assert (boxes - bare).abs().max() > 0.1 and (placed - boxes).abs().max() > 0.01


@pytest.mark.parametrize("name, said", [
    ("FlowMatchEulerDiscreteScheduler", "no table of noise levels"),
    ("EDMEulerScheduler", "no table of noise levels"),
    ("CMStochasticIterativeScheduler", "no table of noise levels"),
    ("RePaintScheduler", "takes a step from model_output, timestep, sample, original_image, mask"),
    ("CogVideoXDPMScheduler", "takes a step from .*timestep_back"),
])
def test_a_scheduler_that_cannot_sample_sdxl_is_refused(name, said, pipeline, embeds, sample) -> None:
    pipeline.pipe.scheduler = getattr(diffusers, name)()
    with pytest.raises(ValueError, match=f"{name} .*{said}.*: put EulerDiscreteScheduler"):
        sample(embeds)


def test_few_trailing_steps_without_guidance_as_lightning_wants_them(pipeline, embeds, sample, calls) -> None:
    pipeline.pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(
        pipeline.pipe.scheduler.config, timestep_spacing="trailing"
    )
    with_subjects = sample(embeds, num_inference_steps=4, guidance_scale=0.0)
    assert calls == [(1, 999), (1, 749), (1, 499), (1, 249)]
    assert (with_subjects - sample(num_inference_steps=4, guidance_scale=0.0)).abs().max() > 0.1


@pytest.mark.parametrize("spacing", ["leading", "linspace"])
def test_one_step_that_would_begin_without_noise_is_refused(spacing, pipeline, embeds, sample, calls) -> None:
    """It would leave the noise as it is and call it a picture."""
    pipeline.pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(
        pipeline.pipe.scheduler.config, timestep_spacing=spacing
    )
    said = "EulerDiscreteScheduler begins 1 step at timestep 0 of 999, where too little noise"
    with pytest.raises(ValueError, match=said):
        sample(embeds, num_inference_steps=1)
    sample(embeds, num_inference_steps=1, schedule="normal")
    sample(embeds, num_inference_steps=1, timesteps=[999])
    assert calls == [(2, 999), (2, 999)]


def test_fewer_steps_than_a_scheduler_can_take_are_refused(pipeline, embeds, sample) -> None:
    pipeline.pipe.scheduler = diffusers.PNDMScheduler.from_config(pipeline.pipe.scheduler.config, skip_prk_steps=False)
    with pytest.raises(ValueError, match=r"PNDMScheduler can't take 2 steps \(.*\): take more, or another scheduler"):
        sample(embeds, num_inference_steps=2)


def test_with_comfyui_s_schedule_the_unet_is_told_whole_timesteps(sample, embeds, calls) -> None:
    sample(embeds, num_inference_steps=4, schedule="sgm_uniform")
    assert calls == [(2, 999), (2, 749), (2, 500), (2, 250)]


@pytest.mark.parametrize("schedule", ["normal", "simple", "sgm_uniform"])
@pytest.mark.parametrize("steps", [1, 2, 20, 1000])
def test_comfyui_s_schedules_begin_at_the_highest_level_and_end_at_zero(pipeline, schedule, steps) -> None:
    sigmas, timesteps = host_schedule(pipeline.pipe.scheduler, schedule, steps)
    assert len(sigmas) == len(timesteps) + 1 == steps + 1 and sigmas == sorted(sigmas, reverse=True)
    assert timesteps[0] == 999 and timesteps == sorted(timesteps, reverse=True)
    assert sigmas[0] == pytest.approx(14.6146, abs=1e-3) and sigmas[-1] == 0
    lowest = {"normal": 0.0292, "simple": None, "sgm_uniform": None}[schedule]
    if lowest and steps > 1:
        assert sigmas[-2] == pytest.approx(lowest, abs=1e-3)


def test_an_unknown_schedule_is_refused(sample, embeds) -> None:
    with pytest.raises(ValueError, match="'karras' but must be one of normal, simple, sgm_uniform.*None"):
        sample(embeds, schedule="karras")


def test_the_schedulers_own_noise_levels_are_the_default(pipeline, embeds, sample, calls) -> None:
    pipeline.pipe.scheduler = diffusers.EulerDiscreteScheduler.from_config(
        pipeline.pipe.scheduler.config, timestep_spacing="leading", steps_offset=1
    )
    sample(embeds, num_inference_steps=4)
    assert [timestep for _, timestep in calls] == [751, 501, 251, 1]


def test_comfyui_s_schedule_is_refused_beside_another_sampler(pipeline, sample, embeds) -> None:
    pipeline.pipe.scheduler = diffusers.DDIMScheduler.from_config(pipeline.pipe.scheduler.config)
    with pytest.raises(ValueError, match="'normal' is ComfyUI's .* but the pipeline has a DDIMScheduler: put"):
        sample(embeds, schedule="normal")


def clock_at(scheduler, call: int, timestep: float = 0.0) -> Clock:
    clock = Clock(scheduler)
    for _ in range(call):
        clock.tick(timestep)
    return clock


@pytest.mark.parametrize("timestep, acts", [(999, (1, 0, 1)), (500, (1, 0, 1)), (499.5, (1, 1, 1)), (300, (1, 1, 1)),
                                            (299.6, (1, 1, 0)), (0, (1, 1, 0))])
def test_start_and_end_are_places_of_the_noise_schedule_and_include_them(pipeline, timestep, acts) -> None:
    clock = clock_at(pipeline.pipe.scheduler, 1, timestep)
    assert clock.acting([(0.0, 1.0), (0.5, 1.0), (0.0, 0.7)]) == acts


def test_subjects_that_always_act_ask_the_device_nothing(pipeline) -> None:
    clock = clock_at(pipeline.pipe.scheduler, 1, math.nan)
    clock._timestep = None  # asking for it would fail
    assert clock.acting([(0.0, 1.0), (0.0, 1.0)]) == (True, True)


def test_the_demos_own_scheduler_takes_the_steps_of_the_demos_workflow(pipeline) -> None:
    scheduler = pipeline.pipe.scheduler
    scheduler.set_timesteps(20)
    assert scheduler.timesteps.tolist() == host_schedule(scheduler, "simple", 20).timesteps
