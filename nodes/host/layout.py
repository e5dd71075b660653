"""Building a layout from what a graph may supply: drawn boxes, a detector's boxes, or masks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...msd_core.boxes import boxes_from_pixels, parse_boxes
from ...msd_core.layout import Layout, Region, region_cells
from ...msd_core.overlap import Overlap, with_overlap
from ...msd_core.pictures import mask_planes


def build_layout(
    width: int,
    height: int,
    boxes: str,
    bounding_boxes: Any = None,
    masks: Tensor | None = None,
    overlap: Overlap = "mix",
) -> Layout:
    """A layout of `width x height` pixels.

    Args:
        boxes: the canvas' value, JSON text.
        bounding_boxes: BOUNDING_BOX in pixels; replaces the drawn boxes where linked.
        masks: MASK `[n, h, w]` or `[n, 1, h, w]`, one free-form region each; replaces all boxes where linked, keeping
            their labels and which is in front.
        overlap: what happens where regions overlap.

    Raises:
        ValueError: a bad box or mask, which the message names, or regions that can't be kept from one another.
    """
    placed = parse_boxes(boxes) if bounding_boxes is None else boxes_from_pixels(bounding_boxes, width, height)
    if masks is None:
        regions = [Region(box) for box in placed]
    else:
        planes = mask_planes(masks, "The masks input")
        told = [(box.label, box.z) for box in placed] + [("", 0)] * len(planes)
        regions = [Region.from_mask(mask, f"Mask {index + 1}", *told[index]) for index, mask in enumerate(planes)]
    return Layout(width, height, with_overlap(regions, overlap, width, height))


def layout_masks(layout: Layout) -> Tensor:
    """One MASK per region in the frame's pixels, `[n, height, width]`; a single empty one where there is none."""
    if not layout.regions:
        return torch.zeros((1, layout.height, layout.width))
    return region_cells(layout.regions, layout.height, layout.width).float()
