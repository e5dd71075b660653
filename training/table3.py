"""The paper's table 3 on the drawn world: every row trained anew with one budget, from several seeds, and scored.

    python -m training.shipped --folder runs/demo
    python -m training --folder runs/demo --stage clips
    python -m training.table3 --folder runs/demo [--part 1/2] [--report]

Each run of a row and a seed has its folder in `table3/200-steps/` and beside it its results, which
`python -m msd_core.bench` can report and compare. Started again, it goes on where it stopped; `--part 1/2` and
`--part 2/2` share the runs between two processes. `--report` only prints the table of what is there.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from msd_core.bench.journal import read_results
from msd_core.bench.samples import Sample
from msd_core.bench.summary import sample_value
from msd_core.demo.config import ADAPTER_FILE as SHIPPED
from msd_core.evaluation.intervals import Estimate, difference_interval, mean_interval

from .drawn.models import drawn_base
from .drawn.scoring import Pictures, multi_samples, score, single_samples
from .drawn.stages import ENCODED, SHARDS, TRAINING, encoded_samples, new_trained
from .sdxl.checkpoints import ADAPTER_FILE, checkpoints
from .sdxl.run import Run
from .sdxl.settings import ROWS, Settings
from .sdxl.sources import StoredSamples, held_out
from .shards import Full, Shards

WHOLE = next(iter(ROWS))
STEPS, SEEDS, PER_TYPE = 200, 3, 6
COLUMNS = {"single": ("dino", "clip_t"), "multi": ("dino", "m_dino", "clip_t", "region", "swap")}
NAMES = {"dino": "DINO", "m_dino": "M-DINO", "clip_t": "CLIP-T", "region": "region", "swap": "swapped"}


@dataclass(frozen=True)
class Trial:
    """One row of the table trained from one seed."""

    row: str
    seed: int

    @property
    def name(self) -> str:
        return f"{_file_name(self.row)}-{self.seed}"

    def settings(self, steps: int) -> Settings:
        """How it is trained: as the adapter stage, in smaller batches, without looks on the way."""
        return replace(TRAINING, steps=steps, batch=16, warm_up=20, seed=self.seed, look_every=0,
                       save_every=60).row(self.row)

    def measure(self, folder: Path, steps: int, per_type: int) -> None:
        """Train it, or go on training it, and score it."""
        settings = self.settings(steps)
        adapter = train(self, folder, steps) / ADAPTER_FILE
        of = {"condition": {"grounding": settings.grounded, "masks": settings.masks},
              "models": {"demo": True, "row": self.row, "seed": self.seed, "steps": steps}}
        score(lambda: Pictures(drawn_base(folder), adapter, settings.masks), scored(per_type),
              results_file(self, folder, steps), of)


@dataclass(frozen=True)
class Beside:
    """What is scored beside the rows, untrained: an adapter's file, or none."""

    row: str
    adapter: Path | None

    @property
    def name(self) -> str:
        return _file_name(self.row)

    def measure(self, folder: Path, steps: int, per_type: int) -> None:
        """Score it."""
        of = {"condition": {"adapter": self.adapter is not None}, "models": {"demo": True, "row": self.row}}
        score(lambda: Pictures(drawn_base(folder), self.adapter, True), scored(per_type),
              results_file(self, folder, steps), of)


BESIDE = (Beside("no adapter", None), Beside("the adapter that ships", SHIPPED))


def trials(seeds: int) -> list[Trial]:
    """All runs of the table, a whole table for each seed, so that what is there first is a table."""
    return [Trial(row, seed) for seed in range(seeds) for row in ROWS]


def samples(per_type: int) -> dict[str, tuple[Sample, ...]]:
    """What is scored: single sprites, and several."""
    return {"single": single_samples(per_type), "multi": multi_samples(per_type)}


def scored(per_type: int) -> tuple[Sample, ...]:
    """All of that."""
    return tuple(one for part in samples(per_type).values() for one in part)


def train(trial: Trial, folder: Path, steps: int) -> Path:
    """Train a trial, or go on training it; its last checkpoint."""
    run, settings = results_file(trial, folder, steps).with_suffix(""), trial.settings(steps)
    found = checkpoints(run)
    if not found or int(found[-1].name.split("-")[1]) < steps:
        base = drawn_base(folder)
        Run(base, new_trained(base, settings.projector, trial.seed), StoredSamples(folder / ENCODED), settings, run,
            held_out=held_out(Shards(folder / SHARDS), settings.held_out), accelerator=_accelerator()).run()
    return checkpoints(run)[-1]


def _accelerator() -> Any:
    from accelerate import Accelerator

    return Accelerator(cpu=True)


def results_file(job: Trial | Beside, folder: Path, steps: int) -> Path:
    """Where a job's scores go; runs of another length have a folder of their own."""
    return folder / "table3" / f"{steps}-steps" / f"{job.name}.jsonl"


