"""Tables, comparisons, sheet and plot from results made by hand."""

import csv
import io
import re
from dataclasses import asdict

import pytest

from msd_core.bench.conditions import PAPER, Condition, papers_row
from msd_core.bench.journal import Results
from msd_core.bench.sheet import as_html, draw_plot
from msd_core.bench.summary import (
    as_csv,
    as_text,
    compare,
    comparison_text,
    sample_value,
    summarise,
)


def results(values, benchmark="MS-Bench", condition=None, failed=(), **row):
    header = {"benchmark": benchmark, "condition": asdict(condition or Condition()), "samples": 20,
              "measured_by": {"clip": "CLIP", "dino": "DINO"},
              "kinds": ["living+living", "object+object", "living+scene"]}
    records = [
        {"id": f"s{number}", "kind": "living+living" if number % 2 else "living+scene", "prompt": f"prompt {number}",
         "subjects": [{"phrase": "dog", "box": [0, 0, 1, 1]}],
         "images": [{"m_dino": value + shift, "clip_i": 0.7, "swap": None if number == 0 else 0.5, **row}
                    for shift in (-0.01, 0.01)]}
        for number, value in enumerate(values)
    ]
    records += [{"id": f"f{number}", "kind": "living+living", "error": reason} for number, reason in enumerate(failed)]
    return Results(header, tuple(records))


VALUES = [0.1, 0.2, 0.15, 0.05]


def test_a_sample_counts_once_however_many_pictures_it_has():
    found = summarise(results(VALUES)).rows
    assert found["all"]["m_dino"].value == pytest.approx(0.125)
    assert found["all"]["m_dino"].count == 4
    assert found["all"]["m_dino"].low < 0.125 < found["all"]["m_dino"].high
    assert found["living+living"]["m_dino"].value == pytest.approx(0.125)
    # In the benchmark's order, whoever was first.
    assert list(found) == ["all", "living+living", "living+scene"]


def test_what_has_no_value_is_no_zero():
    told = results(VALUES)
    assert sample_value(told.records[0], "swap") is None
    assert summarise(told).rows["all"]["swap"].count == 3
    assert "miou" not in summarise(told).columns


def test_average_precision_is_taken_over_all_pictures_together():
    told = results([0.1, 0.1], verdicts=[[0.9, True], [0.8, False]], wanted=2, miou=0.5)
    # Four pictures of two boxes: four hits first, then four misses, of eight wanted.
    assert summarise(told).rows["all"]["ap50"].value == pytest.approx(0.5)


def test_the_papers_row_stands_below_ours_under_its_own_name():
    full, plain = results(VALUES), results(VALUES, condition=Condition(grounding=False))
    assert re.search(r"the paper's MS-Diffusion +0\.698 +0\.108", as_text(full))
    text = as_text(plain)
    assert "the paper's w/o GRS" in text and "0.681" in text and "0.090" in text
    assert "The paper trained its ablations anew" in text and "The paper trained" not in as_text(full)
    assert "the paper's" not in as_text(results(VALUES, "sprites"))
    assert papers_row("MS-Bench", Condition(masks=False).changes())[0] == "w/o MCA"
    assert papers_row("MS-Bench", Condition(grounding=False, masks=False).changes())[0] == "w/o LG w/IAL"
    assert papers_row("MS-Bench", Condition(adapter=False).changes()) is None
    assert papers_row("MS-Bench", Condition(auto_layout="steady").changes()) is None
    assert Condition(auto_layout="steady").name == "auto layout steady"
    table_2 = {name: rows[0][2] for name, rows in PAPER.items()}
    assert table_2 == {"MS-Bench": {"clip_i": 0.698, "dino": 0.425, "m_dino": 0.108, "clip_t": 0.341},
                       "DreamBench": {"clip_i": 0.792, "dino": 0.671, "clip_t": 0.321}}


def test_failures_are_counted_by_their_reasons():
    text = as_text(results(VALUES, failed=["out of paint", "out of paint", "no brush"]))
    assert "4 of 20 samples, 8 pictures, 3 failed" in text
    assert "failed, 2: out of paint\nfailed, 1: no brush" in text


def test_two_runs_are_compared_over_the_samples_of_both():
    first, second = results(VALUES), results([value + 0.02 for value in VALUES[:3]], condition=Condition(masks=False))
    table, count = compare(first, second)
    one = table.rows["all"]["m_dino"]
    assert count == 3 and one.value == pytest.approx(0.02)
    assert (one.low, one.high) == (pytest.approx(0.02), pytest.approx(0.02))
    text = comparison_text(first, second, ("full", "unmasked"))
    assert "unmasked (without masked attention) against full (MS-Diffusion): 3 samples of both" in text
    assert "+0.020" in text and "Clear of zero: M-DINO higher." in text


def test_runs_that_share_nothing_or_were_measured_otherwise_are_refused():
    first = results(VALUES)
    other = Results(first.header, tuple({**one, "id": f"x{one['id']}"} for one in first.records))
    with pytest.raises(ValueError, match="share 0 of 4 and 4 samples"):
        compare(first, other)
    measured = Results({**first.header, "measured_by": {"clip": "another"}}, first.records)
    with pytest.raises(ValueError, match="which can't be compared"):
        compare(first, measured)


def test_the_csv_has_a_line_for_each_metric_of_each_type():
    rows = list(csv.DictReader(io.StringIO(as_csv(summarise(results(VALUES))))))
    assert {row["type"] for row in rows} == {"all", "living+living", "living+scene"}
    (one,) = [row for row in rows if (row["type"], row["metric"]) == ("all", "m_dino")]
    assert (float(one["value"]), one["samples"]) == (0.125, "4")


def test_the_sheet_links_pictures_from_where_it_lies_and_escapes_what_is_said(tmp_path):
    told = results(VALUES, failed=["<no>"], file="kept/a b.png")
    told.records[0]["prompt"] = "<a dog>"
    page = as_html(told, tmp_path / "pages" / "sheet.html", tmp_path / "results.jsonl")
    assert 'src="../kept/a b.png"' in page
    assert "&lt;a dog&gt;" in page and "<a dog>" not in page and "&lt;no&gt;" in page
    with pytest.raises(ValueError, match="names no pictures .* run again with --images"):
        as_html(results(VALUES), tmp_path / "sheet.html", tmp_path / "results.jsonl")


def test_a_plot_is_drawn_and_a_strange_ending_is_told(tmp_path):
    pytest.importorskip("matplotlib")
    told = {"a": results(VALUES), "b": results(VALUES)}
    draw_plot(told, tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text("utf-8")
    assert drawn.count("<svg") == 1 and len(drawn) > 5000
    with pytest.raises(ValueError, match="plot.xyz can't be drawn"):
        draw_plot(told, tmp_path / "plot.xyz")
