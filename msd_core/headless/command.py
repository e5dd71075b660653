"""`python -m msd_core generate`: subjects, boxes and a prompt from the command line to PNG files."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..auto_layout import METHODS, AutoLayoutSettings
from ..boxes import Box, box_value
from ..layout import Region
from ..overlap import OVERLAPS, with_overlap
from ..subject import Subject
from .base import require_packages
from .device import choose_device
from .options import add_device, add_numbers, at_least_one, numbers, require_models
from .pictures import load_subject, open_picture
from .pipeline import MSDiffusionPipeline
from .png import check_png, save_png
from .schedule import SCHEDULES
from .subjects import SubjectText, parse_subject, read_overlap, read_subjects

DRAWN = "#"
SEEDS = 2**64
AUTO_LAYOUT = AutoLayoutSettings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `generate`."""
    add = parser.add_argument
    add("--subject", action="append", default=[], metavar="PICTURE:PHRASE:X0,Y0,X1,Y1[:SETTING=VALUE...]",
        help='once per subject, as photo.png:"dog":0,0.25,0.5,0.75, and maybe :weight=0.8:start=0.2:end=0.9:fit=pad'
             ":mask=dog_mask.png; with --demo also cat#7:cat:...")
    add("--subjects", metavar="FILE", help="the same from a JSON or YAML file")
    add("--prompt", required=True, help="what the picture shows")
    add("--negative", default="", help="what it must not show")
    add("--demo", action="store_true", help="use the tiny set that comes with the package")
    add("--base", help="SDXL, a diffusers folder or a single file")
    add("--adapter", help="ms_adapter.bin or .safetensors")
    add("--image-encoder", help="CLIP ViT-bigG/14, a folder or a single file")
    add("--controlnet", help="folder of an SDXL ControlNet")
    add("--control-image", help="the ControlNet's picture")
    add_numbers(parser)
    add("--seed", type=int, default=0, help="of the first picture; each further one has the next (default 0)")
    add("--count", type=int, default=1, help="pictures to make (default 1)")
    add("--schedule", choices=list(SCHEDULES),
        help="one of ComfyUI's schedules, for the picture that the nodes make (default: the base's own scheduler's)")
    add("--no-grounding", action="store_true", help="drop phrase and box from the subjects' tokens")
    add("--overlap", choices=OVERLAPS,
        help="where boxes overlap: mix; front or nearest, to whose box the place belongs then; apart moves the boxes "
             "(default: the file's, or mix)")
    add("--auto-layout", type=float, nargs="?", const=AUTO_LAYOUT.threshold, metavar="THRESHOLD",
        help="let the prompt's own attention take over from rough boxes (the paper's method has a threshold, 0.5)")
    add("--auto-layout-method", choices=METHODS, default=AUTO_LAYOUT.method,
        help=f"how it does (default {AUTO_LAYOUT.method})")
    add("--auto-layout-before", choices=("boxes", "off"), default="boxes",
        help="what rules until then: the boxes, or no subject acts (default boxes)")
    add("--auto-layout-from", type=int, default=AUTO_LAYOUT.start_step, metavar="STEP",
        help="the paper's method: the first step on which it does (default 5)")
    add_device(parser)
    add("--out", default="ms_diffusion.png", help="the PNG to write; several get numbers (default ms_diffusion.png)")


def run(options: argparse.Namespace) -> str:
    """Make the pictures and write them with their settings; the files' names.

    Raises:
        ValueError: an option is missing, can't be read or can't be met; what can be is told before a model is loaded.
    """
    settings = _settings(options)
    targets = _targets(options.out, options.count)
    device = choose_device("cpu" if options.demo and options.device is None else options.device)
    named = [parse_subject(text) for text in options.subject]
    named += read_subjects(options.subjects) if options.subjects else []
    overlap = options.overlap or (read_overlap(options.subjects) if options.subjects else None) or "mix"
    frame = settings["width"], settings["height"]
    with_overlap([Region(subject.box) for subject in named], overlap, *frame)
    require_packages()
    subjects = [_subject(subject, options.demo) for subject in named]
    control = {"image": open_picture(options.control_image).convert("RGB")} if options.control_image else {}
    auto_layout = None
    if options.auto_layout is not None:
        auto_layout = _auto_layout(options)
    pipeline = _pipeline(options, device)
    embeds = None
    if subjects:
        embeds = pipeline.encode(
            subjects, [subject.box for subject in named], not options.no_grounding, overlap=overlap, frame=frame
        )
    for number, target in enumerate(targets):
        seed = options.seed + number
        picture = pipeline(
            options.prompt, embeds, negative_prompt=options.negative, scale=settings["scale"],
            guidance_scale=settings["guidance"], num_inference_steps=settings["steps"], width=settings["width"],
            height=settings["height"], generator=torch.Generator().manual_seed(seed), auto_layout=auto_layout,
            schedule=options.schedule, **control,
        ).images[0]
        save_png(picture, target, {
            "prompt": options.prompt, "negative": options.negative, "seed": seed, **settings,
            "schedule": options.schedule, "scheduler": type(pipeline.pipe.scheduler).__name__,
            "grounding": not options.no_grounding, "overlap": overlap,
            "auto_layout": auto_layout and asdict(auto_layout),
            "base": "demo" if options.demo else options.base,
            "adapter": "demo" if options.demo else options.adapter,
            "controlnet": options.controlnet,
            "subjects": [{**asdict(subject), "box": _told(subject.box)} for subject in named],
        })
    return ", ".join(str(target) for target in targets)


