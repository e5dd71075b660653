"""What measures auto layout on the demo set: its starts, its controls, and what it says of pictures."""

import json
import math
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("diffusers")

from training import auto_layout  # noqa: E402
from training.auto_layout import ROWS, boxes_of, pushed_apart, random_places  # noqa: E402
from training.card import GOALS, Goal  # noqa: E402
from training.finder import Sprite  # noqa: E402
from training.judged import judge, summary, table  # noqa: E402
from training.looks import held_out_cases, real_pictures  # noqa: E402


def shared(a, b):
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)


@pytest.fixture(scope="module")
def cases():
    return held_out_cases(12, 500)


def test_starts_keep_sizes_and_the_frame(cases):
    for case in cases:
        right = boxes_of(case, "right")
        for start in ("rough", "overlapping"):
            for box, own in zip(boxes_of(case, start), right, strict=True):
                assert box[2] - box[0] == pytest.approx(own[2] - own[0])
                assert min(box) >= 0 and max(box) <= 1 + 1e-6
        assert all(shared(*boxes_of(case, start)) > 0 for start in ("overlapping", "none"))
        assert shared(*right) == 0


def test_controls_are_disjoint(cases):
    for number, case in enumerate(cases):
        assert shared(*random_places(number)) == 0
        apart = pushed_apart(boxes_of(case, "overlapping"))
        assert shared(*apart) <= 0.25 * shared(*boxes_of(case, "overlapping"))


def test_every_start_has_plain_boxes_or_a_control_beside_each_method():
    names = {(row.start, row.method.split(",")[0]) for row in ROWS}
    for start in ("right", "rough", "overlapping", "none"):
        assert {(start, "paper"), (start, "steady")} <= names
        assert (start, "boxes") in names or (start, "random places") in names


def placed(case, exchanged=False):
    """Sprites where the scene has them."""
    kinds = [subject.identity.kind for subject in case.subjects]
    return [Sprite(kind, 1.0, one.left, one.top, one.side)
            for kind, one in zip(kinds[::-1] if exchanged else kinds, case.subjects, strict=True)]


def test_a_drawn_scene_is_right_near_itself_and_has_no_doubles(cases):
    pictures = real_pictures(cases)
    judged = [judge(case, picture, placed(case), placed(case))
              for case, picture in zip(cases, pictures, strict=True)]
    assert sum(all(one.ident) for one in judged) >= len(cases) - 1
    assert all(one.near == (True, True) and one.exchanged is False and one.doubles == 0 for one in judged)


def test_exchanged_missing_and_doubled_subjects_are_told(cases):
    case = cases[0]
    (picture,) = real_pictures([case])
    swapped = judge(case, picture, placed(case, exchanged=True), placed(case))
    assert swapped.exchanged and swapped.ident == (False, False)
    missing = judge(case, picture, placed(case)[:1], placed(case))
    assert missing.near == (True, False) and missing.exchanged is None and missing.ident[1] is False
    assert judge(case, torch.zeros_like(picture), placed(case), []).ident == (False, False)
    doubled = [*placed(case), Sprite("cat", 0.9, 0, 0, 64)]
    assert judge(case, picture, doubled, []).doubles == 1


def test_errors_count_pairs_and_not_pictures(cases):
    right = judge(cases[0], real_pictures(cases[:1])[0], placed(cases[0]), placed(cases[0]))
    wrong = judge(cases[0], torch.zeros(3, 160, 160), [], placed(cases[0]))
    told = summary([[right] * 3, [wrong] * 3, [right] * 3, [wrong] * 3])
    assert told["both"] == [0.5, pytest.approx(0.5 / math.sqrt(3)), 12]
    assert told["exchanged"][2] == 6
    assert "0.50 ± 0.29" in table({"row": told})


@pytest.fixture
def studio(monkeypatch):
    """A studio that makes grey pictures: whose pictures of which rows it was asked for."""
    asked = []

    class Studio:
        def __init__(self, pipeline, probe, seeds):
            self.seeds = seeds

        def make(self, case, row):
            asked.append((case.seed, row and row.name))
            return torch.zeros(self.seeds, 3, 160, 160)

        def find(self, pictures):
            return [[] for _ in pictures]

    bar = SimpleNamespace(set_progress_bar_config=lambda disable: None, vae=None)
    monkeypatch.setattr(auto_layout, "Studio", Studio)
    monkeypatch.setattr(auto_layout, "demo_pipeline", lambda: SimpleNamespace(pipe=bar))
    monkeypatch.setattr(auto_layout, "load_probe", lambda folder, vae: (None, {"kind": 1.0}))
    return asked


def test_a_measurement_goes_on_after_the_last_pair_unless_it_asks_for_something_else(studio, tmp_path):
    def measure(pairs, rows=ROWS[:2], seeds=2):
        studio.clear()
        results = auto_layout.measure(tmp_path, pairs, seeds, 500, rows, math.inf)
        return len({seed for seed, _ in studio}), results

    assert measure(2)[0] == 2
    made, results = measure(3)
    assert made == 1 and results["pairs"] == 3
    assert results["rows"][ROWS[0].name]["ident"][2] == 3 * 2 * 2
    whole = json.loads((tmp_path / "auto_layout.json").read_text())
    (tmp_path / "auto_layout.json").unlink()
    measure(3)
    assert json.loads((tmp_path / "auto_layout.json").read_text()) == whole
    assert measure(3)[0] == 0
    assert measure(3, ROWS[:3])[0] == 3
    assert measure(1, seeds=3)[0] == 1


def test_goals_name_rows_and_say_what_is_missed():
    names = {row.name for row in ROWS}
    assert {goal.row for goal in GOALS} | {goal.of for goal in GOALS if goal.of} <= names
    rows = {"a": {"near": [0.6751, 0.1, 9]}, "b": {"near": [0.7, 0.1, 9]}}
    told = [Goal("a", "near", 0.68), Goal("a", "near", 0.69), Goal("a", "near", 0.67, most=True),
            Goal("a", "near", -0.03, "b"), Goal("a", "near", of="b")]
    assert [goal.line(rows).split(" | ")[-1] for goal in told] == [
        "reached |", "missed |", "missed |", "reached |", "missed |"
    ]
    assert "at least 0.67 (*b* less 0.03) | 0.68" in told[3].line(rows)
