"""Counting sampling steps: whatever a sampler evaluates within one, its own loop variable is the truth.

Most tests run the host's sampler functions on a stand-in for the model, the last ones on the demo model.
"""

import contextlib
import sys
from types import SimpleNamespace

import pytest
import torch

# The host's samplers warn of levels they were not made for, and of how they copy tensors.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ONCE_A_STEP = [
    "euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "lms", "dpmpp_2m", "dpmpp_2m_cfg_pp",
    "dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu", "dpmpp_3m_sde",
    "dpmpp_3m_sde_gpu", "ddpm", "lcm", "ipndm", "ipndm_v", "deis", "res_multistep", "res_multistep_cfg_pp",
    "res_multistep_ancestral", "res_multistep_ancestral_cfg_pp", "gradient_estimation", "gradient_estimation_cfg_pp",
    "er_sde", "sa_solver", "ddim", "uni_pc", "uni_pc_bh2",
]
MORE_A_STEP = [
    "heun", "heunpp2", "exp_heun_2_x0", "exp_heun_2_x0_sde", "dpm_2", "dpm_2_ancestral", "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp", "dpmpp_sde", "dpmpp_sde_gpu", "seeds_2", "seeds_3", "sa_solver_pece",
]
OWN_LEVELS = ["dpm_fast", "dpm_adaptive"]

SCHEDULES = {
    "1 step": lambda of: of("normal", 1),
    "2 steps": lambda of: of("normal", 2),
    "5 steps": lambda of: of("normal", 5),
    "20 steps": lambda of: of("normal", 20),
    "8 steps karras": lambda of: of("karras", 8),
    "steps that fall very far": lambda of: torch.tensor([14.6, 0.0029, 0.0]),
    "denoise 0.3": lambda of: of("normal", 16)[-6:],
    "the first steps": lambda of: of("normal", 10)[:5],
    "steps in the middle": lambda of: of("normal", 10)[3:7],
    "a restart": lambda of: torch.tensor([14.6, 5.0, 2.0, 0.5, 4.0, 1.5, 0.3, 0.0]),
    "a restart to the same levels": lambda of: torch.tensor([14.6, 5.0, 2.0, 0.5, 2.0, 0.5, 0.1, 0.0]),
    "a restart, noise left": lambda of: torch.tensor([14.6, 5.0, 2.0, 6.0, 3.0]),
    "flipped": lambda of: torch.cat([torch.tensor([1e-4]), of("normal", 6)[:-1].flip(0)]),
    "a tie at the start": lambda of: torch.tensor([14.6, 14.6, 5.0, 2.0, 0.0]),
    "ties in the middle": lambda of: torch.tensor([14.6, 5.0, 5.0, 5.0, 2.0, 0.0]),
    "a tie at the end": lambda of: torch.tensor([14.6, 5.0, 2.0, 2.0]),
}
# These samplers solve equations that equal levels make singular: they stop there with the host's error.
STOPS = {
    *((sampler, "a restart to the same levels") for sampler in ("sa_solver", "sa_solver_pece", "uni_pc", "uni_pc_bh2")),
    *((sampler, "a tie at the start") for sampler in ("sa_solver", "sa_solver_pece")),
    *((sampler, "ties in the middle") for sampler in ("sa_solver", "sa_solver_pece")),
}
FALLING = ["1 step", "2 steps", "5 steps", "20 steps", "8 steps karras", "denoise 0.3", "steps in the middle"]

OPTIONS = [
    *((name, {"eta": eta}) for name in ("dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_2s_ancestral_cfg_pp")
      for eta in (0.0, 0.3, 1.2, 2.0)),
    *(("euler_ancestral", {"eta": eta}) for eta in (0.0, 1.0)),
    *(("seeds_2", {"r": r, "eta": eta, "solver_type": solver})
      for r in (0.01, 0.5, 0.99, 1.0) for eta in (0.0, 1.0) for solver in ("phi_1", "phi_2")),
    *(("dpmpp_sde", {"r": r, "eta": 0.0}) for r in (0.5, 1.0, 2.0)),
    ("sa_solver", {"use_pece": True}),
    ("sa_solver", {"use_pece": True, "corrector_order": 0}),
    ("sa_solver_pece", {"corrector_order": 0}),
    ("sa_solver_pece", {"corrector_order": 1}),
    *((name, {"s_churn": 1.0}) for name in ("euler", "heun", "heunpp2", "dpm_2")),
    *((name, {"s_churn": 50.0, "s_tmin": 0.5, "s_tmax": 10.0}) for name in ("euler", "heun", "heunpp2", "dpm_2")),
]


