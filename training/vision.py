"""Stage 4: the image encoder learns to see, by naming what makes an identity, before it serves the adapter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from msd_core.demo.config import IMAGE_ENCODER
from msd_core.demo.sprites import ACCESSORIES, COLOURS, KINDS, PATTERNS
from msd_core.demo.world import Identity

from .device import pictures_of
from .references import ReferencePool, normalise, side_by_side
from .trainer import Schedule, Trainer

BATCH = 24
TRAITS = {"kind": KINDS, "main": tuple(COLOURS), "second": tuple(COLOURS), "pattern": PATTERNS,
          "accessory": ACCESSORIES}


def new_image_encoder() -> CLIPVisionModelWithProjection:
    """An untrained encoder of the demo's shape."""
    keys = set(IMAGE_ENCODER) - {"image_mean", "image_std", "model_type"}
    net = CLIPVisionModelWithProjection(CLIPVisionConfig(**{key: IMAGE_ENCODER[key] for key in keys}))
    nn.init.normal_(net.vision_model.embeddings.position_embedding.weight, std=0.3)
    nn.init.xavier_uniform_(net.vision_model.embeddings.patch_embedding.weight.flatten(1))
    return net


def image_features(net: CLIPVisionModelWithProjection, pictures: Tensor) -> Tensor:
    """Penultimate hidden states `[n, 65, width]` of normalised pictures."""
    vision = net.vision_model
    hidden = vision.pre_layrnorm(vision.embeddings(pictures))
    for layer in vision.encoder.layers[:-1]:
        hidden = layer(hidden, attention_mask=None)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    return hidden


class TraitHeads(nn.Module):
    """Names an identity's traits from a vector: a help in training that doesn't ship."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({trait: nn.Linear(width, len(names)) for trait, names in TRAITS.items()})

    def forward(self, vectors: Tensor, identities: list[Identity]) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy over all traits, and the accuracy of each."""
        loss, right = vectors.new_zeros(()), {}
        for trait, names in TRAITS.items():
            truth = torch.tensor([names.index(getattr(identity, trait)) for identity in identities])
            scores = self.heads[trait](vectors)
            loss = loss + F.cross_entropy(scores, truth)
            right[trait] = float((scores.argmax(-1) == truth).float().mean())
        return loss, right


def train_vision(folder: Path, steps: int) -> None:
    """Train, or go on training, to `steps`: alone on white, and as one of two chosen by a one-hot kind."""
    torch.manual_seed(3)
    width = IMAGE_ENCODER["hidden_size"]
    modules = nn.ModuleDict({"vision": new_image_encoder(), "ask": nn.Linear(len(KINDS), width),
                             "key": nn.Linear(width, width), "traits": TraitHeads(width)})
    trainer = Trainer("vision", folder, modules, Schedule(steps, 2e-3))
    pool = ReferencePool(folder)
    accuracy: dict[str, float] = {}

    def loss(step: int, generator: torch.Generator) -> Tensor:
        rng = np.random.default_rng([step, trainer.rank])
        picks = rng.integers(len(pool.identities), size=BATCH)
        identities = [pool.identities[int(i)] for i in picks]
        pictures = []
        for i, identity in zip(picks, identities, strict=True):
            picture = pool.pictures[int(i)]
            if rng.random() < 0.4:
                pair = [picture, pool.other(identity, rng)]
                picture = side_by_side(*(pair if rng.random() < 0.5 else pair[::-1]), rng)
            pictures.append(picture)
        features = image_features(modules["vision"], normalise(pictures_of(np.stack(pictures))))
        kinds = F.one_hot(torch.tensor([KINDS.index(identity.kind) for identity in identities]), len(KINDS)).float()
        scores = (modules["key"](features) * modules["ask"](kinds)[:, None]).sum(-1) * width**-0.5
        value, right = modules["traits"]((scores.softmax(-1)[..., None] * features).sum(1), identities)
        for trait, share in right.items():
            accuracy[trait] = 0.98 * accuracy.get(trait, 0.0) + 0.02 * share
        return value

    trainer.run(loss, lambda: ", ".join(f"{trait} {share:.2f}" for trait, share in accuracy.items()), look_every=45)
