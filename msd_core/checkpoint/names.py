"""What an adapter file's tensors and metadata are called, and how messages tell a name that may be anything."""

from __future__ import annotations

HEAD_DIM_KEY = "msd_head_dim"
HEAD_DIM = 64
SECTIONS = ("image_proj", "ms_adapter")
DUMMY_TOKENS = "dummy_image_tokens"
LATENTS = "grounding_latents"

_LONGEST = 80


def shown(name: object) -> str:
    """A name from a file, in one line and not endless."""
    text = str(name)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