def own_step():
    """The step, from 1, that the sampler which is calling is at, by its loop variable."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename.replace("\\", "/")
        if file.endswith("k_diffusion/sampling.py") and isinstance(frame.f_locals.get("i"), int):
            return frame.f_locals["i"] + 1
        if file.endswith("extra_samplers/uni_pc.py") and "step_index" in frame.f_locals:
            return frame.f_locals["step_index"] + 1
        frame = frame.f_back
    return None


class StandIn:
    """What samplers take for a model: it shrinks noise as if every latent were standard normal."""

    def __init__(self, model_sampling):
        self.inner_model = SimpleNamespace(
            inner_model=SimpleNamespace(model_sampling=model_sampling),
            model_patcher=SimpleNamespace(get_model_object=lambda name: model_sampling),
        )
        self.evaluations = []

    def __call__(self, x, sigma, model_options, seed):
        self.evaluations.append((float(sigma[0]), own_step()))
        denoised = x / (1 + float(sigma[0]) ** 2)
        for function in model_options.get("sampler_post_cfg_function", ()):
            function({"denoised": denoised, "uncond_denoised": 0.9 * denoised})
        return denoised


@pytest.fixture(scope="module")
def sampling(host):
    """The samplers' schedules and runs: `schedule(name)`, `sampler(name, **options)`, `run(sampler, sigmas)`."""
    import comfy.model_sampling as kinds
    import comfy.samplers

    class Eps(kinds.ModelSamplingDiscrete, kinds.EPS):
        pass

    class Flow(kinds.ModelSamplingDiscreteFlow, kinds.CONST):
        pass

    class Sampling:
        samplers = comfy.samplers

        def schedule(self, name, flow=False):
            of = comfy.samplers.calculate_sigmas
            return SCHEDULES[name](lambda scheduler, steps: of(Flow() if flow else Eps(), scheduler, steps))

        def sampler(self, name, **options):
            sampler = comfy.samplers.sampler_object(name)
            sampler.extra_options = options
            return sampler

        def run(self, sampler, sigmas, flow=False):
            """For each evaluation, its noise level and the sampler's own step."""
            model = StandIn(Flow() if flow else Eps())
            noise = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * sigmas[0]
            with contextlib.suppress(torch.linalg.LinAlgError):
                sampler.sampler_function(
                    model, noise, sigmas.clone(), extra_args={"model_options": {}, "seed": 0}, callback=None,
                    disable=True, **sampler.extra_options,
                )
            return model.evaluations

    return Sampling()


@pytest.fixture(scope="module")
def counter(host):
    """Makes a step counter."""
    return host.module("nodes.host.steps").StepCounter


def counted(counter, sampler, sigmas, evaluations):
    """The evaluations again, each with the step that is counted."""
    counter = counter(sigmas.tolist(), sampler)
    return [(sigma, counter.evaluation(sigma)) for sigma, _ in evaluations]


def test_no_sampler_of_the_host_goes_untested(sampling):
    assert sorted(ONCE_A_STEP + MORE_A_STEP + OWN_LEVELS) == sorted(sampling.samplers.SAMPLER_NAMES)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ONCE_A_STEP + MORE_A_STEP)
def test_every_evaluation_is_counted_to_the_samplers_own_step(sampling, counter, name, schedule):
    sampler, sigmas = sampling.sampler(name), sampling.schedule(schedule)
    evaluations = sampling.run(sampler, sigmas)
    assert len({step for _, step in evaluations}) == len(sigmas) - 1 or (name, schedule) in STOPS
    assert counted(counter, sampler, sigmas, evaluations) == evaluations


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_a_samplers_options_change_what_a_step_evaluates(sampling, counter, name, options):
    sampler = sampling.sampler(name, **options)
    for schedule in SCHEDULES:
        sigmas = sampling.schedule(schedule)
        evaluations = sampling.run(sampler, sigmas)
        assert counted(counter, sampler, sigmas, evaluations) == evaluations, schedule


@pytest.mark.parametrize("name", ONCE_A_STEP + MORE_A_STEP)
def test_a_flow_models_schedule_is_counted_as_well(sampling, counter, name):
    sampler = sampling.sampler(name)
    for schedule in ("1 step", "5 steps", "the first steps", "8 steps karras"):
        sigmas = sampling.schedule(schedule, flow=True)
        evaluations = sampling.run(sampler, sigmas, flow=True)
        assert counted(counter, sampler, sigmas, evaluations) == evaluations, schedule


