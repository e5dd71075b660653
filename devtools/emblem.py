"""Draws the pack's icon and banner out of the demo's world. Runs in the environment, which has Pillow.

Usage, from the pack's folder: python -m devtools.emblem docs
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from msd_core.demo.scenes import paint_scene
from msd_core.demo.world import draw_subject

ICON, BANNER = (400, 400), (1260, 540)
"""Width and height in pixels; registries show an icon as a square of at most 400 and a banner of 21 to 9."""
PAPER, INK, FAINT = "#fbfaf7", "#26241f", "#6f6b63"
COLORS = ("#4f8fe6", "#e8704f")
BOXES = ((0.05, 0.46, 0.46), (0.54, 0.08, 0.4))
"""Left edge, top edge and side of each subject's box, in fractions of the picture's side."""
SUBJECTS = (("cat", 16), ("mug", 12))
SMOOTH = 2
"""Everything is drawn this many times larger, then made smaller."""


def sprite(number: int, side: int) -> Image.Image:
    """A subject cut out of its drawing, with an alpha channel."""
    pixels, mask, _ = draw_subject(*SUBJECTS[number], side)
    rgba = np.concatenate([pixels, mask[..., None]], axis=-1)
    return Image.fromarray(np.round(rgba * 255).astype(np.uint8), "RGBA")


def scene(side: int, line: int) -> Image.Image:
    """Both subjects at night in a square picture, each in its framed box."""
    picture = Image.fromarray(np.round(paint_scene("night", side, side, 3) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture, "RGBA")
    for number, box in enumerate(BOXES):
        left, top, length = (int(part * side) for part in box)
        drawn = sprite(number, length)
        picture.paste(drawn, (left, top), drawn)
        frame = (left, top, left + length, top + length)
        draw.rounded_rectangle(frame, 3 * line, outline=COLORS[number], width=line)
    return picture


def rounded(picture: Image.Image, radius: int) -> Image.Image:
    """The picture with round corners, transparent outside."""
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, picture.width - 1, picture.height - 1), radius, fill=255)
    cut = picture.convert("RGBA")
    cut.putalpha(mask)
    return cut


def icon() -> Image.Image:
    """Two subjects in their boxes."""
    side = ICON[0] * SMOOTH
    return rounded(scene(side, 10), side // 7).resize(ICON, Image.Resampling.LANCZOS)


def banner() -> Image.Image:
    """The name, two references, and the picture with both."""
    width, height = (SMOOTH * side for side in BANNER)
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    margin, side = height // 9, height * 7 // 9
    left = width - margin - side
    made = scene(side, 8)
    page.paste(made, (left, margin), rounded(made, 36))
    photo = (side - margin // 2) // 2
    for number in range(len(SUBJECTS)):
        top = margin + number * (photo + margin // 2)
        at = left - margin - photo
        frame = (at, top, at + photo, top + photo)
        draw.rounded_rectangle(frame, 28, fill="white", outline=COLORS[number], width=8)
        drawn = sprite(number, photo - 40)
        page.paste(drawn, (at + 20, top + 20), drawn)
        middle, tip = top + photo // 2, left - 26
        draw.line((at + photo + 22, middle, tip - 12, middle), fill=COLORS[number], width=8)
        draw.polygon([(tip, middle), (tip - 26, middle - 18), (tip - 26, middle + 18)], fill=COLORS[number])
    draw.text((margin, height * 0.3), "MS-Diffusion", INK, ImageFont.load_default(118))
    lines = ("Photos of your own subjects,", "each in its own box,", "in one SDXL image.")
    for number, text in enumerate(lines):
        draw.text((margin, height * 0.46 + number * 74), text, FAINT, ImageFont.load_default(58))
    return page.resize(BANNER, Image.Resampling.LANCZOS)


def main(folder: str) -> None:
    for name, picture in (("icon.png", icon()), ("banner.png", banner())):
        # 256 colours keep the files small; of the two ways to choose them only the first knows transparency.
        method = Image.Quantize.FASTOCTREE if picture.mode == "RGBA" else Image.Quantize.MEDIANCUT
        picture.quantize(256, method=method).save(Path(folder) / name, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
