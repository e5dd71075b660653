"""Packs that load models in ways of their own: quantised weights, ControlNets with schedules."""

import pytest

from .graph import Scene

GGUF, ADVANCED = "ComfyUI-GGUF", "ComfyUI-Advanced-ControlNet"


@pytest.mark.packs(GGUF)
def test_the_subjects_act_in_a_quantised_model(packs):
    scene = Scene()
    quantised = scene.node("StandInQuantized", model=scene.model)
    both = scene.sample(scene.apply(quantised))
    assert packs.off(both, scene.sample(quantised)) > 5
    # Weights of 8 bits move the picture a little, with the subjects as without them.
    moved = packs.off(scene.sample(quantised), scene.sample())
    assert 0 < moved < 1
    assert packs.off(both, scene.sample(scene.apply())) < 4 * moved


@pytest.mark.packs(GGUF)
def test_scale_0_is_the_quantised_model_to_the_bit(packs):
    scene = Scene()
    quantised = scene.node("StandInQuantized", model=scene.model)
    assert packs.off(scene.sample(scene.apply(quantised, scale=0.0)), scene.sample(quantised)) == 0


def controlled(scene, node, **inputs):
    """Both prompts with a ControlNet of this pack."""
    applied = scene.node(
        node, positive=scene.positive, negative=scene.negative, image=scene.photo("fish", 3, 128), strength=0.6,
        control_net=scene.node("ControlNetLoaderAdvanced", control_net_name="packs.safetensors"), **inputs,
    )  # fmt: skip
    return {"positive": applied, "negative": applied[1]}


@pytest.mark.packs(ADVANCED)
@pytest.mark.parametrize("auto", [False, True], ids=["boxes", "auto_layout"])
def test_the_subjects_and_a_scheduled_control_net_act(packs, auto):
    scene = Scene()
    model = scene.apply(auto_layout=scene.auto_layout()) if auto else scene.apply()
    control = controlled(scene, "ACN_AdvancedControlNetApply_v2", end_percent=0.7)
    both = scene.sample(model, **control)
    assert packs.off(both, scene.sample(**control)) > 5
    assert packs.off(both, scene.sample(model)) > 0.5


@pytest.mark.packs(ADVANCED)
def test_scale_0_is_the_control_net_alone_to_the_bit(packs):
    scene = Scene()
    control = controlled(scene, "ACN_AdvancedControlNetApply_v2")
    assert packs.off(scene.sample(scene.apply(scale=0.0), **control), scene.sample(**control)) == 0


@pytest.mark.packs(ADVANCED)
def test_its_control_net_is_the_hosts_without_a_schedule(packs):
    scene = Scene()
    model = scene.apply()
    theirs = controlled(scene, "ACN_AdvancedControlNetApply_v2")
    hosts = scene.node(
        "ControlNetApplyAdvanced", positive=scene.positive, negative=scene.negative, strength=0.6,
        image=scene.photo("fish", 3, 128), start_percent=0.0, end_percent=1.0,
        control_net=scene.node("ControlNetLoader", control_net_name="packs.safetensors"),
    )  # fmt: skip
    hosts = {"positive": hosts, "negative": hosts[1]}
    without_us = packs.off(scene.sample(**theirs), scene.sample(**hosts))
    assert packs.off(scene.sample(model, **theirs), scene.sample(model, **hosts)) <= max(1e-5, 4 * without_us)
