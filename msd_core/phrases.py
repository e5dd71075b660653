"""Phrases: which tokens of a prompt name each subject (SPEC 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

WORD_END = "</w>"

# Between one token encoded in two precisions the distance is below 0.01, between two tokens it is above 0.7.
SAME_TOKEN = 0.3


class Word(NamedTuple):
    """A word of a prompt and the token positions that spell it."""

    text: str
    positions: tuple[int, ...]

    @property
    def is_punctuation(self) -> bool:
        return not any(character.isalnum() for character in self.text)


def words_of(pieces: Sequence[str | None]) -> list[Word]:
    """Join a CLIP tokenizer's pieces to words.

    Args:
        pieces: one per token position; a piece that ends a word ends in `</w>`, special tokens and textual-inversion
            embeddings are None. Several windows of 77 tokens follow one another.
    """
    words: list[Word] = []
    text, positions = "", []
    for position, piece in enumerate(pieces):
        if piece is None:
            continue
        text += piece.removesuffix(WORD_END).lower()
        positions.append(position)
        if piece.endswith(WORD_END):
            words.append(Word(text, tuple(positions)))
            text, positions = "", []
    if positions:
        words.append(Word(text, tuple(positions)))
    return words


class PromptWords(NamedTuple):
    """The words of a prompt as auto layout reads them, in token positions.

    Attributes:
        phrases: each subject's phrase, empty for an absent one.
        others: each other word.
    """

    phrases: tuple[tuple[int, ...], ...]
    others: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, prompt: Sequence[str | None], phrases: Sequence[Sequence[str | None]]) -> PromptWords:
        """Find phrases and tell the other words apart (see `match_phrases`); punctuation is none."""
        spans = match_phrases(prompt, phrases)
        named = {position for span in spans for position in span}
        others = (word.positions for word in words_of(prompt) if not word.is_punctuation)
        return cls(tuple(spans), tuple(positions for positions in others if named.isdisjoint(positions)))


def match_phrases(prompt: Sequence[str | None], phrases: Sequence[Sequence[str | None]]) -> list[tuple[int, ...]]:
    """Find each phrase in the prompt.

    A phrase matches as consecutive whole words, whatever their case; punctuation at its ends is ignored, punctuation
    between words is not. The k-th use of the same phrase takes its k-th occurrence.

    Args:
        prompt: the prompt's pieces, as the text encoder sees them (see `words_of`).
        phrases: the pieces of each subject's phrase, in the subjects' order.

    Returns:
        For each phrase the token positions of its occurrence, empty if the prompt has none left.
    """
    words = words_of(prompt)
    uses: dict[tuple[str, ...], int] = {}
    spans = []
    for pieces in phrases:
        phrase = _bare_words(words_of(pieces))
        use = uses.get(phrase, 0)
        uses[phrase] = use + 1
        occurrences = _occurrences(words, phrase)
        spans.append(occurrences[use] if use < len(occurrences) else ())
    return spans


def _bare_words(words: list[Word]) -> tuple[str, ...]:
    while words and words[0].is_punctuation:
        words = words[1:]
    while words and words[-1].is_punctuation:
        words = words[:-1]
    return tuple(word.text for word in words)


def _occurrences(words: list[Word], phrase: tuple[str, ...]) -> list[tuple[int, ...]]:
    found = []
    start = 0
    while phrase and start + len(phrase) <= len(words):
        window = words[start : start + len(phrase)]
        if tuple(word.text for word in window) == phrase:
            found.append(tuple(position for word in window for position in word.positions))
            start += len(phrase)
        else:
            start += 1
    return found


def find_prompt(
    contexts: Tensor, encoding: Tensor, positions: Sequence[int], window: int, tolerance: float = SAME_TOKEN
) -> list[tuple[int, ...]]:
    """Find a prompt in the contexts that a model attends to: its tokens are compared where its phrases stand.

    A text encoder lets a token see only what stands before it, so tokens that agree at the phrases' positions mean the
    same prompt up to there. A context may hold the prompt several times (a host repeats it to fit a batch), or beside
    another one (joined conditionings), and may be scaled as a whole.

    Args:
        contexts: `[rows, length, C]`.
        encoding: the prompt as its text encoder makes it, `[prompt length, C]`.
        positions: token positions of the phrases in the prompt, at least one.
        window: tokens that are encoded together; a prompt begins at a multiple of it.
        tolerance: largest distance of two tokens that count as one, as a share of how much the prompt's tokens differ
            among themselves: 0 for the same token, about 1 for another.

    Returns:
        For each row, the positions at which the prompt begins; empty where it is not in the row.
    """
    rows, length, _ = contexts.shape
    starts = range(0, length - encoding.shape[0] + 1, window)
    if not starts:
        return [()] * rows
    at = torch.tensor([[start + position for position in positions] for start in starts], device=contexts.device)
    encoding = encoding.to(contexts.device, torch.float32)
    spread = (encoding - encoding.mean(dim=0)).norm(dim=-1).mean()
    expected, found = encoding[list(positions)], contexts[:, at].float()
    scale = (found * expected).sum(dim=(-2, -1)) / (found * found).sum(dim=(-2, -1)).clamp(min=1e-12)
    distance = (found * scale[..., None, None] - expected).norm(dim=-1).amax(dim=-1) / spread
    near = (distance < tolerance).tolist()
    return [tuple(start for start, found in zip(starts, row, strict=True) if found) for row in near]
