"""The whole UNet in ComfyUI, with the subjects, against the float64 reference in the same slots."""

import json
from pathlib import Path

import pytest
import torch

from tests import reference
from tests.samples import released_state

LAYERS = json.loads((Path(__file__).parents[1] / "data" / "sdxl_layers.json").read_text())
OVERLAPPING = ((0.0, 0.0, 0.7, 0.8), (0.3, 0.2, 1.0, 1.0))
SDXL = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "transformer_depth_middle": 10, "context_dim": 2048,
    "adm_in_channels": 2816, "num_classes": "sequential", "use_linear_in_transformer": True, "num_heads": -1,
    "num_head_channels": 64, "use_spatial_transformer": True, "legacy": False, "use_temporal_attention": False,
}


def sdxl_unet(host, **changes):
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    return UNetModel(**{**SDXL, **changes}, device="meta", operations=comfy.ops.disable_weight_init)


def with_reference(host, model, embeds, scale):
    """The model with the reference's cross-attention in every slot, written without any of the pack's own attention."""
    unet = host.module("nodes.host.unet")
    adapter = embeds.adapter.model
    tokens = torch.cat([subject.tokens[0] for subject in embeds.subjects])
    counts = embeds.token_counts
    boxes = [subject.region.box.edges for subject in embeds.subjects]
    weights = torch.tensor([subject.weight for subject in embeds.subjects]) * scale
    patched = model.clone()

    def slot(projection):
        def attention(q, k, v, options):
            height, width = options["activations_shape"][-2:]
            chunks = options["cond_or_uncond"]
            conditional = [index == 0 for index in chunks for _ in range(q.shape[0] // len(chunks))]
            return reference.cross_attention(
                q, k, v, tokens.split(counts), projection.to_k_ip.weight, projection.to_v_ip.weight,
                reference.boxes_cells(boxes, height, width), options["n_heads"],
                subject_scales=weights, conditional=torch.tensor(conditional),
            ).to(q.dtype)
        return attention

    found = unet.cross_attentions(model.model.diffusion_model)
    for layer, projection in zip(found, adapter.ms_adapter.values(), strict=True):
        patched.set_model_attn2_replace(slot(projection), *layer.slot)
    return patched


@pytest.mark.parametrize("boxes", [
    ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)), OVERLAPPING, ((0.1, 0.1, 0.9, 0.9), (0.4, 0.4, 0.6, 0.6)),
    ((0.0, 0.0, 1.0, 1.0),), ((0.123, 0.456, 0.789, 0.987),),
])
@pytest.mark.parametrize("size", [(8, 8), (6, 10)])
def test_a_sampled_latent_equals_the_references(host, studio, boxes, size):
    embeds = studio.encode(boxes)
    ours = studio.sample(studio.apply(embeds, scale=0.9), size, steps=1)
    expected = studio.sample(with_reference(host, studio.demo.model, embeds, 0.9), size, steps=1)
    plain = studio.sample(studio.demo.model, size, steps=1)
    assert (plain - expected).abs().max() > 0.05
    assert (ours - expected).abs().max() < 1e-4 * expected.abs().max()


def test_subject_weights_equal_the_references(host, studio):
    subjects = [studio.subject("dog", 0, weight=0.3), studio.subject("cat", 1, weight=1.7)]
    embeds = studio.encode(OVERLAPPING, subjects)
    ours = studio.sample(studio.apply(embeds, scale=1.0), (8, 8), steps=1)
    expected = studio.sample(with_reference(host, studio.demo.model, embeds, 1.0), (8, 8), steps=1)
    assert (ours - expected).abs().max() < 1e-4 * expected.abs().max()


