"""What subjects cost per attention layer, counted in operations, since a clock says little on a busy machine."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.host.conftest import attention

# Views cost nothing; the rest launches work on a device.
VIEWS = {"view", "_unsafe_view", "expand", "slice", "select", "unsqueeze", "squeeze", "transpose", "permute", "t",
         "detach", "alias", "split", "unbind", "as_strided", "unflatten", "flatten"}


class Counter(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name not in VIEWS:
            self.names.append(name)
        return func(*args, **(kwargs or {}))


def call_ops(host, studio, model, chunks=(1, 0), **options):
    """Operations of one cross-attention in the middle of a run."""
    hidden = studio.demo.adapter.layers.hidden[0]
    q, text = torch.randn(2, 36, hidden), torch.randn(2, 77, hidden)
    attend = attention(host, model, q, chunks, sigmas=torch.tensor([5.0]), **options)
    attend(q, text)
    with Counter() as counter:
        attend(q, text)
    return counter.names


def test_a_layer_costs_one_attention_and_one_sum(host, studio, monkeypatch):
    """With PyTorch's fused attention: the text's, the subjects' and an addition."""
    from comfy.ldm.modules.attention import attention_pytorch

    monkeypatch.setattr(host.module("nodes.host.slot"), "optimized_attention", attention_pytorch)
    monkeypatch.setattr(host.module("nodes.host.attention"), "_attention", attention_pytorch)
    names = call_ops(host, studio, studio.apply())
    fused = [name for name in names if "scaled_dot_product" in name]
    assert len(fused) == 2
    others = [name for name in names if "scaled_dot_product" not in name]
    assert len(others) <= 6, others
    assert "add_" in others


def test_nothing_in_a_layer_asks_the_device_or_builds_a_mask(host, studio):
    names = call_ops(host, studio, studio.apply(start_percent=0.1, end_percent=0.9))
    assert not {"_local_scalar_dense", "item", "nonzero", "arange", "floor", "ceil", "is_nonzero"} & set(names), names


def plain_ops(studio):
    """Operations of the text attention alone."""
    from comfy.ldm.modules.attention import optimized_attention

    hidden = studio.demo.adapter.layers.hidden[0]
    q, text = torch.randn(2, 36, hidden), torch.randn(2, 77, hidden)
    with Counter() as counter:
        optimized_attention(q, text, text, hidden // 32)
    return counter.names


def test_an_unconditional_call_costs_nothing(host, studio):
    assert call_ops(host, studio, studio.apply(), chunks=(1, 1)) == plain_ops(studio)


def test_outside_its_part_of_the_run_the_adapter_costs_nothing(host, studio):
    assert call_ops(host, studio, studio.apply(start_percent=0.99)) == plain_ops(studio)


def test_watching_is_what_costs_and_only_while_it_is_linked(host, studio):
    embeds = studio.encode()
    plain = call_ops(host, studio, studio.apply(embeds))
    watched = host.call("MSDiffusionAttribution", model=studio.apply(embeds), embeds=embeds, clip=studio.demo.clip,
                        prompt="a dog")[0]
    assert len(call_ops(host, studio, watched)) > len(plain)
    assert call_ops(host, studio, studio.apply(embeds)) == plain
