"""What a run is told: the paper's numbers as defaults, and the rows of its table 3."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

PROJECTORS = ("grounding", "plain", "linear")
OPTIMISERS = ("adamw", "adamw8bit", "muon")
PRECISIONS = ("bf16", "fp32")
PREDICTIONS = ("epsilon", "v_prediction")

ROWS: dict[str, dict[str, Any]] = {
    "MS-Diffusion": {},
    "w/o RS": {"projector": "linear"},
    "w/o GRS": {"projector": "plain"},
    "w/o MCA": {"masks": False},
    "w/o LG w/IAL": {"projector": "plain", "masks": False, "image_attention_loss": 0.01},
    "w/o LG w/IAL&TAL": {
        "projector": "plain", "masks": False, "image_attention_loss": 0.01, "text_attention_loss": 0.01,
    },
}
"""The paper's table 3: each row's settings beside the defaults. LG is grounding tokens and masks together."""


def _option(default: Any, told: str, choices: tuple[str, ...] | None = None) -> Any:
    return field(default=default, metadata={"told": told, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """One run of the trainer. Each field is an option of the command line, which says what it means."""

    steps: int = _option(120_000, "steps of the optimiser")
    rate: float = _option(1e-4, "learning rate")
    batch: int = _option(8, "pictures for each GPU and pass")
    accumulate: int = _option(1, "passes whose gradients make one step")
    warm_up: int = _option(0, "steps in which the learning rate rises")
    fall: float = _option(0.0, "share of the steps, at the end, in which it falls to zero")
    decay: float = _option(0.01, "weight decay")
    clip: float = _option(1.0, "largest norm of the gradients")
    optimiser: str = _option("adamw", "the optimiser; adamw8bit needs bitsandbytes", OPTIMISERS)
    average: float = _option(0.9999, "decay of the moving average of the weights, which is what is saved")
    average_on_cpu: bool = _option(False, "keep the moving average in the computer's memory")
    precision: str = _option("bf16", "what is computed in; trained weights are kept in fp32", PRECISIONS)
    checkpointing: bool = _option(True, "compute the UNet's blocks twice, to keep less of them")
    seed: int = _option(0, "of the data's order, noise, drops and new weights")

    size: str = _option("1024x1024", "width and height of the pictures to learn, multiples of 8")
    drop: float = _option(0.05, "probability of each: without image, without text, without both")
    drop_grounding: float = _option(0.1, "probability of starting from the latents instead of phrase and box")
    gamma: float = _option(1.0, "factor on what the subjects add (equation 2)")
    prediction: str | None = _option(None, "what the base predicts, if its scheduler says otherwise", PREDICTIONS)

    projector: str = _option("grounding", "from features to tokens; table 3 has the others", PROJECTORS)
    tokens: int = _option(16, "of each subject, in a new adapter")
    width: int = _option(1280, "of a new resampler, a multiple of 64")
    layers: int = _option(4, "of a new resampler")
    masks: bool = _option(True, "keep each subject in its box")
    image_attention_loss: float = _option(0.0, "weight of equation 7 on the image attention; the paper's is 0.01")
    text_attention_loss: float = _option(
        0.0, "weight of equation 7 on the text attention, whose keys and values then learn; the paper's is 0.01"
    )

    log_every: int = _option(10, "steps between two lines of the log")
    save_every: int = _option(1000, "steps between two checkpoints")
    keep: int = _option(3, "how many checkpoints stay")
    look_every: int = _option(1000, "steps between two looks at held-out samples, 0 for none")
    held_out: int = _option(4, "how many samples, the last ones, are looked at; nothing of their clips is learned")
    look_steps: int = _option(30, "sampling steps of their pictures, 0 for none")
    guidance: float = _option(7.5, "guidance of their pictures")
    scale: float = _option(0.6, "scale of their subjects")

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "log_every", "save_every", "keep", "tokens", "width", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{_spelled(name)} is {getattr(self, name)} but must be 1 or more: set at least 1.")
        for name in ("warm_up", "seed", "look_every", "held_out", "look_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{_spelled(name)} is {getattr(self, name)} but must be 0 or more: 0 is none.")
        for name in ("rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{_spelled(name)} is {getattr(self, name)} but must be a number above 0: set one.")
        for name in ("decay", "image_attention_loss", "text_attention_loss", "gamma", "guidance", "scale"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{_spelled(name)} is {getattr(self, name)} but must be 0 or more: 0 is none.")
        for name, most in (("drop", 1 / 3), ("drop_grounding", 1), ("fall", 1), ("average", 1)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(
                    f"{_spelled(name)} is {getattr(self, name)} but must lie between 0 and {most:.4g}: set one between."
                )
        for one in fields(self):
            choices = one.metadata["choices"]
            if choices and getattr(self, one.name) not in (*choices, one.default):
                raise ValueError(
                    f"{_spelled(one.name)} is {getattr(self, one.name)!r} but must be one of {', '.join(choices)}: "
                    "choose one."
                )
        if self.width % 64:
            raise ValueError(f"--width is {self.width} but heads are 64 wide: set a multiple of 64.")
        width, height = self.pixels
        if min(width, height) < 64 or width % 8 or height % 8:
            raise ValueError(f"--size is {self.size} but both sides must be multiples of 8, 64 or more: 1024x1024.")

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of the pictures to learn."""
        sides = self.size.lower().split("x")
        if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
            raise ValueError(f"--size is {self.size!r} but must be a width and a height: write 1024x1024.")
        return int(sides[0]), int(sides[1])

    @property
    def grounded(self) -> bool:
        """Whether phrase and box start the queries."""
        return self.projector == "grounding"

    def row(self, name: str) -> Settings:
        """These settings as a row of table 3.

        Raises:
            ValueError: there is no such row.
        """
        if name not in ROWS:
            raise ValueError(f"--row is {name!r} but must be one of {', '.join(ROWS)}: choose one.")
        return replace(self, **ROWS[name])


DECIDED = (
    "rate", "batch", "accumulate", "optimiser", "average", "seed", "size", "drop", "drop_grounding", "gamma",
    "prediction", "projector", "tokens", "width", "layers", "masks", "image_attention_loss",
    "text_attention_loss", "held_out",
)
"""Settings that a run which goes on has to share with what it goes on from."""


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"
