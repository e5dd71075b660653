"""The adapter's nets, built from a checkpoint's shapes: the resampler and one key/value pair per cross-attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .resampler import Resampler


@dataclass(frozen=True)
class LayerTable:
    """The cross-attentions that an adapter or a UNet has, in diffusers' order: down, up, mid.

    Attributes:
        hidden: width of each cross-attention's queries.
        context: width of the tokens that they attend to.
    """

    hidden: tuple[int, ...]
    context: int

    def __str__(self) -> str:
        runs: list[list[int]] = []
        for width in self.hidden:
            if runs and runs[-1][1] == width:
                runs[-1][0] += 1
            else:
                runs.append([1, width])
        widths = ", ".join(f"{count}x{width}" for count, width in runs)
        return f"{len(self.hidden)} cross-attentions ({widths}) over {self.context}-wide context"


class SubjectProjection(nn.Module):
    """One cross-attention's own projection of the subject tokens to keys and values."""

    def __init__(self, hidden: int, context: int, operations: Any) -> None:
        super().__init__()
        self.to_k_ip = operations.Linear(context, hidden, bias=False)
        self.to_v_ip = operations.Linear(context, hidden, bias=False)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return self.to_k_ip(tokens), self.to_v_ip(tokens)


class Adapter(nn.Module):
    """A whole MS-Diffusion adapter; module names are the flat checkpoint's keys.

    The checkpoint's dummy tokens have no place here: they soak up attention only where no subject is, and so never
    reach the output (SPEC 4).
    """

    def __init__(self, state: dict[str, Tensor], head_dim: int = 64, operations: Any = nn) -> None:
        """
        Args:
            state: a checked flat state dict (`checkpoint.read_adapter`), of which only shapes are read.
            head_dim: width of a head in the resampler.
            operations: namespace that supplies `Linear` and `LayerNorm`.
        """
        super().__init__()
        prefix = "image_proj."
        image_proj = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        self.image_proj = Resampler(image_proj, head_dim, operations)
        indices = sorted({int(key.split(".")[1]) for key in state if key.startswith("ms_adapter.")})
        self.ms_adapter = nn.ModuleDict({
            str(index): SubjectProjection(*state[f"ms_adapter.{index}.to_k_ip.weight"].shape, operations=operations)
            for index in indices
        })

    @property
    def layers(self) -> LayerTable:
        hidden = tuple(projection.to_k_ip.out_features for projection in self.ms_adapter.values())
        return LayerTable(hidden, self.image_proj.out_width)

    def project(self, tokens: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Keys and values `[..., hidden]` of the tokens `[..., context]`, layer by layer in the table's order."""
        for projection in self.ms_adapter.values():
            yield projection(tokens)

    def project_joint(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """The same in one tensor of a dtype, `[..., 2 * sum(hidden)]`: the keys of all layers, then their values."""
        hidden = self.layers.hidden
        joint = torch.empty(*tokens.shape[:-1], 2 * sum(hidden), device=tokens.device, dtype=dtype)
        keys, values = (half.split(hidden, dim=-1) for half in joint.split(sum(hidden), dim=-1))
        for key, value, projected in zip(keys, values, self.project(tokens), strict=True):
            key.copy_(projected[0])
            value.copy_(projected[1])
        return joint
