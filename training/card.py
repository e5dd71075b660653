"""The model card beside the weights: what they are, how they came about, and the evaluation's own table."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from msd_core.demo import config
from msd_core.demo.weights import total_size

from . import evaluate
from .judged import WITHIN, table

CARD = config.WEIGHTS_FOLDER / "MODEL_CARD.md"
AUTO_LAYOUT = "## Auto layout"
STAGES = ("autoencoder", "base", "vision", "joint", "adapter", "decoder")
WHAT = {
    "autoencoder": "autoencoder on 64-pixel crops, then on whole scenes",
    "base": "UNet and text encoders on captions, 10 % without text",
    "vision": "image encoder, naming what makes an identity",
    "joint": "UNet, text encoders, image encoder and adapter together, a quarter of the scenes without subjects",
    "adapter": "image encoder and adapter, the base frozen; text dropped 15 %, grounding 10 %, image 5 %",
    "decoder": "decoder alone, on noisy latents",
}


def training_table(folder: Path) -> str:
    """The stages that have run, with their steps, in Markdown."""
    lines = ["| stage | learns | steps |", "|---|---|---|"]
    for stage in STAGES:
        file = folder / f"{stage}.pt"
        if file.exists():
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
{len(config.CROSS_ATTENTIONS)} cross-attentions), two CLIP text encoders, autoencoder, CLIP image encoder, adapter, and
the judge that measures the sprite benchmark (`training/judge.py`).
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
    if (folder / "auto_layout.json").exists():
        write_auto_layout(folder)
    return CARD


def write_auto_layout(folder: Path) -> Path:
    """Write what `training.auto_layout` has measured into the card, as its last section, in place of an earlier one."""
    measured = json.loads((folder / "auto_layout.json").read_text())
    pictures = measured["pairs"] * measured["seeds"]
    text = f"""{AUTO_LAYOUT}
Held-out pairs again, {measured["pairs"]} of them with {measured["seeds"]} seeds each, {pictures} pictures a row, with
standard errors over pairs. The probe slides over the whole picture, so a subject counts wherever it stands; the first
row is what it finds in the scenes as they are drawn, which no other can be expected to pass. *ident*: a sprite has the
subject's kind and its colours rather than the other subject's; *both*: both subjects of the picture; *near*: of the
subjects that the bare model draws from the same noise, those within {WITHIN:g} of the frame of where it draws them;
*exchanged*: of the pictures where both are found in both, those with the two in each other's places; *doubles*: sprites
a picture that are no subject's.

Starts: *right* boxes of the scene as drawn; *rough*, each moved by about a quarter of the frame; *overlapping*, the
second moved onto the first, to about a quarter of the frame from it; *none*, boxes over the whole frame and no
grounding. *Random places* and *pushed apart* read no maps: disjoint regions give looks by themselves, and what maps add
is place.

{table(measured["rows"])}

Measured by `python -m training.auto_layout`.
"""
    CARD.write_text(CARD.read_text().split(AUTO_LAYOUT)[0].rstrip() + "\n\n" + text)
    return CARD
