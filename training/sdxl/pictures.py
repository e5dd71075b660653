"""Pictures of held-out samples on the way, made by the headless pipeline that users have."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from msd_core.embeds import SubjectEmbeds
from msd_core.headless.pipeline import MSDiffusionPipeline
from msd_core.headless.schedule import check_scheduler, check_start
from msd_core.subject import Subject

from ..attention import everywhere
from ..grids import save_grid
from ..shards import Shards
from .base import Base
from .projectors import Trained
from .samples import fit, views_of
from .settings import Settings


def encode_as_trained(pipeline: MSDiffusionPipeline, subjects: Sequence[Subject], boxes: Sequence[Sequence[float]],
                      grounded: bool, masks: bool) -> SubjectEmbeds:
    """Encode subjects as an adapter has learned to see them.

    Args:
        grounded: whether phrase and box start its queries (`Trained.grounded`).
        masks: whether it was trained with masks; without them every subject acts everywhere.
    """
    embeds = pipeline.encode(subjects, boxes, grounded)
    if masks:
        return embeds
    regions = everywhere(embeds.regions)
    return replace(embeds, subjects=tuple(
        replace(subject, region=region) for subject, region in zip(embeds.subjects, regions, strict=True)
    ))


class HeldOutPictures:
    """A column for each held-out sample: the target, its subjects' pictures, what the adapter makes of them."""

    def __init__(self, base: Base, shards: Shards, numbers: Sequence[int], settings: Settings, folder: Path) -> None:
        """
        Args:
            numbers: of the samples.
            folder: where the grids are written, `pictures/000100.png` in it.

        Raises:
            ValueError: the base's scheduler can't make pictures in that few steps.
        """
        scheduler = base.pipe.scheduler
        if settings.prediction not in (None, scheduler.config.prediction_type):
            scheduler = type(scheduler).from_config(scheduler.config, prediction_type=settings.prediction)
        check_scheduler(scheduler)
        check_start(scheduler, settings.look_steps)
        self._scheduler = scheduler
        self.base, self.shards, self.numbers, self.settings = base, shards, numbers, settings
        self.folder = folder / "pictures"

    @torch.no_grad()
    def __call__(self, trained: Trained, step: int) -> Tensor:
        """The grid `[3, H, W]` in 0..1 after a step; it is written too."""
        width, height = self.settings.pixels
        pipeline = MSDiffusionPipeline(self.base.pipe, copy.deepcopy(trained.adapter), self.base.image_encoder)
        rows: list[list[Tensor]] = [[], [], []]
        for number in self.numbers:
            sample = self.shards[number]
            target, placed, _ = fit(sample, width, height)
            subjects = [Subject(views_of(subject), subject.phrase) for subject, _ in placed]
            embeds = encode_as_trained(pipeline, subjects, [box for _, box in placed], trained.grounded,
                                       self.settings.masks)
            rows[0].append(torch.from_numpy(target.copy()).movedim(-1, 0).float() / 127.5 - 1)
            rows[1].append(_beside([subject.views[0] for subject in subjects], width, height))
            rows[2].append(self._made(pipeline, sample.caption, embeds))
        grid = torch.stack([picture.cpu() for row in rows for picture in row])
        self.folder.mkdir(parents=True, exist_ok=True)
        save_grid(self.folder / f"{step:06d}.png", grid, columns=len(self.numbers))
        lines = [torch.cat(list(line), dim=-1) for line in grid.split(len(self.numbers))]
        return (torch.cat(lines, dim=-2).clamp(-1, 1) + 1) / 2

    def _made(self, pipeline: MSDiffusionPipeline, prompt: str, embeds: SubjectEmbeds) -> Tensor:
        """A picture `[3, H, W]` in -1..1, always from the same noise."""
        # The autoencoder is in fp32 and the pipeline would not ask it so.
        (width, height), vae = self.settings.pixels, self.base.pipe.vae
        with self._predicting(pipeline.pipe):
            latents = pipeline(
                prompt, embeds, scale=self.settings.scale, width=width, height=height, output_type="latent",
                num_inference_steps=self.settings.look_steps, guidance_scale=self.settings.guidance,
                generator=torch.Generator("cpu").manual_seed(self.settings.seed),
            ).images
        return vae.decode(self.base.unscaled(latents.to(vae.device, vae.dtype))).sample[0].float()

    @contextmanager
    def _predicting(self, pipe: Any) -> Iterator[None]:
        """The pipeline samples what the settings say that the base predicts."""
        own, pipe.scheduler = pipe.scheduler, self._scheduler
        try:
            yield
        finally:
            pipe.scheduler = own


def _beside(views: Sequence[Tensor], width: int, height: int) -> Tensor:
    """Pictures `[h, w, 3]` in 0..1 beside one another on white: `[3, height, width]` in -1..1."""
    tile = torch.ones(3, height, width)
    side = min(width // len(views), height)
    for place, view in enumerate(views):
        small = F.interpolate(view.movedim(-1, 0)[None], size=(side, side), mode="bilinear", antialias=True)[0]
        tile[:, (height - side) // 2 : (height - side) // 2 + side, place * side : (place + 1) * side] = small * 2 - 1
    return tile
