"""Auto layout that holds: one region per subject for all layers, fitted to the prompt's attention, then kept.

Maps of a few layers are taken in during a step. At the beginning of the next they become a score for every subject, of
which the running mean keeps half of what it was, and each region takes the place where it fits (see `fit`). Before the
start the boxes rule or nothing; after a while the places are kept, and nothing is read any more.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..attention import Reach, token_mask
from ..cells import WHOLE, Window
from ..embeds import SubjectEmbeds
from ..phrases import PromptWords
from .fit import Fit
from .places import Frame, Places
from .settings import AutoLayoutSettings

MEMORY = 0.5
"""What the running mean keeps of itself at each step."""

FINE, LARGEST = 20, 32
"""Cells along the longer side of the grid on which places are chosen: at least and at most. Between these it is as fine
as the maps are; coarser maps are divided.
"""


def layers_read(sections: Sequence[str], transformers: Sequence[Hashable], widths: Sequence[int]) -> tuple[int, ...]:
    """Which layers are read where nothing else is asked for: of each transformer at the coarsest size of the UNet's up
    path, the middle block.

    Subjects are told apart on the way up: on the demo set the way down can't tell them apart, and the middle's maps are
    inverted. In SDXL the coarsest size there is 32 x 32 cells for 1024 pixels, where maps are known to be most about
    things rather than textures, and reading costs a fourth of what it does at 64 x 64. Its three transformers have ten
    blocks each, which see nearly the same; the middle one stands for them, away from the first, whose queries are still
    those of the block before. That makes three of SDXL's 70 layers, and both of the demo set's.

    Args:
        sections: each layer's part of the UNet, "down", "up" or "mid", in the adapter's order.
        transformers: what tells the layer's transformer from the others.
        widths: each layer's channels; the coarsest size has the most.
    """
    up = [layer for layer, section in enumerate(sections) if section == "up"] or list(range(len(sections)))
    widest = max(widths[layer] for layer in up)
    blocks: dict[Hashable, list[int]] = {}
    for layer in up:
        if widths[layer] == widest:
            blocks.setdefault(transformers[layer], []).append(layer)
    return tuple(layers[len(layers) // 2] for layers in blocks.values())


class Shown(NamedTuple):
    """What a feature map shows of a sampled frame.

    Attributes:
        height, width: its cells.
        windows: the part of the frame.
        images: which images of the batch, None for all.
    """

    height: int
    width: int
    windows: tuple[Window, ...] = (WHOLE,)
    images: tuple[int, ...] | None = None

    def grid(self, window: Window) -> Frame:
        """A grid over the whole frame; coarse maps are divided. `window`: of the layout's frame."""
        part = self.windows[0]
        rows, columns = self.height / (part[3] - part[1]), self.width / (part[2] - part[0])
        longer = max(rows, columns)
        factor = LARGEST / longer if longer > LARGEST else math.ceil(FINE / longer)
        return Frame(max(round(rows * factor), 1), max(round(columns * factor), 1), window)


