"""What a run leaves out or exchanges (the paper's table 3), and the paper's own figures to print beside."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Condition:
    """How pictures are made.

    Attributes:
        grounding: whether phrase and box shape the resampler's queries; if not, these are the plain learned ones.
        masks: whether each subject acts in its own box only; if not, everywhere.
        adapter: whether there are subjects at all.
        overlap: what happens where boxes overlap; `mix` is the paper's.
        auto_layout: by which method the prompt's attention takes over from the boxes, None for the boxes alone.
    """

    grounding: bool = True
    masks: bool = True
    adapter: bool = True
    overlap: str = "mix"
    auto_layout: str | None = None

    @property
    def name(self) -> str:
        """What differs from the whole method, in words."""
        said = [words for left_out, words in (
            (not self.adapter, "adapter off"), (not self.grounding, "without grounding (plain resampler queries)"),
            (not self.masks, "without masked attention"), (self.overlap != "mix", f"overlap {self.overlap}"),
            (self.auto_layout is not None, f"auto layout {self.auto_layout}"),
        ) if left_out]
        return ", ".join(said) or "MS-Diffusion"

    def bare(self) -> Condition:
        """The same without the adapter."""
        return replace(self, adapter=False)

    def changes(self) -> dict[str, Any]:
        """What differs from the whole method, by name."""
        whole = asdict(Condition())
        return {key: value for key, value in asdict(self).items() if value != whole[key]}


# Tables 2 and 3. The paper trained its ablations anew; the flags only leave parts out of the released weights. Its row
# "w/o RS", a linear projection in the resampler's place, has weights that no released file holds.
_FULL, _PLAIN, _UNMASKED = {}, {"grounding": False}, {"masks": False}
_NO_LAYOUT = _PLAIN | _UNMASKED
PAPER: dict[str, list[tuple[dict[str, Any], str, dict[str, float]]]] = {
    "MS-Bench": [
        (_FULL, "MS-Diffusion", {"clip_i": 0.698, "dino": 0.425, "m_dino": 0.108, "clip_t": 0.341}),
        (_PLAIN, "w/o GRS", {"clip_i": 0.681, "dino": 0.389, "m_dino": 0.090, "clip_t": 0.331}),
        (_UNMASKED, "w/o MCA", {"clip_i": 0.693, "dino": 0.422, "m_dino": 0.100, "clip_t": 0.309}),
        (_NO_LAYOUT, "w/o LG w/IAL", {"clip_i": 0.675, "dino": 0.377, "m_dino": 0.080, "clip_t": 0.305}),
    ],
    "DreamBench": [
        (_FULL, "MS-Diffusion", {"clip_i": 0.792, "dino": 0.671, "clip_t": 0.321}),
        (_PLAIN, "w/o GRS", {"clip_i": 0.777, "dino": 0.646, "clip_t": 0.320}),
        (_UNMASKED, "w/o MCA", {"clip_i": 0.798, "dino": 0.662, "clip_t": 0.312}),
        (_NO_LAYOUT, "w/o LG w/IAL", {"clip_i": 0.761, "dino": 0.577, "clip_t": 0.284}),
    ],
}


def papers_row(benchmark: str, changes: dict[str, Any]) -> tuple[str, dict[str, float]] | None:
    """The paper's name and figures for a condition's changes, None if it has none."""
    for told, name, figures in PAPER.get(benchmark, []):
        if told == changes:
            return name, figures
    return None
