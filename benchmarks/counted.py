"""(a) Counted: what a step of real-size SDXL costs with subjects, and what an edit of the graph computes.

Through the real nodes, wrappers and slots in a real ComfyUI, on the meta device: every number is exact and the same on
every machine, and says nothing of speed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from .ledger import Ledger
from .plain import ip_adapter, plainly
from .sdxl import META, TEXT_WIDTH, TOKENS, RealSize, boxes, side_by_side
from .timed import DemoGraph

SUBJECTS, SIDES, BATCHES = (1, 2, 4, 8, 16), (512, 1024, 1536, 2048), (1, 2, 4, 8)
STANDARD = {"count": 2, "side": 1024, "batch": 1}
EVALUATIONS = {"steady": 9, "paper": 4}
"""Of a run with auto layout: `steady` keeps its places after eight, `paper` goes on as it began."""


class Counted:
    """Steps of every kind, each beside the same step without subjects."""

    def __init__(self, host: Any, folder: Path | None = None, real: RealSize | None = None) -> None:
        """
        Args:
            host: a ComfyUI with the pack in it, with PyTorch's attention.
            folder: ComfyUI_IPAdapter_plus, or None.
            real: the models to count on, one's own by default.
        """
        self.real, self._folder = real or RealSize(host), folder
        self.clip = host.call("MSDiffusionDemoModels")[1]
        self.base = cache(lambda side, batch: self.real.run(self.real.model, side, batch, 2)[0][-1])

    def kinds(self) -> dict[str, Callable[[int], tuple[Any, int | None]]]:
        """What makes a model with some subjects of each kind, and the bytes that it keeps where no run does."""
        real, inputs = self.real, self._auto_layout_inputs()
        kinds: dict[str, Callable[[int], tuple[Any, int | None]]] = {
            "boxes": lambda count: (real.apply(real.embeds(count)), None),
            "overlapping boxes": lambda count: (real.apply(real.embeds(count, overlapping(count))), None),
            "masks": lambda count: (real.apply(real.embeds(count, masks=discs(count))), None),
        }
        for name, settings in inputs.items():
            kinds[f"auto layout, {name}"] = lambda count, settings=settings: (self._auto(count, settings), None)
        kinds["attribution"] = lambda count: (self._watched(real.embeds(count)), None)
        kinds["attribution, overlapping boxes"] = lambda count: (
            self._watched(real.embeds(count, overlapping(count))), None
        )
        kinds["the method written plainly"] = lambda count: plainly(real, count)
        if self._folder is not None:
            kinds["IPAdapter_plus"] = lambda count: ip_adapter(real, self._folder, count)
        return kinds

    def step(self, kind: str, count: int = 2, side: int = 1024, batch: int = 1) -> list[dict]:
        """What a kind costs: one row, or with auto layout one for its dearest and, if that differs, its last step."""
        print(f"  {kind}: {count} subjects, {side} pixels, batch of {batch}", file=sys.stderr, flush=True)
        model, kept = self.kinds()[kind](count)
        auto = kind.startswith("auto layout")
        evaluations = EVALUATIONS[kind.split(", ")[1]] if auto else 2
        ledgers, _, in_run = self.real.run(model, side, batch, evaluations)
        base, row = self.base(side, batch), {"kind": kind, "subjects": count, "side": side, "batch": batch}
        chosen = {"": ledgers[-1]}
        dearest = max(ledgers[1:], key=lambda ledger: ledger.calls.total())
        if dearest.calls != ledgers[-1].calls:
            chosen = {"dearest step": dearest, "last step": ledgers[-1]}
        return [
            {**row, "step": name, **side_by_side(base, ledger, in_run if kept is None else kept)}
            for name, ledger in chosen.items()
        ]

    def steps(self, only: str = "") -> Iterator[dict]:
        """Every kind with two subjects at 1024 pixels, and then one thing changed at a time.

        Args:
            only: kinds in whose name this stands.
        """
        along_axes = ("boxes", "masks", *(f"auto layout, {name}" for name in self._auto_layout_inputs()), "attribution")
        for kind in filter(lambda kind: only in kind, self.kinds()):
            yield from self.step(kind)
        for kind in filter(lambda kind: only in kind, along_axes):
            for axis, values in (("count", SUBJECTS), ("side", SIDES), ("batch", BATCHES)):
                for value in values:
                    if value != STANDARD[axis]:
                        yield from self.step(kind, **{axis: value})

    def edits(self) -> Iterator[dict]:
        """What each edit of a graph with two subjects computes before the run, in TFLOP and GB of weights.

        How often is counted on the demo set, and how much in the real models' shapes.
        """
        adapter = self.real.adapter.model
        vision = _image_encoder(self.real.host)
        features, phrase = torch.empty(1, 257, 1664, device=META), torch.empty(1, 768, device=META)
        tokens, box = torch.empty(1, TOKENS, TEXT_WIDTH, device=META), torch.empty(1, 4, device=META)
        pixels = torch.empty(1, 3, 224, 224, dtype=torch.float16, device=META)
        parts = {
            "vision": (lambda: vision(pixels, intermediate_output=-2), vision),
            "resampled": (lambda: adapter.image_proj(features, phrase, box), adapter.image_proj),
            "projected": (lambda: adapter.project_joint(tokens, torch.float16), adapter.ms_adapter),
        }
        costs = {}
        for name, (compute, model) in parts.items():
            with torch.no_grad(), Ledger() as ledger:
                compute()
            weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
            costs[name] = ledger.flop / 1e12, weights / 1e9
        for edit, counts in computed(self.real.host).items():
            done = {name: counts[name] for name in parts}
            yield {
                "edit": edit, **done, "tflop": sum(costs[name][0] * number for name, number in done.items()),
                "weights": sum(costs[name][1] for name, number in done.items() if number),
            }

    def _auto(self, count: int, settings: dict) -> Any:
        embeds = self.real.embeds(count)
        return self.real.apply(embeds, auto_layout=self.real.auto_layout(embeds, self.clip, **settings))

    def _watched(self, embeds: Any) -> Any:
        return self.real.watch(self.real.apply(embeds), embeds, self.clip)

    def _auto_layout_inputs(self) -> dict[str, dict]:
        """The settings of each method of auto layout."""
        schema = self.real.host.nodes["MSDiffusionAutoLayout"].GET_SCHEMA()
        methods = next(one.options for one in schema.inputs if one.id == "method")
        return {method: {"method": method} for method in methods}


def computed(host: Any) -> dict[str, Counter[str]]:
    """How often a graph of two subjects, queued again after an edit, sees a photo, resamples and projects."""
    graph, found = DemoGraph(host), {}

    def run(scale: float = 0.6, seed: int = 1, size: int = 20, **edit: Any) -> None:
        graph.sample(graph.apply(graph.embeds(**edit), scale), seed=seed, size=size)

    edits = {
        "everything new": run,
        "a seed": lambda: run(seed=2),
        "a scale, a weight, a label": lambda: run(0.3, weight=0.5, label="a name"),
        "a pass of another size": lambda: run(size=28),
        "one subject's box": lambda: run(box=(0.1, 0.3, 0.5, 0.7)),
        "one subject's phrase": lambda: run(phrase="hat"),
        "one subject's photo": lambda: run(photos=(2, 1)),
    }
    with counting(host) as counts, torch.inference_mode():
        for edit, queue in edits.items():
            counts.clear()
            queue()
            found[edit] = counts.copy()
    return found


@contextmanager
def counting(host: Any) -> Iterator[Counter[str]]:
    """Counts what is computed for subjects."""
    counts: Counter[str] = Counter()
    adapter, encode = host.module("nodes.host.adapter").ManagedAdapter, host.module("nodes.host.encode")
    watched = {
        "vision": (encode, "image_features"), "resampled": (adapter, "resample"), "projected": (adapter, "project"),
    }  # fmt: skip
    originals = {name: getattr(owner, function) for name, (owner, function) in watched.items()}
    for name, (owner, function) in watched.items():

        def once_more(*args: Any, name: str = name) -> Any:
            counts[name] += 1
            return originals[name](*args)

        setattr(owner, function, once_more)
    try:
        yield counts
    finally:
        for name, (owner, function) in watched.items():
            setattr(owner, function, originals[name])


def overlapping(count: int) -> list[tuple[float, float, float, float]]:
    """The same boxes, each reaching into its neighbour."""
    return [(x0, y0, min(x1 + 0.1, 1.0), y1) for x0, y0, x1, y1 in boxes(count)]


def discs(count: int) -> torch.Tensor:
    """Masks of discs in the boxes."""
    rows, columns = torch.meshgrid(*(torch.arange(128) / 128 for _ in range(2)), indexing="ij")
    return torch.stack([
        (((columns - (x0 + x1) / 2) / (x1 - x0)) ** 2 + ((rows - (y0 + y1) / 2) / (y1 - y0)) ** 2 < 0.25).float()
        for x0, y0, x1, y1 in boxes(count)
    ])


def _image_encoder(host: Any) -> Any:
    """CLIP ViT-bigG/14 as the host builds it, on the meta device."""
    import json

    import comfy.clip_model
    import comfy.clip_vision
    import comfy.ops

    config = json.loads((Path(comfy.clip_vision.__file__).parent / "clip_vision_config_g.json").read_text("utf-8"))
    return comfy.clip_model.CLIPVisionModelProjection(config, torch.float16, META, comfy.ops.manual_cast)