def test_tokens_equal_the_references_from_the_workflows_own_encoders(studio):
    adapter = studio.demo.adapter
    subject = studio.subject("dog", 3)
    box = (0.2, 0.1, 0.7, 0.9)
    embeds = studio.encode((box,), [subject])
    features = studio.demo.clip_vision.encode_image(subject.views)["penultimate_hidden_states"]
    clip = studio.demo.clip
    clip.cond_stage_model.reset_clip_options()
    clip.load_model()
    text = clip.cond_stage_model.clip_l.transformer
    ids = torch.tensor([[token for token, _ in clip.tokenize("dog")["l"][0]]])
    final = text(ids)[0]
    phrase = final[:, ids[0].tolist().index(49407)]
    state = {key: value.float() for key, value in adapter.model.image_proj.state_dict().items()}
    head_dim = adapter.model.image_proj.layers[0][0].to_q.out_features // adapter.model.image_proj.layers[0][0].heads
    expected = reference.resampler(state, features, phrase, torch.tensor([box]), head_dim=head_dim)
    assert (embeds.subjects[0].tokens - expected).abs().max() < 2e-5


def test_the_phrase_embedding_ignores_prompt_weights_and_clip_skip(host, studio):
    embedding = host.module("nodes.host.encode").phrase_embedding
    plain = embedding(studio.demo.clip, "(dog:1.5)")
    skipped = host.call("CLIPSetLastLayer", clip=studio.demo.clip, stop_at_clip_layer=-2)[0]
    assert torch.equal(embedding(skipped, "(dog:1.5)"), plain)
    tokens = studio.demo.clip.tokenize("(dog:1.5)", disable_weights=True)["l"][0]
    assert {weight for _, weight in tokens} == {1.0}


def test_asking_for_a_phrase_leaves_the_text_encoder_as_it_was(host, studio):
    before = host.call("CLIPTextEncode", clip=studio.demo.clip, text="a dog")[0]
    host.module("nodes.host.encode").phrase_embedding(studio.demo.clip, "dog")
    after = host.call("CLIPTextEncode", clip=studio.demo.clip, text="a dog")[0]
    assert torch.equal(before[0][0], after[0][0])
    assert torch.equal(before[0][1]["pooled_output"], after[0][1]["pooled_output"])


def test_the_released_adapter_maps_onto_the_hosts_70_block_names(host):
    adapter = host.module("msd_core.adapter")
    with torch.device("meta"):
        table = adapter.Adapter(released_state(), 64).layers
    slots = host.module("nodes.host.unet").match_layers(sdxl_unet(host), table, "ms_adapter.bin")
    assert [list(slot) for slot in slots] == [layer["attn2_key"] for layer in LAYERS]
    assert list(table.hidden) == [layer["hidden"] for layer in LAYERS]


@pytest.mark.parametrize("changes, words", [
    ({"transformer_depth": [0, 0, 2, 2, 4, 4], "transformer_depth_output": [0, 0, 0, 2, 2, 2, 4, 4, 10],
      "transformer_depth_middle": 0}, "cross-attentions (4x640"),
    ({"context_dim": 768}, "over 768-wide context"),
    ({"model_channels": 384}, "cross-attentions (4x768"),
])
def test_a_unet_of_another_shape_is_refused_with_both_layouts(host, changes, words):
    adapter = host.module("msd_core.adapter")
    with torch.device("meta"):
        table = adapter.Adapter(released_state(), 64).layers
    with pytest.raises(ValueError) as caught:
        host.module("nodes.host.unet").match_layers(sdxl_unet(host, **changes), table, "ms_adapter.bin")
    message = str(caught.value)
    assert "70 cross-attentions (4x640, 50x1280, 6x640, 10x1280) over 2048-wide context" in message
    assert words in message
    assert "SDXL checkpoint" in message


def test_a_transformer_model_is_refused_by_name(host, studio):
    class Flux(torch.nn.Module):
        pass

    table = studio.demo.adapter.layers
    with pytest.raises(ValueError, match="this model .Flux. has no such UNet"):
        host.module("nodes.host.unet").match_layers(Flux(), table, "ms_adapter.bin")
