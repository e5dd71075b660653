"""Free-form regions, blends, per-block weights, attribution and crops in real sampling runs."""

from dataclasses import replace

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT, slots_of

PROMPT = "a dog and a red backpack"


def watch(host, studio, model, embeds, prompt=PROMPT):
    return host.call("MSDiffusionAttribution", model=model, embeds=embeds, clip=studio.demo.clip, prompt=prompt)


def maps_of(host, attribution, images, source="subject"):
    return host.call("MSDiffusionAttributionMaps", attribution=attribution, images=images, source=source)


# Free-form regions


def test_a_rectangular_mask_acts_like_its_box(host, studio):
    masks = torch.zeros(2, 80, 80)
    masks[0, :, :40] = masks[1, :, 40:] = 1
    layout = studio.layout((), masks=masks)
    free, boxed = studio.encode(layout=layout, subjects=studio.subjects(2)), studio.encode((LEFT, RIGHT))
    pictures = [studio.sample(studio.apply(embeds), (8, 8)) for embeds in (free, boxed)]
    assert torch.allclose(*pictures, atol=1e-5)


def test_a_free_form_region_confines_what_its_bounds_would_not(host, studio):
    """One layer: nothing is added where the mask is empty, though its bounds are the frame."""
    rows, columns = torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij")
    masks = ((rows - 30) ** 2 + (columns - 30) ** 2 < 30**2).float()[None]
    embeds = studio.encode(layout=studio.layout((), masks=masks), subjects=studio.subjects(1))
    assert embeds.subjects[0].region.box.edges[2:] == (1.0, 1.0)
    slot = next(iter(slots_of(studio.apply(embeds)).values()))
    plain = next(iter(slots_of(studio.apply(embeds, scale=0.0, model=studio.apply(embeds))).values()), None)
    assert plain is None
    hidden = studio.demo.adapter.layers.hidden[0]
    q, text = torch.randn(1, 144, hidden), torch.randn(1, 7, hidden)
    options = {"n_heads": hidden // 32, "activations_shape": [1, hidden, 12, 12], "cond_or_uncond": [0]}
    from comfy.ldm.modules.attention import optimized_attention

    added = (slot(q, text, text, options) - optimized_attention(q, text, text, hidden // 32)).view(12, 12, hidden)
    assert added[0, 0].abs().max() == 0
    assert added[6, 6].abs().max() > 0


# Per-block weights


def test_neutral_block_weights_change_nothing_and_zero_ones_silence_a_part(studio):
    embeds = studio.encode()
    neutral = studio.sample(studio.apply(embeds, down_weight=1.0, mid_weight=1.0, up_weight=1.0))
    assert torch.equal(neutral, studio.sample(studio.apply(embeds)))
    silent = studio.sample(studio.apply(embeds, down_weight=0.0, mid_weight=0.0, up_weight=0.0))
    assert torch.equal(silent, studio.sample(studio.demo.model))
    parts = [studio.sample(studio.apply(embeds, **{f"{part}_weight": 0.0})) for part in ("down", "mid", "up")]
    for part in parts:
        assert (part - neutral).abs().max() > 1e-3
    assert (parts[0] - parts[2]).abs().max() > 1e-3


# Blends


def test_blend_ends_are_bit_identical_to_the_plain_subjects(host, studio):
    a = studio.encode(subjects=[studio.subject("dog", 1), studio.subject("hat", 2)])
    b = studio.encode(subjects=[studio.subject("dog", 3), studio.subject("hat", 4)])
    for amount, plain in ((0.0, a), (1.0, b)):
        blended = host.call("MSDiffusionBlend", embeds_a=a, embeds_b=b, amount=amount, mode="slerp", frames=1)[0]
        assert torch.equal(studio.sample(studio.apply(blended)), studio.sample(studio.apply(plain)))


def test_a_transition_gives_each_image_of_the_batch_its_step(host, studio):
    a = studio.encode((LEFT,), [studio.subject("dog", 1)])
    b = studio.encode((LEFT,), [studio.subject("dog", 3)])
    blended = host.call("MSDiffusionBlend", embeds_a=a, embeds_b=b, amount=0.5, mode="linear", frames=3)[0]
    batch = studio.sample(studio.apply(blended), batch=3)
    noise = [studio.sample(studio.apply(plain), batch=3) for plain in (a, b)]
    assert torch.allclose(batch[0], noise[0][0], atol=1e-4)
    assert torch.allclose(batch[2], noise[1][2], atol=1e-4)
    assert (batch[1] - noise[0][1]).abs().max() > 1e-3


def test_a_transition_needs_a_batch_of_its_own_size(host, studio):
    embeds = studio.encode((LEFT,))
    blended = host.call("MSDiffusionBlend", embeds_a=embeds, embeds_b=embeds, amount=0, mode="linear", frames=3)[0]
    with pytest.raises(ValueError, match="3 frames.*latent batch has 2 images"):
        studio.sample(studio.apply(blended), batch=2)


# Attribution


@pytest.mark.parametrize("watch_last", [True, False])
def test_watching_does_not_change_the_picture_by_a_bit(host, studio, watch_last):
    embeds = studio.encode()
    if watch_last:
        watched, attribution = watch(host, studio, studio.apply(embeds), embeds)
    else:
        watched, attribution = watch(host, studio, studio.demo.model, embeds)
        watched = studio.apply(embeds, watched)
    assert torch.equal(studio.sample(watched), studio.sample(studio.apply(embeds)))
    assert attribution.subject.result() is not None


def test_watching_a_model_without_subjects_changes_nothing_and_shows_the_text(host, studio):
    watched, attribution = watch(host, studio, studio.demo.model, studio.encode())
    assert torch.equal(studio.sample(watched), studio.sample(studio.demo.model))
    assert attribution.text.result().max() > 0
    with pytest.raises(ValueError, match="no subject maps"):
        maps_of(host, attribution, torch.zeros(1, 80, 80, 3))
    assert slots_of(studio.demo.model) == {}


def test_a_subjects_map_lies_in_its_region(host, studio):
    embeds = studio.encode((LEFT, RIGHT))
    watched, attribution = watch(host, studio, studio.apply(embeds), embeds)
    studio.sample(watched, (12, 12))
    maps, masks = maps_of(host, attribution, torch.rand(1, 96, 96, 3))
    assert maps.shape == (2, 96, 96, 3)
    assert masks.shape == (2, 96, 96)
    assert masks[0, :, :44].min() == 1
    assert masks[0, :, 52:].max() == 0
    assert masks[1, :, 52:].min() == 1
    seen = attribution.subject.result()[0]
    assert seen[0, :, seen.shape[-1] // 2 :].max() == 0


def test_the_masks_of_a_run_can_be_fed_back_into_a_layout(host, studio):
    embeds = studio.encode((LEFT, RIGHT))
    watched, attribution = watch(host, studio, studio.apply(embeds), embeds)
    studio.sample(watched, (12, 12))
    masks = maps_of(host, attribution, torch.rand(1, 96, 96, 3))[1]
    layout = studio.layout((), masks=masks)
    assert [round(edge, 1) for edge in layout.boxes[0].edges] == [0.0, 0.0, 0.5, 1.0]


def test_a_new_run_forgets_the_one_before(host, studio):
    embeds = studio.encode()
    watched, attribution = watch(host, studio, studio.apply(embeds), embeds)
    studio.sample(watched, batch=2)
    studio.sample(watched, batch=1)
    assert attribution.subject.result().shape[0] == 1
    first = attribution.subject.result()
    studio.sample(watched, batch=1)
    assert torch.equal(attribution.subject.result(), first)


def test_a_heavier_subject_acts_more(host, studio):
    shares = []
    for weight in (0.5, 1.5):
        embeds = studio.reweighted(studio.encode(), weight=weight)
        watched, attribution = watch(host, studio, studio.apply(embeds), embeds)
        studio.sample(watched, steps=1)
        shares.append(attribution.subject.result().mean().item())
    assert shares[1] > 2 * shares[0]


def test_maps_of_another_number_of_images_are_refused(host, studio):
    embeds = studio.encode()
    watched, attribution = watch(host, studio, studio.apply(embeds), embeds)
    studio.sample(watched)
    with pytest.raises(ValueError, match="made 1 images but 3 are linked"):
        maps_of(host, attribution, torch.zeros(3, 80, 80, 3))


def test_auto_layouts_final_regions_are_shown(host, studio):
    embeds = studio.encode((LEFT, RIGHT))
    request = host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt=PROMPT, threshold=0.5, start_step=1)[0]
    watched, attribution = watch(host, studio, studio.apply(embeds, auto_layout=request), embeds)
    studio.sample(watched, (12, 12))
    _, masks = maps_of(host, attribution, torch.rand(1, 96, 96, 3))
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    boxes = studio.layout((LEFT, RIGHT))
    assert not torch.equal(masks[0], boxes.regions[0].cells(96, 96).float())


# Crops and tiles


def test_a_tile_gets_its_part_of_the_layout(host, studio, monkeypatch):
    """The left half of the frame as a tile is what a full-frame box is to a smaller frame."""
    subjects = studio.subjects(2)
    embeds = studio.encode((LEFT, RIGHT), subjects)
    tile = host.call("MSDiffusionCropEmbeds", embeds=embeds, x=0, y=0, width=512, height=1024, frame_width=1024,
                     frame_height=1024)[0]
    only_first = replace(embeds, subjects=(
        replace(embeds.subjects[0], region=studio.layout(((0.0, 0.0, 1.0, 1.0),)).regions[0]),))
    pictures = [studio.sample(studio.apply(given), (12, 6)) for given in (tile, only_first)]
    assert torch.allclose(*pictures, atol=1e-4)


def test_a_tile_of_a_tile_is_a_smaller_tile(host, studio):
    embeds = studio.encode()
    half = dict(x=0, y=0, width=512, height=1024, frame_width=1024, frame_height=1024)
    once = host.call("MSDiffusionCropEmbeds", embeds=embeds, **half)[0]
    twice = host.call("MSDiffusionCropEmbeds", embeds=once, **half)[0]
    assert twice.window == (0.0, 0.0, 0.25, 1.0)


def test_a_tile_outside_the_frame_is_refused(host, studio):
    with pytest.raises(ValueError, match="768..1280.*1024"):
        host.call("MSDiffusionCropEmbeds", embeds=studio.encode(), x=768, y=0, width=512, height=512,
                  frame_width=1024, frame_height=1024)


def area_of(host, studio, **area):
    return host.call("ConditioningSetArea", conditioning=studio.positive, strength=1.0, **area)[0]


def windows_seen(host, monkeypatch):
    seen = []
    run = host.module("nodes.host.run")
    original = run.ModelCall._window

    def window(self, chunk):
        found = original(self, chunk)
        seen.append(found)
        return found

    monkeypatch.setattr(run.ModelCall, "_window", window)
    return seen


def test_an_area_conditioning_shows_the_layout_of_its_area(host, studio, monkeypatch):
    seen = windows_seen(host, monkeypatch)
    area = area_of(host, studio, width=64, height=96, x=32, y=0)
    studio.sample(studio.apply(), (12, 12), steps=1, positive=area)
    assert set(seen) == {(4 / 12, 0.0, 1.0, 1.0)}


def test_areas_and_the_whole_frame_together_each_get_their_part(host, studio, monkeypatch):
    seen = windows_seen(host, monkeypatch)
    area = area_of(host, studio, width=48, height=48, x=48, y=48)
    both = host.call("ConditioningCombine", conditioning_1=studio.positive, conditioning_2=area)[0]
    studio.sample(studio.apply(), (12, 12), steps=1, positive=both)
    assert set(seen) == {(0.0, 0.0, 1.0, 1.0), (0.5, 0.5, 1.0, 1.0)}


def test_an_unknown_crop_is_said_once_and_no_error(host, studio, caplog):
    model = studio.apply()

    def crop(apply_model, args):
        x = args["input"]
        out = torch.zeros_like(x)
        for half in (slice(0, 6), slice(6, 12)):
            out[..., half] = apply_model(x[..., half].contiguous(), args["timestep"], **args["c"])
        return out

    model.set_model_unet_function_wrapper(crop)
    with caplog.at_level("WARNING", logger="MS-Diffusion"):
        assert torch.isfinite(studio.sample(model, (12, 12))).all()
    said = [record.getMessage() for record in caplog.records if "nothing tells which part" in record.getMessage()]
    assert len(said) == 1
    assert "6x12 of the 12x12 latent" in said[0]


def test_deep_shrink_is_no_crop(host, studio, caplog):
    model = host.call(
        "PatchModelAddDownscale", model=studio.apply(), block_number=1, downscale_factor=1.5, start_percent=0.0,
        end_percent=1.0, downscale_after_skip=True, downscale_method="bicubic", upscale_method="bicubic",
    )[0]
    studio.sample(model, (12, 12), steps=1)
    assert "nothing tells which part" not in caplog.text


def test_inpainting_keeps_what_is_masked_and_sees_the_subjects_elsewhere(host, studio, caplog):
    kept = torch.randn(1, 4, 12, 12, generator=torch.Generator().manual_seed(5))
    mask = torch.zeros(1, 96, 96)
    mask[:, :, 48:] = 1
    latent = host.call("SetLatentNoiseMask", samples={"samples": kept}, mask=mask)[0]

    def inpaint(model):
        return host.call(
            "KSampler", model=model, seed=3, steps=2, cfg=2.0, sampler_name="euler", scheduler="normal",
            positive=studio.positive, negative=studio.negative, latent_image=latent, denoise=1.0,
        )[0]["samples"]

    with_subjects, without = inpaint(studio.apply()), inpaint(studio.demo.model)
    assert torch.allclose(with_subjects[..., :5], kept[..., :5], atol=1e-4)
    assert (with_subjects - without)[..., 7:].abs().max() > 1e-2
    assert "nothing tells which part" not in caplog.text