class SteadyLayout:
    """The places of one sampling run."""

    def __init__(
        self, settings: AutoLayoutSettings, embeds: SubjectEmbeds, words: PromptWords, layers: Iterable[int],
        images: int,
    ) -> None:
        """
        Args:
            settings: how it takes over.
            embeds: the subjects, with their regions and the part of the layout's frame that is sampled.
            words: their phrases and the prompt's other words.
            layers: which layers are read.
            images: images of the latent batch; each has places of its own.
        """
        self.images, self.token_counts = images, embeds.token_counts
        self._regions, self._window = embeds.regions, embeds.window
        self._absent = tuple(not span for span in words.phrases)
        self._keep_absent, self.trust = settings.keep_absent, settings.trust
        self._layers = frozenset(layers)
        self._columns = len(words.phrases) + len(words.others)
        self._tracks: dict[Hashable, _Track] = {}
        self._step = 1
        self.began: int | None = None
        self.ended: int | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing has to be known of the steps that come."""
        return bool(self._tracks) and all(track.frozen for track in self._tracks.values())

    def at(self, step: int, started: bool, kept: bool) -> None:
        """An evaluation begins; with a new step the maps of the one before are turned into places.

        Args:
            step: the sampling step, from 1.
            started, kept: whether the noise schedule has come to the settings' `start`, and to their `kept`.
        """
        if step == self._step:
            return
        self._step = step
        for track in self._tracks.values():
            if track.turn(fit=started, last=kept):
                self.began, self.ended = self.began or step, step

    def reads(self, key: Hashable, layer: int) -> bool:
        """Whether a layer's maps are wanted."""
        return layer in self._layers and not (key in self._tracks and self._tracks[key].frozen)

    def observe(self, key: Hashable, layer: int, shown: Shown, maps: Tensor) -> None:
        """Take in the maps of one layer; of several in one step that show the same, the latest counts.

        Args:
            key: what they belong to: a conditioning.
            shown: what they show.
            maps: `[b, h * w, columns]` from `word_maps`.
        """
        if key not in self._tracks:
            columns = min(self._columns, maps.shape[-1])
            self._tracks[key] = _Track(self, shown.grid(self._window), columns, maps.device)
        self._tracks[key].observe(layer, shown, maps)

    def cells(self, key: Hashable, shown: Shown, active: tuple[bool, ...]) -> Tensor | None:
        """The cells that the acting subjects have in a feature map: bool `[b, n, h, w]`; None before the first fit."""
        track = self._tracks.get(key)
        if track is None:
            return None
        if track.chosen is None:
            track.prepare(shown)
            return None
        return track.cells(shown, active)

    def reach(
        self, key: Hashable, shown: Shown, active: tuple[bool, ...], dtype: torch.dtype,
        rows: tuple[int, int] | None = None,
    ) -> Reach:
        """Where to attend after the first fit, and with which mask: built once for all layers of a size.

        Args:
            rows: the first row of the map and the end, None for those of `rows`.
        """
        return self._tracks[key].reach(shown, active, dtype, rows)

    def rows(self, key: Hashable, shown: Shown, active: tuple[bool, ...]) -> tuple[int, int]:
        """The first row of a map in which a subject has a cell, and the end; all rows until places are looked at."""
        return self._tracks[key].rows(shown, active)

    def look(self) -> None:
        """Look at places that are kept: asks the device once, and from then on only their rows are attended in."""
        for track in self._tracks.values():
            if track.frozen:
                track.look()

    def boxes(self) -> list[list[Window | None]] | None:
        """Where each subject stands in each image, in fractions of the layout's frame: of the first conditioning that
        was followed; None where none was. Asks the device.
        """
        track = next((track for track in self._tracks.values() if track.chosen is not None), None)
        return None if track is None else track.boxes()

    @property
    def fixed(self) -> tuple[bool, ...]:
        """Which subjects keep their box, since the prompt does not name them."""
        return self._absent

    def make_places(self, frame: Frame) -> Places:
        """The places of a grid; a subject that the prompt does not name has none unless it keeps its box."""
        return Places(self._regions, frame, [
            not absent or self._keep_absent for absent in self._absent
        ])


