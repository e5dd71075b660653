"""Options that `generate` and the benchmark share: the models, and the numbers that are others in the demo."""

from __future__ import annotations

import argparse
import math

SDXL_SETTINGS = {"scale": 0.6, "guidance": 7.5, "steps": 30, "width": 1024, "height": 1024}
MODELS = ("base", "adapter", "image_encoder")


def add_numbers(parser: argparse.ArgumentParser) -> None:
    """`--scale`, `--guidance`, `--steps`, `--width` and `--height`, which `numbers` reads."""
    add = parser.add_argument
    add("--scale", type=float, help="strength of the subjects (default 0.6, demo 1.0)")
    add("--guidance", type=float, help="guidance scale (default 7.5, demo 2.0)")
    add("--steps", type=int, help="sampling steps (default 30, demo 20)")
    add("--width", type=int, help="pixels, a multiple of 8 (default 1024, demo 160)")
    add("--height", type=int, help="pixels, a multiple of 8 (default 1024, demo 160)")


def add_device(parser: argparse.ArgumentParser) -> None:
    """`--device`, as `choose_device` takes it."""
    parser.add_argument("--device", help="cuda, cuda:1, xpu, mps or cpu (default: the fastest there is, demo cpu)")


def defaults(demo: bool) -> dict[str, float]:
    """The numbers of a run where none is given: the paper's, or those of the demo's models."""
    if not demo:
        return dict(SDXL_SETTINGS)
    from ..demo.config import ADAPTER_SCALE, GUIDANCE, SCENE_SIZE, STEPS

    return {"scale": ADAPTER_SCALE, "guidance": GUIDANCE, "steps": STEPS, "width": SCENE_SIZE, "height": SCENE_SIZE}


def numbers(options: argparse.Namespace, demo: bool) -> dict[str, float]:
    """Scale, guidance, steps, width and height as given, else the defaults.

    Raises:
        ValueError: one is not finite, below one step, or no multiple of 8.
    """
    usual = defaults(demo)
    found = {name: usual[name] if getattr(options, name) is None else getattr(options, name) for name in usual}
    at_least_one("steps", found["steps"], usual["steps"])
    for name in ("scale", "guidance"):
        if not math.isfinite(found[name]):
            said = f"--{name} is {found[name]} but must be a finite number"
            raise ValueError(f"{said}: leave it out for {usual[name]}.")
    for name in ("width", "height"):
        if found[name] < 8 or found[name] % 8:
            nearest = max(8, 8 * round(found[name] / 8))
            raise ValueError(f"--{name} is {found[name]} but must be a multiple of 8: say {nearest}.")
    return found


def at_least_one(name: str, value: int | None, usual: object) -> None:
    """Refuse a count below 1; None is one that was not given.

    Raises:
        ValueError: names the option, its value and what leaving it out means.
    """
    if value is not None and value < 1:
        raise ValueError(f"--{name} is {value} but must be 1 or more: leave it out for {usual}.")


def require_models(options: argparse.Namespace, demo: bool) -> None:
    """Make sure that all three models are named where the demo's are not used.

    Raises:
        ValueError: names those that are not.
    """
    missing = [f"--{name.replace('_', '-')}" for name in MODELS if not demo and not getattr(options, name)]
    if missing:
        raise ValueError(f"{', '.join(missing)} not given but needed without --demo: name the files.")
