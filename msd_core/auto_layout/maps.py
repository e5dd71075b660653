"""Maps of the prompt's own cross-attention: where each position looks for each phrase."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

GAIN = 64.0
"""Factor on what `word_maps` averages, so that small probabilities keep their digits in half precision."""


def span_matrix(spans: Sequence[Sequence[int]], starts: Sequence[int], context_length: int) -> Tensor:
    """What averages attention over each phrase's tokens: `[context_length, n]`, a column of zeros for an absent phrase.

    Args:
        spans: token positions of each phrase in the prompt.
        starts: where in the context the prompt begins: several times where it is repeated; all count.
        context_length: tokens of the context; those outside the prompt belong to no phrase.
    """
    matrix = torch.zeros(context_length, len(spans))
    for column, span in enumerate(spans):
        for start in starts:
            for position in span:
                matrix[start + position, column] = 1 / len(span)
    return matrix


def phrase_maps(q: Tensor, k: Tensor, heads: int, spans: Tensor, height: int, width: int) -> Tensor:
    """How much each position attends to each phrase: probabilities averaged over the phrase's tokens and the heads.

    Args:
        q: `[b, h * w, heads * d]`, queries of conditional rows.
        k: `[b, length, heads * d]`, keys of the text.
        heads: the layer's heads.
        spans: `[length, n]` from `span_matrix`.

    Returns:
        fp32 `[b, n, h, w]`.
    """
    q, k = (rearrange(x, "b length (heads d) -> b heads length d", heads=heads).float() for x in (q, k))
    probabilities = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1).mean(dim=1)
    return rearrange(probabilities @ spans, "b (h w) n -> b n h w", h=height, w=width)


def word_columns(
    phrases: Sequence[Sequence[int]], others: Sequence[Sequence[int]], starts: Sequence[int], context_length: int,
    head_width: int,
) -> Tensor:
    """The values of an attention whose output is the maps: fp32 `[context_length, head_width]`.

    The first columns are the phrases, the next ones the prompt's other words, which share columns where there are more
    of them than a head is wide; the rest is zero.

    Args:
        phrases, others: token positions of each phrase and of each other word.
        starts, context_length: as in `span_matrix`.
        head_width: channels of one head.

    Raises:
        ValueError: more phrases than a head has channels.
    """
    if len(phrases) > head_width:
        raise ValueError(
            f"Auto layout can follow {head_width} subjects on this model but there are {len(phrases)}: take fewer."
        )
    columns = torch.zeros(context_length, head_width)
    columns[:, : len(phrases)] = span_matrix(phrases, starts, context_length)
    words = span_matrix(others, starts, context_length)
    free = head_width - len(phrases)
    for word in range(words.shape[1] if free else 0):
        columns[:, len(phrases) + word % free] += words[:, word]
    return columns * GAIN


def word_maps(q: Tensor, k: Tensor, heads: int, columns: Tensor) -> Tensor:
    """How much each position attends to each column's tokens, averaged over the heads, by one fused attention.

    The columns stand in for the values, so that no probability is ever written down.

    Args:
        q: `[b, h * w, heads * d]`, queries of conditional rows.
        k: `[b, length, heads * d]`, keys of the text.
        columns: `[length, d]` from `word_columns`, in the queries' dtype.

    Returns:
        fp32 `[b, h * w, d]`, `GAIN` times the probabilities.
    """
    q, k = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k))
    seen = F.scaled_dot_product_attention(q, k, columns.expand(*k.shape[:2], -1, -1))
    return seen.mean(dim=1, dtype=torch.float32)
