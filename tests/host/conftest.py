"""What most host tests need: the demo set, encoded subjects, and short sampling runs."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
PHRASES = ("dog", "red backpack", "cat", "hat", "dog", "teapot")


@pytest.fixture(scope="session")
def demo(host):
    """The demo models by name, built once."""
    names = ("model", "clip", "vae", "clip_vision", "adapter", "control_net")
    return SimpleNamespace(**dict(zip(names, host.call("MSDiffusionDemoModels"), strict=True)))


@pytest.fixture(scope="session")
def studio(host, demo):
    return Studio(host, demo)


class Studio:
    """A graph in short: subjects, layout, encode, apply, sample."""

    def __init__(self, host, demo):
        self.host, self.demo = host, demo
        self.positive = host.call("CLIPTextEncode", clip=demo.clip, text="a dog and a red backpack")[0]
        self.negative = host.call("CLIPTextEncode", clip=demo.clip, text="blurry")[0]

    def photo(self, seed: int, views: int = 1) -> torch.Tensor:
        return torch.rand(views, 48, 64, 3, generator=torch.Generator().manual_seed(seed))

    def subject(self, phrase="dog", seed=0, views=1, **inputs):
        inputs = {"weight": 1.0, "fit": "stretch", **inputs}
        return self.host.call("MSDiffusionSubject", image=self.photo(seed, views), phrase=phrase, **inputs)[0]

    def subject_of(self, image, phrase="dog"):
        return self.host.call("MSDiffusionSubject", image=image, phrase=phrase, weight=1.0, fit="stretch")[0]

    def subjects(self, count: int) -> list:
        return [self.subject(phrase, seed) for seed, phrase in enumerate(PHRASES[:count])]

    def layout(self, boxes, width=160, height=160, **inputs):
        text = json.dumps({"boxes": [list(box) for box in boxes]})
        return self.host.call("MSDiffusionLayout", width=width, height=height, boxes=text, **inputs)[0]

    def encode(self, boxes=(LEFT, RIGHT), subjects=None, layout=None, **inputs):
        subjects = self.subjects(len(boxes)) if subjects is None else subjects
        inputs = {
            "adapter": self.demo.adapter, "clip_vision": self.demo.clip_vision, "clip": self.demo.clip,
            "layout": layout or self.layout(boxes), "grounding": True, **inputs,
        }
        named = {f"subject{index}": subject for index, subject in enumerate(subjects) if subject is not None}
        return self.host.call("MSDiffusionEncode", subjects=named, **inputs)[0]

    def apply(self, embeds=None, model=None, **inputs):
        inputs = {"scale": 0.8, "start_percent": 0.0, "end_percent": 1.0, **inputs}
        embeds = self.encode() if embeds is None else embeds
        return self.host.call("MSDiffusionApply", model=model or self.demo.model, embeds=embeds, **inputs)[0]

    def sample(self, model, size=(10, 10), batch=1, steps=2, cfg=2.0, seed=7, sampler="euler", **inputs):
        inputs = {"positive": self.positive, "negative": self.negative, "scheduler": "normal", "denoise": 1.0, **inputs}
        return self.host.call(
            "KSampler", model=model, seed=seed, steps=steps, cfg=cfg, sampler_name=sampler,
            latent_image={"samples": torch.zeros(batch, 4, *size)}, **inputs,
        )[0]["samples"]

    def interrupted(self, model, at: int, steps: int) -> None:
        """A run that the user stops after some evaluations."""
        import comfy.model_management

        stop, seen = model.clone(), []

        def interrupt(args):
            seen.append(1)
            if len(seen) == at:
                comfy.model_management.interrupt_current_processing()
            return args["denoised"]

        stop.set_model_sampler_post_cfg_function(interrupt)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            self.sample(stop, steps=steps)

    def in_dtype(self, dtype):
        """The demo model computing in another dtype."""
        model = self.demo.model.clone()
        model.set_model_compute_dtype(dtype)
        return model

    def reweighted(self, embeds, **changes):
        """The same subjects with other weights, starts or ends."""
        return replace(embeds, subjects=tuple(replace(subject, **changes) for subject in embeds.subjects))


def slots_of(model) -> dict:
    """What occupies a model's attn2 slots."""
    return model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})


