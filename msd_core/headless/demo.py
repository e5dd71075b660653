"""The demo's tiny set as diffusers' and transformers' own classes."""

from __future__ import annotations

import torch

from ..checkpoint import read_adapter
from ..demo import config
from ..demo.weights import read_text_encoder, read_weights
from ..demo.world import draw_subject
from ..subject import Subject, prepare_views
from .engine import MSDiffusionPipeline
from .text import DemoText


def demo_pipeline() -> MSDiffusionPipeline:
    """The tiny set, ready to make pictures on the CPU.

    Raises:
        ValueError: a weights file is missing.
    """
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import (
        CLIPTextConfig,
        CLIPTextModelWithProjection,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    unet, vae = UNet2DConditionModel(**config.UNET), AutoencoderKL(**config.VAE)
    unet.load_state_dict(read_weights(config.UNET_FILE))
    vae.load_state_dict(read_weights(config.VAE_FILE))
    encoders = []
    for settings, file in ((config.TEXT_L, config.TEXT_L_FILE), (config.TEXT_G, config.TEXT_G_FILE)):
        encoder = CLIPTextModelWithProjection(CLIPTextConfig(**settings))
        encoder.load_state_dict(read_text_encoder(file))
        encoders.append(encoder.eval().requires_grad_(False))
    keys = set(config.IMAGE_ENCODER) - {"image_mean", "image_std", "model_type"}
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(**{key: config.IMAGE_ENCODER[key] for key in keys}))
    vision.load_state_dict(read_weights(config.IMAGE_ENCODER_FILE))
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=config.PREDICTION_TYPE,
        timestep_spacing="linspace",
    )
    pipe = StableDiffusionXLPipeline(
        vae=vae.eval().requires_grad_(False), unet=unet.eval().requires_grad_(False), scheduler=scheduler,
        text_encoder=None, text_encoder_2=None, tokenizer=None, tokenizer_2=None,
        force_zeros_for_empty_prompt=False, add_watermarker=False,
    )
    return MSDiffusionPipeline(pipe, DemoText(*encoders), read_adapter(config.ADAPTER_FILE), vision)


def demo_subject(kind: str, seed: int, size: int = 256) -> Subject:
    """A drawn subject, as the graph's demo node and subject node make it."""
    image, _, phrase = draw_subject(kind, seed, size)
    return Subject(prepare_views(torch.from_numpy(image)[None]), phrase)