def _auto_layout(options: argparse.Namespace) -> AutoLayoutSettings:
    """How auto layout takes over; what only the paper's method has is refused for the other."""
    settings = AutoLayoutSettings(
        options.auto_layout, options.auto_layout_from, options.auto_layout_before == "boxes",
        method=options.auto_layout_method,
    )
    own = (settings.threshold, settings.start_step) == (AUTO_LAYOUT.threshold, AUTO_LAYOUT.start_step)
    if settings.method != "paper" and not own:
        raise ValueError(
            f"The threshold is {settings.threshold:g} and the first step {settings.start_step}, but the method "
            f"{settings.method} has neither: add --auto-layout-method paper, or leave them out."
        )
    return settings


def _told(box: Box) -> tuple[float, ...] | dict[str, Any]:
    """A box in a picture's settings, in the form that a file of subjects may have it in."""
    return box.edges if box == Box(*box.edges) else box_value(box)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """The numbers that have other defaults for the demo; all other options are checked too."""
    found = numbers(options, options.demo)
    at_least_one("count", options.count, 1)
    last = SEEDS - options.count
    if not 0 <= options.seed <= last:
        raise ValueError(f"--seed is {options.seed} but must lie from 0 to {last}: choose another.")
    require_models(options, options.demo)
    if bool(options.controlnet) != bool(options.control_image):
        raise ValueError("--controlnet and --control-image belong together but only one is given: give both.")
    if options.demo and options.controlnet:
        raise ValueError("--demo and --controlnet are both given but the demo has no ControlNet: leave one out.")
    return found


def _targets(out: str, count: int) -> list[Path]:
    """The files to write, numbered where there are several.

    Raises:
        ValueError: they can't be written there.
    """
    check_png(out)
    target = Path(out)
    if target.is_dir():
        raise ValueError(f"--out is {target} but that is a folder: name a file, {target / 'ms_diffusion.png'}.")
    if not target.parent.is_dir():
        raise ValueError(f"--out is {target} but there is no folder {target.parent}: make it, or name another.")
    targets = [target]
    if count > 1:
        targets = [target.with_stem(f"{target.stem}-{number}") for number in range(1, count + 1)]
    for path in targets:
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise ValueError(f"--out is {target} but {path} can't be written: name a file in a folder of yours.")
    return targets


def _pipeline(options: argparse.Namespace, device: torch.device) -> MSDiffusionPipeline:
    if options.demo:
        from .demo import demo_pipeline

        return demo_pipeline().to(device)
    return MSDiffusionPipeline.from_files(
        options.base, options.adapter, options.image_encoder, controlnet=options.controlnet, device=device,
        dtype=torch.float32 if device.type == "cpu" else torch.float16,
    )


def _subject(named: SubjectText, demo: bool) -> Subject:
    settings = {"weight": named.weight, "start": named.start, "end": named.end}
    picture = named.picture
    if demo and isinstance(picture, str) and DRAWN in picture and not Path(picture).exists():
        from .demo import demo_subject

        kind, _, seed = picture.partition(DRAWN)
        if not (seed.isascii() and seed.isdigit()):
            raise ValueError(f"The drawn subject {picture!r} needs a number after {DRAWN}: write {kind}{DRAWN}7.")
        if named.mask is not None:
            raise ValueError(f"The drawn subject {picture!r} has a mask but stands on plain white: leave mask out.")
        return demo_subject(kind, int(seed), phrase=named.phrase, **settings)
    return load_subject(picture, named.phrase, mask=named.mask, mask_is=named.mask_is, fit=named.fit, **settings)
