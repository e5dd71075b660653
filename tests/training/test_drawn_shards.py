"""Shards of drawn clips: who is paired with whom, which boxes, what is left out, how the image encoder sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from msd_core.demo.config import IMAGE_ENCODER_FILE, SCENE_SIZE
from msd_core.demo.weights import read_weights
from msd_core.demo.world import Identity
from training.data import Statistics, Steps, construct
from training.drawn.clips import DrawnClip, Figure, Frame, draw_clip
from training.drawn.portraits import Portraits, portrait
from training.drawn.readers import shared
from training.drawn.steps import SETTINGS, drawn_steps
from training.references import SIDE
from training.shards import Sample, Shards, ShardWriter, Subject
from training.vision import new_image_encoder

RED = Identity("cat", "red", "blue", "striped", "hat")
GREEN = Identity("cat", "green", "yellow", "spotted", "none")
MUG = Identity("mug", "blue", "pink", "plain", "bow")


@pytest.fixture(scope="module")
def steps() -> Steps:
    encoder = new_image_encoder()
    encoder.load_state_dict(read_weights(IMAGE_ENCODER_FILE))
    return drawn_steps(encoder.eval().requires_grad_(False))


@dataclass(frozen=True)
class Built:
    clips: dict[str, DrawnClip]
    samples: list[Sample]
    statistics: Statistics


def build(folder: Path, steps: Steps, clips: list[DrawnClip], **changes) -> Built:
    found = construct(clips, steps, replace(SETTINGS, **changes), ShardWriter(folder, 1000))
    samples = [Shards(folder)[k] for k in range(found.counts["samples"])] if found.counts["samples"] else []
    return Built({clip.name: clip for clip in clips}, samples, found)


@pytest.fixture(scope="module")
def built(tmp_path_factory, steps: Steps) -> Built:
    clips = [draw_clip(seed) for seed in range(20)]
    assert any(len({who.kind for who in clip.cast}) < len(clip.cast) for clip in clips)
    return build(tmp_path_factory.mktemp("shards"), steps, clips)


def two_frames(*figures: tuple[Figure, ...]) -> DrawnClip:
    """A clip whose beginning and end show these figures."""
    shots = tuple(Frame("grass", 7 + k, row) for k, row in enumerate(figures))
    return DrawnClip(0, (RED, GREEN, MUG), shots)


def figure(who: Identity, left: int, top: int, side: int = 64, tilt: float = 0.0) -> Figure:
    return Figure(who, left, top, side, 1, tilt, 0.95)


def of_box(frame: Frame, box: tuple[float, ...]) -> Figure:
    """Who stands in a box."""
    return max(frame.figures, key=lambda one: shared(one.box, box))


def of_picture(frame: Frame, picture: np.ndarray) -> Figure | None:
    """Who is cut out of a frame by a subject's picture."""
    for one in frame.figures:
        left, top, right, bottom = one.visible
        if np.array_equal(frame.picture[top:bottom, left:right], picture):
            return one
    return None


def test_every_subject_is_shown_as_the_same_identity_of_the_other_frame(built: Built) -> None:
    pairs = 0
    for sample in built.samples:
        clip = built.clips[sample.origin["clip"]]
        target, reference = (clip.at(sample.origin[which]) for which in ("target", "reference"))
        for subject in sample.subjects:
            wanted = of_box(target, subject.box)
            shown = of_picture(reference if subject.source == "reference" else target, subject.picture)
            assert shown is not None and shown.identity == wanted.identity, (sample.key, subject.phrase)
            pairs += subject.source == "reference"
    assert pairs > 60


def test_boxes_and_masks_are_those_of_the_drawing(built: Built) -> None:
    for sample in built.samples:
        clip = built.clips[sample.origin["clip"]]
        target, reference = (clip.at(sample.origin[which]) for which in ("target", "reference"))
        assert np.array_equal(sample.target, target.picture)
        for subject in sample.subjects:
            wanted = of_box(target, subject.box)
            assert subject.box == pytest.approx(wanted.box) and subject.phrase.split()[-1] == wanted.identity.kind
            frame = reference if subject.source == "reference" else target
            shown = of_picture(frame, subject.picture)
            left, top, right, bottom = shown.visible
            assert np.array_equal(subject.mask, frame.mask(shown)[top:bottom, left:right])


def test_two_of_a_kind_that_change_places_are_told_apart_by_their_looks(tmp_path, steps: Steps) -> None:
    first = (figure(RED, 8, 80), figure(GREEN, 88, 8, tilt=6))
    second = (figure(RED, 88, 8, tilt=-6), figure(GREEN, 8, 80))
    found = build(tmp_path, steps, [two_frames(first, second)], frames_per_clip=2, apart=0.5).samples
    (sample,) = found
    assert [subject.source for subject in sample.subjects] == ["reference"] * 2
    target = two_frames(first, second).at(sample.origin["target"])
    reference = two_frames(first, second).at(sample.origin["reference"])
    for subject in sample.subjects:
        assert of_box(target, subject.box).identity == of_picture(reference, subject.picture).identity


