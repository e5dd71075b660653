"""Bases and image encoders from files: SDXL's configuration as it ships, and files that are something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from msd_core.adapter import Adapter
from msd_core.demo import config
from msd_core.demo.weights import read_weights
from tests.samples import released_state

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

from msd_core.headless import base as base_module  # noqa: E402
from msd_core.headless.base import SDXL, load_base, single_file_layers  # noqa: E402
from msd_core.headless.image_encoder import FACTS, load_image_encoder  # noqa: E402

LAYERS = json.loads((Path(__file__).parents[1] / "data" / "sdxl_layers.json").read_text("utf-8"))
WANTED = Adapter(released_state()).layers


def shipped(part: str) -> torch.nn.Module:
    """A model of SDXL, built without weights from the configuration that ships."""
    kinds = json.loads((SDXL / "model_index.json").read_text("utf-8"))
    library, kind = kinds[part]
    with torch.device("meta"):
        if library == "diffusers":
            kind = getattr(diffusers, kind)
            return kind.from_config(kind.load_config(str(SDXL / part)))
        kind = getattr(transformers, kind)
        return kind(kind.config_class.from_pretrained(str(SDXL / part)))


def size_of(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("part, size", [
    ("unet", 2_567_463_684), ("vae", 83_653_863), ("text_encoder", 123_060_480), ("text_encoder_2", 694_659_840),
])
def test_the_configuration_that_ships_makes_models_of_sdxls_sizes(part, size) -> None:
    assert size_of(shipped(part)) == size


def test_all_parts_together_fill_the_released_file() -> None:
    """In half precision; a header and a few numbers come on top."""
    sizes = [size_of(shipped(part)) for part in ("unet", "vae", "text_encoder", "text_encoder_2")]
    assert 2 * sum(sizes) == pytest.approx(6_938_078_334, rel=1e-4)


def test_the_unet_that_ships_has_the_released_cross_attentions() -> None:
    unet = shipped("unet")
    for layer in LAYERS:
        attention = unet.get_submodule(layer["diffusers"])
        assert (attention.to_q.out_features, attention.heads) == (layer["hidden"], layer["heads"])
        assert attention.to_k.in_features == 2048
    assert sum(name.endswith(".attn2") for name, _ in unet.named_modules()) == len(LAYERS) == 70


def test_the_image_encoder_that_ships_fills_the_released_file() -> None:
    with torch.device("meta"):
        model = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig.from_pretrained(str(FACTS)))
    assert 2 * size_of(model) == pytest.approx(3_689_912_664, rel=1e-4)
    assert model.config.hidden_size // model.config.num_attention_heads == 104
    assert (model.config.image_size // model.config.patch_size) ** 2 + 1 == 257


def test_the_scheduler_that_ships_has_sdxls_noise_levels() -> None:
    scheduler = diffusers.EulerDiscreteScheduler.from_pretrained(str(SDXL / "scheduler"))
    scheduler.set_timesteps(10)
    assert scheduler.timesteps.tolist() == [901, 801, 701, 601, 501, 401, 301, 201, 101, 1]
    last = float(scheduler.alphas_cumprod[-1])
    assert ((1 - last) / last) ** 0.5 == pytest.approx(14.6146, abs=1e-3)
    assert scheduler.config.prediction_type == "epsilon"


def sdxl_shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of a single file of SDXL that tell what it is."""
    shapes = {f"model.diffusion_model.{layer['comfyui']}.to_k.weight": (layer["hidden"], 2048) for layer in LAYERS}
    return {
        **shapes, "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
        "first_stage_model.decoder.conv_in.weight": (1,),
        "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (1,),
        "conditioner.embedders.1.model.ln_final.weight": (1,),
    }


def written(shapes: dict[str, tuple[int, ...]], file: Path) -> Path:
    """A file of tensors with these names and shapes."""
    tensors = {key: torch.zeros(shape, dtype=torch.float8_e4m3fn) for key, shape in shapes.items()}
    torch.save(tensors, file) if file.suffix == ".ckpt" else save_file(tensors, file)
    return file


def test_the_cross_attentions_of_a_single_file_come_in_the_adapters_order() -> None:
    shuffled = dict(sorted(sdxl_shapes().items(), key=lambda item: hash(item[0]) % 97))
    assert single_file_layers(shuffled) == WANTED


def changed(**changes) -> dict[str, tuple[int, ...]]:
    """SDXL's tensors without those that begin as a name says, or with another shape."""
    names = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", "clip_g": "conditioner.embedders.1",
             "middle": "model.diffusion_model.middle_block", "first": "model.diffusion_model.input_blocks.0.0.weight"}
    shapes = sdxl_shapes()
    for name, shape in changes.items():
        for key in [key for key in shapes if key.startswith(names.get(name, name))]:
            del shapes[key]
        if shape is not None:
            shapes[names.get(name, name)] = shape
    return shapes


