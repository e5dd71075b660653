"""Noise and targets against diffusers' own."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("diffusers")

from diffusers import DDPMScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler  # noqa: E402

from training.sdxl.diffusion import Noise  # noqa: E402
from training.sdxl.order import seeded  # noqa: E402

LEVELS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_noisy_latents_and_targets_are_diffusers_own(prediction):
    theirs = DDPMScheduler(**LEVELS)
    latents = torch.randn(6, 4, 5, 3)
    made = Noise(EulerDiscreteScheduler(**LEVELS, prediction_type=prediction)).add(latents, seeded(1))
    generator = seeded(1)
    timesteps = torch.randint(1000, (6,), generator=generator)
    noise = torch.randn(latents.shape, generator=generator)
    assert torch.equal(made.timesteps, timesteps)
    torch.testing.assert_close(made.latents, theirs.add_noise(latents, noise, timesteps), atol=2e-5, rtol=0)
    target = noise if prediction == "epsilon" else theirs.get_velocity(latents, noise, timesteps)
    torch.testing.assert_close(made.target, target, atol=2e-5, rtol=0)


def test_with_zero_terminal_snr_the_last_timestep_is_noise_alone():
    noise = Noise(EulerDiscreteScheduler(**LEVELS, prediction_type="v_prediction", rescale_betas_zero_snr=True))
    assert float(noise._signal[-1]) < 3e-4 and float(noise._noise[-1]) == pytest.approx(1)


def test_all_timesteps_are_drawn():
    drawn = Noise(EulerDiscreteScheduler(**LEVELS)).add(torch.zeros(20_000, 1, 1, 1), seeded(0)).timesteps
    assert drawn.min() == 0 and drawn.max() == 999 and abs(float(drawn.float().mean()) - 499.5) < 8


def test_what_a_base_predicts_can_be_said_and_must_be_known():
    assert Noise(EulerDiscreteScheduler(**LEVELS), "v_prediction").prediction == "v_prediction"
    with pytest.raises(ValueError, match="predicts 'sample' but it must be epsilon or v_prediction"):
        Noise(EulerDiscreteScheduler(**LEVELS, prediction_type="sample"))
    with pytest.raises(ValueError, match="FlowMatchEulerDiscreteScheduler has no table of noise levels"):
        Noise(FlowMatchEulerDiscreteScheduler())
