"""Counting what PyTorch does: operator calls, floating-point operations, bytes read and written, waits for the device.

On the meta device this needs neither a GPU nor memory: operators work out shapes and compute nothing. What asks the
device for a value gets a stand-in, and is written down as a wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

# Views cost nothing; the rest launches work on a device.
VIEWS = {
    "view", "_unsafe_view", "_reshape_alias", "expand", "slice", "select", "unsqueeze", "squeeze", "transpose",
    "permute", "t", "detach", "alias", "split", "split_with_sizes", "unbind", "as_strided", "unflatten", "flatten",
    "chunk", "narrow", "lift_fresh",
}  # fmt: skip
ATTENTION = "scaled_dot_product_attention"


class Ledger(TorchDispatchMode):
    """Written down while it is entered, of what happens on one kind of device.

    Attributes:
        calls: operators by name, views left out; PyTorch's attention is one, as its fused kernels are.
        bytes: read and written, with every operand from memory and every result to memory.
        flop: floating-point operations of matrix products, convolutions and attention; a multiply-add is two.
        waits: what makes the CPU wait for the device, by name: values read, copies between devices, and lengths that
            only the device knows.
        level: what a noise level is said to be that is read on the meta device.
    """

    def __init__(self, device: str = "meta", level: float = 1.0) -> None:
        super().__init__()
        self.device, self.level = device, level
        self.calls: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.bytes = self.flop = 0
        self._attention = _FusedAttention(self)
        self._silent = False

    def __enter__(self) -> Ledger:
        super().__enter__()
        self._attention.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._attention.__exit__(*raised)
        super().__exit__(*raised)

    def note(self, name: str, given: Any, made: Any, flop: int = 0) -> None:
        if self._silent:
            return
        self.calls[name] += 1
        self.bytes += sum(one.numel() * one.element_size() for one in _tensors((given, made)))
        self.flop += flop

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        devices = {one.device.type for one in _tensors((args, kwargs))}
        stand_in = self._stand_in(name, args, kwargs) if self.device == "meta" and "meta" in devices else None
        if stand_in is not None:
            return stand_in[0]
        made = func(*args, **kwargs)
        devices |= {one.device.type for one in _tensors(made)}
        if name in VIEWS or self.device not in devices:
            return made
        if name in ("_to_copy", "copy_") and len(devices) > 1:
            self._wait("copy between devices")
        if self.device != "meta" and name in ("_local_scalar_dense", "nonzero", "equal"):
            self._wait(name)
        count = flop_registry.get(func.overloadpacket)
        self.note(name, (args, kwargs), made, count(*args, **kwargs, out_val=made) if count else 0)
        return made

    def _stand_in(self, name: str, args: tuple, kwargs: dict) -> tuple[Any] | None:
        """What an operator would give that needs values, which the meta device has none of."""
        first = args[0]
        if name == "_local_scalar_dense":
            self._wait(name)
            return (self.level if first.is_floating_point() else first.dtype == torch.bool or 1,)
        if name == "equal":
            self._wait(name)
            return (first.shape == args[1].shape,)
        if name == "_to_copy" and torch.device(kwargs.get("device") or "meta").type == "cpu":
            self._wait("copy between devices")
            return (torch.ones(first.shape, dtype=kwargs.get("dtype") or first.dtype),)
        if name in ("repeat_interleave", "nonzero") and kwargs.get("output_size") is None:
            raise RuntimeError(f"{name} waits for the device to tell how long the result is.")
        return None

    def _wait(self, name: str) -> None:
        if not self._silent:
            self.waits[name] += 1


class _FusedAttention(TorchFunctionMode):
    """PyTorch's attention as the one kernel that it is on a GPU; on the meta device it would be taken apart."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs, ledger = kwargs or {}, self._ledger
        if func is not torch.nn.functional.scaled_dot_product_attention or args[0].device.type != ledger.device:
            return func(*args, **kwargs)
        q, k, v = args[:3]
        rows, heads, length, width = q.shape
        ledger._silent, silent = True, ledger._silent
        if ledger.device == "meta":
            made = q.new_empty(rows, length, heads, v.shape[-1]).transpose(1, 2)
        else:
            made = func(*args, **kwargs)
        ledger._silent = silent
        mask = kwargs.get("attn_mask", args[3] if len(args) > 3 else None)
        ledger.note(ATTENTION, (q, k, v, mask), made, 2 * rows * heads * length * k.shape[-2] * (width + v.shape[-1]))
        return made


def _tensors(tree: Any) -> Iterator[Tensor]:
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (list, tuple)):
        for one in tree:
            yield from _tensors(one)
    elif isinstance(tree, dict):
        yield from _tensors(list(tree.values()))
