"""ComfyUI and the headless engine make the same picture of the same noise."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from devtools import demo as demo_command

A, B = (0.0, 0.45, 0.5, 0.95), (0.5, 0.1, 1.0, 0.6)
PROMPT = "a mug and a rocket in the snow"
DRAWN = (("mug", 3), ("rocket", 9))
STEPS = (1, 2, 4, 7, 20)  # of 7 steps of `normal`, two lie half way between two timesteps


@pytest.fixture(scope="module")
def headless(host):
    pytest.importorskip("diffusers")
    return host.module("msd_core.headless.demo")


@pytest.fixture(scope="module")
def pipeline(headless):
    return headless.demo_pipeline()


def theirs(host, headless, pipeline, size=(160, 160), steps=20, schedule="normal", subject=None, **inputs):
    """The headless engine's latents; `subject` has settings of the first one."""
    subjects = [headless.demo_subject(*drawn, 160, **(subject or {}) if drawn is DRAWN[0] else {}) for drawn in DRAWN]
    return pipeline(
        PROMPT, pipeline.encode(subjects, [A, B]), negative_prompt="", width=size[0], height=size[1],
        num_inference_steps=steps, guidance_scale=2.0, generator=torch.Generator().manual_seed(11), schedule=schedule,
        output_type="latent", **{"scale": 1.0, **inputs},
    ).images


def ours(host, studio, size=(160, 160), steps=20, scheduler="normal", subject=None, model=None, **inputs):
    """ComfyUI's latents."""
    named = {"weight": "weight", "start": "start_percent", "end": "end_percent"}
    subjects = []
    for kind, seed in DRAWN:
        image, _, phrase = host.call("MSDiffusionDemoSubject", kind=kind, seed=seed, size=160)
        settings = {named[key]: value for key, value in (subject or {}).items()} if kind == DRAWN[0][0] else {}
        subjects.append(host.call(
            "MSDiffusionSubject", image=image, phrase=phrase, **{"weight": 1.0, "fit": "stretch", **settings}
        )[0])
    positive, negative = (
        host.call("CLIPTextEncode", clip=studio.demo.clip, text=text)[0] for text in (PROMPT, "")
    )
    layout = studio.layout((A, B), *size)
    model = studio.apply(studio.encode((A, B), subjects, layout), model, **{"scale": 1.0, **inputs})
    latents = studio.sample(model, (size[1] // 8, size[0] // 8), steps=steps, cfg=2.0, seed=11, positive=positive,
                            negative=negative, scheduler=scheduler)
    return studio.demo.model.model.process_latent_in(latents)


def difference(a, b) -> float:
    """The largest difference as a share of the largest value."""
    return float((a - b).abs().max() / a.abs().max())


def test_the_headless_engine_takes_as_many_steps_as_it_is_asked_for(host, headless, pipeline):
    calls = []
    handle = pipeline.pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    for steps in STEPS:
        calls.clear()
        theirs(host, headless, pipeline, steps=steps)
        assert len(calls) == steps
    handle.remove()


@pytest.mark.parametrize("schedule", ["normal", "simple", "sgm_uniform"])
def test_both_engines_have_the_same_schedule_to_the_bit(host, studio, pipeline, schedule):
    schedules = host.module("msd_core.headless.schedule")
    sampling = studio.demo.model.get_model_object("model_sampling")
    for steps in range(1, 101):
        expected = host.call("BasicScheduler", model=studio.demo.model, scheduler=schedule, steps=steps, denoise=1.0)[0]
        sigmas, timesteps = schedules.host_schedule(pipeline.pipe.scheduler, schedule, steps)
        assert sigmas == expected.tolist()
        assert timesteps == sampling.timestep(expected[:-1]).tolist()


@pytest.mark.parametrize("schedule", ["normal", "simple", "sgm_uniform"])
@pytest.mark.parametrize("steps", STEPS)
def test_latents_of_both_engines_agree(host, studio, headless, pipeline, steps, schedule):
    a = ours(host, studio, steps=steps, scheduler=schedule)
    assert difference(a, theirs(host, headless, pipeline, steps=steps, schedule=schedule)) < 1e-5


def test_without_the_subjects_they_agree_as_well(host, studio, headless, pipeline):
    assert difference(ours(host, studio, scale=0.0), theirs(host, headless, pipeline, scale=0.0)) < 1e-5


def test_they_agree_on_pictures_whose_maps_do_not_halve_evenly(host, studio, headless, pipeline):
    size = (168, 152)
    a, b = ours(host, studio, size, steps=4), theirs(host, headless, pipeline, size, steps=4)
    assert a.shape[-2:] == (19, 21) and difference(a, b) < 1e-5


@pytest.mark.parametrize("subject", [{"weight": 0.5}, {"start": 0.5}, {"end": 0.3}, {"start": 0.25, "end": 0.75}])
@pytest.mark.parametrize("schedule", ["normal", "simple"])
def test_they_agree_on_how_strongly_and_when_a_subject_acts(host, studio, headless, pipeline, subject, schedule):
    """Start and end are places of the noise schedule, as in ComfyUI, and no shares of the steps."""
    a = ours(host, studio, steps=5, scheduler=schedule, subject=subject)
    assert difference(a, theirs(host, headless, pipeline, steps=5, schedule=schedule, subject=subject)) < 1e-5
    assert difference(a, ours(host, studio, steps=5, scheduler=schedule)) > 0.01


@pytest.mark.parametrize("before", ["boxes", "off"])
@pytest.mark.parametrize("method", ["steady", "paper"])
def test_latents_of_both_engines_agree_with_auto_layout(host, studio, headless, pipeline, method, before):
    settings = host.module("msd_core.auto_layout").AutoLayoutSettings(method=method, boxes_before=before == "boxes")
    request = host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt=PROMPT, threshold=settings.threshold,
                        start_step=settings.start_step, method=method, before_start=before)[0]
    placed = ours(host, studio, auto_layout=request)
    assert difference(placed, theirs(host, headless, pipeline, auto_layout=settings)) < 1e-5
    if (method, before) != ("steady", "boxes"):  # whose regions may well stay in their boxes
        assert difference(placed, ours(host, studio)) > 0.1


