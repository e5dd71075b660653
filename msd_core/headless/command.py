"""`python -m msd_core generate`: subjects, boxes and a prompt from the command line to a PNG."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..auto_layout import AutoLayoutSettings
from ..boxes import Box
from ..subject import Subject, prepare_views

DRAWN = "#"
AUTO_LAYOUT = AutoLayoutSettings()


class SubjectOption(NamedTuple):
    """One `--subject`: the picture (or `cat#7`, the demo's seventh cat), the phrase and the box."""

    picture: str
    phrase: str
    box: Box


def parse_subject(text: str) -> SubjectOption:
    """Read `photo.png:"dog":0,0.25,0.5,0.75`.

    Raises:
        ValueError: it is not picture, phrase and four numbers.
    """
    parts = text.rsplit(":", 2)
    if len(parts) != 3:
        raise ValueError(
            f'--subject is {text!r} but must hold picture:phrase:box: write photo.png:"dog":0,0.25,0.5,0.75.'
        )
    edges = parts[2].split(",")
    try:
        numbers = [float(edge) for edge in edges]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise ValueError(f"The box {parts[2]!r} must be four numbers x0,y0,x1,y1 from 0 to 1: write 0,0.25,0.5,0.75.")
    return SubjectOption(parts[0], parts[1].strip("\"'"), Box(*numbers))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `generate`."""
    parser.add_argument("--subject", action="append", default=[], metavar="PICTURE:PHRASE:X0,Y0,X1,Y1",
                        help='once per subject, as photo.png:"dog":0,0.25,0.5,0.75; with --demo also cat#7:cat:...')
    parser.add_argument("--prompt", required=True, help="what the picture shows")
    parser.add_argument("--negative", default="", help="what it must not show")
    parser.add_argument("--demo", action="store_true", help="use the tiny set that comes with the package")
    parser.add_argument("--base", help="SDXL, a diffusers folder or a single file")
    parser.add_argument("--adapter", help="ms_adapter.bin or .safetensors")
    parser.add_argument("--image-encoder", help="folder of CLIP ViT-bigG/14")
    parser.add_argument("--controlnet", help="folder of an SDXL ControlNet")
    parser.add_argument("--control-image", help="the ControlNet's picture")
    parser.add_argument("--scale", type=float, help="strength of the subjects (default 0.6, demo 1.0)")
    parser.add_argument("--guidance", type=float, help="guidance scale (default 7.5, demo 2.0)")
    parser.add_argument("--steps", type=int, help="sampling steps (default 30, demo 20)")
    parser.add_argument("--width", type=int, help="pixels, a multiple of 32 (default 1024, demo 160)")
    parser.add_argument("--height", type=int, help="pixels, a multiple of 32 (default 1024, demo 160)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-grounding", action="store_true", help="drop phrase and box from the subjects' tokens")
    parser.add_argument("--auto-layout", type=float, nargs="?", const=AUTO_LAYOUT.threshold, metavar="THRESHOLD",
                        help="let the prompt's own attention take over from rough boxes (threshold 0.5)")
    parser.add_argument("--auto-layout-from", type=int, default=AUTO_LAYOUT.start_step, metavar="STEP",
                        help="the first step on which it does (default 5)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", default="ms_diffusion.png")


def run(options: argparse.Namespace) -> Path:
    """Make the picture and write it with its settings; the path.

    Raises:
        ValueError: an option is missing or can't be read.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    chosen = [parse_subject(text) for text in options.subject]
    pipeline, defaults = _pipeline(options)
    settings = {name: getattr(options, name) if getattr(options, name) is not None else value
                for name, value in defaults.items()}
    subjects = [_subject(option, options.demo) for option in chosen]
    embeds = None
    if subjects:
        embeds = pipeline.encode(subjects, [option.box for option in chosen], not options.no_grounding)
    auto_layout = None
    if options.auto_layout is not None:
        auto_layout = AutoLayoutSettings(options.auto_layout, options.auto_layout_from)
    control = Image.open(options.control_image).convert("RGB") if options.control_image else None
    picture = pipeline(options.prompt, embeds, negative=options.negative, seed=options.seed, control_image=control,
                       auto_layout=auto_layout, progress=_show_progress, **settings)
    notes = PngInfo()
    notes.add_text("ms_diffusion", json.dumps({
        "prompt": options.prompt, "negative": options.negative, "seed": options.seed, **settings,
        "grounding": not options.no_grounding,
        "auto_layout": auto_layout and asdict(auto_layout),
        "base": "demo" if options.demo else options.base,
        "adapter": "demo" if options.demo else options.adapter,
        "subjects": [{"picture": o.picture, "phrase": o.phrase, "box": o.box.edges} for o in chosen],
    }))
    target = Path(options.out)
    picture.save(target, pnginfo=notes)
    return target


def _pipeline(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    try:
        import diffusers  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise ValueError(f"{error.name} is not installed but generate needs it: pip install ms-diffusion[headless].") \
            from None
    if options.demo:
        from ..demo.config import ADAPTER_SCALE, GUIDANCE, SCENE_SIZE, STEPS
        from .demo import demo_pipeline

        return demo_pipeline(), {"scale": ADAPTER_SCALE, "guidance": GUIDANCE, "steps": STEPS, "width": SCENE_SIZE,
                                 "height": SCENE_SIZE}
    from .engine import MSDiffusionPipeline

    missing = [f"--{name.replace('_', '-')}" for name in ("base", "adapter", "image_encoder")
               if not getattr(options, name)]
    if missing:
        raise ValueError(f"{', '.join(missing)} not given but needed without --demo: name the files.")
    if bool(options.controlnet) != bool(options.control_image):
        raise ValueError("--controlnet and --control-image belong together but only one is given: give both.")
    dtype = torch.float32 if options.device == "cpu" else torch.float16
    pipeline = MSDiffusionPipeline.from_files(options.base, options.adapter, options.image_encoder,
                                              controlnet=options.controlnet, device=options.device, dtype=dtype)
    return pipeline, {"scale": 0.6, "guidance": 7.5, "steps": 30, "width": 1024, "height": 1024}


def _subject(option: SubjectOption, demo: bool) -> Subject:
    if demo and DRAWN in option.picture and not Path(option.picture).exists():
        from .demo import demo_subject

        kind, _, seed = option.picture.partition(DRAWN)
        if not seed.isdigit():
            raise ValueError(f"The drawn subject {option.picture!r} needs a number after {DRAWN}: write cat#7.")
        drawn = demo_subject(kind, int(seed))
        return Subject(drawn.views, option.phrase)
    import numpy as np
    from PIL import Image

    pixels = torch.from_numpy(np.array(Image.open(option.picture).convert("RGB"))).float() / 255
    return Subject(prepare_views(pixels[None]), option.phrase)


def _show_progress(done: int, total: int) -> None:
    width = 30
    filled = width * done // total
    end = "\n" if done == total else ""
    print(f"\r[{'#' * filled}{'.' * (width - filled)}] {done}/{total}", end=end, file=sys.stderr, flush=True)
