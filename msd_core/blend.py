"""Blending subjects: tokens part of the way from one to another (paper appendix L)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from .boxes import EDGES
from .cells import WHOLE, Window
from .embeds import SubjectEmbeds, SubjectTokens
from .exclusive import Company
from .layout import Region

Mode = Literal["linear", "slerp"]
MODES: tuple[Mode, ...] = ("linear", "slerp")


def blend_embeds(a: SubjectEmbeds, b: SubjectEmbeds, amount: float, mode: Mode, frames: int = 1) -> SubjectEmbeds:
    """Subjects between those of a and those of b, pair by pair.

    Args:
        a, b: encoded subjects of the same adapter, as many in both, of one part of one frame.
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
    _check_places(a, b)
    if not 0.0 <= amount <= 1.0:
        raise ValueError(f"The amount is {amount:g} but must be from 0 (a) to 1 (b): clip it.")
    if frames < 1:
        raise ValueError(f"There are {frames} frames but at least 1 is needed: set 1 for a single blend.")
    pairs = list(zip(a.subjects, b.subjects, strict=True))
    for first, second in pairs:
        _check_pair(first, second, frames)
    if frames > 1:
        return replace(_nearer(a, b, 0.0), subjects=tuple(_transition(*pair, frames, mode) for pair in pairs))
    if amount in (0.0, 1.0):
        return b if amount else a
    return replace(_nearer(a, b, amount), subjects=tuple(_blend_subject(*pair, amount, mode) for pair in pairs))


def _check_places(a: SubjectEmbeds, b: SubjectEmbeds) -> None:
    """Raise a ValueError unless both lay their subjects out in one part of one frame."""
    if any(abs(ours - theirs) > 1e-9 for ours, theirs in zip(a.window, b.window, strict=True)):
        raise ValueError(
            f"embeds_a show {_named(a.window)} and embeds_b show {_named(b.window)}: blend first, then crop the blend "
            "with Crop MS-Diffusion Embeds."
        )
    if a.frame and b.frame and a.frame[0] * b.frame[1] != a.frame[1] * b.frame[0]:
        raise ValueError(
            f"embeds_a have a layout of {a.frame[0]}x{a.frame[1]} pixels and embeds_b one of "
            f"{b.frame[0]}x{b.frame[1]}, of another aspect: encode both with layouts of one size."
        )


def _check_pair(a: SubjectTokens, b: SubjectTokens, frames: int) -> None:
    """Raise a ValueError unless two subjects' tokens can be mixed, and in a transition all else is the same."""
    names = f"{a.phrase!r} and {b.phrase!r}"
    if a.tokens.shape != b.tokens.shape:
        raise ValueError(
            f"{names} have tokens of the shapes {list(a.tokens.shape)} and {list(b.tokens.shape)}: "
            "give both as many views and no blend of their own."
        )
    if frames == 1:
        return
    if a.tokens.shape[0] > 1:
        raise ValueError(
            f"{names} are transitions of {a.tokens.shape[0]} frames already but {frames} frames are asked for: "
            "set frames to 1 to blend them, or link subjects that are no transition."
        )
    if a.region != b.region or a.weight != b.weight:
        raise ValueError(
            f"{names} have different boxes or weights ({a.region.box.edges}, {a.weight:g} and {b.region.box.edges}, "
            f"{b.weight:g}), which all {frames} frames would share: encode both with one layout and weight."
        )
    if (a.start, a.end) != (b.start, b.end):
        raise ValueError(
            f"{names} act in different parts of the run ({a.start:g} to {a.end:g} and {b.start:g} to {b.end:g}), which "
            f"all {frames} frames would share: give both one start_percent and end_percent."
        )


def _nearer(a: SubjectEmbeds, b: SubjectEmbeds, amount: float) -> SubjectEmbeds:
    """The side nearer to a blend; where it doesn't know its frame, with the other side's."""
    near, far = (a, b) if amount < 0.5 else (b, a)
    return replace(near, frame=near.frame or far.frame)


def _transition(a: SubjectTokens, b: SubjectTokens, frames: int, mode: Mode) -> SubjectTokens:
    tokens = torch.cat([_mix(a.tokens, b.tokens, frame / (frames - 1), mode) for frame in range(frames)])
    # Neither name holds for all frames, so neither is looked for in a prompt.
    phrase = a.phrase if a.phrase == b.phrase else f"{a.phrase} to {b.phrase}"
    return replace(a, tokens=tokens, phrase=phrase)


def _blend_subject(a: SubjectTokens, b: SubjectTokens, amount: float, mode: Mode) -> SubjectTokens:
    nearer = a if amount < 0.5 else b
    return replace(
        nearer, tokens=_mix(a.tokens, b.tokens, amount, mode), region=_between(a, b, amount, nearer.region),
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


def _between(a: SubjectTokens, b: SubjectTokens, amount: float, nearer: Region) -> Region:
    if a.region == b.region:
        return nearer
    names = f"{a.phrase!r} and {b.phrase!r}"
    ours, theirs = a.region.company, b.region.company
    if _kind(ours) != _kind(theirs):
        raise ValueError(
            f"{names} have layouts with different overlap, {_kind(ours)} and {_kind(theirs)}, which can't be blended: "
            "set both to one."
        )
    region = _alone_between(a.region.alone, b.region.alone, amount, names)
    if ours is None:
        return region
    pairs = zip(ours.members, theirs.members, strict=True)
    members = tuple(_alone_between(*pair, amount, names) for pair in pairs)
    return replace(region, company=replace(nearer.company, members=members), place=nearer.place)


def _alone_between(a: Region, b: Region, amount: float, names: str) -> Region:
    """A region between two that are in no company; what can't be mixed is the nearer's."""
    nearer = a if amount < 0.5 else b
    if a == b:
        return nearer
    if a.mask is not None or b.mask is not None or a.box.mask != b.box.mask:
        raise ValueError(f"{names} have different free-form regions, which can't be blended: give both one layout.")
    edges = {
        name: _lerp(ours, theirs, amount) for name, ours, theirs in zip(EDGES, a.box.edges, b.box.edges, strict=True)
    }
    return Region(replace(nearer.box, **edges))


def _kind(company: Company | None) -> str:
    if company is None:
        return "mix"
    return f"{'nearest' if company.nearest else 'front'} of {len(company.members)}"


def _named(window: Window) -> str:
    if window == WHOLE:
        return "the whole frame"
    return f"its part {', '.join(f'{edge:g}' for edge in window)}"


def _lerp(a: float, b: float, amount: float) -> float:
    return a + (b - a) * amount
