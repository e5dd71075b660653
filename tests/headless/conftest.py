"""The demo set as diffusers runs it, and pictures of it."""

from __future__ import annotations

import pytest
import torch

from tests import offline

no_network = offline.no_network

PROMPT = "a mug and a rocket in the snow"
BOXES = [(0.0, 0.45, 0.5, 0.95), (0.5, 0.1, 1.0, 0.6)]
DRAWN = (("mug", 3), ("rocket", 9))


@pytest.fixture(scope="session")
def shared():
    """The demo's pipeline, which no test may change."""
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from msd_core.headless.demo import demo_pipeline

    return demo_pipeline()


@pytest.fixture
def pipeline(shared):
    """The demo's pipeline with a scheduler of its own; what a test sets on it is forgotten."""
    kept = shared.pipe.scheduler
    shared.pipe.scheduler = type(kept).from_config(kept.config)
    yield shared
    shared.pipe.scheduler = kept


@pytest.fixture(scope="session")
def embeds(shared):
    """Two drawn subjects in their boxes."""
    from msd_core.headless.demo import demo_subject

    return shared.encode([demo_subject(*drawn) for drawn in DRAWN], BOXES)


@pytest.fixture
def sample(pipeline):
    """`sample(embeds, ...)`: small latents of two steps, or what is asked for, always from the same noise."""

    def latents(embeds=None, prompt=PROMPT, **inputs) -> torch.Tensor:
        inputs = {"num_inference_steps": 2, "guidance_scale": 2.0, "scale": 1.0, "output_type": "latent",
                  "width": 64, "height": 64, **inputs}
        if "generator" not in inputs:
            inputs["generator"] = torch.Generator().manual_seed(11)
        return pipeline(prompt, embeds, **inputs).images

    return latents


@pytest.fixture
def calls(pipeline):
    """The rows and the timestep of each call of the UNet."""
    seen = []
    handle = pipeline.pipe.unet.register_forward_hook(
        lambda _, inputs, __: seen.append((len(inputs[0]), float(inputs[1])))
    )
    yield seen
    handle.remove()
