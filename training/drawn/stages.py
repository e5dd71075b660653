"""The tiny set's adapter by the pipeline and the trainer that photos take: drawn clips to shards, shards to adapter."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from msd_core.demo.config import ADAPTER_SCALE, GUIDANCE, SCENE_SIZE, STEPS

from ..data import construct
from ..device import worker
from ..sdxl.base import DTYPES, Base
from ..sdxl.pictures import HeldOutPictures
from ..sdxl.projectors import Trained, untrained
from ..sdxl.run import Run
from ..sdxl.settings import Settings
from ..sdxl.sources import StoredSamples, held_out, store
from ..shards import Shards, ShardWriter
from ..student import ADAPTER_RUN, SIZES, load_frozen_vision, load_student
from .clips import draw_clip
from .models import drawn_base
from .portraits import Portraits
from .steps import SETTINGS, drawn_steps

SHARDS, ENCODED = "shards", "encoded"
SAMPLES_PER_SHARD = 500
PICTURES = 8
"""How many held-out samples are drawn at each look."""
TRAINING = Settings(
    rate=2e-3, batch=32, warm_up=50, fall=0.5, optimiser="muon", average=0.98, checkpointing=False, seed=4,
    size=f"{SCENE_SIZE}x{SCENE_SIZE}", held_out=16, log_every=10, save_every=50, keep=1, look_every=200,
    look_steps=STEPS, guidance=GUIDANCE, scale=ADAPTER_SCALE,
)
"""How an adapter of the tiny set is trained: the trainer's settings but for rate, size and what follows from them."""


def build_shards(folder: Path, clips: int) -> None:
    """Draw clips and build the samples of the adapter stage from them, `shards/` in the run's folder; the first worker
    alone.
    """
    if worker()[0]:
        return
    torch.set_num_threads(1)

    def tell(done: int, of: int, _: Any) -> None:
        if done % 100 == 0 or done == of:
            print(f"clips: {done} of {of}", flush=True)

    with torch.device("cpu"):
        steps, writer = drawn_steps(load_frozen_vision(folder)), ShardWriter(folder / SHARDS, SAMPLES_PER_SHARD)
        found = construct([draw_clip(seed) for seed in range(clips)], steps, SETTINGS, writer,
                          models={"steps": "the drawn world"}, tell=tell)
    print(found.as_text(), flush=True)


def encoded_samples(folder: Path, base: Base, accelerator: Any = None) -> StoredSamples:
    """The samples of a run's shards as its frozen models see them, encoded once."""
    share = {} if accelerator is None else {"rank": accelerator.process_index, "processes": accelerator.num_processes,
                                            "wait": accelerator.wait_for_everyone}
    about = {"base": "the drawn world", "precision": TRAINING.precision}
    device = torch.device("cpu") if accelerator is None else accelerator.device
    base.prepare(device, DTYPES[TRAINING.precision])
    samples = store(Portraits(Shards(folder / SHARDS)), base, TRAINING.pixels, folder / ENCODED, about, **share)
    base.rest()
    return samples


def new_trained(base: Base, projector: str, seed: int) -> Trained:
    """An adapter of the tiny set's sizes that has learned nothing."""
    torch.manual_seed(seed)
    return untrained(base, projector, SIZES)


def train_adapter(folder: Path, steps: int) -> None:
    """Train the adapter, or go on training it, to `steps`, from the joint stage's."""
    from accelerate import Accelerator

    rank, workers = worker()
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(workers)} if workers > 1 else {}
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=torch.get_default_device().type == "cpu")
    settings = replace(TRAINING, steps=steps)
    base = drawn_base(folder)
    trained = new_trained(base, settings.projector, settings.seed)
    trained.adapter.load_state_dict(load_student(folder).adapter.state_dict())
    samples = encoded_samples(folder, base, accelerator)
    shards = Portraits(Shards(folder / SHARDS))
    run = folder / ADAPTER_RUN
    numbers = held_out(shards.shards, settings.held_out)
    look = HeldOutPictures(base, shards, numbers[:PICTURES], settings, run)
    Run(base, trained, samples, settings, run, held_out=numbers, accelerator=accelerator, look=look).run()
