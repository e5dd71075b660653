"""The pipeline as diffusers users know pipelines: prompts, generators, outputs, offloading, progress, refusals."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import msd_core
from msd_core.auto_layout import AutoLayoutSettings
from msd_core.boxes import Box
from msd_core.layout import Region
from msd_core.overlap import with_overlap

from .conftest import BOXES, DRAWN, PROMPT

diffusers = pytest.importorskip("diffusers")

from msd_core.headless import MSDiffusionOutput, MSDiffusionPipeline  # noqa: E402
from msd_core.headless.demo import demo_pipeline, demo_subject  # noqa: E402

OTHER = "a mug and a rocket on the beach"
STEADY, PAPER = AutoLayoutSettings(), AutoLayoutSettings(start_step=2, method="paper")


def seeded(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    """The same but for how a batch rounds."""
    return bool((a - b).abs().max() < 1e-4 * a.abs().max())


def test_its_import_needs_neither_diffusers_nor_transformers_nor_pillow() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from msd_core.headless import MSDiffusionPipeline;"
        "print([name for name in ('diffusers', 'transformers', 'PIL') if name in sys.modules])"
    )
    root = str(Path(msd_core.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("missing, named", [("diffusers", "diffusers"), ("transformers", "transformers"),
                                            ("PIL", "pillow")])
def test_a_missing_package_is_named_with_how_to_install_it(missing, named, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ValueError, match=rf'{named} is not installed.*pip install -e "\.\[headless\]"'):
        MSDiffusionPipeline.from_files("base", "adapter", "encoder")


def test_diffusers_that_is_too_old_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(diffusers, "__version__", "0.31.0")
    with pytest.raises(ValueError, match="diffusers is 0.31.0 but must be 0.42 or newer"):
        demo_pipeline()


def test_a_call_gives_its_images_in_a_typed_result(pipeline, embeds) -> None:
    made = pipeline([PROMPT, OTHER], embeds, width=64, height=72, num_inference_steps=1, num_images_per_prompt=2,
                    generator=torch.Generator().manual_seed(0))
    assert isinstance(made, MSDiffusionOutput)
    assert [image.size for image in made.images] == [(64, 72)] * 4


def test_without_a_size_the_picture_has_the_bases_own(pipeline, embeds) -> None:
    assert pipeline(PROMPT, embeds, num_inference_steps=1).images[0].size == (160, 160)


def test_a_list_of_prompts_makes_what_each_would_alone(sample, embeds) -> None:
    for settings in ({}, {"auto_layout": PAPER}, {"auto_layout": STEADY, "num_inference_steps": 4}):
        both = sample(embeds, [PROMPT, OTHER], generator=seeded(1, 2), **settings)
        assert alike(both[:1], sample(embeds, PROMPT, generator=seeded(1), **settings))
        assert alike(both[1:], sample(embeds, OTHER, generator=seeded(2), **settings))


def test_several_images_of_a_prompt_are_those_of_their_generators(sample, embeds) -> None:
    for settings in ({}, {"auto_layout": PAPER}, {"schedule": "normal"},
                     {"auto_layout": STEADY, "num_inference_steps": 4}):
        both = sample(embeds, num_images_per_prompt=2, generator=seeded(1, 2), **settings)
        assert alike(both[1:], sample(embeds, generator=seeded(2), **settings))
        assert not alike(both[:1], both[1:])


def test_latents_given_are_the_noise_that_a_generator_would_draw(sample, embeds) -> None:
    for schedule in (None, "normal"):
        noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
        drawn = sample(embeds, generator=seeded(3)[0], schedule=schedule)
        assert torch.equal(sample(embeds, latents=noise, schedule=schedule), drawn)


def test_scale_zero_is_the_bare_pipeline_to_the_bit_and_costs_nothing(pipeline, sample, embeds, monkeypatch) -> None:
    assert not torch.equal(sample(embeds), sample())
    monkeypatch.setattr(pipeline.adapter, "project", lambda _: pytest.fail("the subjects were projected"))
    assert torch.equal(sample(embeds, scale=0.0), sample())


def test_the_pipelines_own_inputs_reach_it(pipeline, sample, embeds) -> None:
    seen = []

    def after_step(pipe, step, timestep, tensors):
        seen.append(step)
        return tensors

    plain = sample(embeds, callback_on_step_end=after_step)
    assert seen == [0, 1]
    assert not alike(plain, sample(embeds, negative_prompt="a cat", guidance_rescale=0.5))


def test_prompts_may_be_given_as_embeds(pipeline, sample, embeds) -> None:
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    made = dict(zip(names, pipeline.pipe.encode_prompt([PROMPT, OTHER], negative_prompt=["", ""]), strict=True))
    for schedule in (None, "normal"):
        expected = sample(embeds, [PROMPT, OTHER], generator=seeded(1, 2), schedule=schedule, negative_prompt=["", ""])
        assert alike(sample(embeds, None, generator=seeded(1, 2), schedule=schedule, **made), expected)


def test_guidance_that_ends_within_the_run_leaves_the_subjects_on_the_rows_that_stay(sample, embeds) -> None:
    def end(pipe, step, timestep, tensors):
        if pipe.do_classifier_free_guidance:
            tensors = {name: tensor[len(tensor) // 2 :] for name, tensor in tensors.items()}
        pipe._guidance_scale = 0.0
        return tensors

    tensors = ["prompt_embeds", "add_text_embeds", "add_time_ids"]
    inputs = {"callback_on_step_end": end, "callback_on_step_end_tensor_inputs": tensors}
    both = sample(embeds, num_images_per_prompt=2, generator=seeded(1, 2), **inputs)
    assert alike(both[:1], sample(embeds, generator=seeded(1), **inputs))
    assert alike(both[1:], sample(embeds, generator=seeded(2), **inputs))


def test_the_progress_bar_is_diffusers_own(pipeline, sample, embeds, capfd) -> None:
    sample(embeds)
    assert "2/2" in capfd.readouterr().err
    pipeline.pipe.set_progress_bar_config(disable=True)
    try:
        sample(embeds)
        assert capfd.readouterr().err == ""
    finally:
        pipeline.pipe.set_progress_bar_config()


def test_a_lora_that_the_user_loads_acts_and_is_gone_when_unloaded(sample, pipeline, embeds) -> None:
    pytest.importorskip("peft")
    drawn, lora = torch.Generator().manual_seed(0), {}
    for name, module in pipeline.pipe.unet.named_modules():
        if name.endswith((".attn2.to_q", ".attn2.to_out.0")):
            out, into = module.weight.shape
            lora[f"unet.{name}.lora_A.weight"] = torch.randn(4, into, generator=drawn) * 0.1
            lora[f"unet.{name}.lora_B.weight"] = torch.randn(out, 4, generator=drawn)
    before = sample(embeds)
    pipeline.pipe.load_lora_weights(lora)
    with_lora = sample(embeds)
    assert not alike(with_lora, before) and not alike(with_lora, sample())
    pipeline.pipe.unload_lora_weights()
    assert torch.equal(sample(embeds), before)


def test_what_is_ours_is_on_the_device_only_while_it_computes_if_the_pipeline_is_offloaded() -> None:
    class Moved:
        def __init__(self) -> None:
            self.places = []

        def to(self, place):
            self.places.append(str(place))

    for kept, rest in (("cpu", "cpu"), ("cuda:1", "cuda:1"), ("meta", "cpu")):  # sequential offload keeps them on meta
        ours, module = MSDiffusionPipeline.__new__(MSDiffusionPipeline), Moved()
        weight = SimpleNamespace(device=torch.device(kept))
        unet = SimpleNamespace(device=torch.device("cuda:1"), parameters=lambda weight=weight: iter([weight]))
        ours.pipe = SimpleNamespace(_execution_device="cuda:1", unet=unet)
        with pytest.raises(KeyError), ours._at_work(module):
            assert module.places == ["cuda:1"]
            raise KeyError
        assert module.places == ["cuda:1", rest]


@pytest.mark.parametrize("way", ["model", pytest.param("sequential", marks=pytest.mark.gpu), "group"])
def test_offloading_makes_the_same_picture(way) -> None:
    pytest.importorskip("accelerate")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pipeline = demo_pipeline().to(device)

    def make():
        embeds = pipeline.encode([demo_subject(*drawn) for drawn in DRAWN], BOXES)
        return pipeline(PROMPT, embeds, width=64, height=64, num_inference_steps=2, scale=1.0, output_type="latent",
                        generator=torch.Generator().manual_seed(0)).images.cpu()

    before = make()
    if way == "group":
        pipeline.pipe.enable_group_offload(onload_device=device, offload_device=torch.device("cpu"),
                                           offload_type="leaf_level")
    else:
        getattr(pipeline.pipe, f"enable_{way}_cpu_offload")(device=device)
    for _ in range(2):
        assert alike(make(), before)
        assert {next(module.parameters()).device.type for module in (pipeline.adapter, pipeline.image_encoder)} == {
            "cpu"
        }


def test_it_offloads_adapter_and_image_encoder_with_the_pipeline(monkeypatch) -> None:
    pytest.importorskip("accelerate")
    pipeline, places = demo_pipeline(), []
    for module in (pipeline.adapter, pipeline.image_encoder):
        monkeypatch.setattr(module, "to", lambda place: places.append(str(place)))
    pipeline.enable_model_cpu_offload(device="cpu")
    assert pipeline.pipe._all_hooks and places == ["cpu", "cpu"]


@pytest.mark.parametrize("inputs, said", [
    ({"num_inference_steps": 0}, "num_inference_steps is 0 but must be 1 or more: 30"),
    ({"scale": float("nan")}, "scale is nan but must be a finite number: 0.6"),
    ({"scale": float("inf")}, "scale is inf but must be a finite number: 0.6"),
    ({"schedule": "normal", "sigmas": [14.6, 0.0]}, "schedule is 'normal' and sigmas are given too, but only one"),
    ({"auto_layout": AutoLayoutSettings(), "prompt": None}, "asked for and prompt is None, but it reads the prompt's"),
])
def test_settings_out_of_range_are_refused(inputs, said, sample, embeds) -> None:
    with pytest.raises(ValueError, match=said):
        sample(embeds, **inputs)


def test_what_was_asked_for_and_does_nothing_is_told(pipeline, sample, embeds) -> None:
    late = replace(embeds, subjects=(replace(embeds.subjects[0], start=0.9), embeds.subjects[1]))
    with pytest.warns(UserWarning) as told:
        sample(late, auto_layout=AutoLayoutSettings(start_step=3, method="paper"))
    assert [str(warning.message) for warning in told if warning.category is UserWarning] == [
        "'mug' never acted: it acts from 0.9 to 1 of the noise schedule (0 is pure noise), where this run took no "
        "step. Widen start and end, or take more steps.",
        "Auto layout never began: it begins at step 3 and the run had 2. Let it begin earlier, or take more steps.",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        sample(late, num_inference_steps=10, auto_layout=STEADY)
        sample(late, num_inference_steps=10, auto_layout=AutoLayoutSettings(start_step=3, method="paper"))
    with pytest.warns(UserWarning, match="it begins at 20% of the noise schedule, after the first step, and the run"):
        sample(embeds, num_inference_steps=1, auto_layout=STEADY)


def test_every_subject_needs_a_box(pipeline) -> None:
    subject = demo_subject("cat", 1)
    for subjects, boxes in (([subject], []), ([subject], BOXES), ([], [])):
        said = f"{len(subjects)} subjects and {len(boxes)} boxes but each subject needs one box"
        with pytest.raises(ValueError, match=said):
            pipeline.encode(subjects, boxes)
    with pytest.raises(ValueError, match="x1 is 1.5 but boxes are fractions"):
        pipeline.encode([subject], [(0, 0, 1.5, 1)])


def test_a_box_is_a_box_or_four_numbers(pipeline) -> None:
    subject = demo_subject("cat", 1)
    a, b = (pipeline.encode([subject], [box]).subjects[0] for box in (BOXES[0], Box(*BOXES[0])))
    assert torch.equal(a.tokens, b.tokens) and a.region == b.region


def test_boxes_that_overlap_act_as_asked(pipeline) -> None:
    subjects = [demo_subject("cat", 1), demo_subject("mug", 3)]
    boxes = [(0.1, 0.2, 0.5, 0.6), {"x0": 0.4, "y0": 0.2, "x1": 0.8, "y1": 0.6, "z": -1}]
    placed = [Region(Box(*boxes[0])), Region(Box(0.4, 0.2, 0.8, 0.6, z=-1))]
    assert pipeline.encode(subjects, boxes).regions == tuple(placed)
    for overlap in ("front", "nearest", "apart"):
        found = pipeline.encode(subjects, boxes, overlap=overlap, frame=(512, 256))
        assert found.regions == with_overlap(placed, overlap, 512, 256)
    apart = pipeline.encode(subjects, boxes, overlap="apart")
    moved = pipeline.encode(subjects, [(0.05, 0.2, 0.45, 0.6), (0.45, 0.2, 0.85, 0.6)])
    for one, other in zip(apart.subjects, moved.subjects, strict=True):
        assert torch.equal(one.tokens, other.tokens), "the resampler reads the box that was moved"


def test_a_pipeline_of_another_kind_is_refused(pipeline) -> None:
    other = diffusers.StableDiffusionXLImg2ImgPipeline.from_pipe(pipeline.pipe, requires_aesthetics_score=False)
    said = "is a StableDiffusionXLImg2ImgPipeline but must be a StableDiffusionXLPipeline or a .*from_pipe"
    with pytest.raises(ValueError, match=said):
        MSDiffusionPipeline(other, "adapter", "encoder")
