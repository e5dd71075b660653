"""(b) Timed: layers, steps and edits, each way beside the others, in turn and again, so that a busy machine slows all.

Where there is a GPU, layers and steps are SDXL's real ones with random weights, in fp16 and bf16, steps also compiled.
Without one, layers have the real shapes on the CPU, and steps are the demo set's. Edits are the demo set's everywhere.
Seconds are this machine's; of the demo set only ratios mean something.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from .plain import PlainAttention
from .sdxl import TEXT, TEXT_WIDTH, TOKENS, RealSize, boxes

LAYERS = ((64, 640, 10), (32, 1280, 60))
"""SDXL's cross-attentions at 1024 pixels: cells per side, width, how many."""
EDGES = ("x0", "y0", "x1", "y1")
DOG, CAT = (0.0, 0.3, 0.5, 0.7), (0.5, 0.3, 1.0, 0.7)


def interleaved(ways: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, dict]:
    """Seconds of each way: the median, and the middle half of the rounds. The first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            _wait(device)
            began = time.perf_counter()
            way()
            _wait(device)
            seconds[name].append(time.perf_counter() - began)
    found = {}
    for name, measured in seconds.items():
        low, middle, high = statistics.quantiles(measured[1:], n=4)
        found[name] = {"median": middle, "low": low, "high": high, "rounds": rounds}
    return found


def layers(host: Any, device: torch.device, dtype: torch.dtype, rounds: int) -> dict[str, dict]:
    """The time of all cross-attentions of one step with guidance: text alone, with two subjects, plainly written.

    Through the slots that the nodes make, called as the host calls them.
    """
    real = RealSize(host, dtype)
    embeds, width = real.embeds(2), sum(real.adapter.layers.hidden)
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int, size: float = 1.0) -> Tensor:
        return (torch.randn(*shape, generator=generator) * size).to(device, dtype)

    keys_and_values = drawn(1, TOKENS, 2 * width).cpu()
    real.adapter.project = lambda tokens, dtype: keys_and_values
    model = real.apply(embeds)
    slots = model.model_options["transformer_options"]["patches_replace"]["attn2"]
    totals: dict[str, list[dict]] = {}
    for side, hidden, count in LAYERS:
        slot = next(one for one in slots.values() if real.adapter.layers.hidden[one.layer] == hidden)
        q, k = drawn(2, side * side, hidden), drawn(2, TEXT, hidden)
        options = _options(real, model, q, side)
        bare = {key: value for key, value in options.items() if not key.startswith("msdiffusion")}
        weights = SimpleNamespace(**{
            name: torch.nn.Linear(TEXT_WIDTH, hidden, bias=False, device=device, dtype=dtype).requires_grad_(False)
            for name in ("to_k_ip", "to_v_ip")
        })
        plain = PlainAttention(weights, drawn(2 * TOKENS + 4, TEXT_WIDTH), boxes(2), 0.6)
        ways = {
            "text alone": lambda slot=slot, q=q, k=k, bare=bare: slot(q, k, k, bare),
            "two subjects": lambda slot=slot, q=q, k=k, options=options: slot(q, k, k, options),
            "plainly written": lambda plain=plain, q=q, k=k, options=options: plain(q, k, k, options),
        }
        with torch.inference_mode():
            for name, found in interleaved(ways, rounds, device).items():
                totals.setdefault(name, []).append({key: found[key] * count for key in ("median", "low", "high")})
    return {
        name: {key: sum(part[key] for part in parts) for key in ("median", "low", "high")} | {"rounds": rounds}
        for name, parts in totals.items()
    }


def _options(real: RealSize, model: Any, q: Tensor, side: int) -> dict[str, Any]:
    """What the host hands to a slot in the middle of a run."""
    run, call = real.host.module("nodes.host.run"), real.host.module("nodes.host.call")
    patch = model.model_options["transformer_options"][call.PATCH]
    conds = {"positive": [{"uuid": 0}], "negative": [{"uuid": 1}]}
    this_run = run.SamplingRun(
        patch, patch.application.model_sampling, SimpleNamespace(conds=conds), (1, side, side), dtype=q.dtype
    )
    evaluation = call.Evaluation(this_run, list(conds.values()), torch.zeros(1, 4, side, side, device=q.device))
    options = {
        "n_heads": q.shape[-1] // 64, "activations_shape": [2, q.shape[-1], side, side], "cond_or_uncond": [0, 1],
        "uuids": [0, 1], "sigmas": torch.tensor([5.0]), call.PATCH: patch,
    }
    return options | {call.CALL: call.ModelCall(evaluation, options, 2)}


class DemoGraph:
    """Two drawn subjects on the demo models, as a graph is queued: nodes whose inputs are as before are not run."""

    def __init__(self, host: Any) -> None:
        self.host = host
        names = ("model", "clip", "vae", "clip_vision", "adapter", "control_net")
        self.models = dict(zip(names, host.call("MSDiffusionDemoModels"), strict=True))
        self.prompts = [
            host.call("CLIPTextEncode", clip=self.models["clip"], text=text)[0] for text in ("a dog and a cat", "")
        ]
        self.photos: dict[int, Tensor] = {}

    def photo(self, number: int) -> Tensor:
        if number not in self.photos:
            self.photos[number] = torch.rand(1, 256, 256, 3)
        return self.photos[number]

    def embeds(
        self, photos: tuple = (0, 1), phrase: str = "dog", weight: float = 1.0, box: tuple = DOG, label: str = ""
    ) -> Any:
        subjects = {
            f"subject{number}": self.host.call(
                "MSDiffusionSubject", image=self.photo(photo), phrase=name, weight=factor, fit="stretch"
            )[0]
            for number, (photo, name, factor) in enumerate(zip(photos, (phrase, "cat"), (weight, 1.0), strict=True))
        }
        drawn = [{**dict(zip(EDGES, edges, strict=True)), "label": label} for edges in (box, CAT)]
        layout = self.host.call("MSDiffusionLayout", width=160, height=160, boxes=json.dumps({"boxes": drawn}))[0]
        parts = {name: self.models[name] for name in ("adapter", "clip_vision", "clip")}
        return self.host.call("MSDiffusionEncode", layout=layout, subjects=subjects, grounding=True, **parts)[0]

    def apply(self, embeds: Any, scale: float = 0.6) -> Any:
        return self.host.call(
            "MSDiffusionApply", model=self.models["model"], embeds=embeds, scale=scale, start_percent=0.0,
            end_percent=1.0,
        )[0]

    def sample(self, model: Any, steps: int = 1, seed: int = 1, size: int = 20) -> Tensor:
        return self.host.call(
            "KSampler", model=model, seed=seed, steps=steps, cfg=2.0, sampler_name="euler", scheduler="normal",
            positive=self.prompts[0], negative=self.prompts[1], latent_image={"samples": torch.zeros(1, 4, size, size)},
            denoise=1.0,
        )[0]["samples"]


def demo_steps(host: Any, rounds: int, steps: int = 8) -> dict[str, dict]:
    """One step of the demo set on the CPU, sampled in runs of some steps."""
    graph = DemoGraph(host)
    model = graph.apply(graph.embeds())
    ways = {
        "without subjects": lambda: graph.sample(graph.models["model"], steps),
        "two subjects": lambda: graph.sample(model, steps),
    }
    with torch.inference_mode():
        found = interleaved(ways, rounds, torch.device("cpu"))
    return {name: _scaled(times, 1 / steps) for name, times in found.items()}


def demo_edits(host: Any, rounds: int, device: torch.device) -> dict[str, dict]:
    """What an edit costs before the first step: the seconds of a run of one step, all nodes from the subjects on."""
    graph = DemoGraph(host)
    turns = iter(range(2, 1 << 30))

    def queued(scale: float = 0.6, **edit: Any) -> None:
        graph.sample(graph.apply(graph.embeds(**edit), scale))

    def moved() -> dict:
        return {"box": (0.0, 0.3, 0.5 - 1e-6 * next(turns), 0.7)}

    ways = {
        "no subject": lambda: graph.sample(graph.models["model"]),
        "nothing": queued,
        "scale, weight": lambda: queued(0.5, weight=0.7),
        "one box": lambda: queued(**moved()),
        "one phrase": lambda: queued(phrase=f"dog {next(turns)}"),
        "one photo": lambda: queued(photos=(next(turns), 1)),
        "both photos": lambda: queued(photos=(next(turns), next(turns))),
    }
    with torch.inference_mode():
        return interleaved(ways, rounds, device)


def gpu_steps(host: Any, dtype: torch.dtype, compiled: bool, rounds: int) -> dict[str, dict]:
    """One step of SDXL with random weights at 1024 pixels on the GPU, through the host's own loading and sampling."""
    import comfy.model_management
    import comfy.model_patcher
    import comfy.supported_models

    from .sdxl import POOLED, UNET

    device = comfy.model_management.get_torch_device()
    config = comfy.supported_models.SDXL({**UNET, "dtype": dtype})
    config.set_inference_dtype(dtype, None)
    inner = config.get_model({}, "", device=device)
    for weight in inner.diffusion_model.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    model = comfy.model_patcher.CoreModelPatcher(
        inner, load_device=device, offload_device=comfy.model_management.unet_offload_device()
    )
    real = RealSize(host, dtype)
    keys_and_values = torch.randn(1, TOKENS, 2 * sum(real.adapter.layers.hidden)).to(dtype)
    real.adapter.project = lambda tokens, dtype: keys_and_values
    real.model = model
    with_subjects = real.apply(real.embeds(2))
    models = {"without subjects": model, "two subjects": with_subjects}
    if compiled:
        models = {
            name: host.call("TorchCompileModel", model=one, backend="inductor")[0] for name, one in models.items()
        }
    conditioning = [[torch.randn(1, TEXT, TEXT_WIDTH), {"pooled_output": torch.randn(1, POOLED)}]]
    steps = 4

    def sampled(one: Any) -> Callable[[], object]:
        return lambda: host.call(
            "KSampler", model=one, seed=1, steps=steps, cfg=7.0, sampler_name="euler", scheduler="normal",
            positive=conditioning, negative=conditioning, latent_image={"samples": torch.zeros(1, 4, 128, 128)},
            denoise=1.0,
        )

    with torch.inference_mode():
        found = interleaved({name: sampled(one) for name, one in models.items()}, rounds, device)
    return {name: _scaled(times, 1 / steps) for name, times in found.items()}


