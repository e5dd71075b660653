"""mIoU, AP50 and counts against worked examples and scipy."""

import itertools

import pytest
import torch

from msd_core.evaluation.placement import (
    Detection,
    Placement,
    average_precision,
    best_assignment,
    intersection_over_union,
    judge_placement,
)

LEFT, RIGHT, WHOLE = (0.0, 0.25, 0.5, 0.75), (0.5, 0.25, 1.0, 0.75), (0.0, 0.0, 1.0, 1.0)


def test_intersection_over_union_of_worked_boxes():
    found = intersection_over_union([LEFT, WHOLE], [LEFT, RIGHT, (0.25, 0.25, 0.75, 0.75)])
    assert found.tolist() == [pytest.approx([1, 0, 1 / 3]), pytest.approx([0.25, 0.25, 0.25])]


def test_a_subject_that_is_not_found_counts_nothing():
    seen = judge_placement(["dog", "cat"], [LEFT, RIGHT], [Detection("dog", LEFT, 0.9)])
    assert (seen.miou, seen.counts, seen.wanted, seen.verdicts) == (0.5, 0.5, 2, ((0.9, True),))


def test_detections_count_for_their_own_phrase_only():
    swapped = [Detection("dog", RIGHT, 0.9), Detection("cat", LEFT, 0.9)]
    seen = judge_placement(["dog", "cat"], [LEFT, RIGHT], swapped)
    assert seen.miou == 0 and seen.counts == 1 and not any(hit for _, hit in seen.verdicts)


def test_two_of_one_phrase_are_matched_so_that_the_sum_is_largest():
    middle = (0.1, 0.25, 0.6, 0.75)
    seen = judge_placement(["dog", "dog"], [LEFT, RIGHT], [Detection("dog", LEFT, 0.8), Detection("dog", middle, 0.9)])
    assert seen.miou == pytest.approx((1 + 0.1 / 0.9) / 2)
    # Each box can be met once: the second detection of the left one is wrong.
    assert seen.verdicts == ((0.9, True), (0.8, False))


def test_too_many_are_a_wrong_count():
    extra = [Detection("dog", LEFT, 0.9), Detection("dog", RIGHT, 0.8)]
    assert judge_placement(["dog"], [LEFT], extra).counts == 0


def test_a_scene_is_no_thing_to_be_found():
    seen = judge_placement(["dog", "mountain"], [LEFT, WHOLE], [Detection("dog", LEFT, 0.9)])
    assert (seen.miou, seen.wanted) == (1, 1)
    assert judge_placement(["mountain"], [WHOLE], []) == Placement(None, None, 0, ())


def test_the_best_assignment_is_the_best_of_all():
    generator = torch.Generator().manual_seed(3)
    for rows, columns in itertools.product((1, 2, 3), (0, 1, 3, 4)):
        values = torch.rand(rows, columns, generator=generator, dtype=torch.float64)
        few, many = (values, columns) if rows <= columns else (values.T, rows)
        tried = [sum(float(few[i, j]) for i, j in enumerate(order))
                 for order in itertools.permutations(range(many), len(few))]
        assert best_assignment(values) == pytest.approx(max(tried))


def test_average_precision_by_hand():
    # Hits at ranks 1, 3 of four detections, three boxes asked for: (1/1 + 2/3) / 3.
    placements = [Placement(0, 0, 2, ((0.9, True), (0.5, True))), Placement(0, 0, 1, ((0.7, False), (0.2, False)))]
    assert average_precision(placements) == pytest.approx((1 + 2 / 3) / 3)
    # Precision is made monotone: a late hit lifts an early dip.
    assert average_precision([Placement(0, 0, 2, ((0.9, False), (0.8, True), (0.7, True)))]) == pytest.approx(2 / 3)
    assert average_precision([Placement(0, 0, 2, ())]) == 0
    assert average_precision([Placement(None, None, 0, ())]) is None
