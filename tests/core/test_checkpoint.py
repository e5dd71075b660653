"""Adapter files: what is read, and what is refused in which words."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from msd_core.adapter import Adapter
from msd_core.checkpoint import check_shapes, convert_adapter, read_adapter
from tests.samples import CONTEXT, HEAD_DIM, HIDDEN, adapter_state, nested, released_state


class Mischief:
    def __reduce__(self):
        return (print, ("this must never run",))


@pytest.fixture
def wide_heads():
    """An adapter whose attention is 64 wide, as an official file without metadata must be read."""
    return adapter_state(head_dim=32)


def write_bin(path, content):
    torch.save(content, path)
    return path


def refusal(path) -> str:
    with pytest.raises(ValueError) as caught:
        read_adapter(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(path.name)
    return message


def test_the_official_format_and_safetensors_read_the_same(tmp_path, wide_heads):
    source = write_bin(tmp_path / "ms_adapter.bin", nested(wide_heads))
    convert_adapter(source, tmp_path / "ms_adapter.safetensors")
    for name in ("ms_adapter.bin", "ms_adapter.safetensors"):
        state, head_dim = read_adapter(tmp_path / name)
        assert head_dim == 64
        assert state.keys() == wide_heads.keys()
        assert all(torch.equal(state[key], value) for key, value in wide_heads.items())


def test_a_head_width_in_the_metadata_is_read(tmp_path):
    save_file(adapter_state(), tmp_path / "small.safetensors", metadata={"msd_head_dim": str(HEAD_DIM)})
    assert read_adapter(tmp_path / "small.safetensors").head_dim == HEAD_DIM


def test_all_sizes_come_from_the_shapes(tmp_path):
    state = adapter_state()
    adapter = Adapter(state, HEAD_DIM)
    adapter.load_state_dict({key: value for key, value in state.items() if key != "dummy_image_tokens"})
    assert adapter.layers.hidden == HIDDEN
    assert adapter.layers.context == CONTEXT
    assert [key.shape[-1] for key, _ in adapter.project(torch.randn(1, 3, CONTEXT))] == list(HIDDEN)


def test_an_adapter_of_the_released_sizes_is_built_without_memory():
    with torch.device("meta"):
        adapter = Adapter(released_state(), 64)
    check_shapes(released_state(), 64, "ms_adapter.bin")
    assert round(sum(parameter.numel() for parameter in adapter.parameters()), -5) == 459_700_000
    assert str(adapter.layers) == "70 cross-attentions (4x640, 50x1280, 6x640, 10x1280) over 2048-wide context"


@pytest.mark.parametrize("content, words", [
    ({"image_proj": {"latents": torch.ones(1)}, "ip_adapter": {"1.to_k_ip.weight": torch.ones(1)}}, "an IP-Adapter"),
    ({"lora_unet_down.lora_up.weight": torch.ones(1)}, "a LoRA"),
    ({"unet.attn.to_q.lora_A.weight": torch.ones(1)}, "a LoRA"),
    ({"state_dict": {"model.diffusion_model.input_blocks.0.0.weight": torch.ones(1)}}, "a whole checkpoint"),
    ({"input_blocks.0.0.weight": torch.ones(1)}, "a UNet"),
    ({"vision_model.embeddings.class_embedding": torch.ones(1)}, "an image encoder"),
    ({"something.weight": torch.ones(1)}, "an unknown model (its first tensor is something.weight)"),
    ({}, "empty"),
])
def test_another_kind_of_file_is_called_by_its_name(tmp_path, content, words):
    message = refusal(write_bin(tmp_path / "wrong.bin", content))
    assert words in message
    assert "ms_adapter.bin" in message


def test_an_ip_adapter_as_safetensors_is_called_by_its_name(tmp_path):
    save_file({"image_proj.latents": torch.ones(1), "ip_adapter.1.to_k_ip.weight": torch.ones(1)},
              tmp_path / "ip.safetensors")
    assert "an IP-Adapter" in refusal(tmp_path / "ip.safetensors")


def test_a_bare_tensor_is_refused(tmp_path):
    assert "holds a Tensor" in refusal(write_bin(tmp_path / "tensor.bin", torch.ones(2)))


@pytest.mark.parametrize("name", ["empty.bin", "empty.safetensors"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    assert "(0 bytes)" in refusal(tmp_path / name)


@pytest.mark.parametrize("share", [0.2, 0.9])
@pytest.mark.parametrize("name", ["cut.bin", "cut.safetensors"])
def test_a_truncated_file_is_refused(tmp_path, wide_heads, name, share):
    whole = tmp_path / "whole"
    if name.endswith("bin"):
        torch.save(nested(wide_heads), whole)
    else:
        save_file(wide_heads, whole)
    data = whole.read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    assert "repeat it" in refusal(tmp_path / name)


def test_a_web_page_saved_as_an_adapter_is_refused(tmp_path):
    (tmp_path / "page.bin").write_bytes(b"<!DOCTYPE html><html>404</html>")
    assert "repeat it" in refusal(tmp_path / "page.bin")


@pytest.mark.parametrize("write", [
    lambda path: torch.save({"image_proj": Mischief()}, path),
    lambda path: path.write_bytes(pickle.dumps(Mischief())),
])
def test_code_in_a_pickle_is_refused_and_never_run(tmp_path, capsys, write):
    path = tmp_path / "evil.bin"
    write(path)
    message = refusal(path)
    assert "this must never run" not in capsys.readouterr().out
    assert "holds code (" in message


def test_a_missing_tensor_is_named(tmp_path, wide_heads):
    del wide_heads["image_proj.proj_out.bias"]
    assert "lacks image_proj.proj_out.bias (1 of" in refusal(write_bin(tmp_path / "a.bin", nested(wide_heads)))


def test_an_unknown_tensor_is_named(tmp_path, wide_heads):
    wide_heads["image_proj.extra.weight"] = torch.ones(1)
    assert "holds image_proj.extra.weight" in refusal(write_bin(tmp_path / "a.bin", nested(wide_heads)))


@pytest.mark.parametrize("key, shape", [
    ("image_proj.proj_in.weight", (24,)),
    ("image_proj.latent_proj.2.weight", (7, 28)),
    ("image_proj.layers.1.0.to_kv.weight", (64, 24)),
    ("image_proj.norm_out.bias", (41,)),
    ("ms_adapter.5.to_v_ip.weight", (16, 40)),
    ("ms_adapter.9.to_k_ip.weight", (32, 41)),
])
def test_a_wrong_shape_is_named_with_both_sizes(tmp_path, wide_heads, key, shape):
    wide_heads[key] = torch.zeros(shape)
    message = refusal(write_bin(tmp_path / "a.bin", nested(wide_heads)))
    assert key in message
    assert str(list(shape)) in message
    assert "ask for" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, wide_heads, value):
    wide_heads["ms_adapter.3.to_k_ip.weight"][2, 5] = value
    message = refusal(write_bin(tmp_path / "a.bin", nested(wide_heads)))
    assert "ms_adapter.3.to_k_ip.weight holds NaN or infinite values" in message


@pytest.mark.parametrize("text", ["many", "0", "-8", "7"])
def test_a_head_width_that_makes_no_sense_is_refused(tmp_path, text):
    save_file(adapter_state(), tmp_path / "a.safetensors", metadata={"msd_head_dim": text})
    assert "msd_head_dim" in refusal(tmp_path / "a.safetensors")


def test_a_head_width_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="16 wide, which heads of 64 don't divide"):
        check_shapes(adapter_state(), 64, "a.bin")
