"""Rows: which conditioning, which images and which part of the frame each row of a batch belongs to.

The host runs several conditionings as one batch and lists them; couples repeat rows, tiled samplers stack tiles,
context windows take some of the images. Rows are explained from what is known of each, never divided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from ...msd_core.cells import WHOLE, Window, within
from .place import TilePlace, place_tiles

CHUNKS = "cond_or_uncond"
UNPLACED = "part"
COUPLED_CHUNKS = ("cond_or_uncond_couple", "cond_or_uncond_hook_couple")

COUPLES = "the attention couples of ComfyUI-ppm, comfyui-tooling-nodes and comfyui-prompt-control list theirs"


class Key(NamedTuple):
    """What rows are of; everything that a run remembers of them is remembered under it.

    Attributes:
        conditioning: the guider's role of it, or its place in the evaluation.
        entry: the entry's text, and which of the entries with that text that act at the same time.
        part: the part of the frame, as windows of it, or what stands for a part whose place is unknown.
    """

    conditioning: Any
    entry: tuple[int, int]
    part: tuple


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of one conditional entry: a latent batch, or a tile of one.

    Attributes:
        rows: where they stand in the model call's batch.
        key: what they are of.
        windows: the part of the latent that they show (see `layout.region_cells`).
        images: which images of the run's batch, or None for all.
        position: where in the host's list of chunks its conditioning stands, tile by tile.
    """

    rows: slice
    key: Key
    windows: tuple[Window, ...]
    images: tuple[int, ...] | None
    position: int


def conditioning_roles(roles: Mapping[str, Any], conditionings: Sequence[Any]) -> tuple[str, ...]:
    """The guider's role of each conditioning of a model evaluation; "negative" for one that has no entries.

    Args:
        roles: the guider's conditionings by role: "positive", "negative", with some guiders "middle" or
            "empty_negative_prompt". All are conditional but those with "negative" in their role's name.
        conditionings: those being evaluated, in the order that the chunks' indices count.

    Raises:
        ValueError: a conditioning is none of the guider's.
    """
    return tuple(_role(roles, conditioning, place) for place, conditioning in enumerate(conditionings))


class Listed(NamedTuple):
    """One conditioning entry as a model call lists it: what `explain_rows` needs to know of it.

    Attributes:
        conditional: whether its rows see the subjects.
        conditioning, entry: as in `Key`.
        window: the part of the evaluation's latent that it shows.
        source: those latents, `[batch, 4, h, w]`.
    """

    conditional: bool
    conditioning: Any
    entry: tuple[int, int]
    window: Window
    source: Tensor


def explain_rows(
    listed: Sequence[Listed], rows: int, shown: tuple[Window, ...] | None, images: tuple[int, ...] | None,
    latents: Tensor | None, ordinal: int,
) -> tuple[tuple[Chunk, ...], bool]:
    """The conditional rows of a model call.

    Args:
        listed: the entries of the call, in the host's order.
        rows: rows of the UNet's input.
        shown: the part of the run's latent that the evaluation shows, or None where it isn't known.
        images: which images of the run's batch it shows, or None for all.
        latents: the UNet's input `[rows, 4, h, w]`, or None where it isn't known.
        ordinal: which call of this evaluation it is, to tell tiles apart whose place can't be found.

    Returns:
        The chunks in the order of their rows, and whether they show parts of unknown place.

    Raises:
        ValueError: nothing that is known explains the rows.
    """
    source = listed[0].source
    batch = source.shape[0]
    tiles, rest = divmod(rows, len(listed) * batch)
    cut = latents is not None and latents.shape[-2:] != source.shape[-2:]
    if rest or not tiles or (tiles > 1 and not cut):
        raise ValueError(
            f"The model is given {rows} rows for {len(listed)} conditionings of {batch} latents: a wrapper of another "
            "pack repeats or drops rows in a way that MS-Diffusion can't follow, take it off."
        )
    places = place_tiles(latents, [entry.source for entry in listed], tiles) if cut else None
    if cut and places is None and tiles > 1:
        raise ValueError(
            f"The model is given {rows} rows of {latents.shape[-1]}x{latents.shape[-2]} for {len(listed)} "
            f"conditionings of {batch} latents of {source.shape[-1]}x{source.shape[-2]}, and they are no tiles of "
            "these: set the tiled sampler's tile batch size to 1."
        )
    unplaced = shown is None or (cut and places is None)
    order = places or [TilePlace(position, (WHOLE,)) for position in range(len(listed))]
    chunks = []
    for number, place in enumerate(order):
        entry = listed[place.entry]
        if not entry.conditional:
            continue
        windows = compose(compose(shown or (WHOLE,), (entry.window,)), place.windows)
        part = (UNPLACED, ordinal, tuple((latents if cut else source).shape[-2:])) if unplaced else windows
        key = Key(entry.conditioning, entry.entry, part)
        chunks.append(Chunk(slice(number * batch, (number + 1) * batch), key, windows, images, number))
    return tuple(chunks), unplaced


