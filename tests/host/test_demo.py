"""The demo nodes: a tiny set that the host takes for SDXL, and subjects drawn from seeds."""

import pytest
import torch


def test_the_host_takes_the_demo_model_for_sdxl(demo):
    import comfy.model_base
    import comfy.sdxl_clip

    assert type(demo.model.model) is comfy.model_base.SDXL
    assert type(demo.clip.cond_stage_model) is comfy.sdxl_clip.SDXLClipModel
    assert demo.vae.downscale_ratio == 8


def test_the_demo_models_are_the_same_every_time(host, demo):
    again = host.call("MSDiffusionDemoModels")
    ours, theirs = demo.model.model.state_dict(), again[0].model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_two_demo_nodes_share_nothing(host, demo):
    again = host.call("MSDiffusionDemoModels")
    assert again[0].model is not demo.model.model
    assert again[4] is not demo.adapter


@pytest.mark.parametrize("kind", ["cat", "robot", "fish", "house", "mushroom", "mug", "car", "rocket"])
def test_a_demo_subject_is_drawn_from_its_seed(host, kind):
    image, mask, phrase = host.call("MSDiffusionDemoSubject", kind=kind, seed=3, size=64)
    again = host.call("MSDiffusionDemoSubject", kind=kind, seed=3, size=64)
    other = host.call("MSDiffusionDemoSubject", kind=kind, seed=4, size=64)
    assert image.shape == (1, 64, 64, 3)
    assert mask.shape == (1, 64, 64)
    assert phrase == kind
    assert torch.equal(image, again[0])
    assert not torch.equal(image, other[0])
    assert image[mask < 0.01].min() > 0.95
    assert 0.1 < mask.mean() < 0.8


def test_a_demo_subject_goes_straight_into_a_subject(host, studio):
    image, mask, phrase = host.call("MSDiffusionDemoSubject", kind="mug", seed=1, size=128)
    subject = host.call("MSDiffusionSubject", image=image, phrase=phrase, weight=1.0, fit="stretch", mask=mask)[0]
    assert torch.isfinite(studio.sample(studio.apply(studio.encode(subjects=[subject, subject])))).all()