@pytest.mark.parametrize("name", MORE_A_STEP)
def test_these_samplers_evaluate_more_than_once_a_step(sampling, name):
    steps = [step for _, step in sampling.run(sampling.sampler(name), sampling.schedule("5 steps"))]
    assert len(steps) > len(set(steps))


@pytest.mark.parametrize("schedule", FALLING)
@pytest.mark.parametrize("name", OWN_LEVELS)
def test_a_sampler_with_levels_of_its_own_is_counted_by_the_schedules(sampling, counter, name, schedule):
    sampler, sigmas = sampling.sampler(name), sampling.schedule(schedule)
    evaluations = sampling.run(sampler, sigmas)
    steps, furthest = [], 1
    for level, _ in evaluations:
        furthest = max(furthest, sum(start >= level * (1 - 1e-6) for start in sigmas[:-1].tolist()))
        steps.append((level, furthest))
    assert counted(counter, sampler, sigmas, evaluations) == steps


def follow(counter, sigmas, levels, sampler=None):
    counter = counter(sigmas, sampler)
    return [counter.evaluation(level) for level in levels]


def named(name, **options):
    """A sampler as another pack might make it."""
    def function():
        pass

    function.__name__ = name
    return SimpleNamespace(sampler_function=function, extra_options=options)


def test_a_level_between_two_scheduled_ones_belongs_to_the_step_that_leads_from_one_to_the_other(counter):
    assert follow(counter, [10.0, 5.0, 2.0, 0.0], (10.0, 7.0, 5.0, 3.0, 2.0, 1.0)) == [1, 1, 2, 2, 3, 3]
    assert follow(counter, [1.0, 5.0, 10.0], (1.0, 3.0, 5.0, 7.0)) == [1, 1, 2, 2]


def test_a_noise_level_that_rises_again_does_not_turn_the_count_back(counter):
    assert follow(counter, [10.0, 5.0, 2.0, 0.0], (10.0, 5.0, 6.0, 9.0, 2.0)) == [1, 2, 2, 2, 3]
    assert follow(counter, [1.0, 5.0, 8.0, 10.0], (1.0, 5.0, 3.0, 8.0)) == [1, 2, 2, 3]


def test_levels_that_are_passed_over_are_steps_passed_over(counter):
    assert follow(counter, [10.0, 5.0, 2.0, 1.0, 0.0], (10.0, 1.5)) == [1, 3]
    assert follow(counter, [1.0, 2.0, 5.0, 10.0], (1.0, 7.0)) == [1, 3]


@pytest.mark.parametrize("off", [-1e-6, 1e-6])
def test_a_level_that_misses_the_scheduled_one_by_rounding_begins_the_step(counter, off):
    sigmas = [10.0, 5.0, 2.0, 1.0, 0.0]
    near = 1 + off
    assert follow(counter, sigmas, (10.0 * near, 5.0 * near, 2.0 * near)) == [1, 2, 3]
    assert follow(counter, sigmas, (10.0, 2.0 * near, 1.0 * near)) == [1, 3, 4]


def test_a_level_that_is_only_near_the_scheduled_one_does_not_begin_the_step(counter):
    assert follow(counter, [1.0, 0.999, 0.998, 0.0], (1.0, 0.9991, 0.999, 0.9981, 0.998)) == [1, 1, 2, 2, 3]


def test_an_evaluation_repeated_at_the_level_where_the_step_begins_does_not_begin_another(counter):
    assert follow(counter, [10.0, 5.0, 2.0, 5.0, 0.0], (10.0, 10.0, 5.0, 5.0, 2.0, 2.0)) == [1, 1, 2, 2, 3, 3]


def test_a_restart_that_adds_noise_without_an_evaluation_is_passed_over(counter):
    assert follow(counter, [10.0, 5.0, 2.0, 8.0, 4.0, 0.0], (10.0, 7.0, 5.0, 3.0, 8.0, 6.0, 4.0)) == [
        1, 1, 2, 2, 4, 4, 5,
    ]


def test_an_unscheduled_restart_stays_where_the_count_is(counter):
    assert follow(counter, [10.0, 5.0, 2.0, 0.0], (10.0, 5.0, 8.0, 6.5, 5.5, 2.0)) == [1, 2, 2, 2, 2, 3]


def test_a_sampler_that_is_not_the_hosts_may_be_anything(counter):
    for sampler in (None, object(), named("sample_mine"), SimpleNamespace(sampler_function=len, extra_options=None)):
        assert follow(counter, [10.0, 5.0, 5.0, 0.0], (10.0, 5.0, 5.0), sampler) == [1, 2, 3]


