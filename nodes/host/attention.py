"""Which of the host's attentions computes the subjects' part."""

from __future__ import annotations

from collections.abc import Callable

from comfy.ldm.modules.attention import get_attention_function, optimized_attention
from torch import Tensor

# They compute in 8 bits, or can't take a mask and say so in every call.
UNFIT = ("sage", "sage3", "flash", "comfy_kitchen_int8")


def fit_for_subjects(chosen: Callable) -> Callable:
    """The host's own choice, or its PyTorch attention where that choice does not do for subjects.

    Subject tokens are few and must be exact, and their attention has a mask.
    """
    unfit = any(chosen is get_attention_function(name, None) for name in UNFIT)
    return get_attention_function("pytorch") if unfit else chosen


_attention = fit_for_subjects(optimized_attention)


def subject_attention(
    q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None, precision: object = None
) -> Tensor:
    """An attention `[rows, positions, heads * d]` that is never in a reduced precision.

    Args:
        mask: additive, `[positions, length]` or `[rows, positions, length]`.
        precision: the host's `attn_precision`, which some devices need.
    """
    return _attention(q, k, v, heads, mask=mask, attn_precision=precision, low_precision_attention=False)
