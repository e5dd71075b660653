"""The grounding resampler: image features, a phrase and a box become a subject's tokens (paper 3.4, SPEC 3)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


def fourier_features(boxes: Tensor, frequencies: int) -> Tensor:
    """Embed boxes `[n, 4]` as `[n, 8 * frequencies]` in fp32.

    Frequency k is `100 ** (k / frequencies)`, without 2 pi; for each the four sines stand before the four cosines.
    """
    exponents = torch.arange(frequencies, dtype=torch.float32, device=boxes.device) / frequencies
    angles = boxes.float()[:, None, :] * (100.0**exponents)[None, :, None]
    return rearrange(torch.stack([angles.sin(), angles.cos()], dim=2), "n f trig edge -> n (f trig edge)")


class GroundedAttention(nn.Module):
    """The subject's queries attend to its image features and to themselves."""

    def __init__(self, dim: int, inner_dim: int, head_dim: int, operations: Any) -> None:
        super().__init__()
        self.heads = inner_dim // head_dim
        self.norm1 = operations.LayerNorm(dim)
        self.norm2 = operations.LayerNorm(dim)
        self.to_q = operations.Linear(dim, inner_dim, bias=False)
        self.to_kv = operations.Linear(dim, inner_dim * 2, bias=False)
        self.to_out = operations.Linear(inner_dim, dim, bias=False)

    def forward(self, features: Tensor, queries: Tensor) -> Tensor:
        features, queries = self.norm1(features), self.norm2(queries)
        q = self.to_q(queries)
        k, v = self.to_kv(torch.cat([features, queries], dim=1)).chunk(2, dim=-1)
        q, k, v = (rearrange(x, "n length (heads d) -> n heads length d", heads=self.heads) for x in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v)
        return self.to_out(rearrange(out, "n heads length d -> n length (heads d)"))


class Resampler(nn.Module):
    """Turns each subject's image features into `tokens` context tokens, started from its phrase and its box.

    All sizes come from the checkpoint's shapes; module names are its keys.
    """

    def __init__(self, state: dict[str, Tensor], head_dim: int = 64, operations: Any = nn) -> None:
        """
        Args:
            state: the checkpoint's `image_proj` tensors, of which only shapes are read (`meta` tensors will do).
            head_dim: width of an attention head, the one size that shapes don't tell.
            operations: namespace that supplies `Linear` and `LayerNorm`.
        """
        super().__init__()
        _, self.tokens, dim = state["grounding_latents"].shape
        self.feature_width = state["proj_in.weight"].shape[1]
        self.grounding_width = state["latent_proj.0.weight"].shape[1]
        self.out_width = state["proj_out.weight"].shape[0]

        hidden = state["latent_proj.0.weight"].shape[0]
        self.grounding_latents = nn.Parameter(torch.empty(1, self.tokens, dim), requires_grad=False)
        self.latent_proj = nn.Sequential(
            operations.Linear(self.grounding_width, hidden), nn.GELU(), operations.Linear(hidden, self.tokens * dim)
        )
        self.latent_norm = operations.LayerNorm(dim)

        self.proj_in = operations.Linear(self.feature_width, dim)
        self.layers = nn.ModuleList()
        while f"layers.{len(self.layers)}.0.to_q.weight" in state:
            prefix = f"layers.{len(self.layers)}"
            feed_forward = state[f"{prefix}.1.1.weight"].shape[0]
            self.layers.append(nn.ModuleList([
                GroundedAttention(dim, state[f"{prefix}.0.to_q.weight"].shape[0], head_dim, operations),
                nn.Sequential(
                    operations.LayerNorm(dim),
                    operations.Linear(dim, feed_forward, bias=False),
                    nn.GELU(),
                    operations.Linear(feed_forward, dim, bias=False),
                ),
            ]))
        self.attention_norm = operations.LayerNorm(dim)
        self.proj_out = operations.Linear(dim, self.out_width)
        self.norm_out = operations.LayerNorm(self.out_width)

    def frequencies(self, phrase_width: int) -> int:
        """How many Fourier frequencies the boxes get beside phrase embeddings of this width.

        Raises:
            ValueError: the phrase embedding does not fit into the adapter's first layer.
        """
        rest = self.grounding_width - phrase_width
        if rest <= 0 or rest % 8:
            raise ValueError(
                f"The phrase embeddings are {phrase_width} wide but this adapter takes {self.grounding_width - 64}: "
                "use the text encoders of an SDXL checkpoint, whose CLIP-L is meant."
            )
        return rest // 8

    def queries(self, phrases: Tensor, boxes: Tensor) -> Tensor:
        """Initial queries `[n, tokens, dim]` from phrase embeddings `[n, p]` and boxes `[n, 4]`."""
        fourier = fourier_features(boxes, self.frequencies(phrases.shape[-1]))
        queries = self.latent_proj(torch.cat([phrases, fourier.to(phrases)], dim=-1))
        return self.latent_norm(rearrange(queries, "n (tokens dim) -> n tokens dim", tokens=self.tokens))

    def forward(self, features: Tensor, phrases: Tensor, boxes: Tensor, grounding: Tensor | bool = True) -> Tensor:
        """Resample features into tokens; subjects never see each other here.

        Args:
            features: `[n, patches, feature_width]`, the image encoder's penultimate hidden states.
            phrases: `[n, p]`, pooled CLIP-L embeddings of the phrases.
            boxes: `[n, 4]` as x0, y0, x1, y1 in 0..1.
            grounding: whether phrase and box start the queries, or the stored latents do (without LayerNorm);
                one bool for all, or bool `[n]`.

        Returns:
            `[n, tokens, out_width]`.
        """
        latents = self.grounding_latents.to(features).expand(features.shape[0], -1, -1)
        if isinstance(grounding, Tensor):
            queries = torch.where(grounding[:, None, None], self.queries(phrases, boxes), latents)
        else:
            queries = self.queries(phrases, boxes) if grounding else latents
        features = self.proj_in(features)
        for attention, feed_forward in self.layers:
            queries = attention(features, queries) + queries
            queries = feed_forward(queries) + queries
        return self.norm_out(self.proj_out(self.attention_norm(queries)))
