"""Blending subjects: tokens part of the way from one to another (paper appendix L)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from .boxes import Box
from .embeds import SubjectEmbeds, SubjectTokens
from .layout import Region

Mode = Literal["linear", "slerp"]
MODES: tuple[Mode, ...] = ("linear", "slerp")


def blend_embeds(a: SubjectEmbeds, b: SubjectEmbeds, amount: float, mode: Mode, frames: int = 1) -> SubjectEmbeds:
    """Subjects between those of a and those of b, pair by pair.

    Args:
        a, b: encoded subjects of the same adapter, as many in both.
        amount: 0 is a, 1 is b, both exactly; unused with several frames.
        mode: `linear`, or `slerp`, which turns each token from a's direction to b's.
        frames: above 1, image k of a latent batch gets step k of `frames` from a to b.

    Raises:
        ValueError: the two don't fit together, or amount or frames are out of range.
    """
    if a.adapter is not b.adapter:
        raise ValueError(
            f"embeds_a come from {a.adapter.name} and embeds_b from {b.adapter.name}, loaded apart: "
            "encode both with one loaded adapter."
        )
    if len(a.subjects) != len(b.subjects):
        raise ValueError(
            f"embeds_a have {len(a.subjects)} subjects and embeds_b have {len(b.subjects)}: encode as many in both."
        )
    if not 0.0 <= amount <= 1.0:
        raise ValueError(f"The amount is {amount:g} but must be from 0 (a) to 1 (b): clip it.")
    if frames < 1:
        raise ValueError(f"There are {frames} frames but at least 1 is needed: set 1 for a single blend.")
    amounts = [amount] if frames == 1 else [frame / (frames - 1) for frame in range(frames)]
    return replace(a, subjects=tuple(
        _blend_subject(first, second, amounts, mode) for first, second in zip(a.subjects, b.subjects, strict=True)
    ))


def _blend_subject(a: SubjectTokens, b: SubjectTokens, amounts: list[float], mode: Mode) -> SubjectTokens:
    names = f"{a.phrase!r} and {b.phrase!r}"
    if a.tokens.shape != b.tokens.shape:
        raise ValueError(
            f"{names} have tokens of the shapes {list(a.tokens.shape)} and {list(b.tokens.shape)}: "
            "give both as many views and no blend of their own."
        )
    if len(amounts) > 1 and (a.region != b.region or a.weight != b.weight):
        raise ValueError(
            f"{names} have different boxes or weights ({a.region.box.edges}, {a.weight:g} and {b.region.box.edges}, "
            f"{b.weight:g}), which all {len(amounts)} frames would share: encode both with one layout and weight."
        )
    tokens = torch.cat([_mix(a.tokens, b.tokens, amount, mode) for amount in amounts])
    if len(amounts) > 1:
        return replace(a, tokens=tokens)
    (amount,) = amounts
    nearer = a if amount < 0.5 else b
    return replace(
        nearer, tokens=tokens, region=_between(a.region, b.region, amount, names),
        weight=_lerp(a.weight, b.weight, amount),
    )


def _mix(a: Tensor, b: Tensor, amount: float, mode: Mode) -> Tensor:
    # The ends exactly, whatever rounding would make of them.
    if amount in (0.0, 1.0):
        return b if amount else a
    return torch.lerp(a, b, amount) if mode == "linear" else _slerp(a, b, amount)


def _slerp(a: Tensor, b: Tensor, amount: float) -> Tensor:
    """Token by token along the great circle, with the length between both lengths."""
    lengths = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    directions = [x / length.clamp(min=1e-12) for x, length in zip((a, b), lengths, strict=True)]
    cosine = (directions[0] * directions[1]).sum(dim=-1, keepdim=True).clamp(-1, 1)
    angle = torch.arccos(cosine)
    sine = torch.sin(angle)
    turned = (torch.sin((1 - amount) * angle) * directions[0] + torch.sin(amount * angle) * directions[1]) / sine
    straight = torch.lerp(a, b, amount)
    return torch.where(sine > 1e-4, turned * torch.lerp(*lengths, amount), straight)


def _between(a: Region, b: Region, amount: float, names: str) -> Region:
    if a == b or amount in (0.0, 1.0):
        return b if amount == 1.0 else a
    if a.mask is not None or b.mask is not None:
        raise ValueError(f"{names} have different free-form regions, which can't be blended: give both one layout.")
    edges = (_lerp(first, second, amount) for first, second in zip(a.box.edges, b.box.edges, strict=True))
    return Region(Box(*edges, label=a.box.label, color=a.box.color))


def _lerp(a: float, b: float, amount: float) -> float:
    return b if amount == 1.0 else a + (b - a) * amount
