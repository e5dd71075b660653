"""A prompt as the text encoder sees it: token by token, as it is encoded, and where in it a phrase stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...msd_core.phrases import PromptWords, find_prompt, match_phrases


@dataclass(frozen=True, eq=False)
class Prompt:
    """A tokenised and encoded prompt.

    Attributes:
        pieces: one per token position, all windows of 77 tokens in a row; None for special tokens and embeddings.
        encoding: what the model attends to for each token, `[tokens, C]`.
        window: tokens that are encoded together.
        tokenizer: the CLIP's own, for the phrases.
    """

    pieces: tuple[str | None, ...]
    encoding: Tensor
    window: int
    tokenizer: Any

    @classmethod
    def of(cls, clip: Any, text: str) -> Prompt:
        """Tokenise and encode the prompt as the workflow's own CLIP does, weights and embeddings included."""
        pieces = _pieces(clip.tokenizer, text, False)
        encoding = clip.encode_from_tokens(clip.tokenize(text))[0]
        return cls(pieces, keys_of(encoding, len(pieces)), clip.tokenizer.clip_l.max_length, clip.tokenizer)

    def phrases(self, names: Sequence[str]) -> PromptPhrases:
        """Where in the prompt each of the phrases stands."""
        words = PromptWords.of(self.pieces, [_pieces(self.tokenizer, phrase, True) for phrase in names])
        return PromptPhrases(tuple(names), words, self)

    def spans(self, phrases: Sequence[str]) -> list[tuple[int, ...]]:
        """Token positions of each phrase (see `match_phrases`); empty for one that is not in the prompt."""
        return match_phrases(self.pieces, [_pieces(self.tokenizer, phrase, True) for phrase in phrases])


@dataclass(frozen=True, eq=False)
class PromptPhrases:
    """The subjects' phrases in a prompt.

    Attributes:
        names: the phrases, in the subjects' order.
        words: where they stand, and the prompt's other words.
        prompt: the prompt.
    """

    names: tuple[str, ...]
    words: PromptWords
    prompt: Prompt

    @property
    def spans(self) -> tuple[tuple[int, ...], ...]:
        """Token positions per phrase, empty for an absent one."""
        return self.words.phrases

    @property
    def positions(self) -> tuple[int, ...]:
        """Token positions of all phrases that are in the prompt."""
        return tuple(position for span in self.spans for position in span)

    def starts_in(self, contexts: Tensor) -> list[tuple[int, ...]]:
        """Where the prompt begins in each of the contexts `[rows, length, C]`; empty where it is not in it."""
        if not self.positions:
            return [()] * contexts.shape[0]
        return find_prompt(contexts, self.prompt.encoding, self.positions, self.prompt.window)

    def check_sampled(self, contexts: Sequence[Tensor], who: str) -> None:
        """Refuse conditionings of which none holds the prompt.

        Args:
            contexts: of the positive conditionings, each `[1, length, C]`.
            who: the node that was given the prompt.
        """
        length = len(self.prompt.pieces)
        held = (self.starts_in(keys) for context in contexts for keys in (context, keys_of(context, length)))
        if self.positions and not any(any(starts) for starts in held):
            raise ValueError(
                f"The prompt of {who} has {' and '.join(map(repr, self._present()))} where none of the "
                f"{len(contexts)} positive conditionings has those tokens: give both the same prompt and the same CLIP."
            )

    def _present(self) -> list[str]:
        return [name for name, span in zip(self.names, self.spans, strict=True) if span]


def keys_of(context: Tensor, tokens: int) -> Tensor:
    """The part of a context that makes keys: all of it, or every other row where keys and values alternate (NegPip)."""
    return context[..., ::2, :] if context.shape[-2] == 2 * tokens else context


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
