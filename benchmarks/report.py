"""The results as tables in Markdown and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

HELD = {"subjects": 2, "side": 1024, "batch": 1}


def steps_table(rows: Sequence[dict]) -> str:
    """A step of real-size SDXL with two subjects at 1024 pixels, beside the same without subjects."""
    chosen = [row for row in _unique(rows) if all(row[name] == value for name, value in HELD.items())]
    return _table(
        ("2 subjects, 1024 x 1024, guidance", "FLOP", "bytes", "calls", "waits", "kept on the device"),
        [
            (
                ", ".join(filter(None, (row["kind"], row["step"]))), f"+{row['flop']:.2f} %", f"+{row['bytes']:.1f} %",
                f"+{row['calls']} ({row['calls_percent']:.1f} %)", str(row["waits"]), f"{row['kept']:.1f} MB",
            )
            for row in chosen
        ],
    )


def axes_table(rows: Sequence[dict]) -> str:
    """The same with one thing changed at a time: bytes, calls."""
    lines = []
    for axis in HELD:
        for row in _unique(rows):
            others = {name: value for name, value in HELD.items() if name != axis}
            if row[axis] != HELD[axis] and all(row[name] == value for name, value in others.items()):
                lines.append((
                    axis, str(row[axis]), ", ".join(filter(None, (row["kind"], row["step"]))),
                    f"+{row['flop']:.2f} %", f"+{row['bytes']:.1f} %", f"+{row['calls_percent']:.1f} %",
                    str(row["waits"]), f"{row['kept']:.1f} MB",
                ))
    return _table(("changed", "to", "kind", "FLOP", "bytes", "calls", "waits", "kept"), lines)


def edits_table(rows: Sequence[dict]) -> str:
    """What an edit computes before the run."""
    return _table(
        ("edit, of two subjects", "photos seen", "resampled", "projected", "TFLOP", "weights on the device"),
        [
            (row["edit"], *(str(row[name]) for name in ("vision", "resampled", "projected")), f"{row['tflop']:.2f}",
             f"{row['weights']:.1f} GB")
            for row in rows
        ],
    )


def timings_table(rows: Sequence[dict]) -> str:
    """Seconds, and each way beside the first of its group; brackets have the middle half of the rounds."""
    lines = []
    for row in rows:
        first = next(iter(row["ways"].values()))["median"]
        for name, found in row["ways"].items():
            lines.append((
                row["what"], f"{row['device']}, {row['dtype']}", name,
                f"{1000 * found['median']:.1f} ms ({1000 * found['low']:.1f} to {1000 * found['high']:.1f})",
                f"{found['median'] / first:.3f}",
            ))
    return _table(("what", "on", "way", "median", "beside the first"), lines)


def memory_table(rows: Sequence[dict]) -> str:
    """MB more than before."""
    return _table(
        ("what", "tensors", "process"),
        [(row["what"], f"{row['tensors']:.1f} MB", f"{row['resident']:.0f} MB") for row in rows],
    )


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw what was counted: each kind beside the others, and bytes over subjects, size and batch."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    rows = _unique(results["counted"]["steps"])
    figure, axes = plt.subplots(2, 2, figsize=(13, 8), constrained_layout=True)
    held = [row for row in rows if all(row[name] == value for name, value in HELD.items())]
    names = [", ".join(filter(None, (row["kind"], row["step"]))) for row in held]
    for number, (key, label) in enumerate((("flop", "FLOP"), ("bytes", "bytes"), ("calls_percent", "calls"))):
        places = [place + 0.27 * (1 - number) for place in range(len(held))]
        axes[0, 0].barh(places, [max(row[key], 0.01) for row in held], height=0.25, label=label)
    axes[0, 0].set(xscale="log", xlabel="more than the step without subjects, %", title="2 subjects, 1024 x 1024")
    axes[0, 0].set_yticks(range(len(held)), names, fontsize=8)
    axes[0, 0].invert_yaxis()
    axes[0, 0].legend()
    for panel, axis in zip(axes.flat[1:], HELD, strict=True):
        kinds: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            if all(row[name] == value for name, value in HELD.items() if name != axis):
                name = ", ".join(filter(None, (row["kind"], row["step"])))
                kinds.setdefault(name, []).append((row[axis], row["bytes"]))
        for name, points in kinds.items():
            if len(points) > 1:
                panel.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
        panel.set(xlabel=axis, ylabel="more bytes, %", xscale="log", yscale="log")
        panel.set_xticks(sorted({point[0] for points in kinds.values() for point in points}))
        panel.get_xaxis().set_major_formatter("{x:.0f}")
        panel.minorticks_off()
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _unique(rows: Sequence[dict]) -> list[dict]:
    """Rows without those that two axes share."""
    found: dict[tuple, dict] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in ("kind", "step", *HELD)), row)
    return list(found.values())


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    rows = [head, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )
