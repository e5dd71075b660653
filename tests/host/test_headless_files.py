"""A single file as ComfyUI keeps checkpoints, loaded by diffusers without a network and without ComfyUI."""

import json

import pytest
import torch
from safetensors.torch import save_file

from msd_core.demo import config
from tests import offline
from tests.samples import adapter_state

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

from msd_core.adapter import Adapter  # noqa: E402
from msd_core.checkpoint import AdapterFile  # noqa: E402
from msd_core.headless import MSDiffusionPipeline  # noqa: E402
from msd_core.headless.base import SDXL, load_base  # noqa: E402
from msd_core.headless.demo import demo_pipeline, demo_subject  # noqa: E402

no_network = offline.no_network

# diffusers tells the two text encoders of a file apart by their widths.
WIDTH_L, WIDTH_G = 64, 96
UNET = {**config.UNET, "cross_attention_dim": WIDTH_L + WIDTH_G,
        "projection_class_embeddings_input_dim": WIDTH_G + 6 * 256}
TEXT_L = {**config.TEXT_L, "model_type": "clip_text_model"}
TEXT_G = {**config.TEXT_G, "model_type": "clip_text_model", "hidden_size": WIDTH_G, "projection_dim": WIDTH_G}


@pytest.fixture(scope="module")
def pipe():
    """A pipeline of SDXL's parts with small random weights."""
    torch.manual_seed(0)
    demo = demo_pipeline().pipe
    return diffusers.StableDiffusionXLPipeline(
        vae=demo.vae, unet=diffusers.UNet2DConditionModel(**UNET).eval(), scheduler=demo.scheduler,
        text_encoder=transformers.CLIPTextModel(transformers.CLIPTextConfig(**TEXT_L)).eval(),
        text_encoder_2=transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**TEXT_G)).eval(),
        tokenizer=demo.tokenizer, tokenizer_2=demo.tokenizer_2, add_watermarker=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def facts(pipe, tmp_path_factory):
    """The same pipeline's configuration in the form of the one that ships, and the scheduler of SDXL."""
    folder = tmp_path_factory.mktemp("facts")
    pipe.unet.save_config(folder / "unet")
    pipe.vae.save_config(folder / "vae")
    for part, settings in (("text_encoder", TEXT_L), ("text_encoder_2", TEXT_G)):
        (folder / part).mkdir()
        (folder / part / "config.json").write_text(json.dumps(settings), "utf-8")
    for name in ("model_index.json", "scheduler/scheduler_config.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text((SDXL / name).read_text("utf-8"), "utf-8")
    return folder


@pytest.fixture(scope="module")
def checkpoint(host, pipe):
    """The pipeline's tensors under the names of a single file, by the host's own conversions."""
    import comfy.diffusers_convert
    import comfy.utils

    names = comfy.utils.unet_to_diffusers({**config.UNET_COMFY, "context_dim": WIDTH_L + WIDTH_G})
    state = {f"model.diffusion_model.{names[key]}": value for key, value in pipe.unet.state_dict().items()}
    vae = comfy.diffusers_convert.convert_vae_state_dict(pipe.vae.state_dict())
    state |= {f"first_stage_model.{key}": value for key, value in vae.items()}
    for key, value in pipe.text_encoder.state_dict().items():
        state[f"conditioner.embedders.0.transformer.text_model.{key.removeprefix('text_model.')}"] = value
    text_g = {f"clip_g.transformer.{key}": value for key, value in pipe.text_encoder_2.state_dict().items()}
    text_g = comfy.diffusers_convert.convert_text_enc_state_dict_v20(text_g, "clip_g")
    state |= {key.replace("clip_g", "conditioner.embedders.1.model", 1): value for key, value in text_g.items()}
    return {key: value.clone().contiguous() for key, value in state.items()}


@pytest.fixture(scope="module")
def adapter():
    state = adapter_state(hidden=(128,) * 4, context=WIDTH_L + WIDTH_G, features=config.IMAGE_ENCODER["hidden_size"],
                          phrase=WIDTH_L)
    return AdapterFile(state, 8)


@pytest.fixture
def load(checkpoint, facts, adapter, tmp_path):
    """`load(**more)`: the base from its single file, with more tensors in it."""

    def write_and_load(dtype=torch.float32, name="base.safetensors", **more):
        file = tmp_path / name
        tensors = {**checkpoint, **more}
        torch.save({"state_dict": tensors}, file) if name.endswith(".ckpt") else save_file(tensors, file)
        return load_base(file, dtype, Adapter(adapter.state, adapter.head_dim).layers, facts=facts)

    return write_and_load


@pytest.mark.parametrize("name", ["base.safetensors", "merge.ckpt"])
def test_a_single_file_is_loaded_without_a_network_tensor_for_tensor(name, load, pipe, no_network):
    loaded = load(name=name)
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        expected, found = getattr(pipe, part).state_dict(), getattr(loaded, part).state_dict()
        assert expected.keys() == found.keys()
        assert all(torch.equal(value, found[key]) for key, value in expected.items()), part
    assert type(loaded.scheduler).__name__ == "EulerDiscreteScheduler"
    assert loaded.scheduler.config.prediction_type == "epsilon"
    assert load(torch.float16).unet.dtype == torch.float16


@pytest.mark.parametrize("name", ["base.safetensors", "merge.ckpt"])
def test_training_reads_a_single_file_in_bf16_but_its_autoencoder_unrounded(
    name, load, pipe, facts, tmp_path, no_network
):
    from training.sdxl import base

    load(name=name)
    encoder = transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    )
    encoder.save_pretrained(tmp_path / "vision")
    loaded = base.load(tmp_path / name, tmp_path / "vision", "bf16", facts=facts)
    kept = pipe.vae.state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in loaded.pipe.vae.state_dict().items())
    assert loaded.pipe.unet.dtype == loaded.pipe.text_encoder_2.dtype == torch.bfloat16
    rounded = {key: value.bfloat16() for key, value in pipe.unet.state_dict().items()}
    assert all(torch.equal(value, rounded[key]) for key, value in loaded.pipe.unet.state_dict().items())


