"""Signed distance shapes on a pixel grid and a canvas that paints them with ink outlines.

Coordinates run from -1 to 1, x to the right and y down. A shape is an array of signed distances (negative inside).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Colour = tuple[float, float, float]

INK: Colour = (0.13, 0.12, 0.20)
OUTLINE = 0.055
"""Width of the ink around every part, in canvas units (a canvas is 2 wide)."""


def circle(x: np.ndarray, y: np.ndarray, cx: float, cy: float, radius: float) -> np.ndarray:
    """Distance to a circle."""
    return np.hypot(x - cx, y - cy) - radius


def ellipse(x: np.ndarray, y: np.ndarray, cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
    """Distance to an axis-aligned ellipse (first-order, exact on the outline)."""
    px, py = (x - cx) / rx, (y - cy) / ry
    level = np.hypot(px, py)
    gradient = np.hypot(px / rx, py / ry)
    return level * (level - 1) / np.maximum(gradient, 1e-6)


def box(
    x: np.ndarray, y: np.ndarray, cx: float, cy: float, half_w: float, half_h: float, corner: float = 0.0
) -> np.ndarray:
    """Distance to a rectangle with rounded corners."""
    dx, dy = np.abs(x - cx) - half_w + corner, np.abs(y - cy) - half_h + corner
    return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - corner


def convex(x: np.ndarray, y: np.ndarray, points: Sequence[tuple[float, float]]) -> np.ndarray:
    """Distance to a convex polygon, its corners given clockwise as seen on screen."""
    distance = np.full_like(x, -np.inf)
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        length = np.hypot(bx - ax, by - ay)
        distance = np.maximum(distance, ((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / length)
    return distance


def union(*shapes: np.ndarray) -> np.ndarray:
    """Points in any of the shapes."""
    return np.minimum.reduce(shapes)


def common(*shapes: np.ndarray) -> np.ndarray:
    """Points in all of the shapes."""
    return np.maximum.reduce(shapes)


class Canvas:
    """A square picture with coverage, painted part by part."""

    def __init__(self, size: int, *, facing: int = 1, tilt: float = 0.0, zoom: float = 1.0) -> None:
        """`size` in pixels; `facing` -1 mirrors; `tilt` in degrees; `zoom` below 1 leaves a margin."""
        steps = ((np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1) / np.float32(zoom)
        x, y = np.meshgrid(steps, steps)
        turn = np.float32(np.deg2rad(tilt))
        self.x = (x * np.cos(turn) + y * np.sin(turn)) * facing
        self.y = -x * np.sin(turn) + y * np.cos(turn)
        self.pixel = 2 / size / zoom
        self.rgb = np.zeros((size, size, 3), np.float32)
        self.alpha = np.zeros((size, size), np.float32)

    def _cover(self, shape: np.ndarray) -> np.ndarray:
        return np.clip(0.5 - shape / self.pixel, 0, 1)

    def detail(self, shape: np.ndarray, colour: Colour) -> None:
        """Paint a shape without an outline."""
        cover = self._cover(shape)
        self.rgb += (np.asarray(colour, np.float32) - self.rgb) * cover[..., None]
        self.alpha = np.maximum(self.alpha, cover)

    def part(self, shape: np.ndarray, colour: Colour) -> None:
        """Paint a shape and the ink around it."""
        self.detail(shape - OUTLINE, INK)
        self.detail(shape, colour)
