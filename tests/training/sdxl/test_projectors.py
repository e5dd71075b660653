"""What turns features into tokens, and its files."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from msd_core.checkpoint import read_adapter
from tests.samples import adapter_state, nested
from tests.tiny_sdxl import CONTEXT, SIZES
from training.sdxl.projectors import read_trained, started, untrained

HIDDEN = (32,) * 11
"""Of the tiny UNet's cross-attentions."""


def file_of(folder, trained):
    file = folder / "ms_adapter.safetensors"
    save_file({key: value.clone() for key, value in trained.state().items()}, file, metadata=trained.metadata())
    return file


def tokens(trained, grounding=True):
    torch.manual_seed(9)
    inputs = torch.randn(2, 5, 24), torch.randn(2, 16), torch.rand(2, 4)
    return trained.adapter.image_proj(*inputs, grounding)


@pytest.mark.parametrize("projector", ["grounding", "plain", "linear"])
def test_what_is_written_is_read_again(base, tmp_path, projector):
    trained = untrained(base, projector, SIZES)
    read = read_trained(file_of(tmp_path, trained))
    assert (read.projector, read.head_dim, read.grounded) == (projector, SIZES.head_dim, projector == "grounding")
    assert all(torch.equal(value, read.state()[key]) for key, value in trained.state().items())
    assert torch.equal(tokens(read), tokens(trained))


def test_resamplers_are_of_the_released_format_and_the_linear_layer_is_refused_by_name(base, tmp_path):
    for projector in ("grounding", "plain"):
        assert read_adapter(file_of(tmp_path, untrained(base, projector, SIZES))).head_dim == SIZES.head_dim
    with pytest.raises(ValueError, match="ms_adapter.safetensors is an unknown model"):
        read_adapter(file_of(tmp_path, untrained(base, "linear", SIZES)))


def test_projections_start_from_the_texts_own(base):
    trained, unet = untrained(base, "grounding", SIZES), base.pipe.unet
    attention = unet.down_blocks[1].attentions[0].transformer_blocks[0].attn2
    assert torch.equal(trained.adapter.ms_adapter["1"].to_k_ip.weight, attention.to_k.weight)
    last = unet.mid_block.attentions[0].transformer_blocks[-1].attn2
    assert torch.equal(list(trained.adapter.ms_adapter.values())[-1].to_v_ip.weight, last.to_v.weight)


def test_the_plain_resampler_learns_nothing_of_phrase_and_box(base):
    grounding, plain = (set(untrained(base, name, SIZES).learning()) for name in ("grounding", "plain"))
    assert {key.split(".")[1] for key in grounding - plain} == {"latent_proj", "latent_norm"}
    assert plain < grounding and "image_proj.grounding_latents" in plain


def test_an_adapter_of_any_form_can_be_gone_on_from(base, tmp_path):
    state = adapter_state(hidden=HIDDEN, context=CONTEXT, features=24, phrase=16, head_dim=64)
    file = tmp_path / "ms_adapter.bin"
    torch.save(nested(state), file)
    trained = started(file, base, "grounding")
    assert all(torch.equal(value, state[key]) for key, value in trained.state().items())
    assert all(p.requires_grad for p in trained.learning().values())


@pytest.mark.parametrize("changes, projector, sentence", [
    ({"hidden": HIDDEN[:-1]}, "grounding", "10 cross-attentions"),
    ({"features": 40}, "grounding", "needs image features 40 wide but the image encoder gives 24"),
    ({"phrase": 20}, "grounding", "phrase embeddings are 16 wide but this adapter takes"),
    ({}, "linear", "--projector linear has no place in an adapter's file"),
])
def test_an_adapter_for_something_else_is_refused(base, tmp_path, changes, projector, sentence):
    state = adapter_state(**{"hidden": HIDDEN, "context": CONTEXT, "features": 24, "phrase": 16, "head_dim": 64,
                             **changes})
    torch.save(nested(state), tmp_path / "ms_adapter.bin")
    with pytest.raises(ValueError, match=sentence):
        started(tmp_path / "ms_adapter.bin", base, projector)
