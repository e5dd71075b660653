"""The loop: batches in their order, gradients averaged, checkpoints to go on from, looks at held-out samples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from msd_core.headless.device import devices
from msd_core.packages import require_package

from ..shards import Full
from ..trainer import Schedule
from .base import DTYPES, Base
from .batch import Batch
from .checkpoints import checkpoints, read_state, save
from .diffusion import Noise
from .log import Log
from .loss import BatchLoss, Drops, Losses
from .order import Order, seeded
from .projectors import Trained
from .settings import DECIDED, Settings
from .sources import LiveSamples, StoredSamples
from .weights import Weights, optimisers

Look = Callable[[Trained, int], Tensor | None]
"""Makes pictures with the averaged weights after a step: a grid `[3, H, W]` in 0..1, or None."""
LEARN, LOOK = range(2)
"""What a random number is for."""


class Run:
    """One run of the trainer in its folder; it goes on from the latest checkpoint there."""

    def __init__(self, base: Base, trained: Trained, samples: LiveSamples | StoredSamples, settings: Settings,
                 folder: str | Path, *, held_out: Sequence[int], accelerator: Any = None,
                 look: Look | None = None) -> None:
        """
        Args:
            base: the frozen models; brought to the device here.
            trained: the adapter to train.
            samples: what to learn from.
            held_out: the last of them, which are looked at and not learned (`sources.held_out`).
            accelerator: accelerate's; one is made by default.
            look: makes pictures, of which the first process is asked now and then.

        Raises:
            ValueError: adapter, settings and the run in the folder don't agree, or the processes split weights or see
                other files.
        """
        if accelerator is None:
            accelerator = new_accelerator()
        _check_processes(accelerator)
        if trained.projector != settings.projector:
            raise ValueError(
                f"The adapter has the projector {trained.projector} but the settings say {settings.projector}: make "
                "one of them the other."
            )
        self.base, self.trained, self.samples, self.settings = base, trained, samples, settings
        self.folder, self.accelerator, self._pictures = Path(folder), accelerator, look
        self.device, self.first = accelerator.device, accelerator.is_main_process
        self._encodes = isinstance(samples, LiveSamples)
        base.prepare(self.device, DTYPES[settings.precision], self._encodes)
        trained.to(self.device)
        unet = base.pipe.unet
        if settings.checkpointing:
            unet.enable_gradient_checkpointing()
        else:
            unet.disable_gradient_checkpointing()
        self.noise = Noise(base.pipe.scheduler, settings.prediction)
        self.weights = Weights(trained, unet, settings)
        self.optimisers = optimisers(self.weights.masters, settings)
        self.schedule = Schedule(settings.steps, settings.rate, settings.warm_up, settings.fall)
        self.held_out = list(held_out)
        self.order = Order(len(samples) - len(self.held_out), settings.seed)
        self.step, self.seen = 0, 0
        self._resume()
        self._check_alike()
        self.log = Log(self.folder, self.step, self.first)
        self.loss = BatchLoss(unet, trained, self.noise, self._empty(), settings)

    def _empty(self) -> tuple[Tensor, Tensor]:
        context, pooled = (value.to(self.device) for value in self.samples.empty())
        return context, pooled

    def _resume(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        found = checkpoints(self.folder)
        if not found:
            return
        state = read_state(found[-1])
        for name in DECIDED:
            had, has = state["settings"][name], getattr(self.settings, name)
            if had != has:
                raise ValueError(
                    f"{found[-1]} was trained with --{name.replace('_', '-')} {had} but this run has {has}: use the "
                    "same, or another folder and --init with that checkpoint's adapter."
                )
        self.step, self.seen = state["step"], state["seen"]
        self.weights.load(state)
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)

    def _check_alike(self) -> None:
        """Make sure that all processes, on however many machines, begin at one step and with the same samples."""
        if self.accelerator.num_processes == 1:
            return
        mine = torch.tensor([[self.step, self.seen, self.order.samples]], device=self.device)
        found = self.accelerator.gather(mine).tolist()
        for what, column in (("step", 0), ("seen samples", 1), ("samples", 2)):
            other = next((row[column] for row in found if row[column] != found[0][column]), None)
            if other is not None:
                had, has = (f"{what} {n}" if what == "step" else f"{n} {what}" for n in (found[0][column], other))
                raise ValueError(
                    f"The processes begin with {had} and {has} but must begin alike: name folders that all machines "
                    "share as --folder and --shards."
                )

    def run(self) -> None:
        """Train to the end.

        Raises:
            ValueError: the loss is no number any more.
            Full: the last checkpoint can't be written.
        """
        settings, accelerator = self.settings, self.accelerator
        self.log.settings(asdict(settings))
        count = settings.batch * accelerator.num_processes * settings.accumulate
        self.log.say(
            f"{sum(p.numel() for p in self.weights.masters.values()):,} weights learn from {self.order.samples} "
            f"samples, {count} a step, from step {self.step} to {settings.steps}"
        )
        rank, processes = accelerator.process_index, accelerator.num_processes
        batches = self.samples.batches(self.order.batches(self.seen, settings.batch, rank, processes))
        recent: list[tuple[Losses, Tensor]] = []
        began = time.monotonic()
        # On small maps, as a CPU can compute, faster than the fused kernel.
        plain = sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext()
        with plain:
            while self.step < settings.steps:
                recent += self._one_step(batches, rank)
                self.step += 1
                self.seen += count
                last = self.step == settings.steps
                if self.step % settings.log_every == 0 or last:
                    self._tell(recent, (time.monotonic() - began) / settings.log_every)
                    recent, began = [], time.monotonic()
                if self.step % settings.save_every == 0 or last:
                    self._save(last)
                if settings.look_every and self.held_out and (self.step % settings.look_every == 0 or last):
                    self._look()
        self.log.close()

    def _one_step(self, batches: Any, rank: int) -> list[tuple[Losses, Tensor]]:
        settings, found = self.settings, []
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.schedule.at(self.step)
        for number in range(settings.accumulate):
            batch = Batch.of(next(batches), self.device)
            losses = self.loss(batch, seeded(settings.seed, LEARN, self.step, rank, number))
            (losses.total / settings.accumulate).backward()
            self.loss.done()
            found.append(losses)
        self.weights.gather_gradients()
        norm = nn.utils.clip_grad_norm_(self.weights.masters.values(), settings.clip, foreach=True)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.weights.spread()
        self.weights.average.update(list(self.weights.masters.values()), self.step)
        return [(_detached(losses), norm.detach()) for losses in found]

    def _tell(self, recent: list[tuple[Losses, Tensor]], seconds: float) -> None:
        names = {"loss": "total", "diffusion": "diffusion", "image_attention": "image_attention",
                 "text_attention": "text_attention"}
        asked = {name: of for name, of in names.items() if getattr(recent[0][0], of) is not None}
        means = torch.stack([
            torch.stack([getattr(losses, of) for losses, _ in recent]).mean() for of in asked.values()
        ])
        means = self.accelerator.reduce(means, "mean").tolist()
        values = dict(zip(asked, means, strict=True))
        values["rate"] = self.schedule.at(self.step - 1)
        values["gradient"], values["seconds"] = float(torch.stack([norm for _, norm in recent]).mean()), seconds
        self.log.losses(self.step, values)
        left = seconds * (self.settings.steps - self.step) / 3600
        self.log.say(f"step {self.step}/{self.settings.steps} loss {values['loss']:.4f}, {seconds:.3g} s a step, "
                     f"{left:.1f} h left")
        if not math.isfinite(values["loss"]):
            raise ValueError(
                f"The loss of step {self.step} is {values['loss']}: go on from the last checkpoint with a lower "
                "--rate, or --precision fp32."
            )

    @torch.no_grad()
    def _look(self) -> None:
        self.accelerator.wait_for_everyone()
        if self.first:
            self.weights.exchange_average()
            loss, grid = self.held_out_loss(), None
            if self._pictures is not None:
                self.base.prepare(self.device, DTYPES[self.settings.precision])
                try:
                    with self.log.going_on():
                        grid = self._pictures(self.trained, self.step)
                except torch.OutOfMemoryError:
                    self._pictures = None
                    self.log.say("There is no room for pictures of held-out samples on the card beside what learns. "
                                 "Training goes on without them.")
                if not self._encodes:
                    self.base.rest()
            self.weights.exchange_average()
            self.log.look(self.step, loss, grid)
            self.log.say(f"step {self.step} held-out loss {loss:.4f}")
        self.accelerator.wait_for_everyone()

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """The loss of the held-out samples at noise levels that are always the same, nothing dropped."""
        found = []
        for number in self.held_out:
            batch = Batch.of(self.samples.take([number]), self.device)
            none = torch.zeros(1, dtype=torch.bool)
            losses = self.loss(batch, seeded(self.settings.seed, LOOK, number), Drops(none, none, none))
            self.loss.done()
            found.append(float(losses.diffusion))
        return sum(found) / len(found)

    def _save(self, last: bool) -> None:
        if self.first:
            state = {**self.weights.state(), "optimisers": [o.state_dict() for o in self.optimisers],
                     "step": self.step, "seen": self.seen, "settings": asdict(self.settings)}
            averaged = self.weights.averaged
            text = {name: averaged[name] for name in self.weights.text}
            try:
                save(self.folder, self.step, self.trained.state(averaged), self.trained.metadata(), state,
                     self.settings.keep, text)
            except Full as error:
                if last:
                    raise
                self.log.say(f"{error} Training goes on.")
        self.accelerator.wait_for_everyone()


def new_accelerator() -> Any:
    """This process's place among those that `accelerate launch` has started; on the CPU where there is no GPU.

    Raises:
        ValueError: accelerate is not installed.
    """
    accelerate = require_package("accelerate", "accelerate", "training", "training")
    return accelerate.Accelerator(cpu=devices() == ["cpu"])


def _detached(losses: Losses) -> Losses:
    values = (losses.total, losses.diffusion, losses.image_attention, losses.text_attention)
    return Losses(*(None if value is None else value.detach() for value in values))


def _check_processes(accelerator: Any) -> None:
    kind = str(accelerator.distributed_type).rpartition(".")[2]
    if kind in ("FSDP", "DEEPSPEED", "MEGATRON_LM", "TP", "XLA"):
        raise ValueError(
            f"accelerate is set up for {kind} but each process trains a whole adapter here: choose plain multi-GPU in "
            "accelerate config."
        )
