"""(c) Memory: what loading the adapter, encoding and sampling take, and whether 200 re-queues take more."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch

from .timed import DemoGraph

REQUEUES, REPORTED = 200, (1, 50, 100, 150, 200)


def resident() -> float:
    """MB of this process in memory."""
    return psutil.Process().memory_info().rss / 1e6


def tensors() -> float:
    """MB of all tensors that are alive, shared storage counted once."""
    gc.collect()
    found = {}
    for one in gc.get_objects():
        if isinstance(one, torch.Tensor) and one.device.type != "meta":
            storage = one.untyped_storage()
            found[storage._cdata] = storage.nbytes()
    return sum(found.values()) / 1e6


def adapter_load(host: Any) -> Iterator[dict]:
    """Loading an adapter file of the released size in fp16, twice: as read, and what stays when it is dropped."""
    import safetensors.torch

    from tests.samples import released_state

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter.safetensors"
        state = {key: torch.zeros(value.shape, dtype=torch.float16) for key, value in released_state().items()}
        size = sum(value.numel() * value.element_size() for value in state.values()) / 1e6
        safetensors.torch.save_file(state, path)
        del state
        kind = host.module("nodes.host.adapter").ManagedAdapter
        before, held = resident(), tensors()
        adapter = kind.load(str(path), "adapter")
        yield _row("adapter: the file", size, 0.0)
        yield _row("adapter: loaded", tensors() - held, resident() - before)
        del adapter
        yield _row("adapter: dropped again", tensors() - held, resident() - before)


def runs(host: Any) -> Iterator[dict]:
    """The demo set: encoding, one run, and 200 re-queues of each kind, beside what was there before."""
    graph = DemoGraph(host)
    with torch.inference_mode():
        graph.sample(graph.models["model"])
        before, held = resident(), tensors()

        def row(what: str) -> dict:
            return _row(what, tensors() - held, resident() - before)

        embeds = graph.embeds()
        yield row("two subjects: encoded")
        graph.sample(graph.apply(embeds))
        yield row("two subjects: a run")
        model = graph.apply(embeds)
        for turn in range(1, REQUEUES + 1):
            graph.sample(model, seed=turn)
            if turn in REPORTED:
                yield row(f"re-queued with another seed: {turn}")
        for turn in range(1, REQUEUES + 1):
            embeds = graph.embeds(box=(0.0, 0.3, 0.5 - 1e-4 * turn, 0.7))
            graph.sample(graph.apply(embeds))
            if turn in REPORTED:
                yield row(f"re-queued with a moved box: {turn}")
        for turn in range(1, REQUEUES + 1):
            del graph.photos[0]
            embeds = graph.embeds()
            graph.sample(graph.apply(embeds))
            if turn in REPORTED:
                yield row(f"re-queued with another photo: {turn}")


def _row(what: str, held: float, resident_more: float) -> dict:
    return {"what": what, "tensors": held, "resident": resident_more}
