"""`python -m msd_core.bench`: run a benchmark, report its results, compare two runs, count before you begin."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..auto_layout import METHODS
from ..headless.options import MODELS, add_device, add_numbers, at_least_one, defaults, numbers, require_models
from ..overlap import OVERLAPS
from .conditions import Condition
from .engines import Engine, Settings
from .journal import Full, Journal, read_results
from .measures import add_measures, scorer_of
from .runner import Plan, Runner, share_of, this_worker
from .samples import Benchmark, Sample, check_pictures
from .sheet import as_html, draw_plot
from .summary import as_csv, as_text, compare, comparison_text, summarise

BENCHMARKS = ("sprites", "msbench", "dreambench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 1 after a one-line error or where samples are left to do."""
    options = _parser().parse_args(arguments)
    try:
        return {"run": _run, "count": _count, "report": _report, "compare": _compare}[options.command](options)
    except (ValueError, Full, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m msd_core.bench", description="Benchmarks of MS-Diffusion.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="make and score a benchmark's pictures, or go on with it")
    _add_benchmark(run)
    run.add_argument("--out", required=True, metavar="FILE", help="the results, .jsonl; a run that was killed goes on")
    run.add_argument("--images", metavar="FOLDER", help="keep the pictures there, for a contact sheet")
    run.add_argument("--retry-failed", action="store_true", help="make samples that failed again")
    _add_engine(run)
    add_measures(run)
    count = commands.add_parser("count", help="how many samples, pictures and steps a run takes")
    _add_benchmark(count)
    count.add_argument("--steps", type=int, help="sampling steps (default 30, sprites 20)")
    count.add_argument("--steps-per-second", type=float, metavar="N", help="your device's, for an estimate of the time")
    report = commands.add_parser("report", help="table, CSV, contact sheet and plot of a run")
    report.add_argument("results", metavar="FILE")
    compared = commands.add_parser("compare", help="two runs side by side, paired by sample")
    compared.add_argument("results", metavar="A")
    compared.add_argument("other", metavar="B")
    report.add_argument("--html", metavar="FILE", help="write a contact sheet")
    for one in (report, compared):
        one.add_argument("--csv", metavar="FILE", help="write the table")
        one.add_argument("--plot", metavar="FILE", help="write bars with intervals, .png, .svg or .pdf")
    return parser


