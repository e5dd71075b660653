"""What every stage shares: worker processes that average gradients, schedule, moving average, checkpoints, log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .device import on_device, seeded, worker
from .muon import Muon, split_parameters


@dataclass(frozen=True)
class Schedule:
    """Learning rate: linear warm-up, flat, then linear to zero over the last `fall` of `steps`."""

    steps: int
    rate: float
    warm_up: int = 100
    fall: float = 0.5

    def at(self, step: int) -> float:
        """The rate of a step, counting from 0."""
        rise = min(1.0, (step + 1) / self.warm_up) if self.warm_up else 1.0
        fall = max(0.0, (self.steps - step) / (self.steps * self.fall)) if self.fall else 1.0
        return self.rate * rise * min(1.0, fall)


class MovingAverage:
    """Exponential moving average of parameters that warms up, so that untrained weights leave it quickly."""

    def __init__(self, parameters: list[nn.Parameter], slowest: float = 0.004,
                 device: torch.device | str | None = None) -> None:
        """
        Args:
            device: where the averages are kept; beside the parameters by default.
        """
        self.values = [p.detach().to(device or p.device, copy=True) for p in parameters]
        self.slowest = slowest

    def update(self, parameters: list[nn.Parameter], step: int) -> None:
        """Move towards the parameters after step `step`."""
        towards = [p.detach().to(value.device) for p, value in zip(parameters, self.values, strict=True)]
        torch._foreach_lerp_(self.values, towards, max(self.slowest, 10 / (step + 11)))

    def swap(self, parameters: list[nn.Parameter]) -> None:
        """Exchange the averages with the parameters; a second call exchanges them back."""
        for value, parameter in zip(self.values, parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.data.copy_(value)
            value.copy_(kept)


class Trainer:
    """One stage's loop over `loss(step, generator)`; resumes from its folder and stops at the schedule's end.

    The modules named in `coarse` compute in bfloat16 (twice as fast on a CPU that has it) from weights kept in fp32.
    A file `start_<stage>.pt` in the folder (training/shipped.py) holds weights to begin with.
    """

    def __init__(self, name: str, folder: Path, modules: nn.ModuleDict, schedule: Schedule, *, decay: float = 0.01,
                 clip: float = 1.0, threads: int = 1, coarse: Collection[str] = ()) -> None:
        torch.set_num_threads(threads)
        self.name, self.folder, self.modules, self.schedule, self.clip = name, folder, modules, schedule, clip
        self.rank, self.workers = worker()
        self.file, start = folder / f"{name}.pt", folder / f"start_{name}.pt"
        saved = torch.load(self.file, map_location="cpu", weights_only=True) if self.file.exists() else None
        if saved:
            modules.load_state_dict(saved["modules"])
        elif start.exists():
            modules.load_state_dict(torch.load(start, map_location="cpu", weights_only=True), strict=False)

        trained = {key: p for key, p in modules.named_parameters() if p.requires_grad}
        self.masters = {key: nn.Parameter(p.detach().clone()) if key.split(".")[0] in coarse else p
                        for key, p in trained.items()}
        for part in coarse:
            modules[part].bfloat16()
        self.working, self.parameters = list(trained.values()), list(self.masters.values())
        matrices, rest = split_parameters(self.masters)
        self.optimisers = [Muon(matrices, schedule.rate, decay=decay),
                           torch.optim.AdamW(rest, lr=schedule.rate, betas=(0.9, 0.99), weight_decay=0.0, foreach=True)]
        self.average, self.step = MovingAverage(self.parameters), 0
        self.noted: list[float] = []
        if saved:
            for optimiser, state in zip(self.optimisers, saved["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            self.average.values, self.step = [on_device(value) for value in saved["average"]], saved["step"]

    def log(self, text: str) -> None:
        """Print and keep a line, from the first worker only."""
        if self.rank == 0:
            line = f"{time.strftime('%H:%M:%S')} {self.name} {text}"
            print(f"\r{line}" if sys.stdout.isatty() else line, flush=True)
            with (self.folder / f"{self.name}.log").open("a") as log:
                log.write(line + "\n")

    def _show_progress(self) -> None:
        if self.rank == 0 and sys.stdout.isatty():
            filled = 40 * self.step // self.schedule.steps
            print(f"\r{self.name} [{'#' * filled}{'.' * (40 - filled)}] {self.step}/{self.schedule.steps} ", end="",
                  flush=True)

    def note(self, value: Tensor) -> None:
        """Log this loss instead of the sum that is minimised."""
        self.noted.append(float(value.detach()))

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if self.rank == 0:
            part = self.file.with_suffix(".part")
            weights = self.modules.state_dict() | {key: p.detach() for key, p in self.masters.items()}
            torch.save({"modules": weights, "optimisers": [o.state_dict() for o in self.optimisers],
                        "average": self.average.values, "step": self.step}, part)
            os.replace(part, self.file)

    def _gather_gradients(self) -> None:
        for p, working in zip(self.parameters, self.working, strict=True):
            p.grad = torch.zeros_like(p) if working.grad is None else working.grad.to(p.dtype)
        if self.workers > 1:
            flat = torch.cat([p.grad.reshape(-1) for p in self.parameters])
            dist.all_reduce(flat)
            flat /= self.workers
            for p, grad in zip(self.parameters, flat.split([p.numel() for p in self.parameters]), strict=True):
                p.grad.copy_(grad.view_as(p))

    def _exchange_average(self) -> None:
        self.average.swap(self.parameters)
        self._spread_weights()

    def _spread_weights(self) -> None:
        for p, working in zip(self.parameters, self.working, strict=True):
            if working is not p:
                working.data.copy_(p)

    @sdpa_kernel(SDPBackend.MATH)  # on these small maps faster than the fused kernel
    def run(self, loss: Callable[[int, torch.Generator], Tensor], look: Callable[[], str] | None = None, *,
            look_every: float = 300, save_every: float = 60) -> None:
        """Train to the end; every `look_every` seconds the first worker calls `look` on the averaged weights."""
        began = looked = saved = logged = time.monotonic()
        first, recent = self.step, []
        while self.step < self.schedule.steps:
            generator = seeded(self.step * self.workers + self.rank)
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = self.schedule.at(self.step)
            value = loss(self.step, generator)
            self.modules.zero_grad(set_to_none=True)
            value.backward()
            self._gather_gradients()
            nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
            for optimiser in self.optimisers:
                optimiser.step()
            self._spread_weights()
            self.average.update(self.parameters, self.step)
            self.step += 1
            recent.append(self.noted.pop() if self.noted else float(value.detach()))
            self._show_progress()
            now = time.monotonic()
            if now - logged > 20 or self.step == self.schedule.steps:
                pace = (now - began) / (self.step - first)
                left = pace * (self.schedule.steps - self.step) / 60
                self.log(f"step {self.step}/{self.schedule.steps} loss {sum(recent) / len(recent):.4f} "
                         f"{pace:.3f} s/step, {left:.1f} min left")
                logged, recent = now, []
            if now - saved > save_every or self.step == self.schedule.steps:
                self.save()
                saved = now
            if look and self.rank == 0 and (now - looked > look_every or self.step == self.schedule.steps):
                self._exchange_average()
                with torch.no_grad():
                    self.log(look())
                self._exchange_average()
                looked = time.monotonic()


def has_weights(name: str, folder: Path) -> bool:
    """Whether a stage has run, or has weights to begin with."""
    return (folder / f"{name}.pt").exists() or (folder / f"start_{name}.pt").exists()


def load_averaged(name: str, folder: Path, modules: nn.ModuleDict) -> None:
    """Load the averaged weights of a stage into `modules`, made as the stage makes them.

    Where it has not run, those that it begins with.
    """
    start = folder / f"start_{name}.pt"
    if start.exists() and not (folder / f"{name}.pt").exists():
        modules.load_state_dict(torch.load(start, map_location="cpu", weights_only=True), strict=False)
        return
    saved = torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)
    modules.load_state_dict(saved["modules"])
    for parameter, value in zip((p for p in modules.parameters() if p.requires_grad), saved["average"], strict=True):
        parameter.data.copy_(value)


def shares(items: Sequence[int]) -> list[int]:
    """This worker's part of what all of them do."""
    rank, workers = worker()
    return list(items[rank::workers])


def launch(stage: Callable[..., None], workers: int, device: str, *arguments: object) -> None:
    """Run `stage(*arguments)` on a device, on the CPU in `workers` processes that average gradients, and wait."""
    if workers == 1 or device != "cpu":
        torch.set_default_device(device)
        stage(*arguments)
        return
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29577")
    torch.multiprocessing.spawn(_worker, (workers, stage, arguments), nprocs=workers)


def _worker(rank: int, workers: int, stage: Callable[..., None], arguments: tuple[object, ...]) -> None:
    dist.init_process_group("gloo", rank=rank, world_size=workers)
    stage(*arguments)
    dist.destroy_process_group()