def coupled_rows(options: Mapping[str, Any], listed: Sequence[int], rows: int, batch: int) -> list[list[slice]]:
    """Where a couple has put the rows of each of the host's chunks: for each chunk, one slice per region.

    Args:
        options: the host's `extra_options` of an attention call.
        listed: the call's own list of conditionings.
        rows: rows of the attention's queries.
        batch: rows of one conditioning.

    Raises:
        ValueError: no list explains the rows.
    """
    announced = next((options[key] for key in COUPLED_CHUNKS if options.get(key)), None) or options.get(CHUNKS, [0])
    repeats = _repeats(listed, announced) if len(announced) * batch == rows else None
    if repeats is None:
        raise ValueError(
            f"The attention has {rows} rows but {len(announced)} conditionings of {batch} latents are listed: a patch "
            "repeats rows without listing them (cgem156's Attention Couple, or a couple under a tiled sampler that "
            f"stacks tiles): {COUPLES}, and stacked tiles end with a tile batch size of 1."
        )
    slices, start = [], 0
    for count in repeats:
        slices.append([slice(start + k * batch, start + (k + 1) * batch) for k in range(count)])
        start += count * batch
    return slices


def compose(outer: tuple[Window, ...], inner: tuple[Window, ...]) -> tuple[Window, ...]:
    """Windows of windows, in fractions of the whole frame.

    Raises:
        ValueError: the inner ones wrap round the edges of an outer one that is only a part of the frame.
    """
    if len(inner) > 1 and outer != (WHOLE,):
        raise ValueError(
            f"Tiles wrap round the edges of a part {outer[0]} of the frame, where MS-Diffusion can follow them only "
            "round the whole frame: use a tiled sampler that does not shift its tiles."
        )
    if inner == (WHOLE,):
        return outer
    return tuple(within(window, part) for window in outer for part in inner)


def _repeats(listed: Sequence[int], announced: Sequence[int]) -> list[int] | None:
    """How often each listed conditioning is repeated in the announced list; None where it isn't a list of repeats.

    Couples know two kinds of conditionings, 1 and all others, and announce the others as 0.
    """
    listed, announced = ([int(index == 1) for index in indices] for indices in (listed, announced))
    repeats, at = [], 0
    for place, index in enumerate(listed):
        # Equal neighbours share what is announced of them evenly.
        same = next((k for k, other in enumerate(listed[place:]) if other != index), len(listed) - place)
        run = next((k for k, other in enumerate(announced[at:]) if other != index), len(announced) - at)
        if not run or run % same:
            return None
        repeats.append(run // same)
        at += run // same
    return repeats if at == len(announced) else None


def _role(roles: Mapping[str, Any], conditioning: Any, place: int) -> str:
    if not conditioning:
        return "negative"
    # A guider hands its own lists on, so identity tells the role; copies keep their entries' ids.
    for role, candidate in roles.items():
        if candidate is conditioning:
            return role
    ids = _ids(conditioning)
    for fits in (lambda own: ids == own, lambda own: ids and ids <= own):
        owners = [role for role, candidate in roles.items() if fits(_ids(candidate))]
        if len(owners) == 1:
            return owners[0]
    raise ValueError(
        f"Conditioning {place} of an evaluation is none of the guider's ({', '.join(roles)}), so it can't be told "
        "whether the subjects belong to it: take off the patch that evaluates conditionings of its own."
    )


def _ids(conditioning: Any) -> set:
    return {entry["uuid"] for entry in conditioning or () if "uuid" in entry}
