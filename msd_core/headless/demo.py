"""The demo's tiny set as diffusers' and transformers' own classes."""

from __future__ import annotations

from typing import Any

import torch

from ..checkpoint import read_adapter
from ..demo import config
from ..demo.weights import read_text_encoder, read_weights
from ..demo.world import draw_subject
from ..subject import Subject, prepare_views
from .base import require_packages
from .pipeline import MSDiffusionPipeline
from .text import clip_tokenizers


def demo_pipeline() -> MSDiffusionPipeline:
    """The tiny set, ready to make pictures on the CPU.

    Raises:
        ValueError: a weights file or a package is missing.
    """
    require_packages()
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    unet, vae = UNet2DConditionModel(**config.UNET), AutoencoderKL(**config.VAE)
    unet.load_state_dict(read_weights(config.UNET_FILE))
    vae.load_state_dict(read_weights(config.VAE_FILE))
    text_l = CLIPTextModel(CLIPTextConfig(**config.TEXT_L))
    # Since 5.6, transformers has this class's names without the prefix.
    state, prefix = read_text_encoder(config.TEXT_L_FILE), "text_model."
    text_l.load_state_dict({key: state[prefix + key.removeprefix(prefix)] for key in text_l.state_dict()})
    text_g = CLIPTextModelWithProjection(CLIPTextConfig(**config.TEXT_G))
    text_g.load_state_dict(read_text_encoder(config.TEXT_G_FILE))
    keys = set(config.IMAGE_ENCODER) - {"image_mean", "image_std", "model_type"}
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(**{key: config.IMAGE_ENCODER[key] for key in keys}))
    vision.load_state_dict(read_weights(config.IMAGE_ENCODER_FILE))
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=config.PREDICTION_TYPE,
        timestep_spacing="trailing",
    )
    tokenizer_l, tokenizer_g = clip_tokenizers()
    for model in (vae, unet, text_l, text_g):
        model.eval().requires_grad_(False)
    pipe = StableDiffusionXLPipeline(
        vae=vae, unet=unet, scheduler=scheduler, text_encoder=text_l, text_encoder_2=text_g, tokenizer=tokenizer_l,
        tokenizer_2=tokenizer_g, force_zeros_for_empty_prompt=False, add_watermarker=False,
    )
    return MSDiffusionPipeline(pipe, read_adapter(config.ADAPTER_FILE), vision)


def demo_subject(kind: str, seed: int, size: int = 256, **settings: Any) -> Subject:
    """A drawn subject, as the graph's demo node and subject node make it.

    Args:
        settings: a phrase instead of the kind, weight, start, end.
    """
    image, _, phrase = draw_subject(kind, seed, size)
    return Subject(prepare_views(torch.from_numpy(image)[None]), **{"phrase": phrase, **settings})
