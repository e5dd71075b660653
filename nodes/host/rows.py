"""Rows: which rows of a batch belong to the conditional side of guidance and so see the subjects.

The host runs several conditionings as one batch of equal chunks and lists, for each chunk, which of them it is.
Attention couple repeats chunks for its regions and lists them in a key of its own, or edits the host's list in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

CHUNKS = "cond_or_uncond"
COUPLED_CHUNKS = ("cond_or_uncond_couple", "cond_or_uncond_hook_couple")


def conditional_flags(roles: Mapping[str, Any], conditionings: Sequence[Any]) -> tuple[bool, ...]:
    """Tell for each conditioning of a model evaluation whether it is conditional.

    Args:
        roles: the guider's conditionings by role: "positive", "negative", with some guiders "middle" or
            "empty_negative_prompt". All are conditional but those with "negative" in their role's name.
        conditionings: those being evaluated, in the order that the chunks' indices count.

    A conditioning that is none of the guider's follows the host's convention: the first is conditional.
    """
    return tuple(_is_conditional(roles, conditioning, index) for index, conditioning in enumerate(conditionings))


class Chunk(NamedTuple):
    """The rows of one conditional conditioning: one latent batch."""

    rows: slice
    uuid: Any


def conditional_chunks(
    options: Mapping[str, Any], flags: Sequence[bool] | None, rows: int, batch: int
) -> list[Chunk]:
    """The rows that see the subjects, one chunk per conditioning.

    Args:
        options: the host's `extra_options` of an attention call.
        flags: from `conditional_flags`, or None where the evaluation was not announced: then conditioning 0 is
            conditional and 1 is not.
        rows: rows of the attention's queries.
        batch: rows of one chunk, the number of latents.

    Raises:
        ValueError: the rows can't be explained by the list of chunks.
    """
    plain = options.get(CHUNKS, [0])
    chunks = next((options[key] for key in COUPLED_CHUNKS if options.get(key)), None) or plain
    if len(chunks) * batch != rows:
        raise ValueError(
            f"The attention has {rows} rows but {len(chunks)} conditionings of {batch} latents are listed: "
            "a model patch repeats rows in a way that MS-Diffusion can't follow, remove it."
        )
    known = (True, False) if flags is None else flags
    unknown = [index for index in chunks if not 0 <= index < len(known)]
    if unknown:
        raise ValueError(
            f"The attention has rows of conditioning {unknown[0]} but {len(known)} conditionings are known: "
            "use a guider that lists its conditionings."
        )
    uuids = options.get("uuids", ())
    if len(uuids) != len(chunks):
        uuids = [None] * len(chunks)
    return [
        Chunk(slice(position * batch, (position + 1) * batch), uuid)
        for position, (index, uuid) in enumerate(zip(chunks, uuids, strict=True))
        if known[index]
    ]


def _is_conditional(roles: Mapping[str, Any], conditioning: Any, index: int) -> bool:
    # A guider hands its own lists on, so identity tells the role; copies keep their entries' ids.
    for role, candidate in roles.items():
        if candidate is conditioning:
            return "negative" not in role
    ids = _ids(conditioning)
    owners = [role for role, candidate in roles.items() if ids and ids <= _ids(candidate)]
    return "negative" not in owners[0] if len(owners) == 1 else index == 0


def _ids(conditioning: Any) -> set:
    return {entry["uuid"] for entry in conditioning or () if "uuid" in entry}
