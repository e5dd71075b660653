"""Blends and transitions in real sampling runs."""

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT


def blend(host, a, b, amount=0.5, frames=1, mode="linear"):
    return host.call("MSDiffusionBlend", embeds_a=a, embeds_b=b, amount=amount, mode=mode, frames=frames)[0]


def crop(host, embeds):
    """The left half of the frame."""
    return host.call("MSDiffusionCropEmbeds", embeds=embeds, x=0, y=0, width=512, height=1024, frame_width=1024,
                     frame_height=1024)[0]


def test_blend_ends_are_bit_identical_to_the_plain_subjects(host, studio):
    a = studio.encode(subjects=[studio.subject("dog", 1), studio.subject("hat", 2)])
    b = studio.encode(subjects=[studio.subject("dog", 3), studio.subject("hat", 4)])
    for amount, plain in ((0.0, a), (1.0, b)):
        blended = blend(host, a, b, amount, mode="slerp")
        assert torch.equal(studio.sample(studio.apply(blended)), studio.sample(studio.apply(plain)))


def test_a_transition_gives_each_image_of_the_batch_its_step(host, studio):
    a = studio.encode((LEFT,), [studio.subject("dog", 1)])
    b = studio.encode((LEFT,), [studio.subject("dog", 3)])
    blended = blend(host, a, b, frames=3)
    batch = studio.sample(studio.apply(blended), batch=3)
    noise = [studio.sample(studio.apply(plain), batch=3) for plain in (a, b)]
    assert torch.allclose(batch[0], noise[0][0], atol=1e-4)
    assert torch.allclose(batch[2], noise[1][2], atol=1e-4)
    assert (batch[1] - noise[0][1]).abs().max() > 1e-3


def test_a_transition_needs_a_batch_of_its_own_size(host, studio):
    embeds = studio.encode((LEFT,))
    blended = blend(host, embeds, embeds, frames=3)
    with pytest.raises(ValueError, match="3 frames.*latent batch has 2 images"):
        studio.sample(studio.apply(blended), batch=2)


def test_a_blend_of_two_crops_is_exactly_the_crop_at_its_ends(host, studio):
    a = crop(host, studio.encode(subjects=[studio.subject("dog", 1), studio.subject("hat", 2)]))
    others = [studio.subject("cup", 3, start_percent=0.3), studio.subject("hat", 4)]
    b = crop(host, studio.encode((RIGHT, LEFT), others))
    for amount, plain in ((0.0, a), (1.0, b)):
        blended = blend(host, a, b, amount)
        assert torch.equal(studio.sample(studio.apply(blended)), studio.sample(studio.apply(plain)))


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_a_crop_and_a_whole_frame_are_refused_at_every_amount(host, studio, amount, frames):
    whole = studio.encode()
    message = "embeds_a show the whole frame and embeds_b show its part 0, 0, 0.5, 1: blend first, then crop the blend"
    with pytest.raises(ValueError, match=message):
        blend(host, whole, crop(host, whole), amount, frames)


def test_layouts_of_another_aspect_are_refused_and_of_another_size_are_not(host, studio):
    square, wide, large = (
        studio.encode(layout=studio.layout((LEFT, RIGHT), *size)) for size in ((160, 160), (320, 160), (320, 320))
    )
    with pytest.raises(ValueError, match="160x160 pixels and embeds_b one of 320x160, of another aspect: encode"):
        blend(host, square, wide)
    assert blend(host, square, large, 1.0).frame == (320, 320)


def test_a_transition_between_different_parts_of_the_run_is_refused(host, studio):
    a = studio.encode((LEFT,), [studio.subject("dog", 1)])
    b = studio.encode((LEFT,), [studio.subject("dog", 3, start_percent=0.2, end_percent=0.7)])
    with pytest.raises(ValueError, match=r"0 to 1 and 0.2 to 0.7\), which all 3 frames would share: give both one"):
        blend(host, a, b, frames=3)


def test_a_transition_in_a_part_of_the_run_keeps_that_part(host, studio):
    a, b = (studio.encode((LEFT,), [studio.subject("dog", seed, start_percent=0.5)]) for seed in (1, 3))
    batch = studio.sample(studio.apply(blend(host, a, b, frames=2)), batch=2, steps=3)
    ends = [studio.sample(studio.apply(plain), batch=2, steps=3) for plain in (a, b)]
    assert torch.allclose(batch[0], ends[0][0], atol=1e-4)
    assert torch.allclose(batch[1], ends[1][1], atol=1e-4)


def test_auto_layout_says_that_a_transition_between_two_names_keeps_its_box(host, studio, caplog):
    """Neither word stands for all images: following the dog's would silently place the hat by it."""
    a = studio.encode((LEFT,), [studio.subject("dog", 1)])
    b = studio.encode((LEFT,), [studio.subject("hat", 3)])
    moving = blend(host, a, b, frames=2)
    request = host.call(
        "MSDiffusionAutoLayout", clip=studio.demo.clip, prompt="a dog and a red backpack", threshold=0.5, start_step=1
    )[0]
    with caplog.at_level("WARNING", logger="MS-Diffusion"):
        model = studio.apply(moving, auto_layout=request)
    assert "'dog to hat'" in caplog.text
    picture = studio.sample(model, batch=2)
    assert torch.allclose(picture, studio.sample(studio.apply(moving), batch=2), atol=1e-5)
