"""The command line: `accelerate launch -m training.sdxl`, or `python -m training.sdxl` for one process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from ..shards import Full, Shards
from .settings import ROWS, Settings

ABOUT = "Train an MS-Diffusion adapter for SDXL from shards of samples (training/README.md)."


def parser() -> argparse.ArgumentParser:
    """All options; those of `Settings` by their own names."""
    made = argparse.ArgumentParser(prog="training.sdxl", description=ABOUT)
    files = made.add_argument_group("files")
    files.add_argument("--base", type=Path, help="SDXL or a model of its shape: a diffusers folder or a single file")
    files.add_argument("--image-encoder", type=Path, help="CLIP ViT-bigG/14: a folder or a single file")
    files.add_argument("--shards", type=Path, help="the folder that python -m training.data has made")
    files.add_argument("--folder", type=Path, help="the run's folder; a run in it goes on")
    files.add_argument("--init", type=Path, help="an adapter to start from, ms_adapter.bin or another")
    files.add_argument("--encoded", type=Path, help="encode all samples into this folder once, and learn from there; "
                       "text, image and autoencoder then leave the card")
    files.add_argument("--workers", type=int, default=4, help="processes that read pictures (%(default)s)")
    made.add_argument("--dry-run", action="store_true",
                      help="count what SDXL at its real size needs for each GPU with these settings, and stop")
    made.add_argument("--row", metavar="NAME", help=f"a row of the paper's table 3: {', '.join(ROWS)}")
    group = made.add_argument_group("settings")
    for one in fields(Settings):
        flag, told = f"--{one.name.replace('_', '-')}", one.metadata["told"]
        assert one.default is not MISSING
        if isinstance(one.default, bool):
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None,
                               help=f"{told} ({'yes' if one.default else 'no'})")
        else:
            kind: Any = str if one.default is None else type(one.default)
            choices = one.metadata["choices"]
            of = f", one of {', '.join(choices)}" if choices else ""
            shown = "" if one.default is None else f" ({one.default})"
            group.add_argument(flag, type=kind, metavar=kind.__name__.upper(), help=f"{told}{of}{shown}")
    return made


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings of a command line; a row of table 3 gives way to options that are named.

    Raises:
        ValueError: one is out of range.
    """
    named = {one.name: getattr(arguments, one.name) for one in fields(Settings)}
    named = {name: value for name, value in named.items() if value is not None}
    settings = Settings() if arguments.row is None else Settings().row(arguments.row)
    return Settings(**{**asdict(settings), **named})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; what is wrong is said in one sentence."""
    options = parser().parse_args(arguments)
    try:
        settings = settings_of(options)
        if options.dry_run:
            from .memory import report

            print(report(settings))
            return 0
        _train(options, settings)
    except (ValueError, OSError, Full) as error:
        # A loader's worker wraps what went wrong into its own words.
        sentence = str(error).strip().splitlines()[-1].removeprefix("ValueError: ")
        print(f"training.sdxl: {sentence}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntraining.sdxl: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _train(options: argparse.Namespace, settings: Settings) -> None:
    missing = [name for name in ("base", "image_encoder", "shards", "folder") if getattr(options, name) is None]
    if missing:
        raise ValueError(f"--{missing[0].replace('_', '-')} is not given but training needs it: name a path.")
    if options.workers < 0:
        raise ValueError(f"--workers is {options.workers} but must be 0 or more: 0 reads in the process itself.")
    shards = Shards(options.shards)
    import torch

    from .base import DTYPES, load
    from .pictures import HeldOutPictures
    from .projectors import started, untrained
    from .run import Run, new_accelerator
    from .sources import LiveSamples, held_out, store

    accelerator = new_accelerator()
    base = load(options.base, options.image_encoder, settings.precision)
    torch.manual_seed(settings.seed)
    if options.init is None:
        sizes = base.sizes(tokens=settings.tokens, width=settings.width, layers=settings.layers)
        trained = untrained(base, settings.projector, sizes)
    else:
        trained = started(options.init, base, settings.projector)
    numbers, look = held_out(shards, settings.held_out), None
    if numbers and settings.look_every and settings.look_steps:
        look = HeldOutPictures(base, shards, numbers, settings, options.folder)
    if options.encoded is None:
        samples: Any = LiveSamples(shards, base, settings.pixels, options.workers)
    else:
        base.prepare(accelerator.device, DTYPES[settings.precision])
        about = {"base": options.base.name, "image_encoder": options.image_encoder.name,
                 "precision": settings.precision, "shards": shards.mark}

        def told(done: int, of: int) -> None:
            print(f"encoding: file {done} of {of}", flush=True)

        samples = store(shards, base, settings.pixels, options.encoded, about, rank=accelerator.process_index,
                        processes=accelerator.num_processes, wait=accelerator.wait_for_everyone, told=told)
        base.rest()
    Run(base, trained, samples, settings, options.folder, held_out=numbers, accelerator=accelerator, look=look).run()
