"""The frozen models: an SDXL pipeline of diffusers and CLIP's image encoder, from files or as a caller has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from msd_core.headless.base import SDXL, load_base, require_packages
from msd_core.headless.image_encoder import load_image_encoder, pixel_features
from msd_core.headless.text import phrase_embeds, prompt_words

from ..new_adapter import AdapterSizes

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
WORDS = 77


@dataclass
class Base:
    """What an adapter is trained on; nothing of it learns but, if asked for, the text's keys and values.

    Attributes:
        pipe: a `StableDiffusionXLPipeline`, or anything with its parts of that structure. The autoencoder stays in
            fp32, which half precision is too coarse for.
        image_encoder: transformers' `CLIPVisionModelWithProjection`.
    """

    pipe: Any
    image_encoder: Any

    def __post_init__(self) -> None:
        pipe = self.pipe
        for module in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2, self.image_encoder):
            module.requires_grad_(False)

    def prepare(self, device: torch.device, dtype: torch.dtype, encoders: bool = True) -> None:
        """Bring it to a device in a dtype.

        Args:
            encoders: whether text, image and autoencoder are needed there; they stay where they are otherwise.
        """
        pipe = self.pipe
        wanted = [(pipe.unet, dtype)]
        if encoders:
            wanted += [(module, dtype) for module in (pipe.text_encoder, pipe.text_encoder_2, self.image_encoder)]
            wanted.append((pipe.vae, torch.float32))
        for module, kind in wanted:
            module.eval()
            if module.dtype != kind:
                module.to(kind)
            module.to(device)

    def rest(self) -> None:
        """What only encodes leaves the device."""
        pipe = self.pipe
        for module in (pipe.vae, pipe.text_encoder, pipe.text_encoder_2, self.image_encoder):
            module.to("cpu")

    def sizes(self, **changes: Any) -> AdapterSizes:
        """What a new adapter for these models measures: the released sizes, but for the widths that it meets."""
        widths = {"feature_width": self.image_encoder.config.hidden_size,
                  "phrase_width": self.pipe.text_encoder.config.hidden_size}
        return AdapterSizes(**{**widths, **changes})

    @torch.no_grad()
    def text(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Context `[B, 77, C]` and pooled text `[B, G]` as the base has learned them."""
        context, _, pooled, _ = self.pipe.encode_prompt(
            captions, device=self.pipe.text_encoder.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return context, pooled

    def phrases(self, phrases: list[str]) -> Tensor:
        """The first text encoder's pooled phrases `[n, P]`, without its projection."""
        return phrase_embeds(self.pipe, phrases)

    def spans(self, caption: str, phrases: list[str]) -> Tensor:
        """Which tokens of a caption name each subject: bool `[n, 77]`, none for a phrase that is not in it."""
        found = torch.zeros(len(phrases), WORDS, dtype=torch.bool)
        for row, span in zip(found, prompt_words(self.pipe, caption, phrases).phrases, strict=True):
            row[list(span)] = True
        return found

    def features(self, pixels: Tensor) -> Tensor:
        """What the image encoder sees in normalised pictures `[n, 3, s, s]`: `[n, patches, F]`."""
        return pixel_features(self.image_encoder, pixels)

    @torch.no_grad()
    def latents(self, pixels: Tensor) -> Tensor:
        """Scaled latents `[B, 4, h, w]` in fp32 of pictures `[B, 3, H, W]` in -1..1: the means, one by one."""
        vae = self.pipe.vae
        parts = [vae.encode(one[None].to(vae.device, vae.dtype)).latent_dist.mode() for one in pixels]
        latents = torch.cat(parts).float()
        mean, spread = self._spread(latents)
        return (latents - mean) / spread

    def unscaled(self, latents: Tensor) -> Tensor:
        """Scaled latents as the autoencoder decodes them."""
        mean, spread = self._spread(latents)
        return latents * spread + mean

    def _spread(self, like: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """Mean and spread of the autoencoder's latents, which the UNet takes without them; few bases tell a mean."""
        config = self.pipe.vae.config
        mean, spread = (getattr(config, name, None) for name in ("latents_mean", "latents_std"))
        if mean is None or spread is None:
            return 0.0, 1 / config.scaling_factor
        mean, spread = (torch.tensor(x).view(1, -1, 1, 1).to(like) for x in (mean, spread))
        return mean, spread / config.scaling_factor


def load(base: str | Path, image_encoder: str | Path, precision: str, *, facts: Path = SDXL) -> Base:
    """Load both from files on this machine, on the CPU.

    Args:
        base: a diffusers folder, or a single file as ComfyUI loads it.
        image_encoder: CLIP ViT-bigG/14, a folder or a single file with Hugging Face's key names.
        precision: "bf16" or "fp32", of all but the autoencoder, which is read in fp32.
        facts: the configuration of a single file.

    Raises:
        ValueError: a file is missing, damaged or another kind of model, or a package is missing.
    """
    require_packages()
    import diffusers

    base, dtype = Path(base), DTYPES[precision]
    encoder = load_image_encoder(image_encoder, dtype)
    pipe = load_base(base, dtype, None, facts=facts)
    if dtype is not torch.float32:
        # Rounded values stay rounded, so it is read once more.
        if base.is_dir():
            files = [file.name for file in (base / "vae").glob("diffusion_pytorch_model*")]
            variant = "fp16" if files and all(".fp16" in name for name in files) else None
            pipe.vae = diffusers.AutoencoderKL.from_pretrained(
                str(base), subfolder="vae", variant=variant, local_files_only=True, torch_dtype=torch.float32
            )
        else:
            pipe.vae = diffusers.AutoencoderKL.from_single_file(
                str(base), config=str(facts), subfolder="vae", torch_dtype=torch.float32, local_files_only=True
            )
    pipe.set_progress_bar_config(disable=True)
    return Base(pipe, encoder)
