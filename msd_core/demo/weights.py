"""Reading the shipped weights: state dicts under their Hugging Face names, in fp32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from . import config

TOKEN_EMBEDDING = "text_model.embeddings.token_embedding.weight"
TOKEN_IDS = "token_ids"


def read_weights(file: Path) -> dict[str, Tensor]:
    """A weights file as it is stored, its floating-point tensors in fp32.

    Raises:
        ValueError: the file is missing.
    """
    if not file.exists():
        raise ValueError(f"The demo's {file.name} is missing from {file.parent}: install the pack again.")
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in load_file(file).items()}


def read_text_encoder(file: Path) -> dict[str, Tensor]:
    """A text encoder's state dict with the token embedding expanded to all of CLIP's 49408 tokens."""
    state = read_weights(file)
    return with_all_tokens(state, state.pop(TOKEN_IDS))


def with_all_tokens(compact: Mapping[str, Tensor], known: Tensor | Sequence[int]) -> dict[str, Tensor]:
    """A compact text encoder's state dict, its row of each known token and its last row for every other one."""
    rows = compact[TOKEN_EMBEDDING]
    full = rows[-1].repeat(config.TEXT_L["vocab_size"], 1)
    full[known if isinstance(known, Tensor) else list(known)] = rows[:-1]
    return {**compact, TOKEN_EMBEDDING: full}


def total_size() -> int:
    """Bytes of all weights files together."""
    return sum(file.stat().st_size for file in config.WEIGHTS_FOLDER.glob("*.safetensors"))

