"""Draws references, layout and pictures of one scene side by side. Runs in the environment, which has Pillow.

Usage, from the pack's folder: python -m devtools.sheet sheet.json sheet.png
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from msd_core.demo.world import draw_subject

HEIGHT, GAP, CAPTION = 440, 24, 36
PAPER, INK, FAINT = "#fbfaf7", "#26241f", "#8a867c"
COLORS = ("#d1495b", "#2a7f9e", "#edae49", "#5b8e4a", "#8e5ba6", "#6b6459")


def sheet(scene: dict) -> Image.Image:
    """The panels in a row under their titles, the prompt below."""
    panels = [("references", references(scene)), ("layout", layout(scene))]
    for title, file in scene["pictures"].items():
        with Image.open(file) as picture:
            shown = picture.convert("RGB").resize(_fit(*picture.size), Image.Resampling.BICUBIC)
        panels.append((title, shown))
    width = GAP + sum(panel.width + GAP for _, panel in panels)
    page = Image.new("RGB", (width, HEIGHT + 2 * CAPTION + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(page)
    left = GAP
    for title, panel in panels:
        draw.text((left, GAP // 2), title, INK, _font(22))
        page.paste(panel, (left, GAP // 2 + CAPTION))
        left += panel.width + GAP
    prompt = f"“{scene['prompt']}”"
    draw.text((GAP, HEIGHT + CAPTION + GAP), _shorten(draw, prompt, width - 2 * GAP), FAINT, _font(20))
    return page


def references(scene: dict) -> Image.Image:
    """The subjects' drawings one above the other, each framed in its color and named by its phrase."""
    count = len(scene["drawings"])
    tile = (HEIGHT - (count - 1) * GAP) // count
    side = tile - CAPTION
    panel = Image.new("RGB", (side, HEIGHT), PAPER)
    draw = ImageDraw.Draw(panel)
    for i, ((kind, seed), phrase) in enumerate(zip(scene["drawings"], scene["phrases"], strict=True)):
        top = i * (tile + GAP)
        pixels, _, _ = draw_subject(kind, seed, side)
        panel.paste(Image.fromarray(np.round(pixels * 255).astype(np.uint8)), (0, top))
        draw.rectangle((0, top, side - 1, top + side - 1), outline=_color(i), width=4)
        draw.text((0, top + side + 6), _shorten(draw, phrase, side), _color(i), _font(20))
    return panel


def layout(scene: dict) -> Image.Image:
    """The boxes on an empty canvas of the image's shape, each in its subject's color and named by its phrase."""
    width, height = _fit(scene["width"], scene["height"])
    panel = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(panel, "RGBA")
    draw.rectangle((0, 0, width - 1, height - 1), outline=FAINT)
    for i, ((x0, y0, x1, y1), phrase) in enumerate(zip(scene["boxes"], scene["phrases"], strict=True)):
        corners = (x0 * width, y0 * height, x1 * width - 1, y1 * height - 1)
        draw.rectangle(corners, fill=_color(i) + "40", outline=_color(i), width=4)
        name = _shorten(draw, phrase, int((x1 - x0) * width) - 24)
        draw.text((corners[0] + 12, corners[1] + 10), name, _color(i), _font(20))
    return panel


def _fit(width: int, height: int) -> tuple[int, int]:
    return round(width * HEIGHT / height), HEIGHT


def _color(i: int) -> str:
    return COLORS[i % len(COLORS)]


def _font(size: int):
    return ImageFont.load_default(size)


def _shorten(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """`text`, cut to `width` pixels with an ellipsis where it is longer."""
    if draw.textlength(text, _font(20)) <= width:
        return text
    while text and draw.textlength(text + "…", _font(20)) > width:
        text = text[:-1]
    return text + "…"


if __name__ == "__main__":
    table, target = sys.argv[1:]
    sheet(json.loads(Path(table).read_text("utf-8"))).save(target)
