"""The two tiny text encoders over the world's compact vocabulary, and captions of varying detail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from msd_core.demo.config import TEXT_G, TEXT_L
from msd_core.demo.vocabulary import END, OTHER_ROW, PADDING_G, ROWS, START, WORD_TOKENS, caption_rows
from msd_core.demo.world import Identity, caption

TOPICS = sorted(set(WORD_TOKENS) - {"a", "an", "and", "at", "by", "in", "on", "the", "with"})


def new_text_encoder(config: dict, padding: int) -> CLIPTextModelWithProjection:
    """An untrained encoder with one embedding row per known token and one for all others."""
    compact = {"vocab_size": OTHER_ROW + 1, "bos_token_id": ROWS[START], "eos_token_id": ROWS[END],
               "pad_token_id": ROWS[padding]}
    net = CLIPTextModelWithProjection(CLIPTextConfig(**{**config, **compact}))
    nn.init.normal_(net.text_model.embeddings.token_embedding.weight, std=0.5)
    nn.init.normal_(net.text_model.embeddings.position_embedding.weight, std=0.1)
    return net


class TextEncoders(nn.Module):
    """SDXL's pair: captions to context tokens, pooled text, and CLIP-L's pooled phrase."""

    def __init__(self) -> None:
        super().__init__()
        self.l = new_text_encoder(TEXT_L, END)
        self.g = new_text_encoder(TEXT_G, PADDING_G)
        self.topics_l = nn.Linear(TEXT_L["hidden_size"], len(TOPICS))
        self.topics_g = nn.Linear(TEXT_G["projection_dim"], len(TOPICS))

    def forward(self, captions: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Context `[B, 77, C]`, pooled G `[B, G]`, and the loss of naming the caption's words from both pools."""
        rows_l, rows_g = (torch.tensor([caption_rows(c, padding) for c in captions]) for padding in (END, PADDING_G))
        first = self.l.text_model(rows_l, output_hidden_states=True)
        second = self.g.text_model(rows_g, output_hidden_states=True)
        pooled = self.g.text_projection(second.pooler_output)
        named = torch.tensor([[float(t in c.split()) for t in TOPICS] for c in captions])
        naming = (F.binary_cross_entropy_with_logits(self.topics_l(first.pooler_output), named)
                  + F.binary_cross_entropy_with_logits(self.topics_g(pooled), named))
        return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], -1), pooled, naming

    def phrase(self, phrases: Sequence[str]) -> Tensor:
        """CLIP-L's pooled phrase `[n, L]`: final norm at the end token, no projection."""
        return self.l.text_model(torch.tensor([caption_rows(p, END) for p in phrases])).pooler_output


def describe(identity: Identity, rng: np.random.Generator) -> str:
    """A subject's phrase, from its bare kind to all that can be said of it."""
    draw = rng.random()
    if draw < 0.35:
        return identity.kind
    if draw < 0.75:
        return identity.describe()
    words = []
    if rng.random() < 0.6:
        words.append(identity.main)
    if rng.random() < 0.5:
        words.append(identity.pattern)
    if rng.random() < 0.2:
        words.append("lovely")
    words.append(identity.kind)
    if identity.accessory != "none" and rng.random() < 0.5:
        words += ["with", "a", identity.accessory]
    return " ".join(words)


def random_caption(scene: str, identities: Sequence[Identity], rng: np.random.Generator) -> str:
    """A caption of a scene, subjects in any order and detail."""
    return caption(scene, [describe(identities[i], rng) for i in rng.permutation(len(identities))])
