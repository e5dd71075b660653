"""The model card beside the weights: what they are, how they came about, and the evaluation's own table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from msd_core.demo import config
from msd_core.demo.weights import total_size

from . import evaluate
from .control import BATCH, TEXT_DROP
from .control_net import RANK
from .judged import PAIRS, WITHIN, table
from .sdxl.checkpoints import checkpoints
from .sketches import TILT, WHOLE_SCENE
from .student import ADAPTER_RUN
from .traced import REACH

CARD = config.WEIGHTS_FOLDER / "MODEL_CARD.md"
AUTO_LAYOUT = "## Auto layout"
CONTROL = "## ControlNet"
STAGES = ("autoencoder", "base", "vision", "joint", "adapter", "decoder")
WHAT = {
    "autoencoder": "autoencoder on 64-pixel crops, then on whole scenes",
    "base": "UNet and text encoders on captions, 10 % without text",
    "vision": "image encoder, naming what makes an identity",
    "joint": "UNet, text encoders, image encoder and adapter together, a quarter of the scenes without subjects",
    "adapter": "adapter, base and image encoder frozen; image, text and both dropped 5 % each, grounding 10 %",
    "decoder": "decoder alone, on noisy latents",
}


def training_table(folder: Path) -> str:
    """The stages that have run, with their steps, in Markdown."""
    lines = ["| stage | learns | steps |", "|---|---|---|"]
    for stage in STAGES:
        file = folder / f"{stage}.pt"
        if stage == ADAPTER_RUN and (found := checkpoints(folder / ADAPTER_RUN)):
            lines.append(f"| {stage} | {WHAT[stage]} | {int(found[-1].name.split('-')[1])} |")
        elif file.exists():
            steps = torch.load(file, map_location="cpu", weights_only=True, mmap=True)["step"]
            lines.append(f"| {stage} | {WHAT[stage]} | {steps} |")
    return "\n".join(lines)


def earlier_round(folder: Path) -> str:
    """A sentence where stages went on from the weights that shipped before."""
    stages = sorted(file.stem.removeprefix("start_") for file in folder.glob("start_*.pt"))
    if not stages:
        return ""
    return f"\nThe stages {' and '.join(stages)} went on from an earlier round's weights (`training/README.md`).\n"


def write_card(folder: Path) -> Path:
    """Write `MODEL_CARD.md` beside the weights from the evaluation in `folder`.

    Raises:
        ValueError: the evaluation has not been run.
    """
    file = folder / "evaluation.json"
    if not file.exists():
        raise ValueError(f"{file.name} is missing from {folder}: run python -m training.evaluate first.")
    measured = json.loads(file.read_text())
    probe = measured["probe"]
    text = f"""# The demo's tiny MS-Diffusion set

A complete set of SDXL's shape and MS-Diffusion's method in {total_size() / 1e6:.1f} MB of fp16: UNet (v-prediction,
{len(config.CROSS_ATTENTIONS)} cross-attentions), two CLIP text encoders, autoencoder, CLIP image encoder, adapter,
ControlNet, and the judge that measures the sprite benchmark (`training/judge.py`).
It draws sprites in scenes of {config.SCENE_SIZE} x {config.SCENE_SIZE} pixels. **A demonstration, not a product:** it
knows eight kinds, eight colours, three patterns, four accessories and six scenes, all drawn by `msd_core/demo`, and
nothing else. Words it doesn't know do no harm.

Sample at guidance {config.GUIDANCE:g}, adapter scale {config.ADAPTER_SCALE:g}, {config.STEPS} steps,
{config.SCENE_SIZE} x {config.SCENE_SIZE}.

## How it was trained

On pictures drawn from seeds, on CPU, by `training/` (see its README), nothing downloaded. One identity in ten is kept
from training and used for the figures below.

{training_table(folder)}
{earlier_round(folder)}
## Measured quality

Held-out identities, two subjects a picture, {2 * measured["cases"]} boxes per row. *Palette nearer own*: the box's
pixels are nearer the own reference's two colours than the other subject's; *own*, *other*: share of the box's pixels
near those colours; *sprite in box*, *kind*, *pattern*: what a separate probe sees (on held-out drawings it is right in
{probe["kind"]:.3f} of kinds and {probe["pattern"]:.3f} of patterns; chance is .125 and .333); *scene*: the
background is the prompt's.

{evaluate.table(measured["results"])}

