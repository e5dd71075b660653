"""Draws references, layout and result of one workflow side by side. Runs in the environment, which has Pillow.

Usage: python sheet.py description.json result.png sheet.png
"""

import json
import sys

from PIL import Image, ImageDraw, ImageFont, ImageOps

HEIGHT, GAP, CAPTION = 640, 24, 34
RESULT = "result of the tiny demo set"
PAPER, INK, FAINT = "#fbfaf7", "#26241f", "#8a867c"
COLORS = ("#d1495b", "#2a7f9e", "#edae49", "#5b8e4a", "#8e5ba6", "#6b6459")


def sheet(description: dict, result: Image.Image) -> Image.Image:
    """The three panels in a row under their titles, the prompt below."""
    panels = [
        ("references", references(description["subjects"])),
        ("layout", layout(description)),
        (RESULT, result.convert("RGB").resize(_fit(*result.size), Image.Resampling.LANCZOS)),
    ]
    width = GAP + sum(panel.width + GAP for _, panel in panels)
    page = Image.new("RGB", (width, HEIGHT + 2 * CAPTION + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(page)
    left = GAP
    for title, panel in panels:
        draw.text((left, GAP // 2), title, INK, _font(20))
        page.paste(panel, (left, GAP // 2 + CAPTION))
        left += panel.width + GAP
    draw.text((GAP, HEIGHT + CAPTION + GAP), _shorten(draw, description["prompt"], width - 2 * GAP), FAINT, _font(18))
    return page


def references(subjects: list[dict]) -> Image.Image:
    """The subjects' photos one above the other, each framed in its color and named by its phrase."""
    tile = (HEIGHT - (len(subjects) - 1) * GAP) // len(subjects)
    side = tile - CAPTION
    panel = Image.new("RGB", (side, HEIGHT), PAPER)
    draw = ImageDraw.Draw(panel)
    for i, subject in enumerate(subjects):
        top = i * (tile + GAP)
        with Image.open(subject["photo"]) as photo:
            panel.paste(ImageOps.fit(ImageOps.exif_transpose(photo).convert("RGB"), (side, side)), (0, top))
        draw.rectangle((0, top, side - 1, top + side - 1), outline=_color(i), width=4)
        draw.text((0, top + side + 6), _shorten(draw, subject["phrase"], side), _color(i), _font(18))
    return panel


def layout(description: dict) -> Image.Image:
    """The boxes on an empty canvas of the image's shape, each in its subject's color and named by its phrase."""
    width, height = _fit(description["width"], description["height"])
    panel = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(panel, "RGBA")
    draw.rectangle((0, 0, width - 1, height - 1), outline=FAINT)
    for i, (box, subject) in enumerate(zip(description["boxes"], description["subjects"], strict=False)):
        x0, y0, x1, y1 = box if isinstance(box, list) else (box[key] for key in ("x0", "y0", "x1", "y1"))
        corners = (x0 * width, y0 * height, x1 * width - 1, y1 * height - 1)
        draw.rectangle(corners, fill=_color(i) + "40", outline=_color(i), width=4)
        name = _shorten(draw, subject["phrase"], int((x1 - x0) * width) - 24)
        draw.text((corners[0] + 12, corners[1] + 10), name, _color(i), _font(18))
    return panel


def _fit(width: int, height: int) -> tuple[int, int]:
    return round(width * HEIGHT / height), HEIGHT


def _color(i: int) -> str:
    return COLORS[i % len(COLORS)]


def _font(size: int):
    return ImageFont.load_default(size)


def _shorten(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    """`text`, cut to `width` pixels with an ellipsis where it is longer."""
    if draw.textlength(text, _font(18)) <= width:
        return text
    while text and draw.textlength(text + "…", _font(18)) > width:
        text = text[:-1]
    return text + "…"


if __name__ == "__main__":
    table, picture, target = sys.argv[1:]
    with open(table, encoding="utf-8") as file:
        described = json.load(file)
    with Image.open(picture) as image:
        sheet(described, image).save(target)
