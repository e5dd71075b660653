"""The drawn world: deterministic, distinct, inside its boxes, and free of held-out identities in training."""

from __future__ import annotations

import numpy as np
import pytest

from msd_core.demo.config import SCENE_SIZE
from msd_core.demo.scenes import SCENES, paint_scene
from msd_core.demo.sprites import ACCESSORIES, COLOURS, KINDS, PATTERNS, paint_sprite
from msd_core.demo.vocabulary import END, KNOWN_TOKENS, LENGTH, OTHER_ROW, PADDING_G, ROWS, WORD_TOKENS, caption_rows
from msd_core.demo.world import (
    CELL,
    Identity,
    Placed,
    caption,
    draw_subject,
    paint_picture,
    paint_reference,
    paint_shared_reference,
    sample_identity,
    sample_places,
    sample_subjects,
    vocabulary,
)


def test_there_are_eight_kinds_and_six_scenes_and_their_names_differ() -> None:
    assert len(set(KINDS)) >= 8
    assert len(set(SCENES.values())) >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_drawing_the_same_seed_twice_gives_the_same_subject(kind: str) -> None:
    first, second = draw_subject(kind, 5, 64), draw_subject(kind, 5, 64)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert first[2] == kind


def test_another_seed_draws_another_subject() -> None:
    pictures = [draw_subject("cat", seed, 64)[0] for seed in range(6)]
    assert all(np.abs(a - b).mean() > 0.01 for i, a in enumerate(pictures) for b in pictures[i + 1 :])


@pytest.mark.parametrize("kind", KINDS)
def test_a_subject_stands_on_white_exactly_where_its_mask_is_empty(kind: str) -> None:
    image, mask, _ = draw_subject(kind, 3, 96)
    assert image.shape == (96, 96, 3) and mask.shape == (96, 96)
    assert image.min() >= 0 and image.max() <= 1
    assert (image[mask == 0] == 1).all()
    assert 0.15 < mask.mean() < 0.8


def test_silhouettes_of_different_kinds_overlap_less_than_nine_tenths() -> None:
    masks = {kind: paint_sprite(kind, "red", "blue", "plain", "none", 64)[1] > 0.5 for kind in KINDS}
    for i, a in enumerate(KINDS):
        for b in KINDS[i + 1 :]:
            assert (masks[a] & masks[b]).sum() / (masks[a] | masks[b]).sum() < 0.9, (a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_every_trait_shows_in_every_kind(kind: str) -> None:
    plain = paint_sprite(kind, "red", "blue", "plain", "none", 64)[0]
    changed = [("green", "blue", "plain", "none"), ("red", "yellow", "plain", "none")]
    changed += [("red", "blue", pattern, "none") for pattern in PATTERNS[1:]]
    changed += [("red", "blue", "plain", accessory) for accessory in ACCESSORIES[1:]]
    for traits in changed:
        difference = np.abs(paint_sprite(kind, *traits, 64)[0] - plain).max(-1) > 0.2
        assert difference.mean() > 0.01, traits


def test_an_unknown_kind_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(ValueError, match=r"No kind 'dragon'.*cat, robot"):
        draw_subject("dragon", 0, 64)


def test_a_subject_of_eight_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 pixels per side, got 8"):
        draw_subject("cat", 0, 8)


def test_an_unknown_scene_is_refused_with_the_scenes_there_are() -> None:
    with pytest.raises(ValueError, match=r"No scene 'moon'.*grass"):
        paint_scene("moon", 32, 32, 0)


def test_a_tenth_of_the_identities_is_held_out_and_sampling_keeps_them_apart() -> None:
    rng = np.random.default_rng(0)
    identities = [
        Identity(kind, main, second, pattern, accessory)
        for kind in KINDS for main in COLOURS for second in COLOURS if main != second
        for pattern in PATTERNS for accessory in ACCESSORIES
    ]
    assert 0.08 < np.mean([identity.is_held_out for identity in identities]) < 0.12
    assert not any(sample_identity(rng).is_held_out for _ in range(200))
    assert all(sample_identity(rng, held_out=True).is_held_out for _ in range(50))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_places_are_disjoint_inside_the_scene_and_on_latent_cells(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(50):
        taken = np.zeros((SCENE_SIZE, SCENE_SIZE), int)
        for left, top, side in sample_places(rng, count):
            assert left % CELL == top % CELL == side % CELL == 0
            assert min(left, top) >= 0 and max(left, top) + side <= SCENE_SIZE
            taken[top : top + side, left : left + side] += 1
        assert taken.max() == 1


def test_a_picture_differs_from_its_scene_only_inside_the_boxes() -> None:
    rng = np.random.default_rng(4)
    subjects = sample_subjects(rng, 2)
    with_subjects, without = (paint_picture("grass", s, 1).astype(int) for s in (subjects, []))
    changed = np.abs(with_subjects - without).max(-1) > 0
    for subject in subjects:
        box = np.s_[subject.top : subject.top + subject.side, subject.left : subject.left + subject.side]
        assert changed[box].mean() > 0.15
        changed[box] = False
    assert not changed.any()


def test_subjects_of_a_picture_are_of_different_kinds() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        assert len({subject.identity.kind for subject in sample_subjects(rng, 3)}) == 3


def test_sprites_look_towards_the_middle() -> None:
    who = sample_identity(np.random.default_rng(0))
    assert Placed(who, 0, 0, 72).facing == 1
    assert Placed(who, 88, 0, 72).facing == -1


def test_boxes_are_fractions_of_the_scene() -> None:
    who = sample_identity(np.random.default_rng(0))
    assert Placed(who, 40, 80, 80).box == (0.25, 0.5, 0.75, 1.0)


def test_captions_name_subjects_and_scene_with_the_right_article() -> None:
    assert caption("grass", ["cat", "robot"]) == "a cat and a robot on the grass"
    assert caption("night", ["orange fish"]) == "an orange fish at night"


def test_references_of_one_identity_differ_in_pose() -> None:
    rng = np.random.default_rng(2)
    who = sample_identity(rng)
    first, second = (paint_reference(who, 64, rng)[0].astype(int) for _ in range(2))
    assert np.abs(first - second).mean() > 2


def test_a_shared_reference_shows_one_sprite_in_each_half() -> None:
    rng = np.random.default_rng(2)
    picture = paint_shared_reference(sample_identity(rng), sample_identity(rng), 64, rng)
    for half in (picture[:, :32], picture[:, 32:]):
        assert (half.min(-1) < 200).mean() > 0.05


def test_every_word_of_the_world_has_its_tokens() -> None:
    assert set(vocabulary()) <= set(WORD_TOKENS)


def test_captions_become_rows_with_start_end_and_padding() -> None:
    rows = caption_rows("a zebra", PADDING_G)
    assert len(rows) == LENGTH
    assert rows[1:4] == [ROWS[320], OTHER_ROW, ROWS[END]]
    assert set(rows[4:]) == {ROWS[PADDING_G]}
    assert len(KNOWN_TOKENS) == OTHER_ROW
