"""Prompts and phrases for the two kinds of base: SDXL as diffusers loads it, and the demo's tiny encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..demo.vocabulary import END, LENGTH, PADDING_G, START
from ..phrases import match_phrases


class PromptEmbeds(NamedTuple):
    """What SDXL is conditioned on: context `[1, 77, C]` and pooled text `[1, P]` of prompt and negative prompt."""

    context: Tensor
    negative_context: Tensor
    pooled: Tensor
    negative_pooled: Tensor


class TextSide(Protocol):
    """Turns words into what the UNet and the resampler read."""

    def prompt(self, prompt: str, negative: str) -> PromptEmbeds: ...

    def phrases(self, phrases: Sequence[str]) -> Tensor: ...

    def spans(self, prompt: str, phrases: Sequence[str]) -> list[tuple[int, ...]]: ...


def _pieces(ids: Sequence[int], decoder: Mapping[int, str]) -> list[str | None]:
    """CLIP's pieces of a row of tokens, None for what begins, ends and pads it."""
    return [None if token in (START, END, PADDING_G) else decoder[token] for token in ids]


class DiffusersText:
    """The text encoders of a loaded SDXL pipeline."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    @torch.no_grad()
    def prompt(self, prompt: str, negative: str) -> PromptEmbeds:
        """Embeds of a prompt and a negative prompt."""
        context, negative_context, pooled, negative_pooled = self._pipe.encode_prompt(
            prompt, negative_prompt=negative, do_classifier_free_guidance=True
        )
        return PromptEmbeds(context, negative_context, pooled, negative_pooled)

    @torch.no_grad()
    def phrases(self, phrases: Sequence[str]) -> Tensor:
        """CLIP-L's pooled phrases `[n, 768]`: final norm at the end token, no projection."""
        tokens = self._pipe.tokenizer(
            list(phrases), padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
        ).input_ids
        encoder = self._pipe.text_encoder
        return encoder(tokens.to(encoder.device)).pooler_output

    def spans(self, prompt: str, phrases: Sequence[str]) -> list[tuple[int, ...]]:
        """Where in the prompt each phrase stands (see `match_phrases`)."""
        tokenizer = self._pipe.tokenizer
        rows = tokenizer([prompt, *phrases], max_length=LENGTH, truncation=True).input_ids
        decoder = {token: piece for piece, token in tokenizer.get_vocab().items()}
        pieces = [_pieces(row, decoder) for row in rows]
        return match_phrases(pieces[0], pieces[1:])


class DemoText:
    """The demo's text encoders behind CLIP's own tokenizer, as open_clip ships it."""

    def __init__(self, encoder_l: nn.Module, encoder_g: nn.Module) -> None:
        from open_clip.tokenizer import SimpleTokenizer

        self._l, self._g, self._tokenizer = encoder_l, encoder_g, SimpleTokenizer()

    def _tokens(self, texts: Sequence[str], padding: int) -> Tensor:
        rows = []
        for text in texts:
            row = [START, *self._tokenizer.encode(text)[: LENGTH - 2], END]
            rows.append(row + [padding] * (LENGTH - len(row)))
        return torch.tensor(rows)

    @torch.no_grad()
    def prompt(self, prompt: str, negative: str) -> PromptEmbeds:
        """Embeds of a prompt and a negative prompt."""
        texts = (prompt, negative)
        first = self._l.text_model(self._tokens(texts, END), output_hidden_states=True)
        second = self._g.text_model(self._tokens(texts, PADDING_G), output_hidden_states=True)
        context = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        pooled = self._g.text_projection(second.pooler_output)
        return PromptEmbeds(context[:1], context[1:], pooled[:1], pooled[1:])

    @torch.no_grad()
    def phrases(self, phrases: Sequence[str]) -> Tensor:
        """CLIP-L's pooled phrases `[n, 64]`: final norm at the end token, no projection."""
        return self._l.text_model(self._tokens(phrases, END)).pooler_output

    def spans(self, prompt: str, phrases: Sequence[str]) -> list[tuple[int, ...]]:
        """Where in the prompt each phrase stands (see `match_phrases`)."""
        pieces = [_pieces(row, self._tokenizer.decoder) for row in self._tokens([prompt, *phrases], END).tolist()]
        return match_phrases(pieces[0], pieces[1:])
