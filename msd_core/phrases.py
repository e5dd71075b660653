"""Phrases: which tokens of a prompt name each subject (SPEC 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WORD_END = "</w>"


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
