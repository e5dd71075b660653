"""Samplers, guiders and context windows of other packs, and AutomaticCFG, which evaluates on its own."""

import pytest

from .graph import Scene
from .neighbours import excellent_attention

AUTOMATIC, INSPIRE, EASY, KJ = "ComfyUI-AutomaticCFG", "ComfyUI-Inspire-Pack", "ComfyUI-Easy-Use", "ComfyUI-KJNodes"
ESSENTIALS, EVOLVED = "ComfyUI_essentials", "ComfyUI-AnimateDiff-Evolved"

SETTINGS = {"steps": 3, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}


def prompts(scene):
    return {"positive": scene.positive, "negative": scene.negative}


def inspire(scene, model):
    return scene.node(
        "KSampler //Inspire", model=model, latent_image=scene.noise(), seed=7, noise_mode="CPU",
        batch_seed_mode="comfy", **prompts(scene), **SETTINGS,
    )  # fmt: skip


def inspire_progress(scene, model):
    return scene.node(
        "KSamplerProgress //Inspire", model=model, latent_image=scene.noise(), seed=7, noise_mode="CPU",
        **prompts(scene), **SETTINGS,
    )  # fmt: skip


def easy(scene, model):
    pipe = scene.node(
        "easy pipeIn", model=model, pos=scene.positive, neg=scene.negative, latent=scene.noise(), vae=scene.vae,
        clip=scene.clip, image=scene.photo(),
    )  # fmt: skip
    return scene.node("easy fullkSampler", pipe=pipe, seed=7, image_output="Hide", **SETTINGS)[5]


def stochastic(scene, model):
    settings = {**SETTINGS, "sampler": SETTINGS["sampler_name"]}
    del settings["sampler_name"], settings["denoise"]
    return scene.node(
        "KSamplerVariationsStochastic+", model=model, latent_image=scene.noise(), noise_seed=7,
        variation_strength=0.0, **prompts(scene), **settings,
    )  # fmt: skip


def guided(scene, model, guider):
    """The host's sampler with a guider, a function of the noise levels."""
    sigmas = scene.node("BasicScheduler", model=model, scheduler="normal", steps=3, denoise=1.0)
    return scene.node(
        "SamplerCustomAdvanced", noise=scene.node("RandomNoise", noise_seed=7), guider=guider(sigmas), sigmas=sigmas,
        sampler=scene.node("KSamplerSelect", sampler_name="euler"), latent_image=scene.noise(),
    )  # fmt: skip


def kj(scene, model):
    return guided(scene, model, lambda _: scene.node("ScheduledCFGGuidance", model=model, cfg=2.0, **prompts(scene)))


def inspire_guider(scene, model):
    return guided(scene, model, lambda sigmas: scene.node(
        "ScheduledCFGGuider //Inspire", model=model, sigmas=sigmas, from_cfg=2.0, to_cfg=2.0, **prompts(scene)
    ))


def essentials_variations(scene, model):
    return scene.node(
        "KSamplerVariationsWithNoise+", model=model, latent_image=scene.noise(), main_seed=7, variation_strength=0.3,
        **prompts(scene), **SETTINGS,
    )  # fmt: skip


def marked(*samplers):
    return [pytest.param(sampler, id=sampler.__name__, marks=pytest.mark.packs(pack)) for sampler, pack in samplers]


LIKE_THE_HOSTS = pytest.mark.parametrize("sampler", marked(
    (inspire, INSPIRE), (inspire_progress, INSPIRE), (easy, EASY), (stochastic, ESSENTIALS), (kj, KJ),
    (inspire_guider, INSPIRE),
))  # fmt: skip


@LIKE_THE_HOSTS
@pytest.mark.parametrize("auto", [False, True], ids=["boxes", "auto_layout"])
def test_it_gives_the_picture_of_the_hosts_sampler(packs, sampler, auto):
    scene = Scene()
    model = scene.apply(auto_layout=scene.auto_layout()) if auto else scene.apply()
    without_us = packs.off(sampler(scene, scene.model), scene.sample())
    assert without_us < 1e-4
    assert packs.off(sampler(scene, model), scene.sample(model)) <= max(1e-6, 4 * without_us)


@pytest.mark.packs(ESSENTIALS)
def test_a_sampler_with_noise_of_its_own(packs):
    scene = Scene()
    assert packs.off(essentials_variations(scene, scene.apply()), essentials_variations(scene, scene.model)) > 5
    assert packs.off(
        essentials_variations(scene, scene.apply(scale=0.0)), essentials_variations(scene, scene.model)
    ) == 0


@pytest.mark.packs(INSPIRE)
def test_three_way_guidance_is_the_hosts(packs):
    scene = Scene()
    model, empty = scene.apply(), {"empty_conditioning": scene.text(""), "neg_scale": 1.0}
    theirs = guided(scene, model, lambda sigmas: scene.node(
        "ScheduledPerpNegCFGGuider //Inspire", model=model, sigmas=sigmas, from_cfg=2.0, to_cfg=2.0,
        **prompts(scene), **empty,
    ))
    ours = guided(scene, model, lambda _: scene.node("PerpNegGuider", model=model, cfg=2.0, **prompts(scene), **empty))
    assert packs.off(theirs, ours) == 0


@pytest.mark.packs(AUTOMATIC)
def test_what_it_evaluates_with_copied_options_has_subjects_for_the_positive_side_only(packs):
    """Its "excellent attention" makes both predictions on its own, with options copied before the run."""
    scene = Scene()
    plain = {"patch_cond": False, "patch_uncond": False}
    alone = scene.predictions("negative", lambda model: excellent_attention(scene, model, **plain))
    both = scene.predictions("negative", lambda model: excellent_attention(scene, scene.apply(model), **plain))
    assert packs.off(both, alone) == 0
    assert packs.off(
        scene.sample(excellent_attention(scene, scene.apply())), scene.sample(excellent_attention(scene, scene.model))
    ) > 5


@pytest.mark.packs(AUTOMATIC)
def test_copied_before_the_subjects_its_options_have_none_and_the_run_says_so(packs):
    scene = Scene()
    latents, log = packs.latents_and_log(scene.sample(scene.apply(excellent_attention(scene, scene.model))))
    without = packs.latents(scene.sample(excellent_attention(scene, scene.model)))
    assert (latents - without).abs().max() == 0
    assert "0 of 4 cross-attentions" in log
    assert "WARNING" in log


@pytest.mark.packs(AUTOMATIC)
def test_an_attention_modifier_for_a_whole_block_acts_behind_the_subjects(packs):
    """It is put in the block's place, and the host looks for each attention's place first."""
    scene = Scene()

    def modified(model, strength):
        return scene.sample(excellent_attention(scene, model, light_patch=True, patch_multiplier=strength))

    assert packs.off(modified(scene.model, 3.0), modified(scene.model, 1.0)) > 0.5
    assert packs.off(modified(scene.apply(), 3.0), modified(scene.apply(), 1.0)) > 0.5


@pytest.mark.packs(AUTOMATIC)
def test_its_patch_of_the_hosts_sampling_leaves_other_runs_alone(packs):
    scene = Scene()
    graphs = scene.sample(), scene.sample(scene.apply())
    before = [packs.latents(sampled) for sampled in graphs]
    packs.latents(scene.sample(scene.node("Automatic CFG", model=scene.apply())))
    for sampled, then in zip(graphs, before, strict=True):
        left = packs.latents(sampled) - then
        assert left.abs().max() == 0


def windows(scene, model, kind="Static", **inputs):
    """AnimateDiff-Evolved's context windows of four images, without a motion model."""
    given = {"context_length": 4, "context_overlap": 2, **inputs}
    options = scene.node(f"ADE_Standard{kind}ContextOptions", **given)
    return scene.node("ADE_UseEvolvedSampling", model=model, context_options=options)


KINDS = pytest.mark.parametrize("kind", ["Static", "Uniform"])
ORDER = pytest.mark.parametrize("order", ["us_first", "us_last"])


@ORDER
@KINDS
@pytest.mark.parametrize("auto", [False, True], ids=["boxes", "auto_layout"])
@pytest.mark.packs(EVOLVED)
def test_windows_of_a_batch_are_the_whole_batch(packs, kind, order, auto):
    """Without a motion model no image knows of another, so windows change nothing."""
    scene = Scene()
    layout = {"auto_layout": scene.auto_layout()} if auto else {}
    whole = scene.apply(**layout)
    if order == "us_first":
        shown = windows(scene, whole, kind)
    else:
        shown = scene.apply(windows(scene, scene.model, kind), **layout)
    without_us = packs.off(scene.sample(windows(scene, scene.model, kind), batch=6), scene.sample(batch=6))
    assert packs.off(scene.sample(shown, batch=6), scene.sample(whole, batch=6)) <= max(1e-4, 10 * without_us)


@ORDER
@pytest.mark.packs(EVOLVED)
def test_each_window_shows_its_own_images_of_a_transition(packs, order):
    scene = Scene()
    cat, fish = (scene.embeds(subjects=((kind, 8), ("robot", 6))) for kind in ("cat", "fish"))
    blended = scene.node("MSDiffusionBlend", embeds_a=cat, embeds_b=fish, frames=6)
    whole = scene.apply(embeds=blended)
    shown = windows(scene, whole) if order == "us_first" else scene.apply(windows(scene, scene.model), embeds=blended)
    assert packs.off(scene.sample(shown, batch=6), scene.sample(whole, batch=6)) <= 1e-4