def _file_name(row: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", row.lower()).strip("-")


Values = dict[str, dict[str, float]]
"""Metric to the value of each sample, by the sample's id."""


def values(job: Trial | Beside, folder: Path, steps: int) -> Values | None:
    """What a job has scored; None where it has not all."""
    file = results_file(job, folder, steps)
    if not file.exists():
        return None
    results = read_results(file)
    if len(results.scored) < results.header["samples"]:
        return None
    return {metric: {record["id"]: value for record in results.scored
                     if (value := sample_value(record, metric)) is not None} for metric in NAMES}


def table(found: Mapping[str, Sequence[Values]], parts: Mapping[str, Sequence[Sample]]) -> str:
    """The table in Markdown: the whole method's means over samples and seeds with their intervals, below it each row's
    paired differences from it, and M-DINO of each seed.

    Args:
        found: row to the values of each of its seeds.
        parts: "single" and "multi" to their samples.
    """
    head = [f"{part}: {NAMES[metric]}" for part, metrics in COLUMNS.items() for metric in metrics]
    lines = ["| row | " + " | ".join([*head, "M-DINO by seed"]) + " |", "| --- |" + " --- |" * (len(head) + 1)]
    for row, seeds in found.items():
        cells = []
        for part, metrics in COLUMNS.items():
            ids = [one.id for one in parts[part]]
            for metric in metrics:
                own = over_seeds(seeds, metric, ids)
                if row == WHOLE:
                    cells.append(_cell(mean_interval(list(own.values())), ""))
                else:
                    whole = over_seeds(found[WHOLE], metric, ids)
                    both = [one for one in ids if one in own and one in whole]
                    cells.append(_cell(difference_interval([whole[i] for i in both], [own[i] for i in both]), "+"))
        multi = [one.id for one in parts["multi"]]
        by_seed = ", ".join(f"{mean(over_seeds([one], 'm_dino', multi).values()):.3f}" for one in seeds)
        lines.append(f"| {row} | " + " | ".join([*cells, by_seed]) + " |")
    return "\n".join(lines)


def over_seeds(seeds: Sequence[Values], metric: str, ids: Sequence[str]) -> dict[str, float]:
    """Each sample's mean over the seeds."""
    return {one: mean(values[metric][one] for values in seeds) for one in ids if all(one in v[metric] for v in seeds)}


def _cell(found: Estimate | None, sign: str) -> str:
    """A figure and its interval, with a real minus."""
    if found is None:
        return ""
    return f"{found.value:{sign}.3f} ({found.low:{sign}.3f} to {found.high:{sign}.3f})".replace("-", "−")


def report(folder: Path, steps: int, seeds: int, per_type: int) -> str:
    """The table of all that is there; rows without a whole run are left out, and so is a row where the whole method has
    none to compare with.
    """
    jobs: dict[str, list[Trial | Beside]] = {row: [Trial(row, seed) for seed in range(seeds)] for row in ROWS}
    jobs |= {one.row: [one] for one in BESIDE}
    found = {row: [values(job, folder, steps) for job in some] for row, some in jobs.items()}
    found = {row: whole for row, runs in found.items() if (whole := [one for one in runs if one is not None])}
    if WHOLE not in found:
        where = results_file(jobs[WHOLE][0], folder, steps).parent
        raise ValueError(f"{where} has no whole run of {WHOLE}, with which others are compared: run it.")
    return table(found, samples(per_type))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--folder", type=Path, required=True)
    add("--steps", type=int, default=STEPS, help="of each run (%(default)s)")
    add("--seeds", type=int, default=SEEDS, help="runs of each row (%(default)s)")
    add("--row", choices=list(ROWS), action="append", help="these rows only; several times")
    add("--per-type", type=int, default=PER_TYPE, help="samples of each combination type (%(default)s)")
    add("--part", default="1/1", metavar="K/N", help="the K-th of N shares of the runs (%(default)s)")
    add("--report", action="store_true", help="print the table of what is there")
    arguments = parser.parse_args()
    try:
        if not arguments.report:
            _run(arguments)
        print(report(arguments.folder, arguments.steps, arguments.seeds, arguments.per_type))
    except (ValueError, Full) as error:
        print(f"training.table3: {error}", file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    found = re.fullmatch(r"(\d+)/(\d+)", arguments.part)
    part, of = (int(number) for number in found.groups()) if found else (0, 0)
    if not 1 <= part <= of:
        raise ValueError(f"--part is {arguments.part} but must be as 1/2, the first of two shares: say --part 1/2.")
    folder = arguments.folder
    if not (folder / SHARDS).exists():
        raise ValueError(f"{folder} has no {SHARDS}: run python -m training --folder {folder} --stage clips first.")
    torch.set_num_threads(1)
    rows = arguments.row or list(ROWS)
    jobs: list[Trial | Beside] = [trial for trial in trials(arguments.seeds) if trial.row in rows]
    jobs += BESIDE
    results_file(jobs[0], folder, arguments.steps).parent.mkdir(parents=True, exist_ok=True)
    encoded_samples(folder, drawn_base(folder))
    for job in jobs[part - 1 :: of]:
        began = time.monotonic()
        job.measure(folder, arguments.steps, arguments.per_type)
        print(f"{job.name}: {(time.monotonic() - began) / 60:.1f} min", flush=True)


if __name__ == "__main__":
    sys.exit(main())
