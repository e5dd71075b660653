"""The paper's four metrics (section 4.1), as functions of embeddings.

With `f` an image encoder, `x` a picture and `r_1 ... r_n` its subjects' reference pictures:

- CLIP-I: `1/n sum_j cos(f(x), f(r_j))`, f CLIP's image encoder.
- DINO: the same, f DINO ViT-S/16 (Caron et al., 2021). Both as in DreamBooth (Ruiz et al., 2023, section 4), where a
  subject with several photos counts as the mean over its photos.
- M-DINO: `prod_j cos(f(x), f(r_j))`, f DINO: one subject that is missing pulls it down, whatever the others do.
- CLIP-T: `cos(f(x), g(prompt))`, g CLIP's text encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Cosines of all pairs, `[n, m]` fp32, of vectors `[n, d]` and `[m, d]`. A zero vector has cosine 0."""
    a, b = (x.float() / x.float().norm(dim=-1, keepdim=True).clamp(min=1e-12) for x in (a, b))
    return (a @ b.to(a.device).T).clamp(-1, 1)


def subject_similarities(pictures: Tensor, references: Sequence[Tensor]) -> Tensor:
    """How near each picture is to each subject.

    Args:
        pictures: embeddings `[b, d]`.
        references: one `[photos, d]` for each subject; a subject with several photos counts as their mean cosine.

    Returns:
        `[b, n]` fp32.

    Raises:
        ValueError: there is no subject, or one without a photo.
    """
    if not references or any(len(photos) == 0 for photos in references):
        counts = [len(photos) for photos in references]
        raise ValueError(f"The subjects have {counts} photos but each needs one or more: give a photo of each subject.")
    return torch.stack([cosines(pictures, photos).mean(dim=1) for photos in references], dim=1)


def mean_fidelity(similarities: Tensor) -> Tensor:
    """CLIP-I and DINO of each picture: the mean over subjects, `[b]` of `[b, n]`."""
    return similarities.mean(dim=1)


def joint_fidelity(similarities: Tensor) -> Tensor:
    """M-DINO of each picture: the product over subjects, `[b]` of `[b, n]`."""
    return similarities.prod(dim=1)


def text_fidelity(pictures: Tensor, prompts: Tensor) -> Tensor:
    """CLIP-T of each picture: its cosine with its own prompt, `[b]` of `[b, d]` and `[b, d]` or `[1, d]`."""
    pictures, prompts = torch.broadcast_tensors(pictures.float(), prompts.to(pictures.device).float())
    return torch.nn.functional.cosine_similarity(pictures, prompts, dim=-1, eps=1e-12)