def test_a_known_name_on_a_sampler_that_evaluates_once_a_step_does_no_harm(counter):
    for name in ("sample_dpmpp_sde", "sample_dpmpp_sde_gpu", "sample_seeds_2", "sample_seeds_3", "sample_dpm_2"):
        assert follow(counter, [10.0, 5.0, 2.0, 1.0], (10.0, 5.0, 2.0), named(name)) == [1, 2, 3]


@pytest.mark.parametrize("name", ["euler", "dpm_2", "dpmpp_sde", "dpmpp_sde_gpu", "seeds_2", "seeds_3", "uni_pc"])
def test_evaluations_that_a_cache_skips_do_not_put_the_count_off(sampling, counter, name):
    sampler, sigmas = sampling.sampler(name), sampling.schedule("20 steps")
    evaluations = sampling.run(sampler, sigmas)
    chance = torch.Generator().manual_seed(0)
    for _ in range(20):
        kept = [evaluations[0]] + [each for each in evaluations[1:] if torch.rand((), generator=chance) > 0.3]
        assert counted(counter, sampler, sigmas, kept) == kept


def test_a_schedule_has_a_step_between_each_two_levels_and_at_least_one(counter):
    assert [counter(sigmas, None).steps for sigmas in ([10.0, 5.0, 2.0, 0.0], [10.0, 0.0], [10.0], [])] == [3, 1, 1, 1]
    assert counter([10.0], None).evaluation(10.0) == 1


def on_the_demo_model(host, studio, counter, node="KSampler", **inputs):
    """Samples with the demo model; for each evaluation, the step counted and the sampler's own."""
    from comfy.patcher_extension import WrappersMP

    counters, steps = [], []

    def outer_sample(executor, noise, latent_image, sampler, sigmas, *args, **kwargs):
        counters.append(counter(sigmas.tolist(), sampler))
        return executor(noise, latent_image, sampler, sigmas, *args, **kwargs)

    def predict_noise(executor, x, timestep, *args, **kwargs):
        steps.append((counters[-1].evaluation(float(timestep[0])), own_step()))
        return executor(x, timestep, *args, **kwargs)

    model = studio.demo.model.clone()
    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, "test", outer_sample)
    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "test", predict_noise)
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    host.call(node, model=model, cfg=2.0, positive=studio.positive, negative=studio.negative, latent_image=latent,
              **inputs)
    return [step for step, _ in steps], [step for _, step in steps]


@pytest.mark.parametrize(("name", "steps"), [
    ("euler", [1, 2, 3, 4]),
    ("uni_pc", [1, 2, 3, 4]),
    ("heun", [1, 1, 2, 2, 3, 3, 4]),
    ("heunpp2", [1, 1, 1, 2, 2, 2, 3, 3, 4]),
    ("exp_heun_2_x0_sde", [1, 1, 2, 2, 3, 3, 4]),
    ("dpm_2_ancestral", [1, 1, 2, 2, 3, 3, 4]),
    ("dpmpp_2s_ancestral_cfg_pp", [1, 1, 2, 2, 3, 3, 4]),
    ("dpmpp_sde", [1, 1, 2, 2, 3, 3, 4]),
    ("seeds_3", [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]),
    ("sa_solver_pece", [1, 2, 2, 3, 3, 4, 4]),
])
def test_a_real_run_is_counted(host, studio, counter, name, steps):
    counted_steps, own = on_the_demo_model(
        host, studio, counter, seed=0, steps=4, sampler_name=name, scheduler="normal", denoise=1.0
    )
    assert counted_steps == own == steps


def test_a_part_of_a_real_run_is_counted_from_its_own_start(host, studio, counter):
    counted_steps, own = on_the_demo_model(
        host, studio, counter, "KSamplerAdvanced", noise_seed=0, steps=8, sampler_name="dpmpp_2s_ancestral",
        scheduler="karras", add_noise="enable", start_at_step=2, end_at_step=5, return_with_leftover_noise="enable",
    )
    assert counted_steps == own == [1, 1, 2, 2, 3, 3]


def test_a_real_unsampling_run_is_counted(host, studio, counter):
    schedule = host.call("BasicScheduler", model=studio.demo.model, scheduler="normal", steps=4, denoise=1.0)[0]
    counted_steps, own = on_the_demo_model(
        host, studio, counter, "SamplerCustom", add_noise=False, noise_seed=0,
        sampler=host.call("KSamplerSelect", sampler_name="heun")[0], sigmas=host.call("FlipSigmas", sigmas=schedule)[0],
    )
    assert counted_steps == own == [1, 1, 2, 2, 3, 3, 4, 4]
