"""A contact sheet: samples of a set as they will be learnt from, on one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..shards import SUBJECTS, Sample, Shards
from .crops import pixel_box

COLUMNS = 2
TARGET, SUBJECT, GAP, LINE = 320, 132, 14, 17
COLOURS = ((230, 80, 60), (40, 130, 230), (30, 160, 90), (170, 90, 210))
GROUND, CARD, INK, FAINT = (242, 242, 240), (255, 255, 255), (34, 34, 34), (120, 120, 120)
CHECKS = (226, 240)
"""Two greys behind what a mask cuts away."""


def draw_sheet(shards: Shards, count: int = 12, seed: int = 0) -> Any:
    """Some samples, drawn by the seed, as a PIL image: the target with its boxes, beside it what the adapter is shown.

    A subject that is cut from the target itself says so, one from another frame says how alike the two are.
    """
    from PIL import Image

    chosen = sorted(np.random.default_rng(seed).permutation(len(shards))[:count].tolist())
    cards = [_card(shards[number]) for number in chosen]
    columns = min(COLUMNS, len(cards))
    rows = [cards[start : start + columns] for start in range(0, len(cards), columns)]
    width = columns * (cards[0].width + GAP) + GAP
    height = sum(max(card.height for card in row) + GAP for row in rows) + GAP
    sheet, top = Image.new("RGB", (width, height), GROUND), GAP
    for row in rows:
        for number, card in enumerate(row):
            sheet.paste(card, (GAP + number * (card.width + GAP), top))
        top += max(card.height for card in row) + GAP
    return sheet


def save_sheet(shards: Shards, file: str | Path, count: int = 12, seed: int = 0) -> None:
    """Draw some samples into a picture file.

    Raises:
        ValueError: it can't be written.
    """
    sheet = draw_sheet(shards, count, seed)
    try:
        sheet.save(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} can't be written ({error}): name a .png in a folder of yours.") from None


def _card(sample: Sample) -> Any:
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    font, small = ImageFont.load_default(13), ImageFont.load_default(11)
    target = ImageOps.contain(Image.fromarray(sample.target), (TARGET, TARGET), Image.Resampling.LANCZOS)
    width = TARGET + 2 * (SUBJECT + GAP) + 2 * GAP
    lines = _wrapped(sample.caption, font, width - 2 * GAP)[:3]
    row = SUBJECT + 2 * LINE + GAP
    body = max(target.height, row * ((len(sample.subjects) + 1) // 2))
    card = Image.new("RGB", (width, body + (len(lines) + 1) * LINE + 3 * GAP), CARD)
    draw = ImageDraw.Draw(card)
    card.paste(target, (GAP, GAP))
    for number, subject in enumerate(sample.subjects):
        colour = COLOURS[number % SUBJECTS]
        left, top, right, bottom = pixel_box(subject.box, target.height, target.width)
        draw.rectangle((GAP + left, GAP + top, GAP + right - 1, GAP + bottom - 1), outline=colour, width=3)
        draw.rectangle((GAP + left, GAP + top, GAP + left + 14, GAP + top + 15), fill=colour)
        draw.text((GAP + left + 4, GAP + top + 1), str(number + 1), CARD, small)
        x = 2 * GAP + TARGET + (number % 2) * (SUBJECT + GAP)
        y = GAP + (number // 2) * row
        picture = ImageOps.contain(_shown(subject.picture, subject.mask), (SUBJECT, SUBJECT), Image.Resampling.LANCZOS)
        card.paste(picture, (x, y))
        draw.rectangle((x, y, x + picture.width - 1, y + picture.height - 1), outline=colour, width=2)
        draw.text((x, y + picture.height + 3), _cut(f"{number + 1} {subject.phrase}", font, SUBJECT), INK, font)
        draw.text((x, y + picture.height + 3 + LINE), _cut(_origin(sample, number), small, SUBJECT), FAINT, small)
    for number, line in enumerate(lines):
        draw.text((GAP, body + 2 * GAP + number * LINE), line, INK, font)
    draw.text((GAP, body + 2 * GAP + len(lines) * LINE), _cut(sample.key, small, width - 2 * GAP), FAINT, small)
    return card


def _origin(sample: Sample, number: int) -> str:
    if sample.subjects[number].source == "target":
        return "from the target"
    told = sample.origin.get("subjects", [])
    alike = told[number].get("similar") if number < len(told) else None
    return "another frame" if alike is None else f"another frame, {alike:.2f}"


def _shown(pixels: np.ndarray, mask: np.ndarray | None) -> Any:
    """A subject's picture, on a chequered ground where its mask cuts it away."""
    from PIL import Image

    if mask is None:
        return Image.fromarray(pixels)
    rows, columns = (np.arange(size) * 16 // max(pixels.shape[:2]) for size in pixels.shape[:2])
    ground = np.where((rows[:, None] + columns) % 2, *CHECKS).astype(np.uint8)
    return Image.fromarray(np.where(mask[..., None], pixels, ground[..., None]))


def _wrapped(text: str, font: Any, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _cut(text: str, font: Any, width: int) -> str:
    while text and font.getlength(text) > width:
        text = text[:-2] + "…" if not text.endswith("…") else text[:-2] + "…"
    return text
