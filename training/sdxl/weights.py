"""What learns, in fp32, and what computes; gradients averaged over the processes; the optimisers."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from msd_core.headless.unet import cross_attentions

from ..muon import Muon, split_parameters
from ..trainer import MovingAverage
from .projectors import Trained
from .settings import Settings

BUCKET = 1 << 25
"""Gradients that are averaged in one message."""


class Weights:
    """The adapter's weights, and the text's keys and values where they learn too.

    Attributes:
        masters: the weights that the optimiser changes, fp32, by name.
        average: their moving average.
    """

    def __init__(self, trained: Trained, unet: nn.Module, settings: Settings) -> None:
        self._working = trained.learning()
        self.text = text_parameters(unet) if settings.text_attention_loss > 0 else {}
        for parameter in self.text.values():
            parameter.requires_grad_(True)
        self._working = {**self._working, **self.text}
        self.masters = {
            name: p if p.dtype == torch.float32 else nn.Parameter(p.detach().float().clone())
            for name, p in self._working.items()
        }
        self.average = MovingAverage(
            list(self.masters.values()), 1 - settings.average, "cpu" if settings.average_on_cpu else None
        )

    @property
    def averaged(self) -> dict[str, Tensor]:
        """The moving average by name."""
        return dict(zip(self.masters, self.average.values, strict=True))

    def gather_gradients(self) -> None:
        """Each master's gradient: the mean of all processes', zero where nothing has reached it."""
        for name, working in self._working.items():
            master = self.masters[name]
            grad = torch.zeros_like(master) if working.grad is None else working.grad.to(master.dtype)
            working.grad = None
            master.grad = grad
        if dist.is_initialized() and dist.get_world_size() > 1:
            for bucket in _buckets(p.grad for p in self.masters.values()):
                flat = torch.cat([grad.reshape(-1) for grad in bucket])
                dist.all_reduce(flat)
                flat /= dist.get_world_size()
                for grad, mean in zip(bucket, flat.split([grad.numel() for grad in bucket]), strict=True):
                    grad.copy_(mean.view_as(grad))

    def spread(self) -> None:
        """What computes gets the masters' values."""
        for name, working in self._working.items():
            if working is not self.masters[name]:
                working.data.copy_(self.masters[name])

    def exchange_average(self) -> None:
        """Compute with the averages from now on; a second call takes that back."""
        self.average.swap(list(self.masters.values()))
        self.spread()

    def state(self) -> dict[str, object]:
        """Masters and averages, to be kept."""
        return {"weights": {name: p.detach() for name, p in self.masters.items()}, "average": self.average.values}

    def load(self, state: dict) -> None:
        """Take kept masters and averages."""
        for name, p in self.masters.items():
            p.data.copy_(state["weights"][name])
        for value, kept in zip(self.average.values, state["average"], strict=True):
            value.copy_(kept)
        self.spread()


def text_parameters(unet: nn.Module) -> dict[str, nn.Parameter]:
    """Keys and values of the text in the cross-attentions, by diffusers' names: about 70 % as many weights as an
    adapter has, as the paper says of what its text attention loss trains.
    """
    chosen = {id(p) for module in cross_attentions(unet) for p in (module.to_k.weight, module.to_v.weight)}
    return {name: p for name, p in unet.named_parameters() if id(p) in chosen}


def optimisers(masters: dict[str, nn.Parameter], settings: Settings) -> list[torch.optim.Optimizer]:
    """What changes the weights.

    Raises:
        ValueError: bitsandbytes is asked for and can't be had.
    """
    decayed = [p for p in masters.values() if p.ndim > 1]
    rest = [p for p in masters.values() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": settings.decay}, {"params": rest, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if settings.optimiser == "adamw8bit":
        return [_eight_bit()(groups, lr=settings.rate)]
    if settings.optimiser == "muon":
        matrices, others = split_parameters(masters)
        adamw = torch.optim.AdamW(others, lr=settings.rate, betas=(0.9, 0.99), weight_decay=0.0)
        return [Muon(matrices, settings.rate, decay=settings.decay), adamw]
    # The fused kernel needs no copies of all weights at once, which the other one does.
    fused = all(p.device.type == "cuda" for p in masters.values())
    return [torch.optim.AdamW(groups, lr=settings.rate, fused=fused or None)]


def _eight_bit() -> type[torch.optim.Optimizer]:
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError:
        raise ValueError(
            "--optimiser is adamw8bit but bitsandbytes is not installed: pip install bitsandbytes, or choose adamw."
        ) from None
    return AdamW8bit


def _buckets(gradients: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    bucket: list[Tensor] = []
    for grad in gradients:
        if bucket and sum(one.numel() for one in bucket) + grad.numel() > BUCKET:
            yield bucket
            bucket = []
        bucket.append(grad)
    if bucket:
        yield bucket
