"""The tiny set's architecture as plain data, in Hugging Face naming (diffusers, transformers).

Every weights file under `weights/` holds fp16 tensors under the key names of the Hugging Face class named beside its
config below; ComfyUI's names follow by the host's own conversions (`comfy.utils.unet_to_diffusers` for the UNet,
`comfy.diffusers_convert.convert_vae_state_dict` for the autoencoder; the CLIP names are the same in both). The
ControlNet alone has ComfyUI's names: it is a control-LoRA, which only ComfyUI reads.
"""

from __future__ import annotations

from pathlib import Path

WEIGHTS_FOLDER = Path(__file__).parent / "weights"

UNET_FILE = WEIGHTS_FOLDER / "demo_unet.safetensors"
VAE_FILE = WEIGHTS_FOLDER / "demo_vae.safetensors"
TEXT_L_FILE = WEIGHTS_FOLDER / "demo_text_encoder_l.safetensors"
TEXT_G_FILE = WEIGHTS_FOLDER / "demo_text_encoder_g.safetensors"
IMAGE_ENCODER_FILE = WEIGHTS_FOLDER / "demo_image_encoder.safetensors"
ADAPTER_FILE = WEIGHTS_FOLDER / "demo_adapter.safetensors"
CONTROL_NET_FILE = WEIGHTS_FOLDER / "demo_control_net.safetensors"

SCENE_SIZE = 160
"""Pixels per side of the scenes the set was trained on (20 x 20 latent cells of 8 pixels)."""

PREDICTION_TYPE = "v_prediction"
"""Noise schedule is SDXL's: scaled linear betas .00085 to .012 over 1000 steps, no zero terminal SNR."""

LATENT_SCALE = 0.13025
"""SDXL's latent scale; the autoencoder's quant convolutions fold it in, so scaled latents have unit variance."""

GUIDANCE = 2.0
STEPS = 20
ADAPTER_SCALE = 1.0
"""Sampling settings the set was evaluated with."""

TEXT_WIDTH_L = 64
TEXT_WIDTH_G = 64
CONTEXT_WIDTH = TEXT_WIDTH_L + TEXT_WIDTH_G

# diffusers.UNet2DConditionModel; in it "attention_head_dim" counts heads (32 channels each).
UNET = {
    "sample_size": SCENE_SIZE // 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (64, 128),
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 1),
    "attention_head_dim": (2, 4),
    "cross_attention_dim": CONTEXT_WIDTH,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": TEXT_WIDTH_G + 6 * 256,
    "use_linear_projection": True,
    "norm_num_groups": 32,
}

# The same UNet in ComfyUI's `UNetModel` arguments.
UNET_COMFY = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 64,
    "channel_mult": [1, 2],
    "num_res_blocks": [1, 1],
    "transformer_depth": [0, 1],
    "transformer_depth_output": [0, 0, 1, 1],
    "transformer_depth_middle": 1,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": True,
    "num_heads": -1,
    "num_head_channels": 32,
    "context_dim": CONTEXT_WIDTH,
    "adm_in_channels": TEXT_WIDTH_G + 6 * 256,
    "num_classes": "sequential",
    "legacy": False,
    "use_temporal_attention": False,
}

# Cross-attentions in the adapter's order (diffusers: down, up, mid); index = 2 * position + 1, 128 wide, 4 heads of 32.
CROSS_ATTENTIONS = tuple(
    f"{block}.transformer_blocks.0.attn2"
    for block in ("down_blocks.1.attentions.0", "up_blocks.0.attentions.0", "up_blocks.0.attentions.1",
                  "mid_block.attentions.0")
)

# diffusers.AutoencoderKL (quant and post-quant convolutions present).
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (64, 64, 64, 64),
    "layers_per_block": 0,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "scaling_factor": LATENT_SCALE,
}

# The same autoencoder in ComfyUI's terms: comfy.sd.VAE(sd=..., config={"params": VAE_COMFY}).
VAE_COMFY = {
    "embed_dim": 4,
    "ddconfig": {
        "double_z": True,
        "z_channels": 4,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 64,
        "ch_mult": [1, 1, 1, 1],
        "num_res_blocks": 0,
        "attn_resolutions": [],
        "dropout": 0.0,
    },
}

_TEXT = {
    "vocab_size": 49408,
    "intermediate_size": 256,
    "num_hidden_layers": 3,  # the host's SDXL text encoders refuse fewer
    "num_attention_heads": 2,
    "max_position_embeddings": 77,
    "layer_norm_eps": 1e-5,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
}
# transformers.CLIPTextModel; padding token 49407. Context: penultimate hidden states, no final norm.
TEXT_L = {**_TEXT, "hidden_size": TEXT_WIDTH_L, "projection_dim": TEXT_WIDTH_L, "hidden_act": "quick_gelu",
          "pad_token_id": 49407}
# transformers.CLIPTextModelWithProjection; padding token 0. Pooled = text_projection(final norm at the end token).
TEXT_G = {**_TEXT, "hidden_size": TEXT_WIDTH_G, "projection_dim": TEXT_WIDTH_G, "hidden_act": "gelu",
          "pad_token_id": 0}

# The text files hold embedding rows for the world's tokens only. `token_ids` (int64) names the row of each known token,
# in order, and the last row of `text_model.embeddings.token_embedding.weight` stands for every other token;
# `weights.read_text_encoder` expands them to the full table.

# transformers.CLIPVisionModelWithProjection; features = penultimate hidden states, 65 tokens (class + 8 x 8 patches).
IMAGE_ENCODER = {
    "model_type": "clip_vision_model",
    "hidden_size": 96,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "num_channels": 3,
    "image_size": 64,
    "patch_size": 8,
    "projection_dim": 64,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}

# The grounding resampler and its per-layer projections (SPEC section 1 names; all sizes readable from the shapes but
# the head width, which the file's metadata key `msd_head_dim` gives).
ADAPTER = {
    "tokens": 8,
    "width": 128,
    "layers": 2,
    "head_dim": 32,
    "ffn_mult": 4,
    "fourier_frequencies": 8,
    "feature_width": IMAGE_ENCODER["hidden_size"],
    "phrase_width": TEXT_WIDTH_L,
    "output_width": CONTEXT_WIDTH,
}
