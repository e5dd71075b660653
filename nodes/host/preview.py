"""Pictures of a layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageColor, ImageDraw, ImageFont
from torch import Tensor

from ...msd_core.boxes import Box
from ...msd_core.layout import Layout, region_cells

LONG_EDGE = 1024
PALETTE = ("#4f9dff", "#ff8a4c", "#37c98b", "#c77dff", "#ffcf40", "#ff6b8b", "#3ccfd6", "#a5c94a")
PAPER = "#1e2126"


def draw_layout(layout: Layout, background: Tensor | None = None) -> Tensor:
    """Draw the regions with their numbers and labels.

    Args:
        layout: the layout; its frame gives the picture's aspect.
        background: IMAGE `[b, h, w, 3]` whose first picture lies under the boxes, dimmed and stretched to the frame.

    Returns:
        IMAGE `[1, H, W, 3]`, 1024 pixels on the long edge.
    """
    factor = LONG_EDGE / max(layout.width, layout.height)
    width, height = max(round(layout.width * factor), 1), max(round(layout.height * factor), 1)
    canvas = Image.new("RGB", (width, height), PAPER)
    if background is not None:
        picture = Image.fromarray((background[0, ..., :3].clamp(0, 1) * 255).byte().cpu().numpy())
        canvas = Image.blend(canvas, picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), 0.6)
    font = ImageFont.load_default(max(LONG_EDGE // 40, 12))
    for index, (region, cells) in enumerate(
        zip(layout.regions, region_cells(layout.regions, height, width).numpy(), strict=True)
    ):
        color = ImageColor.getrgb(region.box.color or PALETTE[index % len(PALETTE)])
        tint = Image.fromarray(np.where(cells, 70, 0).astype(np.uint8))
        canvas.paste(Image.new("RGB", canvas.size, color), mask=tint)
        name = f"{index + 1} {region.box.label}".strip()
        _draw_frame(ImageDraw.Draw(canvas), region.box, name, color, font, canvas.size)
    return torch.from_numpy(np.asarray(canvas).astype(np.float32) / 255)[None]


def _draw_frame(
    draw: ImageDraw.ImageDraw, box: Box, name: str, color: tuple[int, int, int], font: Any, size: tuple[int, int]
) -> None:
    width, height = size
    left, top = box.x0 * width, box.y0 * height
    right, bottom = box.x1 * width - 1, box.y1 * height - 1
    draw.rectangle((left, top, max(right, left), max(bottom, top)), outline=color, width=3)
    text = draw.textbbox((left + 8, top + 6), name, font=font)
    draw.rectangle((left, top, text[2] + 8, text[3] + 6), fill=color)
    luminance = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    draw.text((left + 8, top + 6), name, font=font, fill="black" if luminance > 140 else "white")
