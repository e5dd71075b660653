"""CLIP's tokenizer, and what the subjects need of a pipeline's first text encoder: phrases as it reads them."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..demo.vocabulary import LENGTH
from ..phrases import PromptWords

MERGES = 48894
START, END = "<|startoftext|>", "<|endoftext|>"


def clip_tokenizers() -> tuple[Any, Any]:
    """SDXL's two tokenizers, of transformers' class: CLIP's, of which the second pads with `!`.

    CLIP's vocabulary follows from its list of merges, which open_clip ships.

    Raises:
        ValueError: the open_clip package is missing.
    """
    from transformers import CLIPTokenizer

    merges = _merges()
    pieces = [*_byte_pieces(), *(f"{piece}</w>" for piece in _byte_pieces())]
    pieces += [merge.replace(" ", "") for merge in merges]
    vocabulary = {piece: token for token, piece in enumerate([*pieces, START, END])}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
        (Path(folder) / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), "utf-8")
        first, second = (
            CLIPTokenizer.from_pretrained(folder, model_max_length=LENGTH, pad_token=pad, local_files_only=True)
            for pad in (END, "!")
        )
    return first, second


def _merges() -> list[str]:
    package = find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        raise ValueError(
            "open_clip_torch is not installed but CLIP's vocabulary comes from it: pip install open_clip_torch."
        )
    file = Path(package.submodule_search_locations[0]) / "bpe_simple_vocab_16e6.txt.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [line.rstrip("\n") for line in lines][1 : MERGES + 1]


def _byte_pieces() -> list[str]:
    """The 256 bytes as visible characters: those that are visible as they are, the others from code point 256."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in visible] + [chr(256 + nth) for nth in range(256 - len(visible))]


@torch.no_grad()
def phrase_embeds(pipe: Any, phrases: Sequence[str]) -> Tensor:
    """A pipeline's CLIP-L of some phrases, pooled: `[n, 768]`, final norm at the end token, no projection."""
    tokens = pipe.tokenizer(
        list(phrases), padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
    ).input_ids
    return pipe.text_encoder(tokens.to(pipe._execution_device)).pooler_output


def prompt_words(pipe: Any, prompt: str, phrases: Sequence[str]) -> PromptWords:
    """Where in a prompt each phrase and each other word stands, as a pipeline reads it."""
    tokenizer = pipe.tokenizer
    texts = [pipe.maybe_convert_prompt(text, tokenizer) for text in (prompt, *phrases)]
    special = {tokenizer.bos_token_id, tokenizer.eos_token_id}
    pieces = [
        [None if token in special else tokenizer.convert_ids_to_tokens(token) for token in row]
        for row in tokenizer(texts, max_length=LENGTH, truncation=True).input_ids
    ]
    return PromptWords.of(pieces[0], pieces[1:])