Measured by `python -m training.evaluate`.
"""
    CARD.write_text(text)
    if (folder / "control.json").exists():
        write_control(folder)
    if (folder / "auto_layout.json").exists():
        write_auto_layout(folder)
    return CARD


@dataclass(frozen=True)
class Goal:
    """What a row of the measurement was to reach: `bound`, or as much more or less than the row `of`."""

    row: str
    score: str
    bound: float = 0.0
    of: str | None = None
    most: bool = False

    def line(self, rows: dict[str, dict[str, list[float]]]) -> str:
        """A line of the table: what was to be reached, and what was."""
        limit = self.bound + (rows[self.of][self.score][0] if self.of else 0.0)
        value, words = rows[self.row][self.score][0], f"{'at most' if self.most else 'at least'} {limit:.2f}"
        if self.of:
            words += f" (*{self.of}*{f' less {-self.bound:g}' if self.bound else ''})"
        over = round(value, 2) - round(limit, 2)
        met = over <= 0 if self.most else over >= 0
        return f"| {self.row} | {self.score} | {words} | {value:.2f} | {'reached' if met else 'missed'} |"


GOALS = (
    Goal("right: steady, boxes before", "ident", -0.03, "right: boxes"),
    Goal("rough: steady, off before", "ident", 0.85),
    Goal("rough: steady, off before", "both", 0.8),
    Goal("rough: steady, off before", "near", 0.45),
    Goal("none: steady", "ident", 0.82),
    Goal("none: steady", "both", 0.75),
    Goal("none: steady", "near", 0.68),
    Goal("none: steady", "exchanged", 0.12, most=True),
    Goal("none: steady", "both", of="none: random places"),
    Goal("none: steady", "near", of="none: random places"),
)


def write_control(folder: Path) -> Path:
    """Write what `training.evaluate_control` has measured into the card, in place of an earlier section.

    Raises:
        ValueError: the stage that trains the ControlNet has not run in `folder`.
    """
    if not (folder / "control.pt").exists():
        raise ValueError(f"control.pt is missing from {folder}: run the stage control first.")
    steps = torch.load(folder / "control.pt", map_location="cpu", weights_only=True, mmap=True)["step"]
    measured = json.loads((folder / "control.json").read_text())
    text = f"""{CONTROL}

`demo_control_net.safetensors`, a control-LoRA of rank {RANK}: ComfyUI takes the copy of the UNet's way down from the
UNet itself, the file has what moves it and what reads the sketch. It follows white lines on black, as *Canny* draws
them, and knows the same world.

Trained in {steps} steps of {BATCH} pairs over the frozen base, without the adapter, on CPU: scenes whose sprites look
either way, lean by up to {TILT:g} degrees and are smaller than the base draws them, with their lines at thresholds of
all kinds; {WHOLE_SCENE * 100:g} % of the sketches have the ground's lines too, text dropped {TEXT_DROP * 100:g} %.

Held-out identities in such poses, two subjects a picture, {measured["cases"]} pictures a row, strength 1, the lines
those of the sprites on white. *Lines found*: share of the sketch's lines that have an edge of the picture within
{REACH} pixel; the other columns as above (the probe has seen upright sprites only).

| condition | lines found | {" | ".join(evaluate.COLUMNS.values())} |
|---|---|{"---|" * len(evaluate.COLUMNS)}
{chr(10).join(control_row(name, row) for name, row in measured["rows"].items())}

The sketch says where lines are, the photos what fills them: together, each keeps most of what it does alone. Small
details, as eyes and windows, blur.

Measured by `python -m training.evaluate_control`.
"""
    before, last, after = CARD.read_text().partition(AUTO_LAYOUT)
    CARD.write_text(before.split(CONTROL)[0].rstrip() + "\n\n" + text + ("\n" + last + after if last else ""))
    return CARD


def control_row(name: str, row: dict[str, float]) -> str:
    """A line of the ControlNet's table."""
    return f"| {name} | {row['lines']:.3f} | " + " | ".join(f"{row[column]:.3f}" for column in evaluate.COLUMNS) + " |"


def _fewer(pairs: int) -> str:
    """A sentence where fewer pairs were measured than the script asks for."""
    return f"The measurement was ended after {pairs} of {PAIRS} pairs.\n\n" if pairs < PAIRS else ""


def write_auto_layout(folder: Path) -> Path:
    """Write what `training.auto_layout` has measured into the card, as its last section, in place of an earlier one."""
    measured = json.loads((folder / "auto_layout.json").read_text())
    pictures = measured["pairs"] * measured["seeds"]
    goals = "\n".join(goal.line(measured["rows"]) for goal in GOALS)
    text = f"""{AUTO_LAYOUT}

Held-out pairs again, {measured["pairs"]} of them with {measured["seeds"]} seeds each, {pictures} pictures a row, with
standard errors over pairs. The probe slides over the whole picture, so a subject counts wherever it stands; the first
row is what it finds in the scenes as they are drawn, which no other can be expected to pass. *ident*: a sprite has the
subject's kind and its colours rather than the other subject's; *both*: both subjects of the picture; *near*: of the
subjects that the bare model draws from the same noise, those within {WITHIN:g} of the frame of where it draws them;
*exchanged*: of the pictures where both are found in both, those with the two in each other's places; *doubles*: sprites
a picture that are no subject's.

{_fewer(measured["pairs"])}Starts: *right* boxes of the scene as drawn; *rough*, each moved by about a quarter of the
frame; *overlapping*, the second moved onto the first, to about a quarter of the frame from it; *none*, boxes over the
whole frame and no grounding. *Random places* and *pushed apart* read no maps: disjoint regions give looks by
themselves, and what maps add is place.

{table(measured["rows"])}

| row | score | wanted | measured | |
|---|---|---|---|---|
{goals}

*Boxes before* holds on to the boxes, *off before* to what the bare model would have drawn. So with rough boxes the one
stands near the bare model's places hardly more often than plain boxes do, and the other far more often. What the bare
model has drawn before a region is there may stay, as a double. A later start keeps more of the bare model's places and
fewer of the looks, an earlier one the reverse. The paper's own method cuts a map for each layer: regions that differ
from layer to layer, share cells or are empty keep few looks.

Measured by `python -m training.auto_layout`.
"""
    CARD.write_text(CARD.read_text().split(AUTO_LAYOUT)[0].rstrip() + "\n\n" + text)
    return CARD
