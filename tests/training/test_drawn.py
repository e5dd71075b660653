"""Clips of the drawn world: what varies in them, and readers that say of a drawing what the painter knows."""

from __future__ import annotations

import numpy as np
import pytest

from msd_core.demo.config import SCENE_SIZE
from training.drawn.clips import DrawnClip, Frame, draw_clip
from training.drawn.readers import captioned, detected, entities, masked, shared

CLIPS = 150


@pytest.fixture(scope="module")
def clips() -> list[DrawnClip]:
    return [draw_clip(seed) for seed in range(CLIPS)]


def frames(clips: list[DrawnClip]) -> list[Frame]:
    return [frame for clip in clips for frame in clip.shots[:3]]


def test_a_seed_draws_the_same_clip_and_another_seed_another() -> None:
    first, again, other = draw_clip(4), draw_clip(4), draw_clip(5)
    for a, b, c in zip(first.shots, again.shots, other.shots, strict=True):
        assert a == b and np.array_equal(a.picture, b.picture) and not np.array_equal(a.picture, c.picture)


def test_nobody_in_a_clip_is_held_out(clips: list[DrawnClip]) -> None:
    assert not any(figure.identity.is_held_out for frame in frames(clips) for figure in frame.figures)


def test_clips_have_what_makes_video_hard(clips: list[DrawnClip]) -> None:
    absent = passing = far = close = leaving = alike = 0
    for clip in clips:
        kinds = [who.kind for who in clip.cast]
        alike += len(set(kinds)) < len(kinds)
        for frame in clip.shots[:3]:
            there = [figure.identity for figure in frame.figures]
            absent += any(who not in there for who in clip.cast)
            passing += any(who not in clip.cast for who in there)
            for figure in frame.figures:
                far += figure.side <= 24
                close += figure.side == SCENE_SIZE
                leaving += figure.visible[2] - figure.visible[0] < figure.side
    assert min(absent, passing, far, close, leaving, alike) > 0, (absent, passing, far, close, leaving, alike)
    assert absent < CLIPS * 3 / 2 and far < CLIPS


def test_the_same_figure_stands_elsewhere_and_in_another_pose_in_the_next_frame(clips: list[DrawnClip]) -> None:
    moved = []
    for clip in clips:
        first, second = ({figure.identity: figure for figure in frame.figures} for frame in clip.shots[:2])
        moved += [(first[who].left, first[who].top, first[who].tilt) != (second[who].left, second[who].top,
                                                                         second[who].tilt)
                  for who in first.keys() & second.keys()]
    assert len(moved) > CLIPS and all(moved)


def test_a_caption_names_all_that_a_frame_shows_and_the_scene(clips: list[DrawnClip]) -> None:
    for frame in frames(clips):
        text = captioned(frame)
        assert text == captioned(frame)
        for figure in frame.figures:
            assert figure.identity.kind in text
        found = [box for phrase in entities(text) for box in detected(frame, phrase)]
        assert sorted(found) == sorted(figure.box for figure in frame.figures), text


@pytest.mark.parametrize(("text", "found"), [
    ("a cat and a mug at night", ["cat", "mug"]),
    ("an orange cat and a blue cat in the snow", ["orange cat", "blue cat"]),
    ("a red and blue striped fish with a hat by a brick wall", ["fish"]),
    ("a lovely house and a spotted mushroom with a crown on the grass", ["house", "mushroom"]),
    ("a pink mug with a bow and a blue house and a green house at night", ["pink mug", "blue house", "green house"]),
    ("a scene without anybody in the sea", []),
])
def test_the_finder_knows_the_caption_alone(text: str, found: list[str]) -> None:
    assert entities(text) == found


def test_a_box_holds_the_whole_sprite_and_its_mask_is_what_was_painted(clips: list[DrawnClip]) -> None:
    for frame in frames(clips)[:120]:
        empty = Frame(frame.scene, frame.light, ())
        changed = (frame.picture != empty.picture).any(axis=-1)
        covered = np.zeros_like(changed)
        for figure in frame.figures:
            mask = masked(frame, figure.box)
            left, top, right, bottom = figure.visible
            outside = mask.copy()
            outside[top:bottom, left:right] = False
            assert mask.any() and not outside.any()
            covered |= mask
        # Where nothing is painted the mask is empty; what is painted and not covered is the edge that fades out.
        assert not (covered & ~changed).any() or (covered & ~changed).sum() < 0.01 * covered.sum()
        assert (changed & ~covered).sum() < 0.25 * changed.sum()


def test_a_box_that_is_nobodys_has_no_mask() -> None:
    frame = draw_clip(1).shots[0]
    assert not masked(frame, (0.0, 0.0, 0.05, 0.05)).any()
    assert not masked(Frame("snow", 0, ()), (0.0, 0.0, 1.0, 1.0)).any()


def test_shared_is_intersection_over_union() -> None:
    assert shared((0, 0, 1, 1), (0, 0, 1, 0.5)) == 0.5
    assert shared((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1)) == 0
