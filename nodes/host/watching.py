"""What is recorded of one attention that is watched; nothing of it reaches the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ...msd_core.attention import Reach
from ...msd_core.attribution import read_phrases, subject_parts, subject_shares
from ...msd_core.cells import WHOLE
from .rows import Chunk

if TYPE_CHECKING:
    from .call import AttentionCall
    from .run import SamplingRun


def can_be_watched(run: SamplingRun, chunk: Chunk) -> bool:
    """Whether some rows show the whole frame, of which alone maps are made."""
    if chunk.windows != (WHOLE,) or chunk.key.part != (WHOLE,):
        run.account.unwatched()
        return False
    run.maps.at_step(run.step)
    return True


def watch_text(attention: AttentionCall, chunk: Chunk, rows: list[slice]) -> None:
    """Record how much the prompt's phrases are attended to, in rows that hold the prompt.

    Maps that auto layout has read there are not read again.
    """
    run = attention.run
    found = attention.spans(run.patch.watch.phrases, chunk, rows)
    if found is None:
        return
    part, spans = found
    read_before, maps = attention.read.get(part.start, (None, None))
    if read_before is not spans:
        q, k = attention.q[part], attention.k[part]
        values = run.span_values(spans, attention.heads, q.shape[-1], q.dtype)
        maps = read_phrases(q, k, values, attention.heads, spans.shape[1], attention.attention)
        maps = maps.unflatten(-1, (attention.height, attention.width))
    run.maps.text.add(maps, chunk.images)


def watch_subjects(
    attention: AttentionCall, chunk: Chunk, part: slice, cells: Tensor, reach: Reach, added: Tensor
) -> None:
    """Record where each subject acts, and what it adds as a share of the text's output, to which it isn't added yet.

    Args:
        part: rows of the attention.
        cells: bool `[n, h, w]` or `[b, n, h, w]`.
        reach: where the subjects are attended to.
        added: what they add there, `[b, positions, hidden]`.
    """
    run, q, size = attention.run, attention.q[part], (attention.height, attention.width)
    text = attention.out[part, reach.positions]
    if reach.shared:
        key, value = run.key_values.at(attention.layer, q.device, q.dtype, chunk.images)
        owners = run.masks.owners(q.device, q.dtype)
        parts = subject_parts(
            q[:, reach.positions], key, value, reach.mask, attention.heads, owners, attention.attention
        )
        shares = subject_shares(parts, text)
    else:
        shares = subject_shares(added[:, None], text) * cells.flatten(-2)[..., reach.positions]
    rows = shares.unflatten(-1, (-1, size[1]))
    run.maps.subject.add(rows, chunk.images, size, reach.positions.start // size[1])
    if cells.ndim == 3:
        run.maps.regions.add_fixed(cells, chunk.images)
    else:
        run.maps.regions.add(cells.float(), chunk.images)
