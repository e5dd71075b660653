"""A page of a run's pictures beside their references and scores, and a plot of its table."""

from __future__ import annotations

import html
import os
from pathlib import Path

from ..packages import require_package
from .conditions import Condition
from .journal import Results
from .summary import ALL, COLUMNS, Table, as_text, summarise

STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:24px;background:#fafafa;color:#222}
pre{background:#fff;border:1px solid #ddd;padding:12px;overflow:auto}
section{background:#fff;border:1px solid #ddd;border-radius:6px;padding:12px;margin:12px 0}
section.failed{border-color:#c44}
h2{font-size:14px;margin:0 0 8px}h2 small{font-weight:normal;color:#666}
.row{display:flex;gap:10px;flex-wrap:wrap;align-items:flex-start}
figure{margin:0;width:200px}figure img{max-width:200px;max-height:200px;display:block;border-radius:4px}
figure.reference,figure.reference img{width:96px;max-height:96px;object-fit:contain}
figcaption{font-size:12px;color:#555;font-variant-numeric:tabular-nums}
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}pre,section{background:#222;border-color:#444}
figcaption,h2 small{color:#aaa}}
"""


def as_html(results: Results, at: Path, source: Path) -> str:
    """The contact sheet.

    Args:
        at: where the page will be, from which its pictures are linked.
        source: the file of results, from which they are named.

    Raises:
        ValueError: the run kept no pictures.
    """
    if not any("file" in row for record in results.scored for row in record["images"]):
        raise ValueError(
            f"{source} names no pictures but a contact sheet shows them: run again with --images and a folder."
        )
    name = html.escape(f"{results.header['benchmark']}, {Condition(**results.header['condition']).name}")
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>',
             f"<h1>{name}</h1><pre>{html.escape(as_text(results))}</pre>"]

    def link(file: str) -> str:
        whole = source.absolute().parent / file
        return html.escape(os.path.relpath(whole, at.absolute().parent).replace(os.sep, "/"), quote=True)

    for record in results.records:
        title = f"{html.escape(record.get('prompt', record['id']))} <small>{html.escape(record['kind'])}</small>"
        if "error" in record:
            parts.append(f'<section class="failed"><h2>{title}</h2>{html.escape(record["error"])}</section>')
            continue
        shown = []
        for subject in record["subjects"]:
            phrase = html.escape(subject["phrase"])
            if "reference" in subject:
                shown.append(f'<figure class="reference"><img loading="lazy" src="{link(subject["reference"])}" '
                             f'alt="{phrase}"><figcaption>{phrase}</figcaption></figure>')
        for row in record["images"]:
            scores = " ".join(f"{COLUMNS[metric]}&nbsp;{row[metric]:.3f}"
                              for metric in COLUMNS if row.get(metric) is not None)
            if "file" in row:
                shown.append(f'<figure><img loading="lazy" src="{link(row["file"])}" alt="{title.split(" <")[0]}">'
                             f"<figcaption>{scores}</figcaption></figure>")
        parts.append(f'<section><h2>{title}</h2><div class="row">{"".join(shown)}</div></section>')
    return "\n".join(parts) + "</html>\n"


def draw_plot(runs: dict[str, Results], file: Path) -> None:
    """Bars with intervals, one panel for each metric, one colour for each run.

    Raises:
        ValueError: matplotlib is missing, or it can't write such a file.
    """
    require_package("matplotlib", "matplotlib", "a plot", "evaluation").use("Agg")
    pyplot = require_package("matplotlib.pyplot", "matplotlib", "a plot", "evaluation")
    tables: dict[str, Table] = {name: summarise(results) for name, results in runs.items()}
    columns = [metric for metric in COLUMNS if any(metric in table.columns for table in tables.values())]
    kinds = list(dict.fromkeys(kind for table in tables.values() for kind in table.rows))
    figure, axes = pyplot.subplots(
        len(columns), 1, figsize=(1.5 + 0.9 * len(kinds), 1.9 * len(columns)), squeeze=False, sharex=True
    )
    width = 0.8 / len(tables)
    for axis, metric in zip(axes[:, 0], columns, strict=True):
        for number, (name, table) in enumerate(tables.items()):
            found = [(place, table.rows[kind][metric]) for place, kind in enumerate(kinds)
                     if metric in table.rows.get(kind, {})]
            places = [place + (number - (len(tables) - 1) / 2) * width for place, _ in found]
            ends = [[one.value - one.low for _, one in found], [one.high - one.value for _, one in found]]
            axis.bar(places, [one.value for _, one in found], width, yerr=ends, label=name, capsize=2)
        axis.set_ylabel(COLUMNS[metric])
        axis.grid(axis="y", alpha=0.3)
    axes[-1, 0].set_xticks(range(len(kinds)), [kind if kind == ALL else kind.replace("+", "+\n") for kind in kinds],
                           fontsize=7)
    if len(tables) > 1:
        axes[0, 0].legend(fontsize=8)
    figure.tight_layout()
    try:
        figure.savefig(file, dpi=120)
    except ValueError as error:
        raise ValueError(f"{file} can't be drawn ({str(error).splitlines()[0]}): name a .png, .svg or .pdf.") from None
    finally:
        pyplot.close(figure)
