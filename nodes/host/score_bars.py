"""Pictures of scores: each image with a bar for each metric, and one for each subject's own region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...msd_core.evaluation.report import COLUMNS
from .preview import PALETTE, PAPER

WIDTH, SIDE, MARGIN = 768, 288, 20
ROW, BAR = 34, 14
INK, FAINT, TRACK, METRIC, WARNING = "#e6e8eb", "#9aa0a8", "#343941", "#9fb2c8", "#ff6b8b"


class Bar(NamedTuple):
    """One line: its name, its value, its colour, and whether it is a warning."""

    name: str
    value: float
    color: str
    warns: bool = False


def draw_bars(images: Tensor, rows: Sequence[dict[str, Any]], phrases: Sequence[str]) -> Tensor:
    """Draw each image's scores beside it.

    Args:
        images: IMAGE `[b, h, w, 3]`.
        rows: their scores (see `Scorer.score`).
        phrases: the subjects'.

    Returns:
        IMAGE `[b, H, 768, 3]`.
    """
    lines = [list(_bars(row, phrases)) for row in rows]
    height = max(SIDE, ROW * max(map(len, lines)) + 24) + 2 * MARGIN
    return torch.stack([
        _draw(image, number, bars, height) for number, (image, bars) in enumerate(zip(images, lines, strict=True), 1)
    ])


def _bars(row: dict[str, Any], phrases: Sequence[str]) -> Iterator[Bar]:
    for metric, heading in COLUMNS.items():
        if row.get(metric) is not None:
            yield Bar(heading, row[metric], METRIC)
    verdicts = row.get("swap_each", [None] * len(phrases))
    for number, (phrase, score) in enumerate(zip(phrases, row.get("region_each", []), strict=False)):
        yield Bar(f"{number + 1} {phrase}", score, PALETTE[number % len(PALETTE)], bool(verdicts[number]))


def _draw(image: Tensor, number: int, bars: list[Bar], height: int) -> Tensor:
    canvas = Image.new("RGB", (WIDTH, height), PAPER)
    draw, font, small = ImageDraw.Draw(canvas), ImageFont.load_default(16), ImageFont.load_default(13)
    picture = Image.fromarray((image.clamp(0, 1) * 255).round().byte().numpy())
    factor = SIDE / max(picture.size)
    picture = picture.resize([max(round(side * factor), 1) for side in picture.size], Image.Resampling.LANCZOS)
    canvas.paste(picture, (MARGIN, MARGIN))
    left, right = 2 * MARGIN + SIDE, WIDTH - MARGIN
    draw.text((left, MARGIN), f"image {number}", font=small, fill=FAINT)
    start, end = left + 130, right - 58
    for place, bar in enumerate(bars):
        middle = MARGIN + 24 + ROW * place + ROW // 2
        draw.text((left, middle), _fitting(draw, bar.name, font, start - left - 8), font=font, fill=INK, anchor="lm")
        draw.rounded_rectangle((start, middle - BAR // 2, end, middle + BAR // 2), 3, fill=TRACK)
        length = round((end - start) * min(max(bar.value, 0.0), 1.0))
        if length:
            draw.rounded_rectangle((start, middle - BAR // 2, start + length, middle + BAR // 2), 3, fill=bar.color)
        told = WARNING if bar.warns else INK
        draw.text((right, middle), f"{bar.value:.3f}", font=font, fill=told, anchor="rm")
        if bar.warns:
            draw.text((end - 6, middle), "nearer to another", font=small, fill=INK, anchor="rm")
    return torch.from_numpy(np.asarray(canvas).astype(np.float32) / 255)


def _fitting(draw: ImageDraw.ImageDraw, text: str, font: Any, width: int) -> str:
    """A text, shortened to a width."""
    if draw.textlength(text, font=font) <= width:
        return text
    while text and draw.textlength(f"{text}...", font=font) > width:
        text = text[:-1]
    return f"{text}..."
