"""The drawn world's judge on drawings of identities that it was not fitted on."""

import numpy as np
import pytest
import torch

from msd_core.demo.judge import OVERLAP, trait_vector, word_vector
from msd_core.demo.world import Identity, paint_picture, paint_reference, sample_subjects
from msd_core.evaluation.judge import judge_encoders

CAT = Identity("cat", "red", "blue", "plain", "none")


def picture_of(pixels):
    return torch.from_numpy(pixels).float() / 255


@pytest.fixture(scope="module")
def drawn():
    """Held-out scenes of two sprites, each sprite's crop and reference."""
    rng = np.random.default_rng(5)
    scenes, crops, references = [], [], []
    for _ in range(16):
        subjects = sample_subjects(rng, 2, held_out=True)
        scene = picture_of(paint_picture("snow", subjects, 1))
        scenes.append(scene)
        for one in subjects:
            crops.append(scene[one.top : one.top + one.side, one.left : one.left + one.side])
            references.append(picture_of(paint_reference(one.identity, 192, rng)[0]))
    return scenes, crops, references


@pytest.mark.parametrize(("other", "alike"), [
    (CAT, 1.0),
    (Identity("cat", "red", "blue", "striped", "hat"), 0.8),
    (Identity("mug", "red", "blue", "plain", "none"), 0.6),
    (Identity("mug", "blue", "red", "striped", "hat"), 0.0),
])
def test_likeness_is_the_share_of_common_traits(other, alike):
    assert float(trait_vector(CAT) @ trait_vector(other)) == pytest.approx(alike)
    assert sum(OVERLAP.values()) == pytest.approx(1)


def test_a_caption_is_its_kinds_and_its_scene():
    assert float(word_vector("a cat and a mug at night") @ word_vector("A mug, a cat: at night!")) == pytest.approx(1)
    two_of_three = float(word_vector("a cat and a mug at night") @ word_vector("a cat and a car at night"))
    assert two_of_three == pytest.approx(2 / 3)
    assert word_vector("nothing of this world").norm() == 0


def test_a_crop_is_nearer_to_its_own_reference_than_to_its_neighbours(drawn):
    _, like = judge_encoders()
    _, crops, references = drawn
    seen = torch.cat([like.images(crop[None]) for crop in crops])
    shown = like.images(torch.stack(references))
    similarities = (seen @ shown.T).view(16, 2, 16, 2)
    own = torch.stack([similarities[n, k, n, k] for n in range(16) for k in range(2)])
    neighbour = torch.stack([similarities[n, k, n, 1 - k] for n in range(16) for k in range(2)])
    assert (own > neighbour).float().mean() > 0.9
    assert own.mean() > 0.5 and neighbour.mean() < 0.4


def test_a_scene_is_nearer_to_whom_it_shows_and_to_what_it_says(drawn):
    said, like = judge_encoders()
    scenes, _, references = drawn
    similarities = like.images(torch.stack(scenes)) @ like.images(torch.stack(references)).T
    shown = torch.eye(16, dtype=torch.bool).repeat_interleave(2, dim=1)
    assert similarities[shown].mean() > similarities[~shown].mean() + 0.2
    right, wrong = said.texts(["a cat in the snow", "a cat at night"])
    words = said.images(torch.stack(scenes))
    assert ((words @ right) > (words @ wrong)).all()


def test_a_picture_of_another_size_is_seen_alike(drawn):
    _, like = judge_encoders()
    small = torch.nn.functional.interpolate(drawn[0][0].movedim(-1, 0)[None], size=(96, 96), mode="bilinear")
    assert float(like.images(drawn[0][0][None]) @ like.images(small[0].movedim(0, -1)[None]).T) > 0.9
