"""A tiny SDXL of the real classes with drawn weights, samples to train on, and settings of a short run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

for package in ("accelerate", "diffusers", "transformers", "tensorboard"):
    pytest.importorskip(package)

from training.new_adapter import AdapterSizes  # noqa: E402
from training.sdxl.base import Base  # noqa: E402
from training.sdxl.settings import Settings  # noqa: E402
from training.shards import Sample, Subject  # noqa: E402

SIDE = 64
CONTEXT = 32
UNET = {
    "sample_size": SIDE // 8, "in_channels": 4, "out_channels": 4, "block_out_channels": (16, 32, 32),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), "layers_per_block": 1,
    "transformer_layers_per_block": (1, 1, 2), "attention_head_dim": (1, 2, 2), "cross_attention_dim": CONTEXT,
    "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 64,
    "use_linear_projection": True, "norm_num_groups": 8,
}
VAE = {
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4, "scaling_factor": 0.13025,
}
TEXT = {
    "vocab_size": 49408, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "projection_dim": 16, "bos_token_id": 49406, "eos_token_id": 49407,
}
VISION = {
    "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16,
    "patch_size": 8, "projection_dim": 16,
}
SIZES = AdapterSizes(tokens=4, width=16, layers=1, head_dim=8, feature_width=24, phrase_width=16)
KINDS = ("cat", "dog", "mug", "boot", "vase")


def settings(**changes) -> Settings:
    """Of a short run on small pictures."""
    return Settings(**{"steps": 4, "batch": 2, "size": f"{SIDE}x{SIDE}", "rate": 1e-3, "log_every": 1, "save_every": 2,
                       "look_every": 0, "held_out": 2, "precision": "fp32", "checkpointing": False, **changes})


def new_base(**scheduler) -> Base:
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    from msd_core.headless.text import clip_tokenizers

    torch.manual_seed(0)
    first, second = clip_tokenizers()
    pipe = StableDiffusionXLPipeline(
        vae=AutoencoderKL(**VAE), unet=UNet2DConditionModel(**UNET), text_encoder=CLIPTextModel(CLIPTextConfig(**TEXT)),
        text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**TEXT)), tokenizer=first, tokenizer_2=second,
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                         timestep_spacing="leading", steps_offset=1, **scheduler),
        add_watermarker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return Base(pipe, CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION)))


def drawn_sample(number: int, width: int = 80, height: int = 72) -> Sample:
    """One or two coloured boxes on grey."""
    rng = np.random.default_rng(number)
    target = np.full((height, width, 3), 128, np.uint8)
    boxes = [(0.1, 0.2, 0.45, 0.8), (0.55, 0.3, 0.95, 0.9)][: 1 + number % 2]
    subjects = []
    for place, (x0, y0, x1, y1) in enumerate(boxes):
        colour = rng.integers(0, 256, 3).astype(np.uint8)
        target[int(y0 * height) : int(y1 * height), int(x0 * width) : int(x1 * width)] = colour
        mask = np.zeros((24, 20), bool)
        mask[4:20, 3:18] = True
        subjects.append(Subject(KINDS[(number + place) % 5], (x0, y0, x1, y1),
                                np.broadcast_to(colour, (24, 20, 3)).copy(), mask))
    caption = " and ".join(f"a {subject.phrase}" for subject in subjects) + " on the grass"
    return Sample(f"drawn-{number}", caption, target, tuple(subjects))
