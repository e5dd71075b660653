"""Boxes: where a subject goes, and every way a box is written down.

The layout's text has a second home in the canvas, `web/layout/model/format.mjs` (its masks: `painted.py` and
`rle.mjs`). Both accept and refuse the same, which `tests/data/boxes_verdicts.json` holds them to: change both.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .painted import PaintedMask
from .values import real_number, shown, whole_number

VERSION = 1
DECIMALS = 4
EMPTY_BOXES = '{"version":1,"boxes":[]}'
EDGES = ("x0", "y0", "x1", "y1")
DEEPEST = 16
HIGHEST = 999_999
COLOR = re.compile("#[0-9A-Fa-f]{6}")
BLANK = " \t\n\r"

_TOO_DEEP = (
    f"The layout has lists or objects in one another more than {DEEPEST} deep, but boxes lie 3 deep: "
    f"write {EMPTY_BOXES}."
)


@dataclass(frozen=True)
class Box:
    """A rectangle in fractions of the frame: x from the left edge, y from the top edge, both 0..1.

    Edges may be real numbers of any type, NumPy's too, and are kept as Python's.

    Attributes:
        label: its name.
        color: `#rrggbb`; what is no such colour is dropped to "", so that nothing else ever reaches a page.
        locked: whether it stays where it is: the canvas doesn't edit it, and `overlap` apart doesn't move it.
        z: a box with a larger one is in front.
        mask: its painted shape, or None for the box itself. One that covers it all is dropped to None.

    Raises:
        ValueError: an edge is no number, lies outside the frame, or the box has no area; z is no whole number.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    label: str = ""
    color: str = ""
    locked: bool = False
    z: int = 0
    mask: PaintedMask | None = None

    def __post_init__(self) -> None:
        for name, given in zip(EDGES, self.edges, strict=True):
            value = real_number(given)
            if value is None or not math.isfinite(value):
                told = shown(given) if value is None else value
                raise ValueError(f"{name} is {told} but must be a number from 0 to 1: redraw the box.")
            object.__setattr__(self, name, value)
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
        z = whole_number(self.z, -HIGHEST, HIGHEST)
        if z is None:
            raise ValueError(
                f"z is {shown(self.z)} but must be a whole number from -{HIGHEST} to {HIGHEST}: leave it out for 0."
            )
        object.__setattr__(self, "z", z)
        if not COLOR.fullmatch(self.color):
            object.__setattr__(self, "color", "")
        if self.mask is not None and self.mask.full:
            object.__setattr__(self, "mask", None)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        return self.x0, self.y0, self.x1, self.y1

    def name(self, index: int) -> str:
        """How messages call the box: its number from 1, and its label if it has one."""
        return f'box {index + 1} ("{self.label}")' if self.label else f"box {index + 1}"


def parse_boxes(value: Any) -> tuple[Box, ...]:
    """Read the value of the layout node's `boxes` input.

    Args:
        value: JSON text or its parsed form: `{"version": 1, "boxes": [...]}`, or the bare list. A box is an
            object with `x0, y0, x1, y1` (and `label`, `color`, `locked`, `z`, `mask`) or a list `[x0, y0, x1, y1]`.

    Whatever is refused here is refused by the canvas, and the other way round (tests/data/boxes_verdicts.json).

    Raises:
        ValueError: malformed JSON, an unknown version, or a bad box, which the message names.
    """
    words: list[str] = []
    if isinstance(value, str):
        value = _load_json(value, words) if value.strip(BLANK) else None
    if value is None or isinstance(value, str) and not value:
        return ()
    _check_depth(value)
    if isinstance(value, dict):
        version = value.get("version", VERSION)
        if real_number(version) != VERSION:
            raise ValueError(
                f"The layout has version {shown(version)} but this pack reads version {VERSION}: update MS-Diffusion."
            )
        if "boxes" not in value:
            raise ValueError(f'The layout has the keys {shown(list(value))} but needs "boxes": write {EMPTY_BOXES}.')
        value = value["boxes"]
    if not isinstance(value, list | tuple):
        raise ValueError(f'"boxes" is a {type(value).__name__} but must be a list of boxes: write {EMPTY_BOXES}.')
    boxes = tuple(_parse_box(entry, index) for index, entry in enumerate(value))
    if words:
        raise ValueError(f"The layout holds {words[0]}, which JSON has no number for: leave it out.")
    return boxes


def format_boxes(boxes: Sequence[Box]) -> str:
    """Write boxes as the canonical JSON text, so that equal layouts are equal strings."""
    entries = [box_value(box, [_rounded(edge) for edge in box.edges]) for box in boxes]
    return json.dumps({"version": VERSION, "boxes": entries}, separators=(",", ":"), ensure_ascii=False)


