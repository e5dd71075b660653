"""Samplers of other packs that MS-Diffusion can't follow, refused by name before they begin."""

from __future__ import annotations

from typing import Any


def refuse_guider(guider: Any) -> None:
    """Refuse a guider whose rows can't be told.

    Raises:
        ValueError: ComfyUI-NAG's, which appends rows to the text that the queries do not have.
    """
    if getattr(guider, "nag_negative_cond", None) is None:
        return
    # It has replaced the UNet's forward by now, and puts it back only after a run that ends well.
    vars(guider.model_patcher.model.diffusion_model).pop("forward", None)
    raise ValueError(
        "ComfyUI-NAG's sampler appends its negative prompt to the text alone, so that the model has more rows of text "
        "than of queries, which MS-Diffusion can't follow: use the host's NAGuidance node, or Normalized Attention "
        "Guidance of sd-perturbed-attention."
    )
