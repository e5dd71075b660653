"""The slot of a cross-attention: one object that several attention packs can share.

The host has one place for each cross-attention's replacement. Packs such as IPAdapter_plus, InstantID and PuLID put an
object there that later ones extend with `.add(callback, **kwargs)`. This slot speaks that protocol and wraps whatever
it finds in its place, so that the order of the nodes does not matter.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from comfy.ldm.modules.attention import optimized_attention
from torch import Tensor

if TYPE_CHECKING:
    from .run import Patch


class AttentionSlot:
    """Text attention, or what was in the slot before, plus the subjects, plus the callbacks of other packs."""

    def __init__(self, patch: Patch, layer: int, inner: Any = None, added: tuple = ()) -> None:
        """
        Args:
            patch: what adds the subjects.
            layer: which of the adapter's layers this is.
            inner: the replacement found in the slot, called as the host would call it.
            added: other packs' callbacks and their arguments.
        """
        self.patch = patch
        self.layer = layer
        self.inner = inner
        self.added = added

    def add(self, callback: Callable, **kwargs: Any) -> None:
        """Add another pack's callback: its result is added while sigma is within `sigma_end..sigma_start`."""
        self.added = (*self.added, (callback, kwargs))

    def copy(self) -> AttentionSlot:
        """A slot that can be added to without the original knowing."""
        return AttentionSlot(self.patch, self.layer, self.inner, self.added)

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor:
        """Attention before the output projection: q `[rows, h * w, hidden]`, k and v `[rows, text, hidden]`."""
        if self.inner is not None:
            # It may keep what it returns, and the subjects are added in place.
            out = self.inner(q, k, v, extra_options).clone()
        else:
            out = optimized_attention(
                q, k, v, extra_options["n_heads"],
                attn_precision=extra_options.get("attn_precision"), transformer_options=extra_options,
            )
            if "optimized_attention_override" in extra_options:
                out = out.clone()
        call = self.patch.call(extra_options, q.shape[0])
        call.add_subjects(self.layer, out, q, k, extra_options)
        for callback, kwargs in self.added:
            if kwargs.get("sigma_end", 0.0) <= call.sigma <= kwargs.get("sigma_start", float("inf")):
                out = out + callback(out, q, k, v, extra_options, **kwargs)
        return out.to(q.dtype)

    # The host asks the objects in its slots for these; what was wrapped must still answer.

    def to(self, *args: Any) -> AttentionSlot:
        """Move the wrapped replacement as the host moves its patches."""
        if not hasattr(self.inner, "to"):
            return self
        return AttentionSlot(self.patch, self.layer, self.inner.to(*args), self.added)

    def models(self) -> list:
        """The wrapped replacement's models, which the host loads together with the UNet."""
        return self.inner.models() if hasattr(self.inner, "models") else []

    def cleanup(self) -> None:
        """Tell the wrapped replacement that a run has ended."""
        if hasattr(self.inner, "cleanup"):
            self.inner.cleanup()


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
