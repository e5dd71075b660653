"""Build a data set to train adapters with, from videos, folders of frames or pictures (the paper's 3.3 and appendix A).

    python -m training.data --out sets/mine --videos clips --captioner blip2-opt-2.7b --entities en_core_web_sm \\
        --detector grounding-dino-base --segmenter sam-vit-huge --embedder dinov2-base --device cuda

Run again, it goes on where it was ended, and makes only clips that are new.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial

from ..shards import Full, Shards, ShardWriter, shard_files
from . import Settings, Statistics, Steps, Stuck, construct, find_clips
from .construction import Maker
from .make import make_one_by_one

MODELS = {
    "captioner": "BLIP-2, a folder as transformers keeps it",
    "entities": "a pipeline of spaCy: a folder or an installed package",
    "detector": "Grounding DINO or OWLv2, a folder as transformers keeps it",
    "segmenter": "SAM, a folder as transformers keeps it",
    "embedder": "CLIP, DINOv2 or another image encoder, a folder as transformers keeps it",
}
COPIES = (
    "note: {count} of {all} clips are single pictures, whose subjects can only be cut from the target itself: an "
    "adapter that learns from these alone copies and pastes. Take videos, or several pictures of the same things as "
    "--frames."
)
EVERY = 10.0
"""Seconds between two lines of progress."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 1 after a one-line error, 2 where no sample could be made."""
    options = _parser().parse_args(arguments)
    try:
        return _build(options)
    except (ValueError, Full, Stuck, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130


def load_steps(
    captioner: str, entities: str, detector: str, segmenter: str, embedder: str, device: str = "cpu",
    dtype: str = "auto", threshold: float | None = None,
) -> Steps:
    """The paper's five steps, from folders on this machine.

    Raises:
        ValueError: a package or a folder is missing, or holds another model.
    """
    from .boxes import load_boxes
    from .captions import load_captioner
    from .embeddings import load_embedder
    from .entities import load_entities
    from .masks import load_segmenter

    return Steps(
        load_captioner(captioner, device, dtype), load_entities(entities), load_boxes(detector, device, threshold),
        load_segmenter(segmenter, device, dtype), load_embedder(embedder, device, dtype),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.data", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the shards go")
    clips = parser.add_argument_group("clips, one or more of these, each as often as you like")
    clips.add_argument("--videos", action="append", default=[], metavar="FOLDER",
                       help="each video file below is a clip")
    clips.add_argument("--frames", action="append", default=[], metavar="FOLDER",
                       help="each folder of pictures below is a clip, its files in the order of their numbers")
    clips.add_argument("--stills", action="append", default=[], metavar="FOLDER",
                       help="each picture below is a clip; see the note on copy and paste")
    models = parser.add_argument_group("models")
    for name, words in MODELS.items():
        models.add_argument(f"--{name}", required=True, metavar="PATH", help=words)
    models.add_argument("--threshold", type=float, metavar="N",
                        help="least score of a box (default: the detector's usual)")
    models.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ... (default cpu)")
    models.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16", "float16"),
                        help="what captioner, segmenter and embedder compute in (default: as their files are)")
    settings = parser.add_argument_group("settings")
    for one in fields(Settings):
        settings.add_argument(f"--{one.name.replace('_', '-')}", dest=f"set_{one.name}", metavar="N",
                              type=type(one.default), default=one.default,
                              help=f"{one.metadata['words']} (default {one.default})")
    settings.add_argument("--pictures", default="png", choices=("png", "jpg"),
                          help="how targets are kept: as they are, or smaller and nearly so (default png)")
    settings.add_argument("--samples-per-shard", type=int, default=1000, metavar="N", help="(default 1000)")
    work = parser.add_argument_group("work")
    work.add_argument("--again", action="store_true", help="also make clips again that a step failed on")
    work.add_argument("--sheet", type=int, default=12, metavar="N", help="samples on the contact sheet (default 12)")
    work.add_argument("--ray", type=int, default=0, metavar="N", help="make clips on N workers of Ray Data")
    work.add_argument("--ray-gpus", type=float, default=0, metavar="N", help="GPUs for each of them, such as 1 or 0.5")
    return parser


def _build(options: argparse.Namespace) -> int:
    settings = Settings(**{one.name: getattr(options, f"set_{one.name}") for one in fields(Settings)})
    clips = find_clips(options.videos, options.frames, options.stills)
    if not clips:
        raise ValueError("There are 0 clips but a set needs some: name videos, frames or stills.")
    stills = sum(clip.still for clip in clips)
    if stills:
        print(COPIES.format(count=stills, all=len(clips)))
    models = {name: getattr(options, name) for name in MODELS}
    load = partial(load_steps, **models, device=options.device, dtype=options.dtype, threshold=options.threshold)
    kept = models | {"dtype": options.dtype, "threshold": "usual" if options.threshold is None else options.threshold}
    writer = ShardWriter(options.out, options.samples_per_shard, options.pictures)
    statistics = construct(clips, load, settings, writer, models=kept, make=_maker(options), again=options.again,
                           tell=_progress())
    print(statistics.as_text())
    if not shard_files(writer.folder):
        print("error: no clip gave a sample, the table above says why: change the settings that left out the most, in "
              "another --out.", file=sys.stderr)
        return 2
    if options.sheet:
        from .sheet import save_sheet

        save_sheet(Shards(writer.folder), writer.folder / "sheet.png", options.sheet)
    print(f"{writer.folder}: shards, statistics.json" + ", sheet.png" * bool(options.sheet))
    return 0


def _maker(options: argparse.Namespace) -> Maker:
    if not options.ray:
        return make_one_by_one
    from .with_ray import make_with_ray

    return make_with_ray(options.ray, options.ray_gpus)


def _progress() -> Callable[[int, int, Statistics], None]:
    begun, first, last = time.monotonic(), None, 0.0

    def tell(done: int, total: int, statistics: Statistics) -> None:
        nonlocal first, last
        now = time.monotonic()
        if first is None:
            first = done - 1
        if now - last < EVERY and done < total:
            return
        last = now
        pace = (done - first) / max(now - begun, 1e-6)
        print(f"clip {done:,} of {total:,}: {statistics.counts['samples']:,} samples, {pace * 60:.1f} clips a minute, "
              f"{(total - done) / pace / 60:.0f} min left", flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
