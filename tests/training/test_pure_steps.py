"""Steps without a model: filters, matching, crops, and how two descriptions become a sample."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from msd_core.evaluation.placement import Detection
from tests.training.drawn_clips import Moving
from training.data import Settings, View
from training.data.assemble import assemble
from training.data.crops import at_most, crop, cut_out, pixel_box
from training.data.describe import Description, Thing
from training.data.filters import alike, box_fault, mask_fault, one_each
from training.data.make import key_of
from training.data.matching import match
from training.data.statistics import Statistics

pytest.importorskip("scipy")
SETTINGS = Settings()


@pytest.mark.parametrize("box, fault", [
    ((0.1, 0.1, 0.5, 0.5), None), ((0.1, 0.1, 0.2, 0.2), "too small"), ((0.0, 0.0, 1.0, 0.95), "too large"),
    ((0.0, 0.4, 1.0, 0.6), "unbalanced"), ((0.4, 0.0, 0.6, 1.0), "unbalanced"), ((0.0, 0.4, 1.0, 0.7), None),
    ((0.3, 0.3, 0.3, 0.9), "too small"),
])
def test_boxes_that_are_too_small_too_large_or_unbalanced_are_left_out(box, fault):
    assert box_fault(box, 600, 600, SETTINGS) == fault


def test_what_is_unbalanced_is_so_in_pixels_and_small_is_small_in_pixels_too():
    assert box_fault((0.0, 0.4, 1.0, 0.7), 300, 1200, SETTINGS) == "unbalanced"
    assert box_fault((0.1, 0.1, 0.3, 0.3), 600, 600, SETTINGS) is None
    assert box_fault((0.1, 0.1, 0.3, 0.3), 200, 600, SETTINGS) == "too small"


def test_a_thing_hardly_in_its_mask_is_left_out():
    mask = np.zeros((100, 100), bool)
    mask[50:70, 50:70] = True
    assert mask_fault(mask, (0.5, 0.5, 0.7, 0.7), SETTINGS) is None
    assert mask_fault(mask, (0.0, 0.0, 0.7, 0.7), SETTINGS) == "hardly in its mask"
    assert mask_fault(mask, (0.0, 0.0, 0.1, 0.1), SETTINGS) == "hardly in its mask"


def test_a_mask_of_which_nothing_would_be_left_when_it_is_made_smaller_is_none():
    """The trainer refuses an empty mask, and one in millions of samples must not end its run."""
    mask = np.zeros((1500, 1500), bool)
    mask[::9] = True
    assert mask.mean() > SETTINGS.fill and not at_most(mask, SETTINGS.subject_side).mean() > SETTINGS.fill
    assert mask_fault(mask, (0.0, 0.0, 1.0, 1.0), SETTINGS) == "hardly in its mask"
    nothing = np.zeros((100, 100), bool)
    assert mask_fault(nothing, (0.0, 0.0, 1.0, 1.0), replace(SETTINGS, fill=0.0)) == "hardly in its mask"


def test_each_phrase_keeps_its_best_box_and_each_thing_its_best_phrase():
    found = [
        Detection("dog", (0.1, 0.1, 0.5, 0.5), 0.6), Detection("dog", (0.6, 0.6, 0.9, 0.9), 0.7),
        Detection("brown dog", (0.61, 0.6, 0.9, 0.9), 0.9), Detection("hat", (0.6, 0.5, 0.9, 0.65), 0.4),
    ]
    assert [(one.phrase, one.score) for one in one_each(found, 0.8)] == [("brown dog", 0.9), ("dog", 0.6), ("hat", 0.4)]
    assert one_each(found, 0.8) == one_each(found[::-1], 0.8)
    assert [one.phrase for one in one_each(found, 0.99)] == ["brown dog", "dog", "hat"]


def unit(*rows):
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_matching_is_one_to_one_and_by_the_whole_not_by_the_nearest():
    # The nearest of both targets is the first reference; together they are better off crosswise.
    reference, target = unit([1.0, 0.0], [0.9, 0.5]), unit([1.0, 0.05], [0.8, -0.6])
    alike_to_first = target @ reference[0]
    assert alike_to_first.argmax() == 0 and (target @ reference[1]).argmax() == 0
    assert [(i, j) for i, j, _ in match(reference, target, 0.0)] == [(1, 0), (0, 1)]
    assert match(reference, target, 0.0)[0][2] == pytest.approx(float(target[0] @ reference[1]), abs=1e-6)


def test_what_can_be_no_pair_takes_nothing_from_what_can():
    # Summed plainly, 0.7 + 0.55 beats 0.95 + 0.25; but neither 0.55 nor 0.25 is a pair.
    alike_rows = np.array([[0.95, 0.7], [0.55, 0.25]])
    axes = np.eye(4)
    reference = np.array([np.r_[row, 0, 0] for row in alike_rows])
    reference[:, 2:] = np.diag(np.sqrt(1 - (alike_rows ** 2).sum(axis=1).clip(max=1)))
    found = match(reference, axes[:2], 0.6)
    assert [(i, j) for i, j, _ in found] == [(0, 0)]


def test_matching_finds_shuffled_things_again_in_noise():
    draw = np.random.default_rng(0)
    for count in (1, 2, 5):
        things = draw.normal(size=(count, 16))
        order = draw.permutation(count)
        noisy = things[order] + 0.1 * draw.normal(size=things.shape)
        assert [(i, j) for i, j, _ in match(unit(*noisy), unit(*things), 0.6)] == [
            (int(np.flatnonzero(order == j)[0]), j) for j in range(count)]
    assert match(np.zeros((0, 3)), unit([1.0, 0, 0]), 0.6) == []


def test_crops_are_whole_pixels_and_never_empty():
    assert pixel_box((0.25, 0.5, 0.75, 1.0), 8, 4) == (1, 4, 3, 8)
    assert pixel_box((0.3, 0.3, 0.3, 0.3), 10, 10) == (3, 3, 4, 4)
    assert pixel_box((1.0, 1.0, 1.0, 1.0), 10, 10) == (9, 9, 10, 10)
    pixels = np.arange(8 * 4 * 3, dtype=np.uint8).reshape(8, 4, 3)
    np.testing.assert_array_equal(crop(pixels, (0.25, 0.5, 0.75, 1.0)), pixels[4:8, 1:3])


def test_a_cut_out_is_square_white_and_the_thing_alone():
    pixels, mask = np.full((10, 20, 3), 9, np.uint8), np.zeros((10, 20), bool)
    mask[2:8, 4:6] = True
    square = cut_out(pixels, (0.1, 0.0, 0.6, 0.8), mask)
    assert square.shape == (10, 10, 3) and (square == 9).all(axis=-1).sum() == mask.sum()
    assert set(np.unique(square)) == {9, 255}


def test_pictures_and_masks_are_made_smaller_together_and_never_larger():
    pixels = np.zeros((30, 60, 3), np.uint8)
    assert at_most(pixels, 60) is pixels and at_most(pixels, 20).shape == (10, 20, 3)
    mask = np.zeros((30, 60), bool)
    mask[:, :30] = True
    small = at_most(mask, 20)
    assert small.dtype == bool and small.shape == (10, 20) and small[:, :10].all() and not small[:, 10:].any()


def thing(phrase, box, embedding, score=0.5):
    mask = np.zeros((100, 100), bool)
    left, top, right, bottom = pixel_box(box, 100, 100)
    mask[top:bottom, left:right] = True
    return Thing(phrase, box, score, mask, unit(embedding)[0])


def description(place, *things):
    # Each row has its own value, each frame its own look.
    rows = np.arange(100, dtype=np.uint8) + np.uint8(100 * place)
    pixels = np.repeat(rows, 300).reshape(100, 100, 3)
    return Description(View(pixels, Moving("a.mp4"), place), "a dog and a cat", tuple(things))


A, B, C, D, E = ((0.0, 0.2 * i, 0.5, 0.2 * i + 0.2) for i in range(5))
AXES = np.eye(5)


def made(target, reference, **changes):
    counts = Counter()
    return assemble("key", target, reference, replace(SETTINGS, **changes), counts), counts


def test_what_is_found_again_is_shown_as_it_was_there_and_the_rest_as_it_is_here():
    target = description(0.0, thing("dog", A, AXES[0]), thing("cat", B, AXES[1]))
    reference = description(1.0, thing("puppy", D, AXES[0] + 0.2 * AXES[2]), thing("hat", E, AXES[3]))
    sample, counts = made(target, reference)
    dog, cat = sample.subjects
    assert (dog.phrase, dog.box, dog.source) == ("dog", A, "reference")
    np.testing.assert_array_equal(dog.picture, crop(reference.view.pixels, D))
    assert (cat.phrase, cat.box, cat.source) == ("cat", B, "target")
    np.testing.assert_array_equal(cat.picture, crop(target.view.pixels, B))
    assert sample.target is target.view.pixels and sample.caption == "a dog and a cat"
    assert sample.origin["subjects"] == [{"score": 0.5, "similar": 0.9806, "called": "puppy"}, {"score": 0.5}]
    assert (sample.origin["target"], sample.origin["reference"]) == (0.0, 1.0)
    assert counts == {"pairs": 1, "samples": 1, "subjects from the reference": 1, "subjects from the target": 1,
                      "subjects over the most": 0}


def test_of_too_many_those_found_again_and_then_the_surest_stay_in_the_captions_order():
    target = description(0.0, *(thing(name, box, axis, score) for name, box, axis, score in zip(
        "abcde", (A, B, C, D, E), AXES, (0.1, 0.9, 0.3, 0.2, 0.8), strict=True)))
    sample, counts = made(target, description(1.0, thing("d", A, AXES[3])), subjects=3)
    assert [(one.phrase, one.source) for one in sample.subjects] == [
        ("b", "target"), ("d", "reference"), ("e", "target")]
    assert counts["subjects over the most"] == 2


@pytest.mark.parametrize("target, reference, changes, reason", [
    (description(0.0), description(1.0, thing("a", A, AXES[0])), {}, "pairs without a thing in the target"),
    (description(0.0, thing("a", A, AXES[0])), description(1.0), {}, "pairs with too few found again"),
    (description(0.0, thing("a", A, AXES[0])), description(1.0, thing("a", A, AXES[1])), {},
     "pairs with too few found again"),
    (description(0.0, thing("a", A, AXES[0]), thing("b", B, AXES[1])), description(1.0, thing("a", A, AXES[0])),
     {"found_again": 2}, "pairs with too few found again"),
    (description(0.0, thing("a", A, AXES[0])), description(0.01, thing("a", A, AXES[0])), {}, "pairs too much alike"),
])
def test_pairs_that_nothing_is_learnt_from_are_counted_by_reason(target, reference, changes, reason):
    sample, counts = made(target, reference, **changes)
    assert sample is None and counts == {"pairs": 1, reason: 1}


def test_a_still_has_all_subjects_from_the_target_and_so_has_a_clip_that_may():
    target = description(0.0, thing("a", A, AXES[0]))
    for reference, changes in ((None, {}), (description(1.0), {"found_again": 0})):
        sample, _ = made(target, reference, **changes)
        assert [one.source for one in sample.subjects] == ["target"]


def test_how_alike_two_frames_are_is_not_a_matter_of_noise():
    draw = np.random.default_rng(0)
    frame = draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    noisy = (frame.astype(int) + draw.integers(-4, 5, frame.shape)).clip(0, 255).astype(np.uint8)
    assert alike(frame, frame) == 0 and alike(frame, noisy) < SETTINGS.alike < alike(frame, np.roll(frame, 9, axis=1))


def test_keys_are_plain_and_each_clips_own():
    names = ["clips/A dog.mp4", "clips/A-dog.mp4", "clips/é.mp4", "clips/" + "x" * 300 + ".mp4", "clips/a.b/c.mp4"]
    keys = [key_of(name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(key.isascii() and len(key) <= 62 and set(key) <= set("-0123456789abcdefghijklmnopqrstuvwxyz") | set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ") for key in keys)
    assert keys[0].startswith("clips-A-dog-")


def test_of_a_clip_that_comes_twice_the_later_record_counts():
    failed = {"clip": "a", "counts": {"clips failed": 1}, "why": "captions: it broke"}
    statistics = Statistics([failed, failed, {"clip": "b", "counts": {"clips with samples": 1, "samples": 2}}])
    assert statistics.as_json()["totals"]["clips"] == 2
    assert statistics.as_json()["faults"] == {"a": "captions: it broke"}
    statistics.add({"clip": "a", "counts": {"clips with samples": 1, "samples": 1}})
    assert statistics.counts["samples"] == 3 and not statistics.as_json()["faults"]
    assert statistics.as_json()["parts"]["clips"]["clips failed"] == 0


def test_the_table_has_every_fault_by_name_up_to_a_number():
    records = [{"clip": f"{number:02}", "counts": {"clips unreadable": 1}, "why": "no"} for number in range(12)]
    text = Statistics(records).as_text(10)
    assert "09: no" in text and "10: no" not in text and "and 2 more, in statistics.json" in text


@pytest.mark.parametrize("change, says", [
    ({"frames_per_clip": 1}, "frames-per-clip is 1 but must be 2 to 5"),
    ({"subjects": 5}, "subjects is 5 but must be 1 to 4"),
    ({"frames_per_clip": 5, "apart": 0.3}, "apart is 0.3 but must be 0 to 0.2"),
    ({"largest": 0.01}, "largest is 0.01 but must be 0.02 to 1"),
    ({"found_again": 5}, "found-again is 5 but must be 0 to 4"),
])
def test_settings_out_of_their_range_are_refused_with_it(change, says):
    with pytest.raises(ValueError, match=says):
        Settings(**change)
