"""What most host tests need: the demo set, encoded subjects, and short sampling runs."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
PHRASES = ("dog", "red backpack", "cat", "hat", "dog", "teapot")


@pytest.fixture(scope="session")
def demo(host):
    """The demo models by name, built once."""
    names = ("model", "clip", "vae", "clip_vision", "adapter")
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
        named = {f"subject{index}": subject for index, subject in enumerate(subjects)}
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
