"""The sprites of the drawn world: eight kinds, eight colours, three patterns, four accessories."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .shapes import INK, Canvas, Colour, box, circle, common, convex, ellipse, union

COLOURS: dict[str, Colour] = {
    "red": (0.88, 0.16, 0.17),
    "orange": (0.98, 0.55, 0.10),
    "yellow": (0.99, 0.85, 0.20),
    "green": (0.20, 0.68, 0.28),
    "cyan": (0.25, 0.82, 0.86),
    "blue": (0.18, 0.36, 0.90),
    "purple": (0.56, 0.27, 0.78),
    "pink": (0.98, 0.56, 0.76),
}
PATTERNS = ("plain", "striped", "spotted")
ACCESSORIES = ("none", "hat", "crown", "bow")

WHITE: Colour = (0.97, 0.97, 0.95)
GLASS: Colour = (0.74, 0.91, 0.98)
GOLD: Colour = (1.00, 0.78, 0.12)
DARK: Colour = (0.25, 0.24, 0.32)


def _paint_pattern(c: Canvas, body: np.ndarray, pattern: str, colour: Colour, spots: list[tuple[float, float]]) -> None:
    if pattern == "striped":
        c.detail(common(body, np.abs((c.x * 0.35 + c.y) % 0.56 - 0.28) - 0.14), colour)
    elif pattern == "spotted":
        c.detail(common(body, union(*(circle(c.x, c.y, x, y, 0.20) for x, y in spots))), colour)


def _paint_eye(c: Canvas, x: float, y: float, radius: float) -> None:
    c.part(circle(c.x, c.y, x, y, radius), WHITE)
    c.detail(circle(c.x, c.y, x + radius * 0.35, y, radius * 0.62), INK)


def _cat(c: Canvas, main: Colour, second: Colour, pattern: str) -> None:
    for side in (-1, 1):
        order = slice(None, None, side)
        c.part(convex(c.x, c.y, [(side * 0.64, -0.66), (side * 0.72, 0.1), (side * 0.08, -0.28)][order]), main)
        c.detail(convex(c.x, c.y, [(side * 0.57, -0.46), (side * 0.60, -0.02), (side * 0.28, -0.20)][order]), second)
    face = ellipse(c.x, c.y, 0, 0.24, 0.80, 0.66)
    c.part(face, main)
    _paint_pattern(c, face, pattern, second, [(0, -0.24), (-0.60, 0.50), (0.60, 0.50), (0, 0.80)])
    _paint_eye(c, -0.32, 0.12, 0.17)
    _paint_eye(c, 0.32, 0.12, 0.17)
    c.part(convex(c.x, c.y, [(-0.11, 0.38), (0.11, 0.38), (0, 0.52)]), second)


def _robot(c: Canvas, main: Colour, second: Colour, pattern: str) -> None:
    c.part(box(c.x, c.y, 0, -0.42, 0.05, 0.16), DARK)
    c.part(circle(c.x, c.y, 0, -0.55, 0.11), second)
    c.part(box(c.x, c.y, 0, 0.28, 0.88, 0.20, 0.06), second)
    head = box(c.x, c.y, 0, 0.28, 0.70, 0.62, 0.12)
    c.part(head, main)
    _paint_pattern(c, head, pattern, second, [(-0.44, -0.20), (0.44, -0.20), (-0.52, 0.66), (0.52, 0.66)])
    c.part(box(c.x, c.y, 0, 0.14, 0.55, 0.20, 0.08), WHITE)
    c.detail(circle(c.x, c.y, -0.20, 0.14, 0.12), INK)
    c.detail(circle(c.x, c.y, 0.30, 0.14, 0.12), INK)
    c.part(box(c.x, c.y, 0, 0.62, 0.26, 0.07), DARK)


def _fish(c: Canvas, main: Colour, second: Colour, pattern: str) -> None:
    c.part(convex(c.x, c.y, [(-0.92, -0.22), (-0.45, 0.22), (-0.92, 0.72)]), second)
    c.part(convex(c.x, c.y, [(-0.2, -0.02), (0.02, -0.50), (0.42, -0.1)]), second)
    body = ellipse(c.x, c.y, 0.16, 0.24, 0.72, 0.50)
    c.part(body, main)
    _paint_pattern(c, body, pattern, second, [(-0.30, 0.22), (0.06, -0.04), (0.36, 0.54), (-0.06, 0.58)])
    _paint_eye(c, 0.54, 0.12, 0.16)
    c.part(convex(c.x, c.y, [(0.12, 0.22), (0.30, 0.40), (0.04, 0.50)]), second)


def _house(c: Canvas, main: Colour, second: Colour, pattern: str) -> None:
    wall = box(c.x, c.y, 0, 0.46, 0.66, 0.46)
    c.part(wall, main)
    _paint_pattern(c, wall, pattern, second, [(-0.50, 0.24), (0.02, 0.22), (0.56, 0.20), (0.20, 0.82)])
    c.part(convex(c.x, c.y, [(0, -0.58), (0.90, 0.04), (-0.90, 0.04)]), second)
    c.part(box(c.x, c.y, -0.22, 0.64, 0.18, 0.28), DARK)
    c.part(box(c.x, c.y, 0.30, 0.48, 0.16, 0.16), GLASS)


def _mushroom(c: Canvas, main: Colour, second: Colour, pattern: str) -> None:
    c.part(box(c.x, c.y, 0, 0.56, 0.30, 0.36, 0.14), second)
    c.detail(circle(c.x, c.y, -0.06, 0.48, 0.07), INK)
    c.detail(circle(c.x, c.y, 0.18, 0.48, 0.07), INK)
    cap = common(ellipse(c.x, c.y, 0, 0.26, 0.90, 0.82), c.y - 0.26)
    c.part(cap, main)
    _paint_pattern(c, cap, pattern, second, [(0.0, -0.28), (-0.52, 0.02), (0.52, 0.02), (0.0, 0.22)])


def _mug(c: Canvas, main: Colour, second: Colour, pattern: str) -> None:
    ring = np.abs(ellipse(c.x, c.y, -0.52, 0.24, 0.30, 0.32)) - 0.09
    c.part(ring, second)
    cup = box(c.x, c.y, 0.18, 0.24, 0.60, 0.66, 0.12)
    c.part(cup, main)
    _paint_pattern(c, cup, pattern, second, [(-0.10, 0.06), (0.48, 0.12), (-0.08, 0.66), (0.46, 0.68)])
    c.part(ellipse(c.x, c.y, 0.18, -0.36, 0.60, 0.13), second)


def _car(c: Canvas, main: Colour, second: Colour, pattern: str) -> None:
    c.part(convex(c.x, c.y, [(-0.46, -0.50), (0.28, -0.50), (0.60, 0.14), (-0.66, 0.14)]), second)
    c.part(convex(c.x, c.y, [(-0.38, -0.34), (-0.08, -0.34), (-0.08, 0.06), (-0.50, 0.06)]), GLASS)
    c.part(convex(c.x, c.y, [(0.06, -0.34), (0.22, -0.34), (0.42, 0.06), (0.06, 0.06)]), GLASS)
    body = box(c.x, c.y, 0, 0.38, 0.92, 0.32, 0.16)
    c.part(body, main)
    _paint_pattern(c, body, pattern, second, [(-0.66, 0.26), (0.0, 0.36), (0.66, 0.26)])
    for x in (-0.48, 0.48):
        c.part(circle(c.x, c.y, x, 0.68, 0.24), DARK)
        c.detail(circle(c.x, c.y, x, 0.68, 0.11), WHITE)


def _rocket(c: Canvas, main: Colour, second: Colour, pattern: str) -> None:
    for side in (-1, 1):
        fin = [(side * 0.34, 0.14), (side * 0.84, 0.88), (side * 0.34, 0.74)]
        c.part(convex(c.x, c.y, fin if side > 0 else fin[::-1]), second)
    c.part(convex(c.x, c.y, [(-0.20, 0.70), (0.20, 0.70), (0.0, 0.94)]), GOLD)
    body = common(ellipse(c.x, c.y, 0, 0.22, 0.50, 0.82), c.y - 0.74)
    c.part(body, main)
    _paint_pattern(c, body, pattern, second, [(-0.22, 0.40), (0.22, 0.40), (0.0, 0.70)])
    c.detail(common(body, c.y + 0.24), second)
    c.part(circle(c.x, c.y, 0.02, 0.04, 0.18), GLASS)


_KINDS: dict[str, tuple[Callable[[Canvas, Colour, Colour, str], None], tuple[float, float]]] = {
    "cat": (_cat, (0.0, -0.38)),
    "robot": (_robot, (0.40, -0.32)),
    "fish": (_fish, (0.20, -0.24)),
    "house": (_house, (0.0, -0.46)),
    "mushroom": (_mushroom, (0.0, -0.50)),
    "mug": (_mug, (0.18, -0.40)),
    "car": (_car, (-0.08, -0.48)),
    "rocket": (_rocket, (0.0, -0.50)),
}
"""Kind to its painter and to the point an accessory sits on."""

KINDS = tuple(_KINDS)


def _paint_accessory(c: Canvas, accessory: str, at: tuple[float, float]) -> None:
    x, y = c.x - at[0], c.y - at[1]
    if accessory == "hat":
        c.part(box(x, y, 0, -0.26, 0.25, 0.20, 0.03), DARK)
        c.detail(box(x, y, 0, -0.14, 0.25, 0.06), COLOURS["red"])
        c.part(box(x, y, 0, -0.03, 0.42, 0.05, 0.04), DARK)
    elif accessory == "crown":
        spikes = [convex(x, y, [(p, -0.40), (p + 0.16, 0.0), (p - 0.16, 0.0)]) for p in (-0.24, 0.0, 0.24)]
        c.part(union(*spikes, box(x, y, 0, -0.08, 0.34, 0.08)), GOLD)
    elif accessory == "bow":
        left = convex(x, y, [(-0.40, -0.34), (0.0, -0.14), (-0.40, 0.06)])
        right = convex(x, y, [(0.40, 0.06), (0.0, -0.14), (0.40, -0.34)])
        c.part(union(left, right), COLOURS["pink"])
        c.part(circle(x, y, 0, -0.14, 0.10), COLOURS["red"])


def paint_sprite(
    kind: str,
    main: str,
    second: str,
    pattern: str,
    accessory: str,
    size: int,
    *,
    facing: int = 1,
    tilt: float = 0.0,
    zoom: float = 0.97,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one sprite: premultiplied colour `[size, size, 3]` and coverage `[size, size]`, both 0..1 float64."""
    if kind not in _KINDS:
        raise ValueError(f"No kind {kind!r} in the demo world, choose one of {', '.join(KINDS)}.")
    canvas = Canvas(size, facing=facing, tilt=tilt, zoom=zoom)
    painter, top = _KINDS[kind]
    painter(canvas, COLOURS[main], COLOURS[second], pattern)
    _paint_accessory(canvas, accessory, top)
    return canvas.rgb * canvas.alpha[..., None], canvas.alpha
