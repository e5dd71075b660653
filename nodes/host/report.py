"""What the canvas is told after a run: the numbers that only a run knows, the linked pictures, the watched maps."""

from __future__ import annotations

import uuid
from typing import Any

import torch
import torch.nn.functional as F
from comfy_api.latest import io, ui
from torch import Tensor

from ...msd_core.attribution import WatchedRun
from ...msd_core.boxes import box_value
from ...msd_core.layout import Layout, region_cells
from ...msd_core.overlap import Overlap
from ...msd_core.painted import PaintedMask
from .heat_map import relative_maps

BACKGROUND_EDGE = 2048
"""As many pixels as the canvas shows of a picture when it is zoomed in or fills the screen."""
MASK_EDGE = 768
ACTING_EDGE = 256


def layout_report(layout: Layout, background: Tensor | None = None, overlap: Overlap = "mix") -> dict[str, Any]:
    """The layout node's `ui` value (the canvas' type `LayoutReport`).

    Args:
        layout: the layout in effect, from drawn boxes or from links.
        background: the linked IMAGE, of which the first picture is shown.
        overlap: what happens where regions overlap; if they don't mix, `regions` says where each acts.

    Pictures go to the host's temporary folder.
    """
    masks = [_saved_grey(region.mask) for region in layout.regions if region.mask is not None]
    return {"msd_layout": [{
        "width": layout.width,
        "height": layout.height,
        "background": None if background is None else _saved(background[0, ..., :3], BACKGROUND_EDGE),
        "boxes": [box_value(box) for box in layout.boxes],
        "masks": masks,
        "overlap": overlap,
        "regions": [] if overlap == "mix" else _acting(layout),
    }]}


def _acting(layout: Layout) -> list[dict[str, Any]]:
    """Where each region acts, as masks over the whole frame in the form that boxes have painted ones in."""
    factor = ACTING_EDGE / max(layout.width, layout.height)
    height, width = max(round(layout.height * factor), 1), max(round(layout.width * factor), 1)
    return [PaintedMask.of(cells).value() for cells in region_cells(layout.regions, height, width)]


def attribution_report(run: WatchedRun, source: str) -> dict[str, Any]:
    """The maps node's `ui` value: maps of the run's first image, one grey picture per subject, for its box.

    Args:
        run: what was seen.
        source: `subject` or `text`.
    """
    maps = [_saved_grey(heat) for heat in relative_maps(run, source)[0]]
    return {"msd_attribution": [{"source": source, "maps": maps}]}


def _saved_grey(picture: Tensor) -> dict[str, str]:
    return _saved(picture[..., None].expand(-1, -1, 3), MASK_EDGE)


def _saved(picture: Tensor, edge: int) -> dict[str, str]:
    """Save a picture `[h, w, 3]`, at most `edge` pixels long, and say where."""
    picture = picture.movedim(-1, 0)[None].float()
    factor = min(edge / max(picture.shape[-2:]), 1.0)
    size = [max(round(side * factor), 1) for side in picture.shape[-2:]]
    small = F.interpolate(picture, size=size, mode="area")[0].movedim(0, -1).clamp(0, 1)
    saved = ui.ImageSaveHelper.save_images(
        torch.stack([small]), f"msd_layout_{uuid.uuid4().hex[:8]}", io.FolderType.temp, None, compress_level=1
    )
    return dict(saved[0])
