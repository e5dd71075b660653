"""The paper's metrics against the same sums in plain Python, on fixed embeddings."""

import math

import pytest
import torch

from msd_core.evaluation.fidelity import (
    cosines,
    joint_fidelity,
    mean_fidelity,
    subject_similarities,
    text_fidelity,
)

PICTURES = [[0.9, 0.1, -0.3, 0.2], [-0.4, 0.8, 0.5, 0.1], [0.2, 0.2, 0.2, 0.2]]
REFERENCES = [[[1.0, 0.0, -0.2, 0.1], [0.7, 0.3, 0.0, 0.0]], [[0.0, 1.0, 0.4, -0.2]], [[0.5, -0.5, 0.5, 0.5]]]
PROMPT = [0.3, 0.4, 0.1, -0.6]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


@pytest.fixture
def each():
    return subject_similarities(torch.tensor(PICTURES), [torch.tensor(photos) for photos in REFERENCES])


@pytest.fixture
def by_hand():
    return [[sum(cosine(picture, photo) for photo in photos) / len(photos) for photos in REFERENCES]
            for picture in PICTURES]


def test_a_subject_counts_as_the_mean_over_its_photos(each, by_hand):
    torch.testing.assert_close(each, torch.tensor(by_hand))


def test_clip_i_and_dino_are_the_mean_over_subjects(each, by_hand):
    assert mean_fidelity(each).tolist() == pytest.approx([sum(row) / 3 for row in by_hand])


def test_m_dino_is_the_product_over_subjects_and_one_missing_subject_pulls_it_down(each, by_hand):
    assert joint_fidelity(each).tolist() == pytest.approx([math.prod(row) for row in by_hand], abs=1e-7)
    good, missing = torch.tensor([[0.7, 0.7]]), torch.tensor([[1.0, 0.4]])
    assert torch.allclose(mean_fidelity(good), mean_fidelity(missing))
    assert joint_fidelity(missing) < joint_fidelity(good)


def test_clip_t_is_the_cosine_with_the_prompt():
    found = text_fidelity(torch.tensor(PICTURES), torch.tensor([PROMPT]))
    assert found.tolist() == pytest.approx([cosine(picture, PROMPT) for picture in PICTURES])


def test_lengths_do_not_count_and_half_precision_is_widened():
    picture = torch.tensor([PICTURES[0]])
    assert torch.allclose(cosines(picture * 1000, picture), torch.ones(1, 1))
    assert cosines(picture.half(), picture.half()).dtype == torch.float32
    assert cosines(torch.zeros(1, 4), picture).item() == 0


@pytest.mark.parametrize("references", [[], [torch.zeros(0, 4)]])
def test_a_subject_without_a_photo_is_told(references):
    with pytest.raises(ValueError, match="photos but each needs one or more"):
        subject_similarities(torch.tensor(PICTURES), references)