def box_value(box: Box, edges: Sequence[float] | None = None) -> dict[str, Any]:
    """A box as the layout's text holds it; what it has not is left out.

    Args:
        edges: its edges as they are to be written, as they are if not given.
    """
    return {
        **dict(zip(EDGES, edges or box.edges, strict=True)),
        "label": box.label,
        "color": box.color,
        **({"locked": True} if box.locked else {}),
        **({"z": box.z} if box.z else {}),
        **({"mask": box.mask.value()} if box.mask else {}),
    }


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


def _load_json(text: str, words: list[str]) -> Any:
    """Parse JSON; NaN and the infinities, which JSON does not know, are also collected in `words`."""

    def constant(word: str) -> float:
        words.append(word)
        return float(word)

    try:
        return json.loads(text, parse_constant=constant, parse_int=_integer)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        hint = "use double quotes" if "'" in text else f"write {EMPTY_BOXES}"
        raise ValueError(
            f"The layout is no valid JSON ({error.msg} at character {error.pos} of {text[:60]!r}): {hint}."
        ) from None


def _integer(digits: str) -> int | float:
    """An integer of JSON; Python itself refuses those of thousands of digits."""
    return int(digits) if len(digits) < 20 else float(digits)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        inner = (part for one in level for part in _parts(one) if isinstance(part, dict | list | tuple))
        # One that stands in several places is looked at once.
        level = list({id(part): part for part in inner}.values())
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _parse_box(entry: Any, index: int) -> Box:
    if isinstance(entry, list | tuple):
        if len(entry) != 4:
            raise ValueError(f"Box {index + 1} has {len(entry)} numbers but needs 4: x0, y0, x1, y1.")
        entry = dict(zip(EDGES, entry, strict=True))
    if not isinstance(entry, dict):
        raise ValueError(f"Box {index + 1} is {shown(entry)} but must be an object with x0, y0, x1, y1: redraw it.")
    missing = [name for name in EDGES if name not in entry]
    if missing:
        raise ValueError(f"Box {index + 1} lacks {', '.join(missing)} but needs x0, y0, x1 and y1: redraw it.")
    label, color = entry.get("label", ""), entry.get("color", "")
    if not isinstance(label, str) or not isinstance(color, str):
        raise ValueError(
            f"Box {index + 1} has label {shown(label)} and color {shown(color)} but both must be text: rename it."
        )
    try:
        mask = PaintedMask.read(entry["mask"]) if "mask" in entry else None
        return Box(
            *(entry[name] for name in EDGES), label=label, color=color, locked=entry.get("locked") is True,
            z=entry.get("z", 0), mask=mask,
        )
    except ValueError as error:
        named = f" ({json.dumps(label[:60], ensure_ascii=False)})" if label else ""
        raise ValueError(f"Box {index + 1}{named}: {error}") from None


def _box_from_pixels(entry: Any, index: int, width: int, height: int) -> Box:
    fields = entry if isinstance(entry, dict) else {}
    numbers = [real_number(fields.get(name)) for name in ("x", "y", "width", "height")]
    if any(number is None or not math.isfinite(number) for number in numbers):
        raise ValueError(
            f"Bounding box {index + 1} is {shown(entry)} but needs finite numbers for x, y, width and height: check "
            "the node that made it."
        )
    label, color = _naming(entry.get("metadata"), index)
    left, top, wide, high = numbers
    edges = (left / width, top / height, (left + wide) / width, (top + high) / height)
    try:
        return Box(*(min(max(edge, 0.0), 1.0) for edge in edges), label=label, color=color)
    except ValueError as error:
        raise ValueError(f"Bounding box {index + 1} in a {width}x{height} frame: {error}") from None


def _naming(metadata: Any, index: int) -> tuple[str, str]:
    """Label and colour in a pixel box's metadata."""
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict):
        raise ValueError(
            f"Bounding box {index + 1} has the metadata {shown(metadata)} but metadata are an object: check the node "
            "that made it."
        )
    palette = metadata.get("palette") or ()
    if not isinstance(palette, list | tuple):
        raise ValueError(
            f"Bounding box {index + 1} has the palette {shown(palette)} but a palette is a list of colours: check the "
            "node that made it."
        )
    label = metadata.get("label") or metadata.get("desc") or metadata.get("text") or ""
    return str(label), str(palette[0]) if palette else ""


def _rounded(value: float) -> float | int:
    rounded = round(value, DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded
