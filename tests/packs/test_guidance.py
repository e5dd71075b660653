"""sd-perturbed-attention's guidance, which keeps or replaces what it finds in the slot, and ComfyUI-NAG's sampler."""

import re

import pytest

from devtools.server import ServerError

from .graph import Scene
from .neighbours import nag

PACK, NAG_SAMPLER = "sd-perturbed-attention", "ComfyUI-NAG"

REACHED = re.compile(r"(\d+) of (\d+) cross-attentions")


def reached(log):
    """How many of the cross-attentions the run says it reached, and of how many."""
    return tuple(map(int, REACHED.search(log).groups()))


@pytest.mark.packs(PACK)
def test_taken_off_behind_nag_the_subjects_are_gone_to_the_bit(packs):
    """NAG keeps the slot that it found, subjects and all."""
    scene = Scene()
    off = scene.apply(nag(scene, scene.apply()), scale=0.0)
    assert packs.off(scene.sample(off), scene.sample(nag(scene, scene.model))) == 0


@pytest.mark.packs(PACK)
def test_applied_again_behind_nag_they_act_once_and_in_the_first_place(packs):
    scene = Scene()
    again = scene.apply(nag(scene, scene.apply(scale=0.5)))
    assert packs.off(scene.sample(again), scene.sample(nag(scene, scene.apply()))) == 0


@pytest.mark.packs(PACK)
def test_applied_twice_behind_nag_the_last_counts(packs):
    scene = Scene()
    once = scene.apply(nag(scene, scene.model), scale=0.7)
    twice = scene.apply(scene.apply(nag(scene, scene.model)), scale=0.7)
    assert packs.off(scene.sample(twice), scene.sample(once)) == 0


@pytest.mark.packs(PACK)
def test_nag_works_on_text_and_subjects_in_front_and_on_text_alone_behind(packs):
    """The order of the nodes is its meaning: what is put on the model later is not guided by it."""
    scene = Scene()
    first, last = scene.sample(nag(scene, scene.apply())), scene.sample(scene.apply(nag(scene, scene.model)))
    assert packs.off(first, last) > 0.5


@pytest.mark.packs(PACK)
def test_all_cross_attentions_are_reached_through_nag(packs):
    scene = Scene()
    for model in (nag(scene, scene.apply()), scene.apply(nag(scene, scene.model))):
        _, log = packs.latents_and_log(scene.sample(model))
        assert reached(log) == (4, 4)
        assert "cross-attentions were reached" not in log


@pytest.mark.packs(PACK)
def test_pladis_behind_the_subjects_takes_their_places_and_the_run_says_so(packs):
    """It replaces every cross-attention but the middle one."""
    scene = Scene()
    _, log = packs.latents_and_log(scene.sample(scene.node("PLADIS", model=scene.apply())))
    assert reached(log) == (1, 4)
    warning = next(line for line in log.splitlines() if "WARNING" in line)
    for part in ("1 of the model's 4 cross-attentions", "behind"):
        assert part in warning


@pytest.mark.packs(PACK)
def test_pladis_before_the_subjects_is_kept_and_all_are_reached(packs):
    scene = Scene()
    _, log = packs.latents_and_log(scene.sample(scene.apply(scene.node("PLADIS", model=scene.model))))
    assert reached(log) == (4, 4)


@pytest.mark.packs(PACK)
@pytest.mark.parametrize("node", ["PerturbedAttention", "SmoothedEnergyGuidanceAdvanced"])
@pytest.mark.parametrize("auto", [False, True], ids=["boxes", "auto_layout"])
def test_guidance_of_scale_0_is_the_picture_without_it(packs, node, auto):
    """It evaluates the positive side a second time, which auto layout must not count as another step."""
    scene = Scene()
    model = scene.apply(auto_layout=scene.auto_layout()) if auto else scene.apply()
    guided = scene.node(node, model=model, scale=0.0)
    assert packs.off(scene.sample(guided), scene.sample(model)) < 1e-4


def sliding(scene, model, width=64):
    """Guidance by what the model makes of windows of the latent, each seen alone."""
    return scene.node(
        "SlidingWindowGuidanceAdvanced", model=model, tile_width=width, tile_height=scene.height, tile_overlap=16,
        sigma_end=-1.0,
    )  # fmt: skip


@pytest.mark.packs(PACK)
@pytest.mark.parametrize("auto", [False, True], ids=["boxes", "auto_layout"])
def test_one_window_that_is_the_whole_latent_guides_nothing(packs, auto):
    scene = Scene()
    model = scene.apply(auto_layout=scene.auto_layout()) if auto else scene.apply()
    without_us = packs.off(scene.sample(sliding(scene, scene.model, scene.width)), scene.sample())
    assert packs.off(scene.sample(sliding(scene, model, scene.width)), scene.sample(model)) <= 4 * without_us


@pytest.mark.packs(PACK)
@pytest.mark.parametrize("number, acts", [(0, True), (1, False), (2, True)], ids=["whole", "left", "right"])
def test_each_window_is_shown_its_own_part_of_the_layout(packs, number, acts):
    """The only subject is at the right edge, where the first window does not reach."""
    scene = Scene()
    embeds = scene.embeds(((0.75, 0.0, 1.0, 1.0),))

    def prediction(put_on):
        return scene.predictions("positive", lambda model: sliding(scene, put_on(model)), number)

    moved = packs.off(prediction(lambda model: scene.apply(model, embeds=embeds)), prediction(lambda model: model))
    assert (moved > 0.1) == acts


@pytest.mark.packs(PACK)
def test_sliding_windows_with_auto_layout(packs):
    scene = Scene()

    def guided(**layout):
        return scene.sample(sliding(scene, scene.apply(**layout)))

    assert packs.off(guided(auto_layout=scene.auto_layout()), guided()) > 0.5


def nag_sampled(scene, model):
    """What ComfyUI-NAG's own sampler makes of a model."""
    return scene.node(
        "KSamplerWithNAG", model=model, positive=scene.positive, negative=scene.negative, latent_image=scene.noise(),
        nag_negative=scene.text("a dog"), steps=3, cfg=2.0, seed=7, sampler_name="euler", scheduler="normal",
    )  # fmt: skip


@pytest.mark.packs(NAG_SAMPLER)
def test_a_sampler_that_appends_prompts_is_refused_by_name_and_leaves_nothing_behind(packs):
    """It takes its patch off the model after a run that ends well only."""
    scene = Scene()
    graphs = scene.sample(), scene.sample(scene.apply())
    before = [packs.latents(sampled) for sampled in graphs]
    try:
        with pytest.raises(ServerError) as refused:
            packs.latents(nag_sampled(scene, scene.apply()))
        for name in ("ComfyUI-NAG", "NAGuidance", "sd-perturbed-attention"):
            assert name in refused.value.message
        for sampled, then in zip(graphs, before, strict=True):
            left = packs.latents(sampled) - then
            assert left.abs().max() == 0
    finally:
        packs.forget()


@pytest.mark.packs(NAG_SAMPLER)
def test_its_sampler_is_itself_at_scale_0(packs):
    scene = Scene()
    assert packs.off(nag_sampled(scene, scene.apply(scale=0.0)), nag_sampled(scene, scene.model)) == 0


@pytest.mark.packs(NAG_SAMPLER)
def test_the_hosts_own_guidance_of_that_name_works_instead(packs):
    scene = Scene()

    def guided(model):
        return scene.sample(scene.node("NAGuidance", model=model))

    assert packs.off(guided(scene.apply()), guided(scene.model)) > 5
    assert packs.off(guided(scene.apply()), scene.sample(scene.apply())) > 0.5
