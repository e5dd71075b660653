"""Muon for the networks' matrices and convolutions (momentum, orthogonalised), AdamW for everything else."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .device import worker

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, rounds: int = 5) -> Tensor:
    """Bring all singular values of `matrix [m, n]` near 1 by a quintic Newton-Schulz iteration."""
    a, b, c = _COEFFICIENTS
    turned = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if turned else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if turned else x


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum, scaled so that its step is as large as AdamW's at the same learning rate."""

    def __init__(self, parameters: list[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every parameter from its gradient; workers share the orthogonalising and exchange the results."""
        rank, workers = worker()
        for group in self.param_groups:
            updates = []
            for index, p in enumerate(group["params"]):
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - group["momentum"])
                if index % workers != rank:
                    updates.append(p.new_zeros(p.numel()))
                    continue
                update = orthogonalise(p.grad.lerp(momentum, group["momentum"]).flatten(1))
                updates.append((update * (0.2 * max(update.shape) ** 0.5)).reshape(-1))
            flat = torch.cat(updates)
            if workers > 1:
                dist.all_reduce(flat)
            for p, update in zip(group["params"], flat.split([p.numel() for p in group["params"]]), strict=True):
                p.mul_(1 - group["lr"] * group["decay"]).add_(update.view_as(p), alpha=-group["lr"])


def split_parameters(parameters: dict[str, nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Matrices inside the networks, and the rest: embeddings, norms, biases, first and last layers."""
    matrices, rest = [], []
    for name, p in parameters.items():
        ends = any(part in name for part in ("embedding.weight", "conv_in", "conv_out", "topics", "latents"))
        (rest if p.ndim < 2 or ends else matrices).append(p)
    return matrices, rest