def test_an_embedding_that_says_nothing_pairs_the_wrong_ones(tmp_path, steps: Steps) -> None:
    """That the tests above can fail."""
    def blind(view, boxes, masks):
        return np.eye(8)[: len(boxes)]

    clips = [draw_clip(seed) for seed in range(6)]
    built = build(tmp_path, replace(steps, embeddings=blind), clips)
    with pytest.raises(AssertionError):
        test_every_subject_is_shown_as_the_same_identity_of_the_other_frame(built)


@pytest.mark.parametrize(("second", "counted"), [
    ((figure(RED, 8, 8), figure(GREEN, 120, 120, 24)), "entities too small"),
    ((figure(RED, 0, 0, SCENE_SIZE),), "entities too large"),
    ((figure(RED, 8, 8), figure(GREEN, 124, 60, 80)), "entities unbalanced"),
    ((figure(RED, 8, 8),), "subjects from the target"),
], ids=["too small", "too large", "unbalanced", "in one frame only"])
def test_what_is_no_subject_is_counted_and_who_is_missing_is_cut_from_the_target(
    tmp_path, steps: Steps, second: tuple[Figure, ...], counted: str
) -> None:
    first = (figure(RED, 8, 80), figure(GREEN, 88, 8))
    clips = [replace(two_frames(first, second), seed=seed) for seed in range(6)]
    built = build(tmp_path, steps, clips, frames_per_clip=2, apart=0.5)
    assert built.statistics.counts[counted] > 0, dict(built.statistics.counts)


def subject(picture: np.ndarray, mask: np.ndarray | None, phrase: str) -> Subject:
    return Subject(phrase, (0.0, 0.0, 0.5, 0.5), picture, mask)


def test_a_portrait_is_a_square_on_white_of_what_the_mask_keeps() -> None:
    picture = np.zeros((40, 20, 3), np.uint8)
    mask = np.zeros((40, 20), bool)
    mask[10:30, 5:15] = True
    made = portrait(subject(picture, mask, "cat"), np.random.default_rng(0))
    assert made.shape == (SIDE, SIDE, 3) and made.dtype == np.uint8
    assert (made[0] == 255).all() and (made[:, 0] == 255).all()
    dark = (made < 128).all(axis=-1)
    rows, columns = np.nonzero(dark)
    assert 1.6 < (np.ptp(rows) + 1) / (np.ptp(columns) + 1) < 2.4


def test_company_stands_beside_a_subject_as_often_as_asked_and_is_of_another_kind() -> None:
    red, blue = np.full((30, 30, 3), (220, 0, 0), np.uint8), np.full((30, 30, 3), (0, 0, 220), np.uint8)
    samples = [Sample(f"s{k}", "a cat", red, (subject(red if k % 2 else blue, None, "cat" if k % 2 else "red mug"),))
               for k in range(60)]
    alone, mixed = Portraits(samples, 0.0), Portraits(samples, 0.5)

    def colours(sample: Sample) -> int:
        pixels = sample.subjects[0].picture.reshape(-1, 3).astype(int)
        return sum(bool(((pixels - colour) ** 2).sum(1).min() < 100) for colour in ((220, 0, 0), (0, 0, 220)))

    assert {colours(alone[k]) for k in range(60)} == {1}
    beside = sum(colours(mixed[k]) == 2 for k in range(60))
    # The other sample is of another kind half of the time.
    assert 6 <= beside <= 25
    for k in (0, 7, 31):
        assert np.array_equal(mixed[k].subjects[0].picture, mixed[k].subjects[0].picture)
        assert mixed[k].subjects[0].mask is None and mixed[k].caption == samples[k].caption


def test_one_sprite_in_two_frames_is_more_alike_than_the_threshold_and_two_sprites_are_less(steps: Steps) -> None:
    same, other = [], []
    for seed in range(40, 50):
        clip = draw_clip(seed)
        seen = []
        for frame in clip.shots[:2]:
            kept = [one for one in frame.figures if one.side >= 48 and one.visible[2] - one.visible[0] == one.side]
            if kept:
                view = type("View", (), {"pixels": frame.picture})
                vectors = steps.embeddings(view, [one.box for one in kept], [frame.mask(one) for one in kept])
                seen += [(one.identity, vector) for one, vector in zip(kept, torch.from_numpy(vectors), strict=True)]
        for k, (who, vector) in enumerate(seen):
            for whom, another in seen[:k]:
                (same if who == whom else other).append(float(vector @ another))
    assert len(same) > 8 and len(other) > 8
    assert min(same) > SETTINGS.similar
    assert np.quantile(other, 0.95) < SETTINGS.similar
