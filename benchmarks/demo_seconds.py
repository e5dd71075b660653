"""Seconds that workflow 00 takes on a CPU, from queueing to the saved picture, and what the subjects cost of it.

Usage, from the pack's folder: MSD_PYTHON=... python -m benchmarks.demo_seconds (the same ComfyUI as dev.py demo)
"""

import json
import statistics
import time

from devtools.demo import WORKFLOW, variants
from devtools.environment import environment_python
from devtools.host import find_host
from devtools.server import ComfyServer

ROUNDS = 5


def seconds(server: ComfyServer, workflow: dict, seed: int) -> float:
    """One run with a seed that the server has not seen, so that nothing comes from its cache."""
    for node in workflow.values():
        if node["class_type"] == "KSampler":
            node["inputs"]["seed"] = seed
    began = time.monotonic()
    server.run(workflow)
    return time.monotonic() - began


def main() -> None:
    host = find_host()
    by_title = variants(json.loads(WORKFLOW.read_text("utf-8")))
    with ComfyServer(host, environment_python(host)) as server:
        first = seconds(server, by_title["result"], 1000)
        rounds = [
            [seconds(server, by_title[title], 2000 + round) for title in ("result", "adapter off")]
            for round in range(ROUNDS)
        ]
    on, off = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"first run, models loaded: {first:.1f} s")
    print(f"further runs, median of {ROUNDS}: {on:.1f} s with two subjects, {off:.1f} s without, ratio {on / off:.2f}")


if __name__ == "__main__":
    main()
