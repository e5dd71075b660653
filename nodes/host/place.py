"""Places: which part of the frame, and which images, are shown where the host or a pack shows the model only some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...msd_core.cells import WHOLE, Window


class TilePlace(NamedTuple):
    """One group of rows of a batch of tiles.

    Attributes:
        entry: which of the call's entries it is of.
        windows: the part of that entry's latents that it shows; several where a tile wraps round their edges.
    """

    entry: int
    windows: tuple[Window, ...]


class View(NamedTuple):
    """What one evaluation shows of a run.

    Attributes:
        windows: the part of the run's latent.
        images: which images of its batch, or None for all.
    """

    windows: tuple[Window, ...] = (WHOLE,)
    images: tuple[int, ...] | None = None


def view_of(options: Mapping[str, Any], size: Sequence[int]) -> View:
    """What a context window shows, as the host's *Context Windows* or AnimateDiff-Evolved tell it.

    Args:
        options: the host's `transformer_options`.
        size: the run's latent batch, height and width.

    Raises:
        ValueError: a window skips rows or columns of the frame.
    """
    window = options.get("context_window")
    if window is None:
        images = (options.get("ad_params") or {}).get("sub_idxs")
        return View() if images is None else View(images=tuple(images))
    indices = list(window.index_list)
    anchor = getattr(window, "causal_anchor_index", None)
    if anchor is not None and anchor >= 0:
        indices.insert(0, anchor)
    if window.dim == 0:
        return View(images=tuple(indices))
    length = size[window.dim - 1]
    if any((after - before) % length != 1 for before, after in zip(indices, indices[1:], strict=False)):
        raise ValueError(
            f"A context window takes every {(indices[1] - indices[0]) % length}. row or column of the frame, but "
            "subjects need their neighbourhood: set its stride to 1."
        )
    spans = _spans(indices[0], len(indices), length)
    return View(tuple((0.0, low, 1.0, high) if window.dim == 2 else (low, 0.0, high, 1.0) for low, high in spans))


def place_tiles(latents: Tensor, sources: Sequence[Tensor], tiles: int) -> list[TilePlace] | None:
    """Find where tiles were cut: they still hold the very numbers of the latents.

    Args:
        latents: tiles `[tiles * entries * batch, C, h, w]`, stacked tile by tile or entry by entry.
        sources: the latents of each entry, `[batch, C, H, W]` each.
        tiles: tiles of each entry.

    Returns:
        The place of each group of `batch` rows; None where they are no tiles of the latents, or of more than one place.
    """
    batch, height, width = sources[0].shape[0], *sources[0].shape[-2:]
    if latents.shape[-2] > height or latents.shape[-1] > width:
        return None
    groups = latents.split(batch)
    entries = range(len(sources))
    tile_by_tile = [entry for _ in range(tiles) for entry in entries]
    entry_by_entry = [entry for entry in entries for _ in range(tiles)]
    found = []
    for order in [tile_by_tile] if tile_by_tile == entry_by_entry else [tile_by_tile, entry_by_entry]:
        corners = [_corner(group, sources[entry]) for group, entry in zip(groups, order, strict=True)]
        by_tile = {entry: [corner for corner, other in zip(corners, order, strict=True) if other == entry]
                   for entry in entries}
        if None not in corners and all(row == by_tile[0] for row in by_tile.values()):
            found.append((order, corners))
    if len(found) != 1:
        return None
    order, corners = found[0]
    return [
        TilePlace(entry, tuple(
            (left, top, right, bottom)
            for top, bottom in _spans(corner[0], latents.shape[-2], height)
            for left, right in _spans(corner[1], latents.shape[-1], width)
        ))
        for entry, corner in zip(order, corners, strict=True)
    ]


def _corner(tile: Tensor, source: Tensor) -> tuple[int, int] | None:
    """Row and column of the only place at which a tile was cut from the latents, round their edges too."""
    tile = tile.to(source.device)
    alike = (source == tile[..., :1, :1]).flatten(0, 1).all(dim=0)
    corners = [
        (top, left) for top, left in alike.nonzero().tolist()
        if torch.equal(source.roll((-top, -left), (-2, -1))[..., : tile.shape[-2], : tile.shape[-1]], tile)
    ]
    return corners[0] if len(corners) == 1 else None


def _spans(start: int, length: int, size: int) -> list[tuple[float, float]]:
    """An interval of an axis as fractions, with the copy of it that shows what wraps round the axis' end."""
    span = (start / size, (start + length) / size)
    return [span] if start + length <= size else [span, (span[0] - 1, span[1] - 1)]