def timings(host: Any, rounds: int) -> Iterator[dict]:
    """All that can be timed on this machine, one row for each group of ways."""
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    name = torch.cuda.get_device_name() if gpu else "CPU"
    for dtype in (torch.float16, torch.bfloat16) if gpu else (torch.float32,):
        kind = str(dtype).removeprefix("torch.")
        yield _row("SDXL's cross-attentions", name, kind, layers(host, device, dtype, rounds))
        if gpu:
            for compiled in (False, True):
                how = f"{kind}, compiled" if compiled else kind
                try:
                    found = gpu_steps(host, dtype, compiled, rounds)
                except RuntimeError as error:
                    print(f"A step of SDXL in {how} could not be timed: {error}", file=sys.stderr)
                    continue
                yield _row("a step of SDXL", name, how, found)
    if not gpu:
        yield _row("a step of the demo set", name, "float32", demo_steps(host, rounds))
    edits = demo_edits(host, rounds, device)
    yield _row("an edit, the demo set", name, "the host's choice" if gpu else "float32", edits)


def _row(what: str, device: str, dtype: str, found: dict[str, dict]) -> dict:
    return {"what": what, "device": device, "dtype": dtype, "ways": found}


def _scaled(times: dict, factor: float) -> dict:
    return {key: value * factor if key != "rounds" else value for key, value in times.items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
