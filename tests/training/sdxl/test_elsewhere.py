"""What a run leaves is what nodes and pipeline take, and what the README says works."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from devtools.host import PACK
from msd_core.boxes import Box
from msd_core.checkpoint import read_adapter
from msd_core.headless.demo import demo_pipeline, demo_subject
from msd_core.headless.pipeline import MSDiffusionPipeline
from msd_core.subject import Subject
from tests.tiny_sdxl import SIDE, SIZES, drawn_sample, settings
from training.sdxl.base import Base, load
from training.sdxl.batch import Batch
from training.sdxl.command import main
from training.sdxl.diffusion import Noise, Noisy
from training.sdxl.loss import BatchLoss, Drops
from training.sdxl.order import seeded
from training.sdxl.pictures import encode_as_trained
from training.sdxl.projectors import untrained
from training.sdxl.run import Run
from training.sdxl.samples import views_of
from training.sdxl.sources import LiveSamples
from training.shards import Shards, ShardWriter
from training.student import SIZES as DEMO


@pytest.mark.parametrize("masks", [True, False])
def test_what_the_trainer_predicts_is_what_the_pipeline_predicts(base, shards_folder, masks):
    """The same subjects in the same noise, once as training sees them and once as users have them."""
    shards = Shards(shards_folder)
    sample = shards[1]
    torch.manual_seed(4)
    trained = untrained(base, "grounding", SIZES)
    samples = LiveSamples(shards, base, (80, 72))
    batch = Batch.of(samples.take([1]), torch.device("cpu"))
    loss = BatchLoss(base.pipe.unet, trained, Noise(base.pipe.scheduler), samples.empty(), settings(masks=masks))
    noise, seen = torch.randn(1, 4, 9, 10), []

    class Same(Noise):
        def add(self, latents, generator):
            return Noisy(noise, torch.tensor([601]), torch.zeros_like(noise))

    loss.noise = Same(base.pipe.scheduler)
    watch = base.pipe.unet.register_forward_hook(lambda _, inputs, out: seen.append((inputs, out[0].detach())))
    no = torch.tensor([False])
    loss(batch, seeded(0), Drops(no, no, no))
    loss.done()
    pipeline = MSDiffusionPipeline(base.pipe, trained.adapter, base.image_encoder)
    subjects = [Subject(views_of(one), one.phrase) for one in sample.subjects]
    embeds = encode_as_trained(pipeline, subjects, [one.box for one in sample.subjects], True, masks)
    base.pipe.scheduler.set_timesteps(timesteps=[601])
    start = noise * float((1 + base.pipe.scheduler.sigmas[0] ** 2) ** 0.5)
    pipeline(sample.caption, embeds, scale=1.0, width=80, height=72, timesteps=[601], guidance_scale=1.0,
             latents=start / base.pipe.scheduler.init_noise_sigma, output_type="latent",
             original_size=(72, 80), target_size=(72, 80))
    watch.remove()
    (taught, ours), (piped, theirs) = seen
    torch.testing.assert_close(taught[0], piped[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)


@pytest.mark.host
def test_a_checkpoint_is_loaded_and_used_by_the_nodes_as_it_is(host, tmp_path):
    with ShardWriter(tmp_path / "shards") as writer:
        for number in range(3):
            writer.add(drawn_sample(number))
    demo = demo_pipeline()
    base = Base(demo.pipe, demo.image_encoder)
    told = settings(steps=1, held_out=0)
    samples = LiveSamples(Shards(tmp_path / "shards"), base, (SIDE, SIDE))
    Run(base, untrained(base, "grounding", DEMO), samples, told, tmp_path / "run", held_out=()).run()
    made = tmp_path / "run/checkpoint-000001/ms_adapter.safetensors"
    folder = host.base / "models" / "msdiffusion"
    folder.mkdir(exist_ok=True)
    place = folder / "trained_here.safetensors"
    place.write_bytes(made.read_bytes())
    try:
        adapter = host.call("MSDiffusionAdapterLoader", adapter_name=place.name)[0]
    finally:
        place.unlink()
    names = ("model", "clip", "vae", "clip_vision", "adapter", "control_net")
    models = dict(zip(names, host.call("MSDiffusionDemoModels"),
                      strict=True))
    subject = host.call("MSDiffusionSubject", image=torch.rand(1, 48, 64, 3), phrase="dog", weight=1.0, fit="stretch")
    layout = host.call("MSDiffusionLayout", width=160, height=160, boxes='{"boxes": [[0, 0, 0.5, 1]]}')
    embeds = host.call("MSDiffusionEncode", subjects={"subject0": subject[0]}, adapter=adapter, clip=models["clip"],
                       clip_vision=models["clip_vision"], layout=layout[0], grounding=True)[0]
    assert embeds.subjects[0].tokens.shape == (1, DEMO.tokens, 128)
    ours = MSDiffusionPipeline(demo.pipe, read_adapter(made), demo.image_encoder)
    same = ours.encode([demo_subject("cat", 1)], [Box(0, 0, 0.5, 1)])
    assert same.subjects[0].tokens.isfinite().all()


def test_the_readmes_way_to_hand_in_models_runs(tmp_path, monkeypatch):
    text = (PACK / "training" / "README.md").read_text("utf-8")
    block = next(part for part in re.findall(r"```python\n(.*?)```", text, re.S) if "demo_pipeline" in part)
    for wanted, smaller in (("steps=400", "steps=1"), ("batch=64", "batch=2"), ("look_steps=20", "look_steps=2"),
                            ("held_out=8", "held_out=1"), ("160x160", "64x64")):
        assert wanted in block
        block = block.replace(wanted, smaller)
    monkeypatch.chdir(tmp_path)
    with ShardWriter(tmp_path / "runs/tiny/shards") as writer:
        for number in range(4):
            writer.add(drawn_sample(number))
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102
    assert {entry.name for entry in (tmp_path / "runs/tiny/run").iterdir()} >= {"checkpoint-000001", "pictures"}
    assert np.isfinite(float((tmp_path / "runs/tiny/run/losses.csv").read_text().splitlines()[1].split(",")[1]))


def test_the_command_goes_on_from_an_adapter_and_learns_from_encoded_samples(
    base, base_files, shards_folder, tmp_path, capsys
):
    began = untrained(base, "grounding", SIZES)
    save_file({key: value.clone() for key, value in began.state().items()}, tmp_path / "begun.safetensors",
              metadata=began.metadata())
    arguments = [
        "--base", base_files[0], "--image-encoder", base_files[1], "--shards", shards_folder, "--folder",
        tmp_path / "run", "--init", tmp_path / "begun.safetensors", "--encoded", tmp_path / "encoded", "--steps", 2,
        "--size", f"{SIDE}x{SIDE}", "--batch", 2, "--held-out", 1, "--look-steps", 1, "--log-every", 1,
        "--rate", 1e-3,
    ]
    assert main([*map(str, arguments)]) == 1
    assert "EulerDiscreteScheduler begins 1 step at timestep 1" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()
    assert main([*map(str, arguments), "--look-steps", "2"]) == 0
    with ShardWriter(tmp_path / "others") as writer:
        for number in range(14):
            writer.add(drawn_sample(number + 20))
    others = ["--shards", str(tmp_path / "others"), "--folder", str(tmp_path / "other run"), "--look-steps", "2"]
    assert main([*map(str, arguments), *others]) == 1
    assert "was encoded with shards" in capsys.readouterr().err.splitlines()[-1]
    made = read_adapter(tmp_path / "run/checkpoint-000002/ms_adapter.safetensors")
    assert made.head_dim == SIZES.head_dim and (tmp_path / "run/pictures/000002.png").exists()
    for key, value in began.state().items():
        near = torch.isclose(made.state[key].float(), value, atol=0.02).all()
        assert near and (key == "dummy_image_tokens") == torch.equal(made.state[key], value.half()), key


def test_a_sample_that_a_worker_can_not_prepare_is_one_sentence(base_files, tmp_path, capfd):
    whole = drawn_sample(1)
    empty = [replace(one, mask=np.zeros_like(one.mask)) for one in whole.subjects]
    with ShardWriter(tmp_path / "shards") as writer:
        writer.add(replace(whole, subjects=tuple(empty)))
    arguments = ["--base", base_files[0], "--image-encoder", base_files[1], "--shards", tmp_path / "shards",
                 "--folder", tmp_path / "run", "--size", f"{SIDE}x{SIDE}", "--held-out", 0, "--workers", 1,
                 "--width", 64, "--layers", 1]
    assert main([*map(str, arguments)]) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith("training.sdxl: Sample drawn-1: The mask is empty")


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_base_is_read_with_its_autoencoder_unrounded(base_files, precision):
    made = load(*base_files, precision)
    kept = load_file(base_files[0] / "vae" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(value, kept[key]) for key, value in made.pipe.vae.state_dict().items())
    wanted = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    assert {made.pipe.unet.dtype, made.pipe.text_encoder.dtype, made.image_encoder.dtype} == {wanted}
    assert not any(p.requires_grad for p in made.pipe.unet.parameters())


