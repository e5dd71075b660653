"""Crops, swaps and collapses."""

import pytest
import torch

from msd_core.evaluation.regions import collapsed, crop_regions, lie_apart, region_similarities, swapped

LEFT, RIGHT, WHOLE = (0.0, 0.25, 0.5, 0.75), (0.5, 0.25, 1.0, 0.75), (0.0, 0.0, 1.0, 1.0)


def test_a_crop_holds_its_box_and_nothing_else():
    picture = torch.zeros(40, 80, 3)
    picture[10:30, :40, 0], picture[10:30, 40:, 1] = 1, 1
    left, right = crop_regions(picture, [LEFT, RIGHT], side=16)
    assert left.shape == (16, 16, 3)
    assert torch.allclose(left, torch.tensor([1.0, 0, 0]).expand(16, 16, 3), atol=1e-6)
    assert torch.allclose(right, torch.tensor([0, 1.0, 0]).expand(16, 16, 3), atol=1e-6)


def test_the_thinnest_box_still_has_a_pixel():
    assert crop_regions(torch.rand(8, 8, 3), [(1.0, 1.0, 1.0, 1.0)], side=4).shape == (1, 4, 4, 3)


def test_a_crop_is_compared_with_every_reference():
    crops = torch.eye(3)
    found = region_similarities(crops, [torch.eye(3)[:1], torch.eye(3)[1:2], torch.eye(3)[2:]])
    assert torch.allclose(found, torch.eye(3))


def test_boxes_lie_apart_where_they_share_less_than_half_of_the_smaller():
    boxes = [LEFT, RIGHT, WHOLE, (0.0, 0.25, 0.45, 0.75), (0.3, 0.25, 0.8, 0.75)]
    apart = lie_apart(boxes)
    assert torch.equal(apart, apart.T) and not apart.diagonal().any()
    assert apart[0, 1] and not apart[0, 2] and not apart[0, 3] and apart[0, 4]


def test_a_subject_is_swapped_where_another_one_apart_is_nearer():
    exchanged = torch.tensor([[0.2, 0.9], [0.8, 0.3]])
    assert swapped(exchanged, [LEFT, RIGHT]) == [True, True]
    assert swapped(exchanged.T.flip(0), [LEFT, RIGHT]) == [False, False]
    assert swapped(torch.tensor([[0.5, 0.5], [0.1, 0.2]]), [LEFT, RIGHT]) == [False, False]


def test_subjects_in_one_box_or_in_a_scene_cannot_be_told_apart():
    assert swapped(torch.tensor([[0.2, 0.9], [0.8, 0.3]]), [LEFT, LEFT]) == [None, None]
    three = torch.tensor([[0.5, 0.1, 0.9], [0.6, 0.5, 0.9], [0.9, 0.9, 0.1]])
    assert swapped(three, [LEFT, RIGHT, WHOLE]) == [False, True, None]


def test_a_subject_is_collapsed_below_half_of_what_it_reaches_alone():
    assert collapsed([0.39, 0.41], [0.8, 0.8]) == [True, False]
    assert collapsed([0.39], [0.8], share=0.4) == [False]
    with pytest.raises(ValueError, match="1 region scores together and 2 alone"):
        collapsed([0.3], [0.8, 0.8])
