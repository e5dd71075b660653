"""The tiny SDXL-shaped set, built from the host's own classes, so that every sampler and patch treats it as SDXL.

As with a checkpoint, each patcher tells the host how to build its model anew: for another GPU, or for hooks, which need
weights of their own under the host's dynamic memory. The host calls what it is told with `disable_dynamic`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import comfy.clip_vision
import comfy.controlnet
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sdxl_clip
import comfy.supported_models
import comfy.supported_models_base
import comfy.utils
import torch
from torch import Tensor

from ...msd_core.demo import config
from ...msd_core.demo.weights import read_text_encoder, read_weights
from .adapter import ManagedAdapter


class DemoModels(NamedTuple):
    """The values that a workflow needs, in the node's output order."""

    model: Any
    clip: Any
    vae: Any
    clip_vision: Any
    adapter: ManagedAdapter
    control_net: Any


def demo_models() -> DemoModels:
    """Build the set that ships with the pack; its files keep Hugging Face names, the host's follow from them."""
    return DemoModels(
        _model(), _clip(), _vae(), _clip_vision(), ManagedAdapter.load(str(config.ADAPTER_FILE), "the demo adapter"),
        comfy.controlnet.load_controlnet_state_dict(read_weights(config.CONTROL_NET_FILE)),
    )


def _model(disable_dynamic: bool = False) -> Any:
    model_config = comfy.supported_models.SDXL(dict(config.UNET_COMFY))
    # The host's SDXL configuration forces its own head width.
    model_config.unet_config["num_head_channels"] = config.UNET_COMFY["num_head_channels"]
    load_device = comfy.model_management.get_torch_device()
    dtype = comfy.model_management.unet_dtype(supported_dtypes=model_config.supported_inference_dtypes)
    manual_cast = comfy.model_management.unet_manual_cast(dtype, load_device, model_config.supported_inference_dtypes)
    model_config.set_inference_dtype(dtype, manual_cast)
    offload_device = comfy.model_management.unet_offload_device()
    prediction = {"v_pred": torch.empty(0)} if config.PREDICTION_TYPE == "v_prediction" else {}
    model = model_config.get_model(prediction, "", device=offload_device)
    names = comfy.utils.unet_to_diffusers(config.UNET_COMFY)
    model.diffusion_model.load_state_dict({names[key]: value for key, value in read_weights(config.UNET_FILE).items()})
    kind = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = kind(model.eval(), load_device=load_device, offload_device=offload_device)
    patcher.cached_patcher_init = (_model, ())
    return patcher


def _clip(disable_dynamic: bool = False) -> Any:
    target = comfy.supported_models_base.ClipTarget(comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel)
    options = {"clip_l_model_config": dict(config.TEXT_L), "clip_g_model_config": dict(config.TEXT_G)}
    clip = comfy.sd.CLIP(target, model_options=options, disable_dynamic=disable_dynamic)
    clip.patcher.cached_patcher_init = (_clip_patcher, ())
    # CLIP-L has no projection of its own in SDXL, yet the host keeps a place for one.
    projection = {"text_projection.weight": torch.eye(config.TEXT_WIDTH_L)}
    _load_text(clip.cond_stage_model.clip_l, {**projection, **read_text_encoder(config.TEXT_L_FILE)})
    _load_text(clip.cond_stage_model.clip_g, read_text_encoder(config.TEXT_G_FILE))
    return clip


def _clip_patcher(disable_dynamic: bool = False) -> Any:
    return _clip(disable_dynamic).patcher


def _load_text(encoder: Any, state: dict[str, Tensor]) -> None:
    encoder.transformer.load_state_dict(state)


def _vae() -> Any:
    vae = comfy.sd.VAE(sd=read_weights(config.VAE_FILE), config={"params": config.VAE_COMFY})
    vae.patcher.cached_patcher_init = (_vae_patcher, ())
    return vae


def _vae_patcher(disable_dynamic: bool = False) -> Any:
    # The host has no VAE without dynamic memory; it takes the model alone from this patcher.
    return _vae().patcher


def _clip_vision() -> Any:
    clip_vision = comfy.clip_vision.ClipVisionModel(config.IMAGE_ENCODER)
    clip_vision.model.load_state_dict(read_weights(config.IMAGE_ENCODER_FILE))
    return clip_vision
