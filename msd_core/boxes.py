"""Boxes: where a subject goes, and every way a box is written down."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

VERSION = 1
DECIMALS = 4
EMPTY_BOXES = '{"version":1,"boxes":[]}'
EDGES = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class Box:
    """A rectangle in fractions of the frame: x from the left edge, y from the top edge, both 0..1.

    Raises:
        ValueError: an edge is no number, lies outside the frame, or the box has no area.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    label: str = ""
    color: str = ""

    def __post_init__(self) -> None:
        for name, value in zip(EDGES, self.edges, strict=True):
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r} but must be a number from 0 to 1: redraw the box.")
            if not 0.0 <= value <= 1.0:
                raise ValueError(
                    f"{name} is {value:g} but boxes are fractions of the frame from 0 to 1: "
                    "divide pixels by the frame's width or height."
                )
        for low, high in (("x0", "x1"), ("y0", "y1")):
            start, end = getattr(self, low), getattr(self, high)
            if start == end:
                raise ValueError(f"{low} and {high} are both {start:g}, so the box has no area: draw it larger.")
            if start > end:
                raise ValueError(f"{low} is {start:g} but {high} is {end:g}: swap them, the order is x0, y0, x1, y1.")

    @property
    def edges(self) -> tuple[float, float, float, float]:
        return self.x0, self.y0, self.x1, self.y1

    def name(self, index: int) -> str:
        """How messages call the box: its number from 1, and its label if it has one."""
        return f'box {index + 1} ("{self.label}")' if self.label else f"box {index + 1}"


FULL_FRAME = Box(0.0, 0.0, 1.0, 1.0)


def parse_boxes(value: Any) -> tuple[Box, ...]:
    """Read the value of the layout node's `boxes` input.

    Args:
        value: JSON text or its parsed form: `{"version": 1, "boxes": [...]}`, or the bare list. A box is an
            object with `x0, y0, x1, y1` (and `label`, `color`) or a list `[x0, y0, x1, y1]`.

    Raises:
        ValueError: malformed JSON, an unknown version, or a bad box, which the message names.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = _load_json(value)
    if isinstance(value, dict):
        version = value.get("version", VERSION)
        if version != VERSION:
            raise ValueError(
                f"The layout has version {version!r} but this pack reads version {VERSION}: update MS-Diffusion."
            )
        if "boxes" not in value:
            raise ValueError(f'The layout has the keys {sorted(value)} but needs "boxes": write {EMPTY_BOXES}.')
        value = value["boxes"]
    if not isinstance(value, list | tuple):
        raise ValueError(f'"boxes" is a {type(value).__name__} but must be a list of boxes: write {EMPTY_BOXES}.')
    return tuple(_parse_box(entry, index) for index, entry in enumerate(value))


def format_boxes(boxes: Sequence[Box]) -> str:
    """Write boxes as the canonical JSON text, so that equal layouts are equal strings."""
    entries = [
        {**{name: _rounded(edge) for name, edge in zip(EDGES, box.edges, strict=True)},
         "label": box.label, "color": box.color}
        for box in boxes
    ]
    return json.dumps({"version": VERSION, "boxes": entries}, separators=(",", ":"), ensure_ascii=False)


def boxes_from_pixels(frames: Any, width: int, height: int) -> tuple[Box, ...]:
    """Read ComfyUI's BOUNDING_BOX, `{x, y, width, height, metadata}` in pixels, as boxes.

    Args:
        frames: one such dict, a list of them, or a list of lists (one per video frame: the first is used).
        width: frame width in pixels.
        height: frame height in pixels.

    Boxes that reach over the frame's edge are clipped to it, as detectors often overshoot by a pixel.
    """
    if isinstance(frames, dict):
        frames = [frames]
    if not isinstance(frames, list | tuple):
        raise ValueError(
            f"bounding_boxes is a {type(frames).__name__} but must be a list of pixel boxes: "
            "link a BOUNDING_BOX output."
        )
    if frames and isinstance(frames[0], list | tuple):
        frames = frames[0]
    return tuple(_box_from_pixels(entry, index, width, height) for index, entry in enumerate(frames))


def boxes_to_pixels(boxes: Sequence[Box], width: int, height: int) -> list[list[dict[str, Any]]]:
    """Write boxes as ComfyUI's BOUNDING_BOX value: one frame holding pixel boxes, at least one pixel each."""
    entries = []
    for box in boxes:
        left, top = round(box.x0 * width), round(box.y0 * height)
        left, top = min(left, width - 1), min(top, height - 1)
        entries.append({
            "x": left,
            "y": top,
            "width": max(round(box.x1 * width) - left, 1),
            "height": max(round(box.y1 * height) - top, 1),
            "metadata": {"type": "obj", "text": "", "desc": box.label, "palette": [box.color] if box.color else []},
        })
    return [entries]


def _load_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        hint = "use double quotes" if "'" in text else f"write {EMPTY_BOXES}"
        raise ValueError(
            f"The layout is no valid JSON ({error.msg} at character {error.pos} of {text[:60]!r}): {hint}."
        ) from None


def _parse_box(entry: Any, index: int) -> Box:
    if isinstance(entry, list | tuple):
        if len(entry) != 4:
            raise ValueError(f"Box {index + 1} has {len(entry)} numbers but needs 4: x0, y0, x1, y1.")
        entry = dict(zip(EDGES, entry, strict=True))
    if not isinstance(entry, dict):
        raise ValueError(f"Box {index + 1} is {entry!r} but must be an object with x0, y0, x1, y1: redraw it.")
    missing = [name for name in EDGES if name not in entry]
    if missing:
        raise ValueError(f"Box {index + 1} lacks {', '.join(missing)} but needs x0, y0, x1 and y1: redraw it.")
    label, color = entry.get("label", ""), entry.get("color", "")
    if not isinstance(label, str) or not isinstance(color, str):
        raise ValueError(f"Box {index + 1} has label {label!r} and color {color!r} but both must be text: rename it.")
    try:
        return Box(*(entry[name] for name in EDGES), label=label, color=color)
    except ValueError as error:
        name = f'Box {index + 1} ("{label}")' if label else f"Box {index + 1}"
        raise ValueError(f"{name}: {error}") from None


def _box_from_pixels(entry: Any, index: int, width: int, height: int) -> Box:
    fields = ("x", "y", "width", "height")
    if not isinstance(entry, dict) or any(not isinstance(entry.get(name), int | float) for name in fields):
        raise ValueError(f"Bounding box {index + 1} is {entry!r} but needs numbers for x, y, width and height.")
    metadata = entry.get("metadata") or {}
    palette = metadata.get("palette") or []
    edges = (
        entry["x"] / width, entry["y"] / height,
        (entry["x"] + entry["width"]) / width, (entry["y"] + entry["height"]) / height,
    )
    try:
        return Box(
            *(min(max(edge, 0.0), 1.0) for edge in edges),
            label=str(metadata.get("label") or metadata.get("desc") or metadata.get("text") or ""),
            color=str(palette[0]) if palette else "",
        )
    except ValueError as error:
        raise ValueError(f"Bounding box {index + 1} in a {width}x{height} frame: {error}") from None


def _rounded(value: float) -> float | int:
    rounded = round(value, DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded
