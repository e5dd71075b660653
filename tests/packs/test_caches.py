"""DeepCache and WaveSpeed, which run the UNet themselves and leave parts of it away."""

import re

import pytest

from .graph import Scene

DEEP, WAVE = "ComfyUI-deepcache", "Comfy-WaveSpeed"


def deep(scene, model, interval=1):
    """DeepCache; with an interval of 1 it computes everything."""
    return scene.node("DeepCache", model=model, cache_interval=interval, cache_depth=1)


def wave(scene, model, threshold):
    """WaveSpeed's first block cache; with a threshold near 0 it never finds two steps alike."""
    return scene.node("ApplyFBCacheOnModel", model=model, residual_diff_threshold=threshold)


@pytest.mark.packs(DEEP)
@pytest.mark.parametrize("auto", [False, True], ids=["boxes", "auto_layout"])
def test_deep_cache_that_caches_nothing_gives_the_hosts_picture(packs, auto):
    scene = Scene()
    model = scene.apply(auto_layout=scene.auto_layout()) if auto else scene.apply()
    without_us = packs.off(scene.sample(deep(scene, scene.model)), scene.sample())
    assert packs.off(scene.sample(deep(scene, model)), scene.sample(model)) <= max(1e-4, 10 * without_us)


@pytest.mark.packs(DEEP)
@pytest.mark.parametrize("order", ["us_first", "us_last"])
def test_auto_layout_rules_beside_deep_cache(packs, order):
    scene = Scene()

    def sampled(**layout):
        if order == "us_first":
            return scene.sample(deep(scene, scene.apply(**layout), 2), steps=4)
        return scene.sample(scene.apply(deep(scene, scene.model, 2), **layout), steps=4)

    assert packs.off(sampled(auto_layout=scene.auto_layout()), sampled()) > 0.5
    _, log = packs.latents_and_log(sampled(auto_layout=scene.auto_layout()))
    assert "auto layout from step 2" in log


@pytest.mark.packs(DEEP)
@pytest.mark.parametrize("batch", [1, 2])
def test_an_image_size_and_batch_of_its_own(packs, batch):
    """It runs past the host's call of the model, where we would learn of rows and sizes."""
    scene = Scene(width=192, height=96)
    model = scene.apply()
    assert packs.off(scene.sample(deep(scene, model), batch=batch), scene.sample(model, batch=batch)) < 1e-4


@pytest.mark.packs(WAVE)
@pytest.mark.parametrize("auto", [False, True], ids=["boxes", "auto_layout"])
def test_a_first_block_cache_that_never_hits_gives_the_hosts_picture(packs, auto):
    scene = Scene()
    model = scene.apply(auto_layout=scene.auto_layout()) if auto else scene.apply()
    assert packs.off(scene.sample(wave(scene, model, 1e-6)), scene.sample(model)) < 1e-4


@pytest.mark.packs(WAVE)
def test_a_first_block_cache_that_hits_skips_subjects_with_the_rest(packs):
    """A skipped block skips what the subjects add to it; the steps that are computed have them."""
    scene = Scene()

    def sampled(model):
        return scene.sample(wave(scene, model, 1.0), steps=4)

    assert packs.off(sampled(scene.apply()), sampled(scene.model)) > 5
    assert packs.off(sampled(scene.apply()), scene.sample(scene.apply(), steps=4)) > 0.5


@pytest.mark.packs(DEEP)
def test_the_run_reaches_all_cross_attentions_through_them(packs):
    scene = Scene()
    _, log = packs.latents_and_log(scene.sample(deep(scene, scene.apply(), 2), steps=4))
    assert re.search(r"4 of 4 cross-attentions", log)
