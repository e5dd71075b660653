"""The diffusers engine: an SDXL pipeline, an adapter and an image encoder, behind one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..adapter import Adapter
from ..auto_layout import AutoLayoutSettings
from ..boxes import Box
from ..checkpoint import AdapterFile, read_adapter
from ..embeds import SubjectEmbeds, SubjectTokens
from ..layout import Region
from ..subject import Subject
from .processors import SubjectRun, check_layers, subjects_in
from .text import DiffusersText, TextSide

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class MSDiffusionPipeline:
    """Makes pictures of subjects, each in its box, with an SDXL base in diffusers."""

    def __init__(self, pipe: Any, text: TextSide, adapter_file: AdapterFile, image_encoder: nn.Module) -> None:
        """
        Args:
            pipe: a `StableDiffusionXLPipeline` or its ControlNet sibling.
            text: its text encoders.
            adapter_file: the adapter's tensors.
            image_encoder: a `CLIPVisionModelWithProjection` whose features the adapter takes.

        Raises:
            ValueError: base or image encoder are not the ones that the adapter was made for.
        """
        device, dtype = pipe.unet.device, pipe.unet.dtype
        self.pipe, self.text = pipe, text
        self.adapter = Adapter(adapter_file.state, adapter_file.head_dim)
        self.adapter.load_state_dict({k: v for k, v in adapter_file.state.items() if k != "dummy_image_tokens"})
        self.adapter.to(device, dtype).eval().requires_grad_(False)
        self.image_encoder = image_encoder.to(device, dtype).eval().requires_grad_(False)
        check_layers(pipe.unet, self.adapter)
        wanted, given = self.adapter.image_proj.feature_width, image_encoder.config.hidden_size
        if wanted != given:
            raise ValueError(
                f"The adapter needs image features {wanted} wide but the image encoder gives {given}: "
                "use CLIP ViT-bigG/14 (laion2B-39B-b160k)."
            )

    @classmethod
    def from_files(
        cls, base: str | Path, adapter: str | Path, image_encoder: str | Path, *,
        controlnet: str | Path | None = None, device: str = "cpu", dtype: torch.dtype = torch.float32,
    ) -> MSDiffusionPipeline:
        """Load an SDXL folder or single file, an adapter file, an image encoder folder, and maybe a ControlNet."""
        from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline, StableDiffusionXLPipeline
        from transformers import CLIPVisionModelWithProjection

        adapter_file = read_adapter(adapter)
        parts: dict[str, Any] = {"dtype": dtype}
        kind: Any = StableDiffusionXLPipeline
        if controlnet is not None:
            parts["controlnet"] = ControlNetModel.from_pretrained(controlnet, dtype=dtype)
            kind = StableDiffusionXLControlNetPipeline
        load = kind.from_pretrained if Path(base).is_dir() else kind.from_single_file
        pipe = load(str(base), **parts).to(device)
        encoder = CLIPVisionModelWithProjection.from_pretrained(str(image_encoder), dtype=dtype)
        return cls(pipe, DiffusersText(pipe), adapter_file, encoder)

    @torch.no_grad()
    def encode(self, subjects: Sequence[Subject], boxes: Sequence[Box], grounding: bool = True) -> SubjectEmbeds:
        """Encode the subjects, the k-th for the k-th box.

        Raises:
            ValueError: there are fewer boxes than subjects.
        """
        if len(boxes) < len(subjects):
            missing = subjects[len(boxes)].phrase
            raise ValueError(
                f"There are {len(subjects)} subjects but {len(boxes)} boxes, {missing!r} has none: add a box."
            )
        phrases = self.text.phrases([subject.phrase for subject in subjects])
        encoded = []
        for subject, box, phrase in zip(subjects, boxes, phrases, strict=False):
            features = self._features(subject.views)
            views = len(features)
            tokens = self.adapter.image_proj(
                features, phrase.to(features).expand(views, -1),
                torch.tensor([box.edges], device=features.device).expand(views, -1), grounding,
            )
            joint = tokens.float().flatten(0, 1)[None]
            encoded.append(
                SubjectTokens(joint, Region(box), subject.phrase, subject.weight, subject.start, subject.end)
            )
        return SubjectEmbeds(tuple(encoded), self.adapter)

    def _features(self, views: Tensor) -> Tensor:
        """Penultimate hidden states `[v, patches, width]` of views `[v, H, W, 3]` in 0..1."""
        size = self.image_encoder.config.image_size
        pixels = F.interpolate(views.movedim(-1, 1).float(), size=(size, size), mode="bicubic", antialias=True)
        pixels = (pixels.clamp(0, 1) * 255).round() / 255
        mean, std = (torch.tensor(x).view(3, 1, 1) for x in (CLIP_MEAN, CLIP_STD))
        pixels = ((pixels - mean) / std).to(self.image_encoder.device, self.image_encoder.dtype)
        return self.image_encoder(pixels, output_hidden_states=True).hidden_states[-2]

    @torch.no_grad()
    def __call__(
        self, prompt: str, embeds: SubjectEmbeds | None = None, *, negative: str = "", scale: float = 0.6,
        width: int = 1024, height: int = 1024, steps: int = 30, guidance: float = 7.5, seed: int = 0,
        auto_layout: AutoLayoutSettings | None = None, noise: Tensor | None = None, control_image: Any = None,
        latents_only: bool = False, progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """Make one picture.

        Args:
            prompt, negative: what to show and what not to.
            embeds: encoded subjects, or None for the bare base.
            scale: factor on what the subjects add; 0 is the bare base, to the bit.
            width, height: in pixels, multiples of 32.
            auto_layout: lets the prompt's own attention take over from the boxes; each phrase should be in the prompt.
            noise: unit noise `[1, 4, h, w]` to start from instead of the seed's.
            control_image: the ControlNet's picture, if one was loaded.
            latents_only: return the scaled latents `[1, 4, h, w]` instead of a PIL image.
            progress: called with the steps done and the steps in all.
        """
        if width % 32 or height % 32:
            raise ValueError(f"The picture is {width}x{height} but both must be multiples of 32: round them.")
        cells = (height // 8, width // 8)
        if noise is None:
            noise = torch.randn(1, 4, *cells, generator=torch.Generator().manual_seed(seed))
        words = self.text.prompt(prompt, negative)
        guided = guidance > 1.0
        run = None
        if embeds is not None and scale != 0:
            phrases = [subject.phrase for subject in embeds.subjects]
            spans = self.text.spans(prompt, phrases) if auto_layout is not None else ()
            run = SubjectRun(embeds, scale, cells, guided, auto_layout, spans)

        def after_step(_: Any, step: int, __: Any, tensors: dict) -> dict:
            if run is not None:
                run.at_step(step + 1, steps)
            if progress is not None:
                progress(step + 1, steps)
            return tensors

        sigmas = host_sigmas(self.pipe.scheduler, steps)
        self.pipe.scheduler.set_timesteps(sigmas=sigmas)
        start = noise * math.sqrt(1 + sigmas[0] ** 2) / float(self.pipe.scheduler.init_noise_sigma)
        control = {"image": control_image} if control_image is not None else {}
        device, dtype = self.pipe.unet.device, self.pipe.unet.dtype
        self.pipe.set_progress_bar_config(disable=True)
        with subjects_in(self.pipe.unet, run) if run is not None else nullcontext():
            result = self.pipe(
                prompt_embeds=words.context.to(device, dtype), pooled_prompt_embeds=words.pooled.to(device, dtype),
                negative_prompt_embeds=words.negative_context.to(device, dtype),
                negative_pooled_prompt_embeds=words.negative_pooled.to(device, dtype),
                width=width, height=height, sigmas=sigmas, guidance_scale=guidance,
                latents=start.to(device, dtype), output_type="latent" if latents_only else "pil",
                callback_on_step_end=after_step, **control,
            )
        return result.images if latents_only else result.images[0]


def host_sigmas(scheduler: Any, steps: int) -> list[float]:
    """ComfyUI's `normal` schedule: evenly spaced steps, sigmas between them interpolated in the logarithm."""
    alphas = scheduler.alphas_cumprod.double()
    log_sigmas = ((1 - alphas) / alphas).sqrt().log()
    times = torch.linspace(len(alphas) - 1, 0, steps, dtype=torch.float64)
    low = times.floor().long()
    high = times.ceil().long()
    share = times - low
    return ((1 - share) * log_sigmas[low] + share * log_sigmas[high]).exp().tolist()