class _Track:
    """What is followed of one conditioning."""

    def __init__(self, layout: SteadyLayout, frame: Frame, columns: int, device: torch.device) -> None:
        self._layout, self._places, self.columns = layout, layout.make_places(frame), columns
        self._device = device
        self._fit = Fit(self._places, layout.images, layout.fixed, layout.trust, device)
        self._mean: Tensor | None = None
        self._seen: dict[int, dict[Shown, Tensor]] = {}
        self._kept: dict[tuple, Any] = {}
        self._looked: Tensor | None = None
        self._spreads: dict[tuple, _Spread] = {}
        self._constants: dict[tuple, Tensor] = {}
        self.chosen: tuple[Tensor, Tensor] | None = None
        self.frozen = False

    def observe(self, layer: int, shown: Shown, maps: Tensor) -> None:
        maps = maps[..., : self.columns].unflatten(1, (shown.height, shown.width))
        self._seen.setdefault(layer, {})[shown] = maps

    def turn(self, fit: bool, last: bool) -> bool:
        """A step has ended; returns whether places were chosen."""
        if self.frozen or not self._seen:
            return False
        maps = torch.stack([self._whole(seen) for seen in self._seen.values()])
        self._seen.clear()
        mean = (maps / maps.mean(dim=(2, 3), keepdim=True).clamp_min_(1e-6)).mean(dim=0)
        self._mean = mean if self._mean is None else self._mean.lerp_(mean, 1 - MEMORY)
        if not fit:
            return False
        self.chosen = self._fit.places(self._fit.score(self._mean))
        self._kept.clear()
        if last:
            self.frozen, self._mean = True, None
        return True

    def prepare(self, shown: Shown) -> None:
        """Make what places will need of a map, so that the step that chooses them first does not wait for it."""
        self._places.prepare(self._device, shown.height, shown.width, shown.windows)

    def cells(self, shown: Shown, active: tuple[bool, ...]) -> Tensor:
        key = (shown, active)
        if key not in self._kept:
            rows, columns = self.chosen
            if shown.images is not None:
                index = self._constant(shown.images)
                rows, columns = rows.index_select(1, index), columns.index_select(1, index)
            cells = self._places.cells(rows, columns, shown.height, shown.width, shown.windows)
            if not all(active):
                cells = cells & self._constant(active)[:, None, None]
            self._kept[key] = cells
        return self._kept[key]

    def reach(
        self, shown: Shown, active: tuple[bool, ...], dtype: torch.dtype, rows: tuple[int, int] | None
    ) -> Reach:
        key = (shown, active, dtype, rows)
        if key not in self._kept:
            first, end = rows or self.rows(shown, active)
            mask = token_mask(self.cells(shown, active)[..., first:end, :], self._layout.token_counts, dtype)
            self._kept[key] = Reach(slice(first * shown.width, end * shown.width), mask, shared=False)
        return self._kept[key]

    def rows(self, shown: Shown, active: tuple[bool, ...]) -> tuple[int, int]:
        if self._looked is None:
            return 0, shown.height
        key = (shown, active, "rows")
        if key not in self._kept:
            places = self._looked if shown.images is None else self._looked[:, :, list(shown.images)]
            cells = self._places.cells(*places, shown.height, shown.width, shown.windows)[:, list(active)]
            held = cells.flatten(0, 1).any(dim=0).any(dim=1).nonzero().flatten().tolist() or [0, -1]
            self._kept[key] = held[0], held[-1] + 1
        return self._kept[key]

    def look(self) -> None:
        if self._looked is None:
            self._looked = torch.stack(self.chosen).cpu()
            self._kept = {key: one for key, one in self._kept.items() if isinstance(one, Tensor)}

    def boxes(self) -> list[list[Window | None]]:
        rows, columns = (torch.stack(self.chosen) if self._looked is None else self._looked).tolist()
        return [
            [self._places.box(k, rows[k][image], columns[k][image]) for k in range(len(rows))]
            for image in range(self._layout.images)
        ]

    def _constant(self, values: tuple[int, ...] | tuple[bool, ...]) -> Tensor:
        """Numbers on the device, made once."""
        if values not in self._constants:
            self._constants[values] = torch.tensor(values, device=self._device)
        return self._constants[values]

    def _whole(self, seen: dict[Shown, Tensor]) -> Tensor:
        """One layer's maps of all images on the grid: `[images, h, w, columns]`."""
        frame = self._places.frame
        if len(seen) == 1:
            (shown, maps), = seen.items()
            if shown == Shown(frame.height, frame.width):
                return maps
        size = (self._layout.images, frame.height, frame.width)
        total = torch.zeros(*size, self.columns, device=self._device)
        weight = torch.zeros(*size, 1, device=self._device)
        for shown, maps in seen.items():
            for window in shown.windows:
                spread = self._spread(shown, window)
                placed = torch.einsum("yh,xw,bhwc->byxc", spread.rows, spread.columns, maps)
                share = spread.share.expand(len(placed), -1, -1, -1)
                if shown.images is None:
                    total += placed
                    weight += share
                else:
                    images = self._constant(shown.images)
                    total.index_add_(0, images, placed)
                    weight.index_add_(0, images, share)
        return total / weight.clamp_min_(1e-6)

    def _spread(self, shown: Shown, window: Window) -> _Spread:
        key = (shown.height, shown.width, window)
        if key not in self._spreads:
            self._spreads[key] = _Spread.of(self._places.frame, *key, self._device)
        return self._spreads[key]


@dataclass(frozen=True)
class _Spread:
    """How a map that shows a window of the frame lies on the grid.

    Attributes:
        rows, columns: the share of each grid cell that each of the map's cells covers, `[grid, map]` along either axis.
        share: the share of each grid cell that the map covers, `[1, grid height, grid width, 1]`.
    """

    rows: Tensor
    columns: Tensor
    share: Tensor

    @classmethod
    def of(cls, frame: Frame, height: int, width: int, window: Window, device: torch.device) -> _Spread:
        rows = _overlaps(frame.height, height, window[1], window[3])
        columns = _overlaps(frame.width, width, window[0], window[2])
        share = (rows.sum(dim=1)[:, None] * columns.sum(dim=1))[None, :, :, None]
        return cls(rows.to(device), columns.to(device), share.to(device))


def _overlaps(grid: int, size: int, low: float, high: float) -> Tensor:
    """fp32 `[grid, size]`."""
    edges = torch.arange(grid + 1, dtype=torch.float64) / grid
    cells = low + torch.arange(size + 1, dtype=torch.float64) / size * (high - low)
    shared = torch.minimum(edges[1:, None], cells[None, 1:]) - torch.maximum(edges[:-1, None], cells[None, :-1])
    return (shared.clamp(min=0) * grid).float()


