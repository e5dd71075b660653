"""The slot of a cross-attention: one object that several attention packs can share.

The host has one place for each cross-attention's replacement. Packs such as IPAdapter_plus, InstantID and PuLID put an
object there that later ones extend with `.add(callback, **kwargs)`. This slot speaks that protocol and wraps whatever
it finds in its place, so that the order of the nodes does not matter. It knows no subjects: whose act is what rides on
the options that it is called with, so a slot that another pack has kept acts for no other model.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor

from .call import PATCH, AttentionCall, check_rows
from .compiled import add_subjects


class AttentionSlot:
    """Text attention, or what was in the slot before, plus the callbacks of other packs, plus the subjects."""

    def __init__(self, layer: int, inner: Any = None, added: tuple = (), block: Any = None) -> None:
        """
        Args:
            layer: which of the adapter's layers this is.
            inner: the replacement found in the slot, called as the host would call it.
            added: other packs' callbacks and their arguments.
            block: the replacement of the whole block that `inner` was taken from, if it was.
        """
        self.layer = layer
        self.inner = inner
        self.added = added
        self.block = block

    @classmethod
    def around(cls, layer: int, replacements: Mapping[tuple, Any], key: tuple[str, int, int]) -> AttentionSlot:
        """A slot around what the host would call for an attention: its own replacement, or its whole block's."""
        own, block = replacements.get(key), replacements.get(key[:2])
        return cls(layer, take_over(block if own is None else own), block=block if own is None else None)

    @property
    def bare(self) -> bool:
        """Whether it holds nothing of other packs."""
        return self.inner is None and not self.added

    def hides(self, block: Any) -> bool:
        """Whether the replacement of the whole block would act if this slot were not in front of it."""
        return block is not None and block is not self.block and (self.inner is None or self.block is not None)

    def add(self, callback: Callable, **kwargs: Any) -> None:
        """Add another pack's callback: its result is added while sigma is within `sigma_end..sigma_start`."""
        self.added = (*self.added, (callback, kwargs))

    def copy(self) -> AttentionSlot:
        """A slot that can be added to without the original knowing."""
        return AttentionSlot(self.layer, self.inner, self.added, self.block)

    def __deepcopy__(self, memo: dict) -> AttentionSlot:
        return self.copy()

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor:
        """Attention before the output projection: q `[rows, h * w, hidden]`, k and v `[rows, text, hidden]`.

        Raises:
            ValueError: the text has other rows than the queries, or rows that can't be told whose they are.
        """
        compiling = torch.compiler.is_compiling()
        patch = None if compiling else extra_options.get(PATCH)
        call = None
        if patch is not None:
            check_rows(q, k)
            call = patch.call(extra_options, q.shape[0])
        acts = call.acts if call is not None else 0
        # Others may keep what they return, and the subjects are added in place.
        kept = self.inner is not None or "optimized_attention_override" in extra_options
        if self.inner is not None:
            out = self.inner(q, k, v, extra_options)
        else:
            out = optimized_attention(
                q, k, v, extra_options["n_heads"],
                attn_precision=extra_options.get("attn_precision"), transformer_options=extra_options,
            )
        for callback, kwargs in self.added:
            if kwargs.get("sigma_end", 0.0) <= _sigma(call, extra_options) <= kwargs.get("sigma_start", float("inf")):
                out, kept = out + callback(out, q, k, v, extra_options, **kwargs), False
        if compiling:
            return add_subjects(out, q, k, extra_options)
        # A slot that another pack has wrapped in a later place has acted already.
        if call is not None and call.acts == acts:
            call.acts += 1
            call.run.account.reached.add(self.layer)
            if call.busy:
                out = out.clone() if kept else out
                AttentionCall(call, self.layer, q, k, extra_options, out).add_subjects()
        return out.to(q.dtype)

    # The host asks the objects in its slots for these; what was wrapped must still answer.

    def to(self, *args: Any) -> AttentionSlot:
        """Move the wrapped replacement as the host moves its patches."""
        if not hasattr(self.inner, "to"):
            return self
        return AttentionSlot(self.layer, self.inner.to(*args), self.added, self.block)

    def models(self) -> list:
        """The wrapped replacement's models, which the host loads together with the UNet."""
        return self.inner.models() if hasattr(self.inner, "models") else []

    def cleanup(self) -> None:
        """Tell the wrapped replacement that a run has ended."""
        if hasattr(self.inner, "cleanup"):
            self.inner.cleanup()


def uncover_blocks(options: dict[str, Any]) -> dict[str, Any]:
    """Let slots call the replacements of whole blocks that were put behind them, which they would hide from the host.

    Args:
        options: the host's `transformer_options`, left as they are.

    Returns:
        The same where nothing is hidden, else a copy in which slots wrap what they would hide.
    """
    replacements = options.get("patches_replace", {}).get("attn2", {})
    uncovered = {
        key: AttentionSlot(slot.layer, take_over(replacements[key[:2]]), slot.added, replacements[key[:2]])
        for key, slot in replacements.items()
        if isinstance(slot, AttentionSlot) and slot.hides(replacements.get(key[:2]))
    }
    if not uncovered:
        return options
    return {**options, "patches_replace": {**options["patches_replace"], "attn2": {**replacements, **uncovered}}}


def take_over(replacement: Any) -> Any:
    """A copy of what another pack put into the slot, with lists of its own.

    Those packs add to their object in place, also through models upstream; a copy keeps such additions out.
    """
    if not hasattr(replacement, "add"):
        return replacement
    taken = copy.copy(replacement)
    for name, value in vars(taken).items():
        if isinstance(value, list):
            setattr(taken, name, value.copy())
    return taken


def _sigma(call: Any, options: dict) -> float:
    """The noise level, where the host tells it."""
    if call is not None:
        return call.sigma
    return float(options["sigmas"].flatten()[0]) if "sigmas" in options else float("inf")
