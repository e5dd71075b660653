"""A diffusers UNet's cross-attentions: which they are, and how the subjects get into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..adapter import LayerTable
from ..auto_layout import layers_read
from .run import SubjectRun


def cross_attentions(unet: nn.Module) -> list[nn.Module]:
    """A UNet's cross-attentions in the adapter's order: down blocks, up blocks, mid block."""
    unet = getattr(unet, "_orig_mod", unet)  # torch.compile wraps it
    return [unet.get_submodule(name) for name in _names(unet)]


def layers_to_read(unet: nn.Module) -> tuple[int, ...]:
    """Which cross-attentions auto layout reads (see `layers_read`)."""
    unet = getattr(unet, "_orig_mod", unet)
    names = _names(unet)
    return layers_read(
        [name.split("_")[0] for name in names], [name.rsplit(".transformer_blocks", 1)[0] for name in names],
        layers_of(unet).hidden,
    )


def _names(unet: nn.Module) -> list[str]:
    """The cross-attentions' names in the adapter's order."""
    names = [name for name, _ in unet.named_modules() if name.endswith(".attn2")]
    return [name for block in ("down_blocks", "up_blocks", "mid_block") for name in names if name.startswith(block)]


def layers_of(unet: nn.Module) -> LayerTable:
    """A UNet's cross-attentions as a table to compare with an adapter's."""
    found = cross_attentions(unet)
    return LayerTable(tuple(a.to_q.out_features for a in found), found[0].to_k.in_features if found else 0)


def check_layers(found: LayerTable, wanted: LayerTable, name: str = "The base model") -> None:
    """Make sure that an adapter was trained for a UNet of this shape.

    Raises:
        ValueError: names both layouts.
    """
    if found != wanted:
        raise ValueError(f"{name} has {found} but the adapter was made for {wanted}: use an SDXL base.")


class CrossAttentionHooks:
    """The way into one cross-attention: keeps its queries and keys, and adds to its output before the projection.

    Whatever computes the attention stays what it is: the pipeline's own processor, a sliced one, an IP-Adapter's.
    """

    def __init__(self, module: nn.Module, add: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        """
        Args:
            module: diffusers' attention.
            add: takes the attention's output `[rows, positions, hidden]`, its queries and its keys; gives the output
                with what is added.
        """
        self._with_subjects = add
        self._query: Tensor | None = None
        self._key: Tensor | None = None
        self.handles = [
            module.to_q.register_forward_hook(self._keep_query),
            module.to_k.register_forward_hook(self._keep_key),
            module.to_out[0].register_forward_pre_hook(self._add),
        ]

    def _keep_query(self, _: nn.Module, __: tuple, query: Tensor) -> None:
        self._query = query

    def _keep_key(self, _: nn.Module, __: tuple, key: Tensor) -> None:
        self._key = key

    def _add(self, _: nn.Module, inputs: tuple) -> tuple | None:
        query, key, self._query, self._key = self._query, self._key, None, None
        if query is None or key is None:
            return None
        return self._with_subjects(inputs[0], query, key), *inputs[1:]


@contextmanager
def subjects_in(pipe: Any, run: SubjectRun) -> Iterator[None]:
    """The subjects act in a pipeline's UNet inside the `with` block, and leave no trace behind it.

    Raises:
        ValueError: the subjects reach only a part of the cross-attentions.
    """
    attentions = cross_attentions(pipe.unet)
    reached: set[int] = set()

    def begin(_: nn.Module, inputs: tuple) -> None:
        sample, timestep, *_ = inputs
        run.begin(sample, timestep, pipe.do_classifier_free_guidance)

    def check(_: nn.Module, __: tuple, ___: Any) -> None:
        if len(reached) < len(attentions):
            raise ValueError(
                f"The subjects reached {len(reached)} of the base model's {len(attentions)} cross-attentions, so "
                "something takes another way through the others: undo torch.compile and fuse_qkv_projections."
            )
        whole.remove()

    def adding(layer: int, heads: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        def add(out: Tensor, query: Tensor, key: Tensor) -> Tensor:
            reached.add(layer)
            return run.add(out, query, key, layer, heads)

        return add

    whole = pipe.unet.register_forward_hook(check)
    handles = [whole, pipe.unet.register_forward_pre_hook(begin)]
    for layer, module in enumerate(attentions):
        handles += CrossAttentionHooks(module, adding(layer, module.heads)).handles
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