def test_both_engines_find_the_same_phrases(host, studio, headless):
    text = host.module("msd_core.headless.text")
    prompt = host.module("nodes.host.text").Prompt
    words, phrases = "A red Backpack, a dog and the dog's hat", ["red backpack", "dog", "dog", "hat", "teapot"]
    expected = prompt.of(studio.demo.clip, words).spans(phrases)
    pipe = SimpleNamespace(tokenizer=text.clip_tokenizers()[0], maybe_convert_prompt=lambda text, _: text)
    found = text.prompt_words(pipe, words, phrases)
    assert list(found.phrases) == expected
    assert found == prompt.of(studio.demo.clip, words).phrases(phrases).words
    assert len(found.others) == 5  # A, a, and, the, 's
    assert [bool(span) for span in expected] == [True, True, True, True, False]


def test_clips_vocabulary_is_the_hosts(host, headless):
    tokenizer, padded_with_zeros = host.module("msd_core.headless.text").clip_tokenizers()
    folder = host.path / "comfy" / "sd1_tokenizer"
    assert tokenizer.get_vocab() == json.loads((folder / "vocab.json").read_text("utf-8"))
    transformers = pytest.importorskip("transformers")
    own = transformers.CLIPTokenizer.from_pretrained(str(folder), model_max_length=77)
    words = "An ORANGE cat's hat: naïve, 日本 \N{ROCKET} 3,000!"
    assert tokenizer(words).input_ids == own(words).input_ids
    padded = [t(words, padding="max_length", max_length=77).input_ids[-1] for t in (tokenizer, padded_with_zeros)]
    assert padded == [49407, 0]


def test_a_lora_on_the_pipeline_does_what_it_does_in_comfyui(host, studio, headless, tmp_path):
    """Also to the queries that the subjects are asked with."""
    pytest.importorskip("peft")
    from safetensors.torch import save_file

    pipeline, drawn = headless.demo_pipeline(), torch.Generator().manual_seed(5)
    for_diffusers, for_comfyui = {}, {}
    for name, module in pipeline.pipe.unet.named_modules():
        if name.endswith((".attn2.to_q", ".attn2.to_k", ".attn2.to_out.0", ".attn1.to_v")):
            out, into = module.weight.shape
            down, up = torch.randn(4, into, generator=drawn) * into**-0.5, torch.randn(out, 4, generator=drawn) * 0.3
            for_diffusers |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
            flat = f"lora_unet_{name.replace('.', '_')}"
            for_comfyui |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up}
    pipeline.pipe.load_lora_weights(for_diffusers)
    folder = host.base / "models" / "loras"
    folder.mkdir(exist_ok=True)
    save_file(for_comfyui, folder / "drawn.safetensors")
    model, _ = host.call("LoraLoader", model=studio.demo.model, clip=studio.demo.clip, lora_name="drawn.safetensors",
                         strength_model=1.0, strength_clip=1.0)
    a = ours(host, studio, steps=4, model=model)
    assert difference(a, theirs(host, headless, pipeline, steps=4)) < 1e-4
    assert difference(a, ours(host, studio, steps=4)) > 0.05


def test_the_demo_command_makes_workflow_00s_picture_without_comfyui(host, headless, tmp_path):
    workflow = json.loads(demo_command.WORKFLOW.read_text("utf-8"))
    target = tmp_path / "made.png"
    main = host.module("msd_core.__main__").main
    assert main(["generate", *demo_command.headless_options(workflow), "--out", str(target)]) == 0
    with Image.open(target) as picture:
        made = np.asarray(picture.convert("RGB")).astype(int)
    outputs = {}
    for number in sorted(workflow, key=int):
        node = workflow[number]
        if node["class_type"] in ("PreviewImage", "SaveImage"):
            continue
        outputs[number] = host.call(node["class_type"], **inputs_of(node, outputs))
    decoded = next(outputs[number][0] for number, node in workflow.items() if node["class_type"] == "VAEDecode")
    expected = (decoded[0].detach() * 255).clamp(0, 255).numpy().astype(np.uint8).astype(int)
    assert abs(made - expected).max() <= 1


def inputs_of(node, outputs):
    """A node's inputs with its links followed; an input of several has a dict of its own."""
    inputs, grouped = {}, {}
    for name, value in node["inputs"].items():
        value = outputs[value[0]][value[1]] if isinstance(value, list) else value
        group, _, member = name.partition(".")
        if member:
            grouped.setdefault(group, {})[member] = value
        else:
            inputs[name] = value
    return {**inputs, **grouped}
