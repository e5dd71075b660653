"""A judge of the drawn world: what CLIP and DINO are for photographs, for sprites of 160 pixels.

It is no network: a picture's small patches are compared with patches of drawings, the answers are averaged over the
picture, and a linear map, fitted in closed form on drawings alone, says what that means. It has never seen what the
demo's UNet or adapter make, nor identities that are held out.

- `like`, in DINO's place: the traits of the sprites in a picture, so that the cosine of two single sprites comes near
  the share of traits that they have in common (`OVERLAP`), and that of a picture of n sprites and the reference of one
  near `1 / sqrt(n)`.
- `said`, in CLIP's place: which kinds and which scene a picture shows; a caption says the same of its words.

`training/judge.py` makes it. Of a scene without sprites `like` says nothing: those of scenes as subjects are noise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import WEIGHTS_FOLDER
from .scenes import SCENES
from .sprites import ACCESSORIES, COLOURS, KINDS, PATTERNS
from .weights import read_weights
from .world import Identity

JUDGE_FILE = WEIGHTS_FOLDER / "demo_judge.safetensors"
SIDE = 80
PATCH, STRIDE = 8, 3
PATCHES, TONES = 256, 64
THRESHOLDS = (0.3, 0.6)
SHARPNESS = 60.0
FEATURES = 2 * len(THRESHOLDS) * PATCHES + TONES + 1

TRAITS = {"kind": KINDS, "main": tuple(COLOURS), "second": tuple(COLOURS), "pattern": PATTERNS,
          "accessory": ACCESSORIES}
OVERLAP = {"kind": 0.4, "main": 0.3, "second": 0.1, "pattern": 0.1, "accessory": 0.1}
"""What each shared trait counts in the likeness of two sprites."""

WORDS = (*KINDS, *(phrase.split()[2] if scene == "brick" else phrase.split()[-1] for scene, phrase in SCENES.items()))
"""The words that a picture can say: the kinds, and one for each scene."""


def trait_vector(identity: Identity) -> Tensor:
    """An identity as a unit vector whose product with another's is the likeness of the two."""
    parts = [F.one_hot(torch.tensor(names.index(getattr(identity, trait))), len(names)) * OVERLAP[trait] ** 0.5
             for trait, names in TRAITS.items()]
    return torch.cat(parts).float()


def word_vector(caption: str) -> Tensor:
    """A caption as the unit vector of the words that a picture can say; zero without any."""
    words = re.findall(r"[a-z]+", caption.lower())
    return F.normalize(torch.tensor([float(words.count(word)) for word in WORDS]), dim=0)


class Judge(nn.Module):
    """Pictures `[n, 3, 80, 80]` in 0..1 and captions to unit vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("patches", torch.zeros(PATCHES, 3 * PATCH * PATCH))
        self.register_buffer("tones", torch.zeros(TONES, 3))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.register_buffer("to_like", torch.zeros(FEATURES, sum(len(names) for names in TRAITS.values())))
        self.register_buffer("to_said", torch.zeros(FEATURES, len(WORDS)))

    def features(self, pictures: Tensor) -> Tensor:
        """What is seen, averaged over the picture: `[n, FEATURES]`."""
        half = F.avg_pool2d(pictures, 2)
        seen = [self._answers(part) for part in (pictures, half)]
        distances = torch.cdist(half.flatten(2).transpose(1, 2), self.tones.expand(len(half), -1, -1))
        tones = torch.softmax(-SHARPNESS * distances**2, dim=-1).mean(dim=1)
        found = torch.cat([*seen, tones, torch.ones(len(pictures), 1, device=pictures.device)], dim=1)
        return found * self.scale

    def like(self, pictures: Tensor) -> Tensor:
        """Unit vectors of traits."""
        return F.normalize(self.features(pictures) @ self.to_like, dim=-1)

    def said(self, pictures: Tensor) -> Tensor:
        """Unit vectors of words."""
        return F.normalize(self.features(pictures) @ self.to_said, dim=-1)

    def read(self, captions: Sequence[str]) -> Tensor:
        """Unit vectors of words, of captions."""
        return torch.stack([word_vector(caption) for caption in captions]).to(self.to_said)

    def _answers(self, pictures: Tensor) -> Tensor:
        """How much of a picture is like each patch, above each threshold."""
        cut = contrast(F.unfold(pictures, PATCH, stride=STRIDE).transpose(1, 2))
        alike = cut @ self.patches.T
        return torch.cat([(alike - threshold).clamp(min=0).mean(dim=1) for threshold in THRESHOLDS], dim=1)


def contrast(patches: Tensor) -> Tensor:
    """Patches `[..., 192]` without their mean, at unit length; flat ones stay near zero."""
    patches = patches - patches.mean(dim=-1, keepdim=True)
    return patches / (patches.norm(dim=-1, keepdim=True) + 0.3)


def load_judge() -> Judge:
    """The judge that ships, on the CPU in fp32.

    Raises:
        ValueError: its file is missing.
    """
    judge = Judge()
    judge.load_state_dict(read_weights(JUDGE_FILE))
    return judge.eval()
