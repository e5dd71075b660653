"""The diffusers engine: an SDXL pipeline, an adapter and an image encoder, behind one call."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..adapter import Adapter
from ..auto_layout import AutoLayoutSettings
from ..boxes import Box, parse_boxes
from ..checkpoint import DUMMY_TOKENS, AdapterFile, read_adapter
from ..embeds import Projections, SubjectEmbeds, SubjectTokens
from ..layout import Region
from ..overlap import Overlap, with_overlap
from ..photo import Features, Photo
from ..subject import Subject
from .base import load_base, require_packages
from .image_encoder import image_features, load_image_encoder
from .run import SubjectRun
from .schedule import Clock, check_scheduler, check_start, host_schedule, told_timesteps
from .text import phrase_embeds, prompt_words
from .unet import check_layers, layers_of, layers_to_read, subjects_in

PIPELINES = ("StableDiffusionXLPipeline", "StableDiffusionXLControlNetPipeline")


@dataclass(frozen=True)
class MSDiffusionOutput:
    """What a call of the pipeline makes.

    Attributes:
        images: PIL images, prompt by prompt; for `output_type` "latent", "pt" or "np" one tensor or array of all.
    """

    images: Any


class MSDiffusionPipeline:
    """Makes pictures of subjects, each in its box, with an SDXL pipeline of diffusers.

    The pipeline stays the caller's, as `pipe`: its scheduler, LoRAs, offloading and progress bar are set there, before
    or after this is made.
    """

    def __init__(
        self, pipe: Any, adapter: AdapterFile | Adapter | str | Path, image_encoder: nn.Module | str | Path
    ) -> None:
        """
        Args:
            pipe: a `StableDiffusionXLPipeline` or `StableDiffusionXLControlNetPipeline`.
            adapter: the adapter's file, what `read_adapter` made of it, or the nets themselves, which are frozen and
                take the UNet's dtype.
            image_encoder: CLIP ViT-bigG/14: a file, a folder, or transformers' `CLIPVisionModelWithProjection`.

        Raises:
            ValueError: pipeline, adapter and image encoder are not made for each other.
        """
        if not any(kind.__name__ in PIPELINES for kind in type(pipe).__mro__):
            raise ValueError(
                f"The pipeline is a {type(pipe).__name__} but must be a {' or a '.join(PIPELINES)}: make one of it "
                f"with {PIPELINES[0]}.from_pipe."
            )
        if isinstance(adapter, str | Path):
            adapter = read_adapter(adapter)
        self.pipe = pipe
        self.adapter = adapter if isinstance(adapter, Adapter) else _without_weights(adapter)
        check_layers(layers_of(pipe.unet), self.adapter.layers)
        if not isinstance(image_encoder, nn.Module):
            image_encoder = load_image_encoder(image_encoder, pipe.unet.dtype)
        wanted, given = self.adapter.image_proj.feature_width, image_encoder.config.hidden_size
        if wanted != given:
            raise ValueError(
                f"The adapter needs image features {wanted} wide but the image encoder gives {given}: "
                "use CLIP ViT-bigG/14 (laion2B-39B-b160k)."
            )
        if isinstance(adapter, AdapterFile):
            state = {key: value for key, value in adapter.state.items() if key != DUMMY_TOKENS}
            self.adapter.load_state_dict(state, assign=True)
        self.image_encoder = image_encoder.to(pipe.unet.dtype).eval().requires_grad_(False)
        self.adapter.to(pipe.unet.dtype).eval().requires_grad_(False)
        for module in (self.adapter, self.image_encoder):
            module.to(self._rest)

    @classmethod
    def from_files(
        cls, base: str | Path, adapter: str | Path, image_encoder: str | Path, *,
        controlnet: str | Path | None = None, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32,
    ) -> MSDiffusionPipeline:
        """Load everything from files on this machine; nothing is downloaded.

        Args:
            base: SDXL or a model of its shape, a diffusers folder or a single file.
            adapter: `ms_adapter.bin` or `.safetensors`.
            image_encoder: CLIP ViT-bigG/14, a folder or a single file in Hugging Face's format.
            controlnet: the folder of an SDXL ControlNet.

        Raises:
            ValueError: a file is missing, damaged or another kind of model, or a package is missing.
        """
        require_packages()
        adapter_file = read_adapter(adapter)
        encoder = load_image_encoder(image_encoder, dtype)
        pipe = load_base(base, dtype, _without_weights(adapter_file).layers, controlnet=controlnet)
        return cls(pipe.to(device), adapter_file, encoder)

    def to(self, device: str | torch.device) -> MSDiffusionPipeline:
        """Move pipeline, adapter and image encoder to a device; returns itself."""
        self.pipe.to(device)
        for module in (self.adapter, self.image_encoder):
            module.to(self._rest)
        return self

    def enable_model_cpu_offload(self, **options: Any) -> None:
        """As the pipeline's own: each model is on the device only while it computes, adapter and image encoder too."""
        self.pipe.enable_model_cpu_offload(**options)
        for module in (self.adapter, self.image_encoder):
            module.to(self._rest)

    @property
    def _own_size(self) -> int:
        """The side in pixels of the pictures that the base makes by itself."""
        return self.pipe.unet.config.sample_size * self.pipe.vae_scale_factor

    @property
    def _rest(self) -> torch.device:
        """Where the pipeline keeps its UNet between calls: the device, or the CPU if it is offloaded."""
        # The model's own `device` names the one it computes on where groups of its layers are offloaded.
        device = next(self.pipe.unet.parameters()).device
        return torch.device("cpu") if device.type == "meta" else device

    @contextmanager
    def _at_work(self, module: nn.Module) -> Iterator[None]:
        """A module of ours on the device that the pipeline computes on, and back where the UNet rests."""
        module.to(self.pipe._execution_device)
        try:
            yield
        finally:
            module.to(self._rest)

    @torch.no_grad()
    def encode(
        self,
        subjects: Sequence[Subject],
        boxes: Sequence[Box | Sequence[float] | Mapping[str, Any]],
        grounding: bool = True,
        *,
        overlap: Overlap = "mix",
        frame: tuple[int, int] | None = None,
    ) -> SubjectEmbeds:
        """Encode the subjects, the k-th for the k-th box.

        Args:
            subjects: what `load_subject` made, one to a few.
            boxes: x0, y0, x1, y1 in fractions of the picture, one for each subject, or a box as the layout's text
                holds it, with `z` and `mask`.
            grounding: whether phrase and box go into the subjects' tokens.
            overlap: what happens where boxes overlap, `mix`, `front`, `nearest` or `apart`.
            frame: width and height of the picture in pixels, which say what is near; the base's own by default.

        Raises:
            ValueError: there are not as many boxes as subjects, or none; a box is none, or boxes can't be kept from
                one another.
        """
        if len(boxes) != len(subjects) or not subjects:
            raise ValueError(
                f"There are {len(subjects)} subjects and {len(boxes)} boxes but each subject needs one box: "
                "give as many of each, one or more."
            )
        regions = [Region(box if isinstance(box, Box) else parse_boxes([box])[0]) for box in boxes]
        regions = with_overlap(regions, overlap, *(frame or (self._own_size, self._own_size)))
        phrases = phrase_embeds(self.pipe, [subject.phrase for subject in subjects])
        with ExitStack() as work:
            seen = [self._features(subject.photo, work) for subject in subjects]
        with ExitStack() as work:
            made = [
                self._tokens(subject.photo, features, phrase[None], region.box, grounding, work)
                for subject, features, phrase, region in zip(subjects, seen, phrases, regions, strict=True)
            ]
        encoded = [
            SubjectTokens(own.tokens, region, subject.phrase, subject.weight, subject.start, subject.end, own)
            for subject, region, own in zip(subjects, regions, made, strict=True)
        ]
        return SubjectEmbeds(tuple(encoded), self.adapter)

    def _features(self, photo: Photo, work: ExitStack) -> Features:
        """What the image encoder sees in a photo, looked at once; the encoder is at work until `work` ends."""
        encoder = self.image_encoder

        def look() -> Features:
            work.enter_context(self._at_work(encoder))
            return Features(image_features(encoder, photo.views).cpu())

        return photo.result(encoder, encoder.dtype, look)

    def _tokens(
        self, photo: Photo, seen: Features, phrase: Tensor, box: Box, grounding: bool, work: ExitStack
    ) -> Projections:
        """A subject's tokens, resampled once; the adapter is at work until `work` ends."""

        def resample() -> Projections:
            work.enter_context(self._at_work(self.adapter))
            like = next(self.adapter.parameters())
            states, views = seen.states.to(like), len(seen.states)
            edges = torch.tensor([box.edges], device=states.device).expand(views, -1)
            tokens = self.adapter.image_proj(states, phrase.to(states).expand(views, -1), edges, grounding)
            return Projections(tokens.float().flatten(0, 1)[None].cpu())

        start = (box.edges, *phrase.flatten().tolist()) if grounding else None
        return photo.result(self.adapter, (seen.mark, start), resample)

    @torch.no_grad()
    def __call__(
        self, prompt: str | list[str] | None, embeds: SubjectEmbeds | None = None, *, scale: float = 0.6,
        auto_layout: AutoLayoutSettings | None = None, schedule: str | None = None,
        width: int | None = None, height: int | None = None, num_inference_steps: int = 30,
        guidance_scale: float = 7.5, num_images_per_prompt: int = 1,
        generator: torch.Generator | list[torch.Generator] | None = None, latents: Tensor | None = None,
        **inputs: Any,
    ) -> MSDiffusionOutput:
        """Make pictures.

        Args:
            prompt: what to show, or a list of prompts; all have the same subjects. None with `prompt_embeds`.
            embeds: encoded subjects, or None for the bare base.
            scale: factor on what the subjects add; 0 is the bare base, to the bit.
            auto_layout: lets the prompt's own attention take over from the boxes; each phrase should be in the prompt.
            schedule: None for the scheduler's own noise levels, or the name of one of ComfyUI's schedules: "normal",
                "simple" or "sgm_uniform", for the same picture as with the nodes and the sampler euler.
            width, height: in pixels, multiples of 8; the base's own size by default.
            latents: unit noise `[images, 4, height / 8, width / 8]` to start from instead of the generator's.
            inputs: whatever else the pipeline takes, under its own names: `negative_prompt`, `output_type`,
                `callback_on_step_end`, a ControlNet's `image` ...

        Raises:
            ValueError: a setting is out of range, or the scheduler can't sample SDXL.
        """
        pipe = self.pipe
        if not math.isfinite(scale):
            raise ValueError(f"The scale is {scale} but must be a finite number: 0.6 is the paper's.")
        if auto_layout is not None and prompt is None:
            raise ValueError("Auto layout is asked for and prompt is None, but it reads the prompt's words: give them.")
        self._check_steps(num_inference_steps, schedule, [name for name in ("sigmas", "timesteps") if name in inputs])
        width, height = (self._own_size if size is None else size for size in (width, height))
        run = None
        with ExitStack() as stack:
            if schedule is not None:
                prompts = [prompt] if isinstance(prompt, str) else inputs["prompt_embeds"] if prompt is None else prompt
                shape = len(prompts) * num_images_per_prompt, height, width
                sigmas, timesteps = host_schedule(pipe.scheduler, schedule, num_inference_steps)
                latents = self._start(sigmas, shape, generator, latents)
                inputs["sigmas"] = sigmas
            if embeds is not None and scale != 0:
                run = self._run(embeds, scale, prompt, auto_layout)
                stack.enter_context(subjects_in(pipe, run))
            if schedule is not None:
                stack.enter_context(told_timesteps(timesteps, pipe.unet, *_controlnets(pipe)))
            images = pipe(
                prompt, width=width, height=height, num_inference_steps=num_inference_steps,
                guidance_scale=guidance_scale, num_images_per_prompt=num_images_per_prompt, generator=generator,
                latents=latents, return_dict=True, **inputs,
            ).images
        for sentence in run.without_effect() if run is not None else ():
            warnings.warn(sentence, stacklevel=3)  # past the frame of no_grad
        return MSDiffusionOutput(images)

    def _check_steps(self, steps: int, schedule: str | None, given: list[str]) -> None:
        """Make sure that the scheduler can take these steps, whose noise levels it, a schedule or the caller tells."""
        if steps < 1:
            raise ValueError(f"num_inference_steps is {steps} but must be 1 or more: 30 is usual.")
        check_scheduler(self.pipe.scheduler)
        if given and schedule is not None:
            raise ValueError(
                f"schedule is {schedule!r} and {given[0]} are given too, but only one can hold: leave one out."
            )
        if not given and schedule is None:
            check_start(self.pipe.scheduler, steps)

    def _run(
        self, embeds: SubjectEmbeds, scale: float, prompt: str | list[str] | None,
        auto_layout: AutoLayoutSettings | None,
    ) -> SubjectRun:
        phrases, words = [subject.phrase for subject in embeds.subjects], []
        if auto_layout is not None:
            prompts = [prompt] if isinstance(prompt, str) else prompt
            words = [prompt_words(self.pipe, one, phrases) for one in prompts]
        with ExitStack() as work:
            projected = embeds.projected(self.pipe.unet.dtype, partial(self._project, embeds.adapter, work))
        return SubjectRun(
            embeds, projected, scale, Clock(self.pipe.scheduler), auto_layout, words, layers_to_read(self.pipe.unet)
        )

    def _project(self, adapter: Adapter, work: ExitStack, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        work.enter_context(self._at_work(adapter))
        return adapter.project_joint(tokens.to(next(adapter.parameters())), dtype)

    def _start(
        self, sigmas: Sequence[float], shape: tuple[int, int, int],
        generator: torch.Generator | list[torch.Generator] | None, noise: Tensor | None,
    ) -> Tensor:
        """Noise as ComfyUI starts from it, drawn in fp32, divided by what the scheduler multiplies it with."""
        from diffusers.utils.torch_utils import randn_tensor

        pipe, (images, height, width) = self.pipe, shape
        device = pipe._execution_device
        if noise is None:
            size = (images, pipe.unet.config.in_channels, height // pipe.vae_scale_factor,
                    width // pipe.vae_scale_factor)
            noise = randn_tensor(size, generator=generator, device=device, dtype=torch.float32)
        pipe.scheduler.set_timesteps(sigmas=sigmas)
        start = math.sqrt(1 + sigmas[0] ** 2) / float(pipe.scheduler.init_noise_sigma)
        return (noise * start).to(device, pipe.unet.dtype)


def _without_weights(file: AdapterFile) -> Adapter:
    with torch.device("meta"):
        return Adapter(file.state, file.head_dim)


def _controlnets(pipe: Any) -> list[nn.Module]:
    found = getattr(pipe, "controlnet", None)
    return [found] if found is not None else []
