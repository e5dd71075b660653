"""Subjects in a UNet that torch.compile has compiled.

What is traced once is run again for other subjects, scales and layers: the host's *TorchCompileModel* lets no guard
look at the options that say whose they are. So nothing of ours is traced but two operators, which ask what is going on
when they run. Which layer calls is told by the order of the calls, since a trace may serve several layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.library import custom_op

from .call import AttentionCall, check_rows

if TYPE_CHECKING:
    from .call import ModelCall

HOST_KEY = "torch.compile"
"""Under which the host's *TorchCompileModel* wraps the model's calls."""


class CompiledCall:
    """One call of a compiled UNet.

    Attributes:
        read: whether any text was seen on the way.
    """

    def __init__(self, call: ModelCall, options: Mapping[str, Any]) -> None:
        """
        Args:
            call: the model call, which counts the cross-attentions that have called, traced or not.
            options: the host's `transformer_options` of the call.
        """
        self.call, self.options = call, options
        self.read = False

    def attend(self, out: Tensor, q: Tensor, k: Tensor, heads: int, size: tuple[int, int]) -> None:
        """Add the subjects to the next cross-attention's output, in place."""
        call, order = self.call, self.call.run.patch.order
        if call.acts < len(order):
            layer = order[call.acts]
            call.run.account.reached.add(layer)
            if call.busy:
                check_rows(q, k)
                options = {**self.options, "n_heads": heads, "activations_shape": [q.shape[0], q.shape[2], *size]}
                AttentionCall(call, layer, q, k, options, out).add_subjects()
        call.acts += 1


_NOW: ContextVar[CompiledCall | None] = ContextVar("compiled call", default=None)


@custom_op("msdiffusion::add_subjects", mutates_args=())
def _add_subjects(out: Tensor, q: Tensor, k: Tensor, heads: int, height: int, width: int) -> Tensor:
    added = out.clone()
    now = _NOW.get()
    if now is not None:
        now.attend(added, q, k, heads, (height, width))
    return added.to(q.dtype)


@_add_subjects.register_fake
def _(out: Tensor, q: Tensor, k: Tensor, heads: int, height: int, width: int) -> Tensor:
    return torch.empty_like(out, dtype=q.dtype)


@custom_op("msdiffusion::see_text", mutates_args=())
def see_text(context: Tensor) -> Tensor:
    """The text that the next cross-attention attends to, seen while the trace runs."""
    now = _NOW.get()
    if now is not None:
        now.read = True
        now.call.attends_to(context)
    return context.clone()


@see_text.register_fake
def _(context: Tensor) -> Tensor:
    return torch.empty_like(context)


def add_subjects(out: Tensor, q: Tensor, k: Tensor, options: Mapping[str, Any]) -> Tensor:
    """The slot's way while it is traced: what acts is asked when the trace runs.

    Args:
        out: the output so far, `[rows, h * w, hidden]`.
        options: the host's `extra_options`.
    """
    height, width = options["activations_shape"][-2:]
    return _add_subjects(out, q, k, options["n_heads"], height, width)


def is_compiled(model: Any, options: Mapping[str, Any]) -> bool:
    """Whether a model's UNet is compiled: by the host's node, or by one that has put a compiled module in its place."""
    wrappers = options.get("wrappers", {})
    return any(HOST_KEY in keys for keys in wrappers.values()) or hasattr(model.diffusion_model, "_orig_mod")


def call_compiled(compute: Callable[[], Tensor], call: ModelCall, options: Mapping[str, Any]) -> Tensor:
    """Call a compiled UNet with subjects; where it was traced without them, it is traced anew.

    Args:
        compute: calls it.
        call: the model call.
        options: the host's `transformer_options` of the call.

    Raises:
        ValueError: its cross-attentions don't all call, so that it can't be told which do.
    """
    order = call.run.patch.order
    for again in (False, True):
        call.acts, now = 0, CompiledCall(call, options)
        with _going_on(now):
            result = compute()
        if call.acts == len(order) and (now.read or not call.run.reads_texts):
            return result
        if not again:
            torch.compiler.reset()
    raise ValueError(
        f"The compiled model called {call.acts} cross-attentions but the adapter has {len(order)} layers, so it "
        "can't be told which belongs to which: take off torch.compile, or the patch that leaves parts of the model out."
    )


@contextmanager
def _going_on(now: CompiledCall) -> Iterator[None]:
    token = _NOW.set(now)
    try:
        yield
    finally:
        _NOW.reset(token)
