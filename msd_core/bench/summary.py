"""Tables of results: means with intervals, overall and by combination type, beside the paper's row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..evaluation.intervals import Estimate, difference_interval, mean_interval, statistic_interval
from ..evaluation.placement import average_precision
from ..evaluation.report import COLUMNS, placements
from .conditions import Condition, papers_row
from .journal import Results

ALL = "all"

Record = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Estimates by row and metric.

    Attributes:
        columns: the metrics that anything has.
        rows: row name to its estimates; `ALL` first.
    """

    columns: tuple[str, ...]
    rows: dict[str, dict[str, Estimate]]


def sample_value(record: Record, metric: str) -> float | None:
    """A sample's value of a metric: the mean over its pictures, None if they have none."""
    values = [row[metric] for row in record["images"] if row.get(metric) is not None]
    return sum(values) / len(values) if values else None


def _placements(records: Iterable[Record]) -> list[Any]:
    return placements([row for record in records for row in record["images"]])


def estimate(records: Sequence[Record], metric: str) -> Estimate | None:
    """A metric over samples, None if none has it."""
    if metric == "ap50":
        held = [record for record in records if any("verdicts" in row for row in record["images"])]
        return statistic_interval(held, lambda some: average_precision(_placements(some)))
    return mean_interval([value for record in records if (value := sample_value(record, metric)) is not None])


def summarise(results: Results) -> Table:
    """All metrics over all samples and over each combination type, in the benchmark's order."""
    groups: dict[str, list[Record]] = {ALL: list(results.scored)}
    for kind in results.header["kinds"]:
        if found := [record for record in results.scored if record["kind"] == kind]:
            groups[kind] = found
    rows = {
        name: {metric: found for metric in COLUMNS if (found := estimate(records, metric)) is not None}
        for name, records in groups.items()
    }
    return Table(tuple(metric for metric in COLUMNS if metric in rows[ALL]), rows)


def compare(first: Results, second: Results) -> tuple[Table, int]:
    """Differences `second - first` over the samples that both have, and how many these are.

    Raises:
        ValueError: they share no sample, or were measured by different models.
    """
    measures = [results.header.get("measured_by") for results in (first, second)]
    if measures[0] != measures[1]:
        raise ValueError(
            f"The results were measured by {measures[0]} and {measures[1]}, which can't be compared: "
            "measure both with the same models."
        )
    theirs = {record["id"]: record for record in second.scored}
    pairs = [(record, theirs[record["id"]]) for record in first.scored if record["id"] in theirs]
    if not pairs:
        raise ValueError(
            f"The results share 0 of {len(first.scored)} and {len(second.scored)} samples: name two runs of one "
            "benchmark."
        )
    groups: dict[str, list[tuple[Record, Record]]] = {ALL: pairs}
    for kind in first.header["kinds"]:
        if some := [pair for pair in pairs if pair[0]["kind"] == kind]:
            groups[kind] = some
    rows = {}
    for name, some in groups.items():
        rows[name] = {metric: found for metric in COLUMNS if (found := _difference(some, metric)) is not None}
    return Table(tuple(metric for metric in COLUMNS if metric in rows[ALL]), rows), len(pairs)


def _difference(pairs: Sequence[tuple[Record, Record]], metric: str) -> Estimate | None:
    if metric == "ap50":
        held = [pair for pair in pairs if all(_placements([record]) for record in pair)]

        def difference(some: Sequence[tuple[Record, Record]]) -> float | None:
            a, b = (average_precision(_placements(pair[side] for pair in some)) for side in (0, 1))
            return None if a is None or b is None else b - a

        return statistic_interval(held, difference)
    values = [(a, b) for one, other in pairs
              if (a := sample_value(one, metric)) is not None and (b := sample_value(other, metric)) is not None]
    return difference_interval([a for a, _ in values], [b for _, b in values])


def as_text(results: Results) -> str:
    """The table to read in a terminal, the paper's row below ours."""
    table, header = summarise(results), results.header
    condition = Condition(**header["condition"])
    lines = [f"{header['benchmark']}, {condition.name}: {len(results.scored)} of {header['samples']} samples, "
             f"{sum(len(record['images']) for record in results.scored)} pictures"
             + (f", {len(results.failed)} failed" if results.failed else "")]
    lines += [f"  {what}: {name}" for what, name in header["measured_by"].items()]
    lines += ["", *_grid(table, papers_row(header["benchmark"], condition.changes()))]
    lines += ["", "Means over samples with 95 % bootstrap intervals over samples."]
    paper = papers_row(header["benchmark"], condition.changes())
    if paper is not None and condition.changes():
        lines.append("The paper trained its ablations anew; ours leave the part out of the same weights.")
    reasons: dict[str, int] = {}
    for record in results.failed:
        reasons[record["error"]] = reasons.get(record["error"], 0) + 1
    lines += [f"failed, {count}: {reason}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])]
    return "\n".join(lines)


def comparison_text(first: Results, second: Results, names: tuple[str, str]) -> str:
    """Two runs' differences to read in a terminal."""
    table, count = compare(first, second)
    lines = [f"{names[1]} ({Condition(**second.header['condition']).name}) against "
             f"{names[0]} ({Condition(**first.header['condition']).name}): {count} samples of both", ""]
    lines += _grid(table, None, signed=True)
    clear = [f"{COLUMNS[metric]} {'higher' if one.low > 0 else 'lower'}"
             for metric in table.columns if (one := table.rows[ALL][metric]).low > 0 or one.high < 0]
    lines += ["", "Paired differences with 95 % bootstrap intervals over samples. "
              + (f"Clear of zero: {', '.join(clear)}." if clear else "None is clear of zero.")]
    return "\n".join(lines)


def as_csv(table: Table) -> str:
    """The table with a row for each metric of each type."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["type", "metric", "value", "low", "high", "samples"])
    for name, estimates in table.rows.items():
        for metric, one in estimates.items():
            writer.writerow([name, metric, *(f"{value:.6f}" for value in one[:3]), one.count])
    return buffer.getvalue()


def _grid(table: Table, paper: tuple[str, dict[str, float]] | None, signed: bool = False) -> list[str]:
    """Aligned lines: a value with its interval below for the whole, values alone for the types."""
    sign = "+" if signed else ""
    rows: list[list[str]] = [["", *(COLUMNS[metric] for metric in table.columns), "samples"]]
    for name, estimates in table.rows.items():
        found = [estimates.get(metric) for metric in table.columns]
        count = max((one.count for one in found if one is not None), default=0)
        rows.append([name, *("-" if one is None else f"{one.value:{sign}.3f}" for one in found), str(count)])
        if name == ALL or signed:
            ends = ("" if one is None else f"{one.low:{sign}.3f}..{one.high:{sign}.3f}" for one in found)
            rows.append(["", *ends, ""])
        if name == ALL and paper is not None:
            figures = [paper[1].get(metric) for metric in table.columns]
            rows.append([f"the paper's {paper[0]}", *("-" if one is None else f"{one:.3f}" for one in figures), ""])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
