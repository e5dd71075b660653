"""A prompt as the text encoder sees it: token by token, and where in it a phrase stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...msd_core.phrases import match_phrases


@dataclass(frozen=True)
class Prompt:
    """A tokenised prompt.

    Attributes:
        pieces: one per token position, all windows of 77 tokens in a row; None for special tokens and embeddings.
        tokenizer: the CLIP's own, for the phrases.
    """

    pieces: tuple[str | None, ...]
    tokenizer: Any

    @classmethod
    def of(cls, clip: Any, text: str) -> Prompt:
        """Tokenise the prompt as the workflow's own CLIP does, weights and embeddings included."""
        return cls(_pieces(clip.tokenizer, text, False), clip.tokenizer)

    def spans(self, phrases: Sequence[str]) -> list[tuple[int, ...]]:
        """Token positions of each phrase (see `match_phrases`); empty for one that is not in the prompt."""
        return match_phrases(self.pieces, [_pieces(self.tokenizer, phrase, True) for phrase in phrases])


def _pieces(tokenizer: Any, text: str, plain: bool) -> tuple[str | None, ...]:
    encoder = getattr(tokenizer, "clip_l", None)
    if encoder is None:
        raise ValueError(
            f"The prompt needs a CLIP-L tokenizer, but this CLIP has a {type(tokenizer).__name__}: "
            "use the CLIP output of an SDXL checkpoint."
        )
    special = {encoder.start_token, encoder.end_token, encoder.pad_token}
    windows = encoder.tokenize_with_weights(text, disable_weights=plain)
    return tuple(
        encoder.inv_vocab[token] if isinstance(token, int) and token not in special else None
        for window in windows
        for token, _ in window
    )
