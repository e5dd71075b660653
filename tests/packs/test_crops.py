"""Ultimate SD Upscale and Impact's detailer, which sample every crop of a picture as a picture of its own."""

import pytest

from .graph import Scene

UPSCALE, IMPACT = "ComfyUI_UltimateSDUpscale", "ComfyUI-Impact-Pack"
SAMPLING = {"seed": 7, "steps": 2, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 0.6}


def upscaled(scene, model):
    """A picture redrawn in four square tiles."""
    return scene.node(
        "UltimateSDUpscaleNoUpscale", upscaled_image=scene.photo("cat", 8, 128), model=model, vae=scene.vae,
        positive=scene.positive, negative=scene.negative, tile_width=64, tile_height=64, tile_padding=0, mask_blur=0,
        **SAMPLING,
    )  # fmt: skip


def detailed(scene, model):
    """A picture with a square in its middle redrawn."""
    middle = scene.node(
        "MaskComposite", destination=scene.node("SolidMask", value=0.0, width=128, height=128),
        source=scene.node("SolidMask", value=1.0, width=48, height=48), x=40, y=40, operation="add",
    )  # fmt: skip
    return scene.node(
        "DetailerForEach", image=scene.photo("cat", 8, 128), model=model, vae=scene.vae, clip=scene.clip,
        segs=scene.node("MaskToSEGS", mask=middle, crop_factor=2.0), positive=scene.positive, negative=scene.negative,
        guide_size=96, max_size=128, **SAMPLING,
    )  # fmt: skip


CROPPING = pytest.mark.parametrize(
    "crop",
    [pytest.param(upscaled, marks=pytest.mark.packs(UPSCALE)), pytest.param(detailed, marks=pytest.mark.packs(IMPACT))],
)
WARNING = "the whole layout was laid over it"


def drawn(scene, crop, model):
    return scene.node("VAEEncode", pixels=crop(scene, model), vae=scene.vae)


@CROPPING
def test_the_subjects_act_in_every_crop(packs, crop):
    scene = Scene()
    assert packs.off(drawn(scene, crop, scene.apply()), drawn(scene, crop, scene.model)) > 0.5


@CROPPING
def test_scale_0_is_the_pack_alone_to_the_bit(packs, crop):
    scene = Scene()
    assert packs.off(drawn(scene, crop, scene.apply(scale=0.0)), drawn(scene, crop, scene.model)) == 0


@CROPPING
def test_a_crop_of_another_shape_than_the_layouts_frame_is_said(packs, crop):
    """Only the shape can tell that a latent is a crop; the message names both packs' kind and what to do."""
    scene = Scene()
    _, log = packs.latents_and_log(drawn(scene, crop, scene.apply(embeds=scene.embeds(width=192, height=128))))
    assert WARNING in log
    for name in ("Ultimate SD Upscale", "detailers", "before Apply", "Crop MS-Diffusion Embeds"):
        assert name in log


@CROPPING
def test_a_crop_of_the_frames_shape_is_not_warned_of(packs, crop):
    scene = Scene()
    _, log = packs.latents_and_log(drawn(scene, crop, scene.apply()))
    assert WARNING not in log


@CROPPING
def test_embeds_cropped_to_a_square_are_not_warned_of(packs, crop):
    scene = Scene()
    square = scene.node(
        "MSDiffusionCropEmbeds", embeds=scene.embeds(width=192, height=128), x=0, y=0, width=128, height=128,
        frame_width=192, frame_height=128,
    )  # fmt: skip
    _, log = packs.latents_and_log(drawn(scene, crop, scene.apply(embeds=square)))
    assert WARNING not in log


@pytest.mark.packs(IMPACT)
def test_impacts_sampler_gives_the_hosts_picture(packs):
    scene = Scene()
    model = scene.apply()
    pipe = scene.node(
        "ToBasicPipe", model=model, clip=scene.clip, vae=scene.vae, positive=scene.positive, negative=scene.negative
    )
    settings = {**SAMPLING, "steps": 3, "denoise": 1.0}
    sampled = scene.node("ImpactKSamplerBasicPipe", basic_pipe=pipe, latent_image=scene.noise(), **settings)
    assert packs.off(sampled[1], scene.sample(model)) < 1e-6


def regional(scene, model):
    """Impact's sampler of regions, which runs the host's sampler for every step and region anew."""
    pipe = scene.node(
        "ToBasicPipe", model=model, clip=scene.clip, vae=scene.vae, positive=scene.positive, negative=scene.negative
    )
    sampler = scene.node(
        "KSamplerAdvancedProvider", basic_pipe=pipe, cfg=2.0, sampler_name="euler", scheduler="normal"
    )
    region = scene.node("RegionalPrompt", mask=scene.mask(0.0, 0.5), advanced_sampler=sampler)
    return scene.node(
        "RegionalSampler", seed=7, steps=4, base_only_steps=1, denoise=1.0, samples=scene.noise(), overlap_factor=2,
        base_sampler=sampler, regional_prompts=region,
    )  # fmt: skip


@pytest.mark.packs(IMPACT)
def test_impacts_regional_sampler(packs):
    scene = Scene()
    assert packs.off(regional(scene, scene.apply()), regional(scene, scene.model)) > 5
    assert packs.off(regional(scene, scene.apply(scale=0.0)), regional(scene, scene.model)) == 0


@pytest.mark.packs(IMPACT)
def test_auto_layout_says_that_runs_of_one_step_are_too_short_for_it(packs):
    scene = Scene()
    _, log = packs.latents_and_log(regional(scene, scene.apply(auto_layout=scene.auto_layout(start_step=2))))
    assert "its start_step is 2 but the run has 1 steps" in log
