"""An adapter of the tiny set, whatever its projector, on the drawn benchmark: pictures in batches, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from msd_core.bench.conditions import Condition
from msd_core.bench.engines import Settings as Sampling
from msd_core.bench.journal import Journal
from msd_core.bench.runner import shown_subject
from msd_core.bench.samples import Sample
from msd_core.bench.sprites import SINGLE_TYPES, TYPES, sprite_bench
from msd_core.boxes import Box
from msd_core.demo.config import ADAPTER_SCALE, GUIDANCE, SCENE_SIZE, STEPS
from msd_core.evaluation.judge import judge_encoders
from msd_core.evaluation.scorer import Scorer
from msd_core.headless.image_encoder import encoder_pixels
from msd_core.layout import Region

from ..attention import SubjectAttention, everywhere, gather, subject_tokens
from ..diffusion import sample as sampled
from ..sdxl.base import Base
from ..sdxl.checkpoints import TEXT_FILE
from ..sdxl.projectors import read_trained

BATCH = 10
SAMPLING = Sampling(ADAPTER_SCALE, GUIDANCE, STEPS, SCENE_SIZE, SCENE_SIZE, schedule="ddim")


def single_samples(per_type: int) -> tuple[Sample, ...]:
    """One sprite each."""
    return sprite_bench(per_type, types=SINGLE_TYPES).samples


def multi_samples(per_type: int) -> tuple[Sample, ...]:
    """Two or three sprites each; a scene is no subject here, for the judge says nothing of its looks."""
    kinds = [kind.name for kind in TYPES if "scene" not in kind.groups]
    return sprite_bench(per_type).some(only=kinds)


class Pictures:
    """Makes pictures with an adapter on a base, which has its subjects from then on."""

    def __init__(self, base: Base, adapter: Path | None, masks: bool) -> None:
        """
        Args:
            base: all in fp32; its UNet computes in bfloat16 from now on.
            adapter: its file, beside which there may be the text's keys and values; None for none.
            masks: whether it was trained with masks.
        """
        self.base, self.masks = base, masks
        self.trained = None if adapter is None else read_trained(adapter).eval().requires_grad_(False)
        unet = base.pipe.unet
        text = None if adapter is None else adapter.with_name(TEXT_FILE)
        if text is not None and text.exists():
            state = {key: value.float() for key, value in load_file(text).items()}
            if unknown := unet.load_state_dict(state, strict=False).unexpected_keys:
                raise ValueError(f"{text} holds {unknown[0]}, which the UNet lacks: it is another base's.")
        base.prepare(torch.device("cpu"), torch.float32)
        unet.bfloat16()
        self.attention = SubjectAttention(unet)

    @torch.no_grad()
    @sdpa_kernel(SDPBackend.MATH)
    def make(self, samples: Sequence[Sample]) -> Tensor:
        """A picture of each, `[B, SCENE_SIZE, SCENE_SIZE, 3]` in 0..1."""
        base, count, size = self.base, len(samples), SCENE_SIZE // 8
        if self.trained is not None:
            regions = [[Region(Box(*subject.box)) for subject in one.subjects] for one in samples]
            regions = regions if self.masks else [everywhere(row) for row in regions]
            self.attention.set(self.trained.adapter, self._tokens(samples), regions, (size, size), SAMPLING.scale)
        context, pooled = base.text([*(one.prompt for one in samples), *[""] * count])
        sizes = torch.tensor([SCENE_SIZE, SCENE_SIZE, 0, 0, SCENE_SIZE, SCENE_SIZE]).expand(2 * count, -1)
        unet = base.pipe.unet
        added = {"text_embeds": pooled.to(unet.dtype), "time_ids": sizes.to(unet.dtype)}

        def velocity(x: Tensor, t: int) -> Tensor:
            both = unet(torch.cat([x, x]).to(unet.dtype), t, context.to(unet.dtype), added_cond_kwargs=added).sample
            with_text, without = both.float().chunk(2)
            return without + SAMPLING.guidance * (with_text - without)

        noise = torch.stack([torch.randn(4, size, size, generator=torch.Generator().manual_seed(one.seed(0, 0)))
                             for one in samples])
        latents = sampled(velocity, noise, SAMPLING.steps)
        self.attention.clear()
        made = base.pipe.vae.decode(base.unscaled(latents)).sample
        return (made.clamp(-1, 1) / 2 + 0.5).movedim(1, -1)

    def _tokens(self, samples: Sequence[Sample]) -> Tensor:
        """The subjects' tokens `[B, n, t, C]`."""
        subjects = [subject for one in samples for subject in one.subjects]
        views = [torch.from_numpy(np.array(subject.pictures[0].open().convert("RGB"))).float() / 255
                 for subject in subjects]
        side = self.base.image_encoder.config.image_size
        features = self.base.features(encoder_pixels(torch.stack(views), side))
        tokens = subject_tokens(
            self.trained.adapter, features, self.base.phrases([subject.phrase for subject in subjects]),
            torch.tensor([subject.box for subject in subjects]), self.trained.grounded,
        )
        return gather(tokens, [len(one.subjects) for one in samples])


def score(pictures: Callable[[], Pictures], samples: Sequence[Sample], file: Path, of: dict[str, Any],
          told: Callable[[int, int], None] = lambda done, count: None) -> None:
    """Make and score all samples that a file of results does not have yet (`python -m msd_core.bench report` reads it).

    Args:
        pictures: what makes them, asked for only if there is something to make.
        of: what is scored, for the file's first line: `models`, and of the `condition` what differs from the whole
            method.
    """
    scorer = Scorer(*judge_encoders())
    header = {
        "benchmark": "sprites", "condition": asdict(Condition(**of["condition"])),
        "settings": asdict(SAMPLING), "models": of["models"], "engine": "training", "per_sample": 1, "seed": 0,
        "bare": False, "singles": False, "measured_by": scorer.names(), "samples": len(samples),
        "kinds": list(dict.fromkeys(one.kind for one in samples)),
    }
    journal = Journal(file, header)
    done = {record["id"] for record in journal.results.scored}
    left = [one for one in samples if one.id not in done]
    made = pictures() if left else None
    # Samples of as many subjects together, so that none is padded.
    left.sort(key=lambda one: len(one.subjects))
    for start in range(0, len(left), BATCH):
        part = left[start : start + BATCH]
        for one, picture in zip(part, made.make(part), strict=True):
            rows = scorer.score(picture[None], one.prompt, [shown_subject(subject) for subject in one.subjects])
            journal.append({
                "id": one.id, "kind": one.kind, "prompt": one.prompt, "images": [row | {"seed": one.seed(0, 0)}
                                                                                 for row in rows],
                "subjects": [{"phrase": subject.phrase, "box": list(subject.box)} for subject in one.subjects],
            })
        told(len(samples) - len(left) + start + len(part), len(samples))
    journal.close()
