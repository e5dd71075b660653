"""The six scenes: soft gradients with a coarse regular texture, so that a small autoencoder can hold them."""

from __future__ import annotations

import numpy as np

SCENES: dict[str, str] = {
    "grass": "on the grass",
    "beach": "on the beach",
    "snow": "in the snow",
    "sea": "in the sea",
    "night": "at night",
    "brick": "by a brick wall",
}
"""Scene to its words in a caption."""

_GRADIENTS = {
    "grass": ((0.56, 0.74, 0.38), (0.36, 0.58, 0.26)),
    "beach": ((0.96, 0.88, 0.66), (0.87, 0.75, 0.50)),
    "snow": ((0.86, 0.91, 0.97), (0.95, 0.97, 0.99)),
    "sea": ((0.42, 0.66, 0.84), (0.20, 0.42, 0.66)),
    "night": ((0.10, 0.10, 0.26), (0.22, 0.18, 0.40)),
    "brick": ((0.70, 0.45, 0.37), (0.62, 0.37, 0.31)),
}
_STARS = ((12, 20, 2.6), (44, 60, 2.0), (92, 12, 2.4), (130, 44, 2.6), (28, 108, 2.4), (76, 84, 2.0), (148, 100, 2.4),
          (108, 132, 2.6), (60, 148, 2.0), (4, 148, 2.0), (60, 20, 1.8), (120, 76, 1.8), (12, 68, 1.8), (148, 148, 2.0))


def _ramp(distance: np.ndarray) -> np.ndarray:
    return np.clip(0.5 - distance, 0, 1)


def paint_scene(scene: str, width: int, height: int, seed: int) -> np.ndarray:
    """Draw a scene without subjects, `[height, width, 3]` float64 in 0..1; `seed` moves the texture and the light."""
    if scene not in SCENES:
        raise ValueError(f"No scene {scene!r} in the demo world, choose one of {', '.join(SCENES)}.")
    rng = np.random.default_rng(seed)
    shift = 16 * int(rng.integers(4))
    light = 1 + rng.uniform(-0.03, 0.03)
    x, y = np.meshgrid(np.arange(width) + 0.5 + shift, np.arange(height) + 0.5)
    top, bottom = (np.asarray(colour) for colour in _GRADIENTS[scene])
    rgb = top + (bottom - top) * (y / height)[..., None]
    if scene == "grass":
        column = np.floor(x / 32)
        tuft = np.hypot(x % 32 - 16, ((y + 16 * (column % 2)) % 32 - 24) * 1.0) - 7
        blade = np.maximum(tuft, (y + 16 * (column % 2)) % 32 - 24)
        rgb = rgb - 0.11 * _ramp(blade)[..., None] * np.array([1.0, 0.7, 1.0])
    elif scene == "beach":
        wave = np.abs((y + 4 * np.sin(x * 2 * np.pi / 64)) % 32 - 16) - 2.4
        rgb = rgb - 0.09 * _ramp(wave / 1.5)[..., None] * np.array([0.8, 1.0, 1.3])
    elif scene == "snow":
        hill = np.sin(x * 2 * np.pi / 64) * np.sin(y * 2 * np.pi / 64)
        rgb = rgb - 0.05 * (hill > 0)[..., None] * np.abs(hill)[..., None] * np.array([1.2, 0.8, 0.2])
    elif scene == "sea":
        crest = np.abs((y + 4 * np.cos(x * 2 * np.pi / 32)) % 32 - 16) - 1.8
        rgb = rgb + 0.20 * _ramp(crest / 1.2)[..., None]
    elif scene == "night":
        for star_x, star_y, radius in _STARS:
            dx = (x - star_x + 80) % 160 - 80
            rgb = rgb + _ramp(np.hypot(dx, (y - star_y + 80) % 160 - 80) - radius)[..., None] * (
                np.array([1.0, 0.95, 0.75]) - rgb) * 0.9
    elif scene == "brick":
        row = np.floor(y / 16)
        joint = np.minimum(np.abs(y % 16 - 8) * -1 + 8, np.abs((x + 16 * (row % 2)) % 32 - 16) * -1 + 16) - 1.2
        rgb = rgb + (np.array([0.84, 0.76, 0.68]) - rgb) * 0.8 * _ramp(joint)[..., None]
    return np.clip(rgb * light, 0, 1)
