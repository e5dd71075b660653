"""Free-form regions, per-block weights, attribution and crops in real sampling runs."""

from dataclasses import replace

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT, attend

PROMPT = "a dog and a red backpack"


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
    hidden = studio.demo.adapter.layers.hidden[0]
    q, text = torch.randn(1, 144, hidden), torch.randn(1, 7, hidden)
    from comfy.ldm.modules.attention import optimized_attention

    out = attend(host, studio.apply(embeds), q, text)
    added = (out - optimized_attention(q, text, text, hidden // 32)).view(12, 12, hidden)
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
