"""What MS-Diffusion adds to a sampling step, as ratios taken in one run.

    python benchmarks/attention_overhead.py [--subjects 2] [--repeats 9]

Every distinct attention of SDXL at 1024 x 1024 is timed as the host calls it, a CFG batch of two rows: text attention
alone, then with subjects, alternating. Layers are weighted by how often SDXL has them. Three ways of adding subjects,
which all give the same picture, are compared:

    ours        keys, values and masks made once a run, conditional rows only, one fused masked attention
    every call  the same attention, but keys and values projected and masks built in every call
    both rows   as every call, with the unconditional row computed as well and thrown away
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from msd_core.attention import RegionMasks, SubjectKeyValues, attend_to_subjects, scaled_dot_product  # noqa: E402
from msd_core.boxes import Box  # noqa: E402
from msd_core.layout import Region  # noqa: E402

# (cells per side, width, heads, how many of SDXL's cross-attentions)
LAYERS = ((64, 640, 10, 10), (32, 1280, 20, 60))
CONTEXT, TOKENS, TEXT = 2048, 16, 77


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    regions = [Region(Box(i / options.subjects, 0.1, (i + 1) / options.subjects, 0.9)) for i in range(options.subjects)]
    totals: dict[str, float] = {}
    for side, width, heads, count in LAYERS:
        for name, seconds in time_layer(side, width, heads, regions, device, dtype, options.repeats).items():
            totals[name] = totals.get(name, 0.0) + count * seconds

    text = totals.pop("text")
    print(f"{options.subjects} subjects, {device.type}, {dtype}: cross-attention of one CFG step, text alone = 1")
    for name, seconds in totals.items():
        print(f"  {name:<11} {seconds / text:6.3f}   adds {(seconds - text) / (totals['ours'] - text):5.2f} x ours")


@torch.inference_mode()
def time_layer(
    side: int, width: int, heads: int, regions: list[Region], device: torch.device, dtype: torch.dtype, repeats: int
) -> dict[str, float]:
    """Median seconds of each way, alternating between them so that a busy machine slows all alike."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(device, dtype)

    q, k, v = draw(2, side * side, width), draw(2, TEXT, width), draw(2, TEXT, width)
    tokens = draw(1, TOKENS * len(regions), CONTEXT)
    to_k, to_v = draw(width, CONTEXT) * CONTEXT**-0.5, draw(width, CONTEXT) * CONTEXT**-0.5
    scales, active = torch.ones(tokens.shape[1]), (True,) * len(regions)
    counts = [TOKENS] * len(regions)

    def prepare() -> tuple[SubjectKeyValues, RegionMasks]:
        projected = [(tokens @ to_k.T, tokens @ to_v.T)]
        return SubjectKeyValues(projected, scales, [0.6]), RegionMasks(regions, counts)

    def add(out: torch.Tensor, rows: slice, kept: tuple[SubjectKeyValues, RegionMasks]) -> torch.Tensor:
        key, value = kept[0].at(0, device, dtype)
        mask = kept[1].at(side, side, active, device, dtype)
        return attend_to_subjects(q[rows], key, value, mask, heads)

    once = prepare()

    def ours() -> None:
        out = scaled_dot_product(q, k, v, heads)
        out[1:].add_(add(out, slice(1, 2), once))

    def every_call() -> None:
        out = scaled_dot_product(q, k, v, heads)
        out[1:].add_(add(out, slice(1, 2), prepare()))

    def both_rows() -> None:
        out = scaled_dot_product(q, k, v, heads)
        out[1:].add_(add(out, slice(0, 2), prepare())[1:])

    ways = {"text": lambda: scaled_dot_product(q, k, v, heads), "ours": ours, "every call": every_call,
            "both rows": both_rows}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            seconds[name].append(_clock(way, device))
    return {name: statistics.median(measured[1:]) for name, measured in seconds.items()}


def _clock(way: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    way()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