def attend(host, model, q, text, chunks=(0,), **options):
    """One cross-attention of a model, called as the host calls it, in an evaluation of a positive and a negative side.

    Returns the output; `attention(host, model, ...)` gives what is needed to call it more than once.
    """
    return attention(host, model, q, chunks, **options)(q, text)


def attention(host, model, q, chunks=(0,), **options):
    run, call = host.module("nodes.host.run"), host.module("nodes.host.call")
    patch = model.model_options["transformer_options"][call.PATCH]
    slot, side = next(iter(slots_of(model).values())), round(q.shape[1] ** 0.5)
    conds = {"positive": [{"uuid": 0}], "negative": [{"uuid": 1}]}
    batch = q.shape[0] // len(chunks)
    this_run = run.SamplingRun(
        patch, patch.application.model_sampling, SimpleNamespace(conds=conds), (batch, side, side)
    )
    evaluation = call.Evaluation(this_run, list(conds.values()), torch.zeros(batch, 4, side, side))
    options = {
        "n_heads": q.shape[-1] // 32, "activations_shape": [q.shape[0], q.shape[-1], side, side],
        "cond_or_uncond": list(chunks), "uuids": list(chunks), call.PATCH: patch, **options,
    }
    options[call.CALL] = call.ModelCall(evaluation, options, q.shape[0])
    return lambda q, text: slot(q, text, text, options)


class Seen(NamedTuple):
    """Rows that saw the subjects in one attention."""

    role: str
    entry: tuple
    windows: tuple
    images: tuple | None
    rows: tuple


@pytest.fixture
def seen(host, monkeypatch):
    """Who saw the subjects, attention by attention."""
    call = host.module("nodes.host.call").AttentionCall
    original, found = call._add_to, []

    def add_to(self, chunk, rows):
        windows = chunk.windows if self.run.patch.application is None else self.run.windows_of(chunk.windows)
        parts = tuple((part.start, part.stop) for part in rows)
        found.append(Seen(chunk.key.conditioning, chunk.key.entry, windows, chunk.images, parts))
        original(self, chunk, rows)

    monkeypatch.setattr(call, "_add_to", add_to)
    return found


@pytest.fixture
def said(caplog):
    """What the pack logs: `said("words")` lists the messages that have them."""
    caplog.set_level("INFO", logger="MS-Diffusion")
    return lambda words="": [record.getMessage() for record in caplog.records
                             if record.name == "MS-Diffusion" and words in record.getMessage()]


def guided(host, guider, model, size=(10, 10), steps=2, batch=1, **options):
    """Sampling with one of the host's guiders."""
    sampler = host.call("KSamplerSelect", sampler_name="euler")[0]
    sigmas = host.call("BasicScheduler", model=model, scheduler="normal", steps=steps, denoise=1.0)[0]
    noise = host.call("RandomNoise", noise_seed=7)[0]
    made = host.call(guider, model=model, **options)[0]
    return host.call(
        "SamplerCustomAdvanced", noise=noise, guider=made, sampler=sampler, sigmas=sigmas,
        latent_image={"samples": torch.zeros(batch, 4, *size)},
    )[0]["samples"]


def predictions(model, sample) -> list[dict]:
    """What the model predicts for each conditioning, by role, evaluation by evaluation, while `sample(model)` runs."""
    import comfy.patcher_extension as extension

    watched, roles, found = model.clone(), {}, []

    def remember(executor, *args, **kwargs):
        roles.update(executor.class_obj.conds)
        return executor(*args, **kwargs)

    def keep(executor, model, conds, *args, **kwargs):
        out = executor(model, conds, *args, **kwargs)
        by_ids = {frozenset(entry["uuid"] for entry in entries): role for role, entries in roles.items()}
        found.append({
            by_ids[frozenset(entry["uuid"] for entry in cond)]: one.clone()
            for cond, one in zip(conds, out, strict=True) if cond
        })
        return out

    watched.add_wrapper_with_key(extension.WrappersMP.OUTER_SAMPLE, "test", remember)
    watched.add_wrapper_with_key(extension.WrappersMP.CALC_COND_BATCH, "test", keep)
    sample(watched)
    return found


def who_saw(plain, patched, sample) -> list[dict]:
    """For the first step's evaluations, which conditionings the subjects have reached."""
    without, with_subjects = predictions(plain, sample), predictions(patched, sample)
    return [
        {role: not torch.equal(one[role], other[role]) for role in one}
        for one, other in zip(without, with_subjects, strict=True)
    ]
