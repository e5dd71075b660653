"""What became of everything that was looked at: counted where it was decided, added up, never lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

TABLE: dict[str, tuple[str, ...]] = {
    "clips": ("clips with samples", "clips without a sample", "clips unreadable", "clips failed"),
    "frames drawn": ("frames blank", "frames too few pixels", "frames without a caption", "frames without an entity",
                     "frames without a thing", "frames described"),
    "entities named": ("entities not found", "entities one thing with another", "entities too small",
                       "entities too large", "entities unbalanced", "entities hardly in its mask", "entities kept"),
    "pairs": ("pairs without a thing in the target", "pairs too much alike", "pairs with too few found again",
              "samples"),
    "subjects": ("subjects from the reference", "subjects from the target"),
}
"""Each total and what it is the sum of."""
BESIDE = ("subjects over the most",)
"""Counted, and part of no total."""


class Statistics:
    """The sum of clips' records; of a clip that comes twice, the later one counts."""

    def __init__(self, records: Iterable[dict[str, Any]] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: dict[str, dict[str, Any]] = {}
        """The records of clips that were unreadable or failed, by their names."""
        for record in records:
            self.add(record)

    def add(self, record: dict[str, Any]) -> None:
        """Count one clip."""
        before = self.faults.pop(record["clip"], None)
        if before is not None:
            self.counts.subtract(before["counts"])
        self.counts.update(record["counts"])
        if "why" in record:
            self.faults[record["clip"]] = record

    def totals(self) -> dict[str, dict[str, int]]:
        """Each total's parts, as `TABLE` has them."""
        return {total: {part: self.counts[part] for part in parts} for total, parts in TABLE.items()}

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "totals": {total: sum(parts.values()) for total, parts in self.totals().items()},
            "parts": self.totals(),
            "beside": {name: self.counts[name] for name in BESIDE},
            "faults": {name: record["why"] for name, record in sorted(self.faults.items())},
        }

    def as_text(self, faults: int = 10) -> str:
        """The table, and the first faults in full."""
        lines = []
        for total, parts in self.totals().items():
            whole = sum(parts.values())
            lines.append(f"{whole:>9,}  {total}")
            lines += [f"{count:>15,}  {count / whole:>6.1%}  {part}" for part, count in parts.items() if count]
        lines += [f"{self.counts[name]:>9,}  {name}" for name in BESIDE if self.counts[name]]
        named = sorted(self.faults.items())
        lines += [f"  {name}: {record['why']}" for name, record in named[:faults]]
        if len(named) > faults:
            lines.append(f"  and {len(named) - faults:,} more, in statistics.json")
        return "\n".join(lines)
