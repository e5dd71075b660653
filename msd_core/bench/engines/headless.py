"""The diffusers engine of `msd_core.headless`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...auto_layout import AutoLayoutSettings
from ...boxes import Box
from ...embeds import SubjectEmbeds
from ...headless.pictures import load_subject
from ...headless.pipeline import MSDiffusionPipeline
from ...layout import Region
from .engine import Order, Settings

EVERYWHERE = Region(Box(0.0, 0.0, 1.0, 1.0))


class HeadlessEngine:
    """Makes pictures with a pipeline in this process."""

    name = "headless"

    def __init__(self, pipeline: MSDiffusionPipeline, settings: Settings, batch: int = 5) -> None:
        """
        Args:
            batch: most pictures at a time.
        """
        self.pipeline, self.settings, self.batch = pipeline, settings, batch
        pipeline.pipe.set_progress_bar_config(disable=True)

    def make(self, order: Order) -> Tensor:
        embeds = self._encode(order) if order.condition.adapter and order.subjects else None
        auto_layout = None
        if embeds is not None and order.condition.auto_layout is not None:
            auto_layout = AutoLayoutSettings(method=order.condition.auto_layout)
        made = []
        for start in range(0, len(order.seeds), self.batch):
            seeds = order.seeds[start : start + self.batch]
            settings = self.settings
            made += self.pipeline(
                order.prompt, embeds, negative_prompt=settings.negative, scale=settings.scale,
                guidance_scale=settings.guidance, num_inference_steps=settings.steps, width=settings.width,
                height=settings.height, schedule=settings.schedule, num_images_per_prompt=len(seeds),
                generator=[torch.Generator().manual_seed(seed) for seed in seeds], auto_layout=auto_layout,
            ).images
        return torch.stack([torch.from_numpy(np.asarray(image.convert("RGB")).astype(np.float32) / 255)
                            for image in made])

    def _encode(self, order: Order) -> SubjectEmbeds:
        subjects = [load_subject([picture.open() for picture in subject.pictures], subject.phrase)
                    for subject in order.subjects]
        boxes = [Box(*subject.box) for subject in order.subjects]
        frame = self.settings.width, self.settings.height
        embeds = self.pipeline.encode(
            subjects, boxes, order.condition.grounding, overlap=order.condition.overlap, frame=frame
        )
        if order.condition.masks:
            return embeds
        return replace(embeds, subjects=tuple(replace(one, region=EVERYWHERE) for one in embeds.subjects))
