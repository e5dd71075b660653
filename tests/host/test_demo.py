"""The demo nodes: a tiny set that the host takes for SDXL, and subjects drawn from seeds."""

import copy

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


def pointers(model):
    return {weight.data_ptr() for weight in model.state_dict().values()}


def assert_weights_of_its_own(copied, original):
    assert copied is not original
    ours, theirs = original.state_dict(), copied.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert not pointers(copied) & pointers(original)


def test_a_deep_clone_for_another_gpu_has_weights_of_its_own_and_makes_the_same_picture(demo, studio):
    """The picture with subjects, cloned before and after a run that has loaded and patched the model."""
    model = studio.apply()
    before = model.deepclone_multigpu(new_load_device=torch.device("cpu"))
    picture = studio.sample(model)
    after = model.deepclone_multigpu(new_load_device=torch.device("cpu"))
    for clone in (before, after):
        assert_weights_of_its_own(clone.model, demo.model.model)
        assert torch.equal(studio.sample(clone), picture)
    assert torch.equal(studio.sample(demo.model.deepclone_multigpu()), studio.sample(demo.model))
    assert not pointers(before.model) & pointers(after.model)


def test_a_deep_clone_is_made_of_the_file_and_keeps_what_was_patched(demo, studio):
    """A weight that a run has changed in place is not copied; the patch itself is."""
    name = "diffusion_model.input_blocks.0.0.bias"
    pristine = demo.model.model.state_dict()[name].clone()
    model = demo.model.clone()
    model.add_patches({name: ("diff", (torch.full_like(pristine, 0.5),))})
    picture = studio.sample(model)
    clone = model.deepclone_multigpu()
    assert torch.equal(clone.model.state_dict()[name], pristine)
    assert torch.equal(studio.sample(clone), picture)
    assert not torch.equal(studio.sample(demo.model), picture)


def test_text_encoders_and_autoencoder_are_deep_cloned_too(host, demo):
    clip = demo.clip.clone()
    clip.patcher = clip.patcher.deepclone_multigpu()
    clip.cond_stage_model = clip.patcher.model
    assert_weights_of_its_own(clip.cond_stage_model, demo.clip.cond_stage_model)
    encoded = [host.call("CLIPTextEncode", clip=each, text="a (red:1.2) cat")[0][0] for each in (clip, demo.clip)]
    assert torch.equal(encoded[0][0], encoded[1][0])
    assert torch.equal(encoded[0][1]["pooled_output"], encoded[1][1]["pooled_output"])

    vae = copy.copy(demo.vae)
    vae.patcher = vae.patcher.deepclone_multigpu()
    vae.first_stage_model = vae.patcher.model
    assert_weights_of_its_own(vae.first_stage_model, demo.vae.first_stage_model)
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(vae.decode(latent), demo.vae.decode(latent))


@pytest.fixture
def dynamic(host, monkeypatch):
    """The host's dynamic memory, as far as a CPU has it: patchers that must be built anew where hooks are used."""
    import comfy.model_patcher

    class DynamicPatcher(comfy.model_patcher.ModelPatcher):
        non_dynamic_delegate_model = None
        get_non_dynamic_delegate = comfy.model_patcher.ModelPatcherDynamic.get_non_dynamic_delegate

        def is_dynamic(self):
            return True

    monkeypatch.setattr(comfy.model_patcher, "CoreModelPatcher", DynamicPatcher)
    return DynamicPatcher


def test_hooks_get_a_model_without_dynamic_memory(host, demo, studio, dynamic):
    import comfy.model_patcher

    model, clip, vae = host.call("MSDiffusionDemoModels")[:3]
    for patcher in (model, clip.patcher, vae.patcher):
        assert type(patcher) is dynamic
        without = patcher.clone(disable_dynamic=True)
        assert type(without) is comfy.model_patcher.ModelPatcher
        assert_weights_of_its_own(without.model, patcher.model)
    for build in (model, clip.patcher):
        assert type(build.cached_patcher_init[0](disable_dynamic=True)) is comfy.model_patcher.ModelPatcher
    delegate = model.get_non_dynamic_delegate()
    assert torch.equal(studio.sample(studio.apply(model=delegate)), studio.sample(studio.apply()))


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