def _add_benchmark(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("benchmark", choices=BENCHMARKS)
    add("--data", metavar="FOLDER", help="MS-Bench's subjects, or DreamBench's dataset folder")
    add("--per-type", type=int, default=20, metavar="N", help="sprites: samples of each type (default 20)")
    add("--limit", type=int, metavar="N", help="so many samples only, spread over all types")
    add("--only", action="append", default=[], metavar="TYPE", help="samples of this combination type; several times")
    add("--per-sample", type=int, metavar="N", help="pictures of each sample (default 5 as the paper, sprites 1)")
    add("--bare", action="store_true", help="each picture without the adapter too: what it costs in text fidelity")
    add("--singles", action="store_true", help="each subject alone too: the collapse rate")
    add("--no-grounding", action="store_true", help="plain resampler queries, without phrase and box")
    add("--no-masks", action="store_true", help="subjects act everywhere, without masked attention (headless)")
    add("--adapter-off", action="store_true", help="the bare base model")
    add("--auto-layout", choices=METHODS, help="the prompt's own attention takes over from the boxes")
    add("--overlap", choices=OVERLAPS, default="mix", help="who acts where boxes overlap (default mix, the paper's)")
    add("--seed", type=int, default=0, help="on which each sample's own seed builds (default 0)")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--engine", choices=("headless", "comfyui"), default="headless", help="diffusers here, or a running ComfyUI")
    add("--server", action="append", metavar="ADDRESS",
        help="comfyui: as 127.0.0.1:8188; several share the samples")
    add("--demo", action="store_true", help="the tiny set that comes with the pack (default for sprites)")
    add("--base", help="SDXL: a file or diffusers folder, for comfyui the checkpoint's name on the server")
    add("--adapter", help="ms_adapter.bin or .safetensors, for comfyui its name on the server")
    add("--image-encoder", help="CLIP ViT-bigG/14, for comfyui its name on the server")
    add_numbers(parser)
    add("--negative", default="", help="what pictures must not show")
    add("--schedule", default="normal", help="ComfyUI's schedule, with the sampler euler (default normal)")
    add("--batch", type=int, default=5, metavar="N", help="headless: most pictures at a time (default 5)")
    add_device(parser)


def _benchmark(options: argparse.Namespace) -> Benchmark:
    if options.benchmark == "sprites":
        from .sprites import sprite_bench

        return sprite_bench(options.per_type, 0)
    if not options.data:
        raise ValueError(f"--data is not given but {options.benchmark} needs the folder of its subjects: name it.")
    if options.benchmark == "msbench":
        from .msbench import ms_bench

        return ms_bench(options.data)
    from .dreambench import dream_bench

    return dream_bench(options.data)


def _condition(options: argparse.Namespace) -> Condition:
    if options.auto_layout and (options.no_masks or options.adapter_off):
        other = "--no-masks" if options.no_masks else "--adapter-off"
        raise ValueError(f"--auto-layout and {other} are both given but it needs regions to place: leave one out.")
    return Condition(
        not options.no_grounding, not options.no_masks, not options.adapter_off, options.overlap, options.auto_layout
    )


def _plan(options: argparse.Namespace, benchmark: Benchmark) -> tuple[Plan, tuple[Sample, ...]]:
    at_least_one("per-sample", options.per_sample, "the usual")
    at_least_one("limit", options.limit, "the usual")
    if options.seed < 0:
        raise ValueError(f"--seed is {options.seed} but must be 0 or more: leave it out for 0.")
    images = getattr(options, "images", None)
    plan = Plan(options.per_sample or benchmark.per_sample, options.seed, _condition(options), options.bare,
                options.singles, Path(images) if images else None)
    return plan, benchmark.some(options.limit, options.only)


def _count(options: argparse.Namespace) -> int:
    benchmark = _benchmark(options)
    plan, samples = _plan(options, benchmark)
    print("\n".join(benchmark.count))
    pictures = sum(plan.pictures_of(sample) for sample in samples)
    usual = defaults(options.benchmark == "sprites")["steps"]
    at_least_one("steps", options.steps, usual)
    steps = options.steps or usual
    print(f"{len(samples)} samples, {pictures} pictures, {pictures * steps} steps of {steps} a picture, "
          f"each one pair of guided model calls")
    if options.steps_per_second is not None:
        if not 0 < options.steps_per_second < math.inf:
            said = f"--steps-per-second is {options.steps_per_second:g} but must be a number above 0"
            raise ValueError(f"{said}: say your own.")
        hours = pictures * steps / options.steps_per_second / 3600
        print(f"about {hours:.1f} hours at {options.steps_per_second:g} steps a second, sampling alone (an estimate)")
    return 0


def _run(options: argparse.Namespace) -> int:
    benchmark = _benchmark(options)
    plan, samples = _plan(options, benchmark)
    demo = options.demo or (options.benchmark == "sprites" and not options.base)
    settings = _settings(options, demo)
    _check_engine(options, demo, plan)
    rank, world, local = this_worker()
    if plan.images is not None:
        try:
            plan.images.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--images is {plan.images} but can't be made ({error.strerror}): name another.") from None
    check_pictures(samples)
    scorer = scorer_of(options, local, options.benchmark == "sprites")
    header = {
        "benchmark": benchmark.name, "condition": asdict(plan.condition), "settings": asdict(settings),
        "models": {"demo": demo, **({} if demo else {name: Path(getattr(options, name)).name for name in MODELS})},
        "engine": options.engine, "per_sample": plan.per_sample, "seed": plan.seed, "bare": plan.bare,
        "singles": plan.singles, "measured_by": scorer.names(), "samples": len(samples),
        "kinds": list(dict.fromkeys(sample.kind for sample in samples)),
    }
    journal = Journal(options.out, header)
    if journal.results.torn:
        print(f"half-written lines stepped over: {journal.results.torn}; their samples are made again", file=sys.stderr)
    done = {record["id"] for record in journal.results.scored}
    if not options.retry_failed:
        done |= {record["id"] for record in journal.results.failed}
    left = [sample for sample in share_of(samples, rank, world) if sample.id not in done]
    gone, remaining = "", 0
    if left:
        engines = _engines(options, settings, demo, local)
        with _progress(len(left), rank) as step:
            runner = Runner(engines, scorer, journal, plan, step)
            remaining = runner.run(left)
            gone = runner.gone
    journal.close()
    if rank == 0:
        print(as_text(read_results(options.out)))
    if gone:
        print(f"error: {gone}: {remaining} samples are left; run the same command again, it goes on from here",
              file=sys.stderr)
    return 1 if remaining else 0


def _check_engine(options: argparse.Namespace, demo: bool, plan: Plan) -> None:
    """Refuse what an engine can't do before anything is loaded."""
    require_models(options, demo)
    if options.engine == "comfyui" and not plan.condition.masks:
        raise ValueError("--no-masks and --engine comfyui are given but the nodes always mask: say --engine headless.")
    if options.engine == "headless" and options.server:
        raise ValueError(f"--server is {options.server[0]} but --engine is headless: say --engine comfyui too.")
    at_least_one("batch", options.batch, 5)


def _settings(options: argparse.Namespace, demo: bool) -> Settings:
    return Settings(**numbers(options, demo), negative=options.negative, schedule=options.schedule)


def _engines(options: argparse.Namespace, settings: Settings, demo: bool, local: int) -> list[Engine]:
    if options.engine == "comfyui":
        from .engines.comfyui import ComfyEngine, ServerModels

        models = ServerModels() if demo else ServerModels(options.base, options.adapter, options.image_encoder)
        return [ComfyEngine(server, models, settings) for server in options.server or ["127.0.0.1:8188"]]
    import torch

    from ..headless.device import choose_device
    from ..headless.pipeline import MSDiffusionPipeline
    from .engines.headless import HeadlessEngine

    device = choose_device(_device_name(options.device, demo, local))
    if demo:
        from ..headless.demo import demo_pipeline

        return [HeadlessEngine(demo_pipeline().to(device), settings, options.batch)]
    dtype = torch.float32 if device.type == "cpu" else torch.float16
    pipeline = MSDiffusionPipeline.from_files(options.base, options.adapter, options.image_encoder, device=device,
                                              dtype=dtype)
    return [HeadlessEngine(pipeline, settings, options.batch)]


def _device_name(asked: str | None, demo: bool, local: int) -> str | None:
    """The device's name; where several processes share a machine, each has its own GPU."""
    if asked is not None or demo:
        return asked or "cpu"
    import torch

    return f"cuda:{local}" if torch.cuda.is_available() and torch.cuda.device_count() > local else None


class _progress:  # noqa: N801 (used as a function)
    """tqdm's bar over samples, with the remaining time; each process of several has a line of its own."""

    def __init__(self, total: int, rank: int) -> None:
        from ..packages import require_package

        self._bar = require_package("tqdm", "tqdm", "the progress bar", "evaluation").tqdm(
            total=total, unit="sample", position=rank, dynamic_ncols=True
        )

    def __enter__(self) -> Any:
        def step(record: dict[str, Any]) -> None:
            if "error" in record:
                self._bar.write(f"failed: {record['id']}: {record['error']}", file=sys.stderr)
            self._bar.update()

        return step

    def __exit__(self, *_: Any) -> None:
        self._bar.close()


def _report(options: argparse.Namespace) -> int:
    results = read_results(options.results)
    print(as_text(results))
    if options.csv:
        _write(options.csv, as_csv(summarise(results)))
    if options.html:
        _write(options.html, as_html(results, Path(options.html), Path(options.results)))
    if options.plot:
        draw_plot({Condition(**results.header["condition"]).name: results}, Path(options.plot))
        print(f"wrote {options.plot}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    first, second = read_results(options.results), read_results(options.other)
    names = Path(options.results).stem, Path(options.other).stem
    print(comparison_text(first, second, names))
    if options.csv:
        _write(options.csv, as_csv(compare(first, second)[0]))
    if options.plot:
        draw_plot(dict(zip(names, (first, second), strict=True)), Path(options.plot))
        print(f"wrote {options.plot}")
    return 0


def _write(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, "utf-8")
    except OSError as error:
        raise ValueError(f"{file} can't be written ({error.strerror}): name a file in a folder of yours.") from None
    print(f"wrote {file}")