@pytest.mark.parametrize("shapes, said", [
    (changed(vae=None, clip_g=None), "base.* lacks the VAE and the CLIP-G text encoder of SDXL's four parts: use"),
    ({"model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3), "cond_stage_model.a": (1,)},
     "lacks the VAE and the CLIP-L text encoder and the CLIP-G text encoder"),
    (changed(middle=None), "base.* has 60 cross-attentions .* but the adapter was made for 70 cross-attentions"),
    (changed(first=(320, 9, 3, 3)), "takes latents of 9 channels but text to image has 4"),
    (changed(edm_mean=(4,)), "trained on EDM's noise levels but SDXL's are needed"),
])
@pytest.mark.parametrize("kind", ["safetensors", "ckpt"])
def test_a_single_file_of_another_kind_is_refused_before_it_is_loaded(shapes, said, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(diffusers.StableDiffusionXLPipeline, "from_single_file", None)
    file = written(shapes, tmp_path / f"base.{kind}")
    with pytest.raises(ValueError, match=said) as error:
        load_base(file, torch.float32, WANTED)
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize("name", ["base.safetensors", "base.ckpt"])
def test_a_broken_file_is_named_with_its_size(name, tmp_path) -> None:
    (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(ValueError, match=rf"{name} \(6 bytes\) can't be read, .*: the download is likely broken") as e:
        load_base(tmp_path / name, torch.float32, WANTED)
    assert str(e.value).count("\n") == 0


def test_a_name_of_the_hub_is_no_file(tmp_path) -> None:
    """Nothing is downloaded."""
    for load in (lambda: load_base("stabilityai/sdxl", torch.float32, WANTED),
                 lambda: load_image_encoder("h94/IP-Adapter", torch.float32),
                 lambda: load_base(tmp_path, torch.float32, WANTED, controlnet="diffusers/controlnet")):
        with pytest.raises(ValueError, match="but there is no such file or folder: check the path"):
            load()


def folder_of(folder: Path, file: str, **content) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content), "utf-8")
    return folder


def test_folders_of_another_kind_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="The base is .* but no folder with a model_index.json: name a model's folder"):
        load_base(tmp_path, torch.float32, WANTED)
    other = folder_of(tmp_path / "sd15", "model_index.json", _class_name="StableDiffusionPipeline")
    with pytest.raises(ValueError, match="sd15 is a StableDiffusionPipeline but must be a StableDiffusionXL"):
        load_base(other, torch.float32, WANTED)
    lora = folder_of(tmp_path / "lora", "config.json", _class_name="T2IAdapter")
    with pytest.raises(ValueError, match="The ControlNet .*lora is a T2IAdapter but must be a ControlNetModel"):
        load_base(other, torch.float32, WANTED, controlnet=lora)
    with pytest.raises(ValueError, match="The ControlNet is .*sketch.safetensors but no folder with a config.json"):
        load_base(other, torch.float32, WANTED, controlnet=written({"a": (1,)}, tmp_path / "sketch.safetensors"))
    dino = folder_of(tmp_path / "dino", "config.json", model_type="dinov2")
    with pytest.raises(ValueError, match="The image encoder .*dino is a dinov2 but must be a clip"):
        load_image_encoder(dino, torch.float32)


@pytest.mark.parametrize("files, variant", [
    (["diffusion_pytorch_model.fp16.safetensors"], "fp16"),
    (["diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors"], None),
    (["diffusion_pytorch_model.safetensors"], None),
])
def test_a_folder_that_only_has_half_precision_is_taken_as_it_is(files, variant, tmp_path, monkeypatch) -> None:
    folder = folder_of(tmp_path / "base", "model_index.json", _class_name="StableDiffusionXLPipeline")
    (folder / "unet").mkdir()
    for name in files:
        (folder / "unet" / name).touch()
    asked = {}
    monkeypatch.setattr(diffusers.StableDiffusionXLPipeline, "from_pretrained", lambda _, **given: asked.update(given))
    load_base(folder, torch.float16, WANTED)
    assert asked == {"variant": variant, "dtype": torch.float16, "local_files_only": True}


@pytest.fixture
def small_facts(tmp_path) -> Path:
    """The configuration of the demo's image encoder."""
    return folder_of(tmp_path / "facts", "config.json", **config.IMAGE_ENCODER)


@pytest.mark.parametrize("name", ["model.safetensors", "model.bin"])
def test_an_image_encoder_is_read_from_a_single_file(name, tmp_path, small_facts, shared) -> None:
    state = read_weights(config.IMAGE_ENCODER_FILE)
    torch.save(state, tmp_path / name) if name.endswith(".bin") else save_file(state, tmp_path / name)
    encoder = load_image_encoder(tmp_path / name, torch.float32, small_facts)
    expected = shared.image_encoder.state_dict()
    assert encoder.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in encoder.state_dict().items())
    assert load_image_encoder(tmp_path / name, torch.float16, small_facts).dtype == torch.float16


def test_an_image_encoder_of_another_kind_is_refused(tmp_path, small_facts) -> None:
    state = read_weights(config.IMAGE_ENCODER_FILE)
    file = tmp_path / "clip.safetensors"
    save_file(state, file)
    with pytest.raises(ValueError, match="clip.safetensors holds an image encoder 96 wide and 4 layers deep but CLIP "
                                         "ViT-bigG/14 has 1664 and 48: take model.safetensors of h94"):
        load_image_encoder(file, torch.float32)
    with pytest.raises(ValueError, match="has open_clip's key names but Hugging Face's are needed: take"):
        load_image_encoder(written({"visual.conv1.weight": (1,)}, tmp_path / "open.safetensors"), torch.float32)
    lacking = "vision_model.encoder.layers.1.mlp.fc1.weight"
    save_file({key: value for key, value in state.items() if key != lacking}, file)
    with pytest.raises(ValueError, match=rf"clip.safetensors lacks {lacking} \(1 tensors are missing\): download"):
        load_image_encoder(file, torch.float32, small_facts)


def test_no_function_here_asks_the_hub() -> None:
    """Every loader of diffusers and transformers is told to look at this machine only."""
    folder = Path(base_module.__file__).parent
    for file in folder.glob("*.py"):
        text = file.read_text("utf-8")
        for call in text.split(".from_pretrained(")[1:] + text.split(".from_single_file(")[1:]:
            inside = call[: call.index("\n\n") if "\n\n" in call else len(call)]
            assert "local_files_only" in inside or "**parts" in inside or "state_dict=" in inside, file.name
