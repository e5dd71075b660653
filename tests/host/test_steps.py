"""Counting sampling steps, whatever a sampler evaluates within one."""

import pytest

SAMPLERS = [
    "euler", "euler_ancestral", "heun", "heunpp2", "dpm_2", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde",
    "dpmpp_2m", "dpmpp_2m_sde_heun", "dpmpp_3m_sde", "euler_cfg_pp", "dpmpp_2s_ancestral_cfg_pp", "exp_heun_2_x0",
    "res_multistep", "seeds_2", "seeds_3", "sa_solver", "sa_solver_pece", "lcm", "ddim", "uni_pc",
]


def evaluations(host, studio, sampler, steps):
    """For each evaluation, the step that the run counted and the last step that the sampler reported, both from 1."""
    import comfy.samplers

    run = host.module("nodes.host.run")
    counted, reported = [], [0]
    original = run.ModelCall.begin.__func__

    def begin(cls, this_run, *args):
        counted.append((this_run.step, reported[0]))
        return original(cls, this_run, *args)

    run.ModelCall.begin = classmethod(begin)
    try:
        model = studio.apply()
        embeds = studio.encode()
        model = host.call(
            "MSDiffusionAttribution", model=model, embeds=embeds, clip=studio.demo.clip, prompt="a dog"
        )[0]
        schedule = host.call("BasicScheduler", model=model, scheduler="normal", steps=steps, denoise=1.0)[0]
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(studio.positive, studio.negative)
        guider.set_cfg(2.0)
        import torch

        noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))

        def callback(step, *_):
            reported[0] = step + 1

        guider.sample(noise, torch.zeros_like(noise), comfy.samplers.sampler_object(sampler), schedule,
                      callback=callback, seed=0)
    finally:
        run.ModelCall.begin = classmethod(original)
    return counted, schedule


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_steps_counted_are_the_samplers_own(host, studio, sampler):
    """A sampler reports a step after its first evaluation, so the count lies at what is reported or one above."""
    counted, schedule = evaluations(host, studio, sampler, 5)
    steps = [step for step, _ in counted]
    assert steps == sorted(steps)
    assert set(steps) == set(range(1, len(schedule)))
    # Each step's first evaluation comes before the sampler reports that step, and after it has reported the one before.
    for step in set(steps):
        first = next(said for counted_step, said in counted if counted_step == step)
        assert first == step - 1, counted


def test_a_two_call_sampler_evaluates_twice_a_step_without_advancing(host, studio):
    counted, _ = evaluations(host, studio, "heun", 4)
    assert [step for step, _ in counted] == [1, 1, 2, 2, 3, 3, 4]


def test_a_step_between_scheduled_levels_belongs_to_the_higher_one(host):
    counter = host.module("nodes.host.steps").StepCounter([10.0, 5.0, 2.0, 0.0], False)
    assert [counter.evaluation(sigma) for sigma in (10.0, 7.0, 5.0, 3.0, 2.0, 1.0)] == [1, 1, 2, 2, 3, 3]


def test_a_noise_level_that_rises_again_does_not_turn_the_count_back(host):
    counter = host.module("nodes.host.steps").StepCounter([10.0, 5.0, 2.0, 0.0], False)
    assert [counter.evaluation(sigma) for sigma in (10.0, 5.0, 6.0, 2.0)] == [1, 2, 2, 3]
