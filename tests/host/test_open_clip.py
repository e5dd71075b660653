"""Image encoders in open_clip's format, beside the host's own loader."""

import sys

import pytest
import torch


@pytest.fixture(scope="module")
def checkpoint(host):
    """A small open_clip image tower with random weights, as open_clip_pytorch_model.bin would hold it."""
    from open_clip.transformer import VisionTransformer

    torch.manual_seed(0)
    tower = VisionTransformer(image_size=56, patch_size=14, width=128, layers=4, heads=2, mlp_ratio=4.0, output_dim=32)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return {f"visual.{key}": value for key, value in tower.state_dict().items()} | {"logit_scale": torch.ones(())}


@pytest.fixture
def load(host, checkpoint):
    folder = host.base / "models" / "clip_vision"
    folder.mkdir(exist_ok=True)
    written = []

    def write_and_load(content, name="open_clip_pytorch_model.bin"):
        torch.save(content, folder / name)
        written.append(folder / name)
        return host.call("MSDiffusionOpenCLIPVision", name=name)[0]

    yield write_and_load
    for path in written:
        path.unlink()


def the_hosts_own(host, checkpoint):
    """The same weights in the host's own CLIP vision class."""
    import comfy.clip_vision

    config = {
        "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 512,
        "hidden_act": "gelu", "model_type": "clip_vision_model", "num_channels": 3, "patch_size": 14, "image_size": 56,
        "projection_dim": 32,
    }
    vision = comfy.clip_vision.ClipVisionModel(config)
    vision.model.float()
    state = comfy.clip_vision.convert_to_transformers(dict(checkpoint), "visual.")
    missing, _ = vision.load_sd(state)
    assert not [key for key in missing if "position_ids" not in key]
    return vision


def test_its_output_is_the_hosts_own_to_rounding(host, checkpoint, load):
    image = torch.rand(2, 80, 60, 3, generator=torch.Generator().manual_seed(1))
    ours, theirs = load(checkpoint).encode_image(image), the_hosts_own(host, checkpoint).encode_image(image)
    for name in ("penultimate_hidden_states", "last_hidden_state", "image_embeds"):
        assert ours[name].shape == theirs[name].shape
        assert (ours[name] - theirs[name]).abs().max() < 2e-4, name
    assert ours["image_sizes"] == theirs["image_sizes"]


def test_the_core_node_takes_it_as_its_own(host, checkpoint, load):
    image = torch.rand(1, 80, 60, 3)
    output = host.call("CLIPVisionEncode", clip_vision=load(checkpoint), image=image, crop="none")[0]
    assert output.penultimate_hidden_states.shape == (1, 17, 128)


def test_its_width_is_checked_like_the_hosts(host, studio, checkpoint, load):
    with pytest.raises(ValueError, match="got 128 wide"):
        studio.encode(clip_vision=load(checkpoint))


def test_bigg_gets_the_head_width_of_open_clips_own_configuration(host):
    import open_clip

    head_width = host.module("nodes.host.open_clip")._head_width
    assert head_width(open_clip, 1664, 48, 14) == 104
    assert head_width(open_clip, 1280, 32, 14) == 80
    assert head_width(open_clip, 128, 4, 14) == 64


def test_another_kind_of_file_is_refused(load):
    with pytest.raises(ValueError, match="lacks visual.conv1.weight.*Load CLIP Vision"):
        load({"vision_model.embeddings.class_embedding": torch.ones(4)}, "hf.bin")


def test_without_open_clip_the_pack_works_and_the_node_says_what_is_missing(studio, load, checkpoint, monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ImportError, match="open_clip_torch is not installed.*Load CLIP Vision"):
        load(checkpoint)
    assert torch.isfinite(studio.sample(studio.apply(), steps=1)).all()


def test_nothing_but_that_node_imports_open_clip(host, tmp_path):
    import subprocess

    code = (
        "import sys; sys.modules['open_clip'] = None; sys.path.insert(0, sys.argv[1]);"
        "import msd_core, msd_core.checkpoint, msd_core.adapter, msd_core.attention"
    )
    done = subprocess.run([sys.executable, "-c", code, str(host.pack.__path__[0])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