def test_it_makes_the_picture_of_the_same_parts_put_together_by_hand(load, pipe, adapter, no_network):
    loaded, encoder, pictures = load(), demo_pipeline().image_encoder, []
    for base in (loaded, pipe):
        base.scheduler = type(loaded.scheduler).from_config(loaded.scheduler.config)
        pipeline = MSDiffusionPipeline(base, adapter, encoder)
        embeds = pipeline.encode([demo_subject("mug", 3)], [(0, 0, 0.6, 1)])
        for scale in (1.0, 0.0):
            pictures.append(pipeline("a mug in the snow", embeds, scale=scale, num_inference_steps=2, width=64,
                                     height=64, generator=torch.Generator().manual_seed(0), output_type="latent",
                                     negative_prompt="").images)
    assert torch.equal(pictures[0], pictures[2]) and torch.equal(pictures[1], pictures[3])
    assert (pictures[0] - pictures[1]).abs().max() > 1e-3


@pytest.mark.parametrize("flags, prediction, zero", [
    ((), "epsilon", False), (("v_pred",), "v_prediction", False), (("v_pred", "ztsnr"), "v_prediction", True),
])
def test_what_a_file_says_of_its_noise_is_believed(flags, prediction, zero, load, no_network):
    config = load(**{flag: torch.empty(0) for flag in flags}).scheduler.config
    assert (config.prediction_type, config.rescale_betas_zero_snr) == (prediction, zero)


def test_the_shipped_configuration_names_the_tensors_that_comfyui_loads(host):
    """All of SDXL's UNet, by the host's own table."""
    import comfy.supported_models
    import comfy.utils

    with torch.device("meta"):
        kind = diffusers.UNet2DConditionModel
        unet = kind.from_config(kind.load_config(str(SDXL / "unet")))
    known = dict(comfy.supported_models.SDXL.unet_config)
    names = comfy.utils.unet_to_diffusers({
        **known, "num_res_blocks": [2, 2, 2], "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "transformer_depth_middle": 10,
    })
    missing = set(unet.state_dict()) - set(names)
    assert not missing and len(unet.state_dict()) == 1680
