"""Masks as a graph may hand them over, where a region is made of one."""

import pytest
import torch

from msd_core.layout import Region


def patch() -> torch.Tensor:
    mask = torch.zeros(40, 80)
    mask[10:20, 20:60] = 1
    return mask


@pytest.mark.parametrize("change", [
    lambda mask: mask[None], lambda mask: mask[None, None], lambda mask: mask.bool(), lambda mask: mask.byte(),
    lambda mask: mask.half(), lambda mask: mask.bfloat16(), lambda mask: mask.double(),
], ids=["one of one", "a channel", "bool", "uint8", "half", "bfloat16", "double"])
def test_masks_of_every_form_make_the_same_region(change):
    region = Region.from_mask(change(patch()))
    assert region == Region.from_mask(patch())
    assert region.mask.dtype == torch.float32


def test_a_regions_coverage_lies_within_0_and_1_and_what_came_in_is_not_changed():
    mask = patch() * 1.4 - 0.2
    before = mask.clone()
    assert torch.equal(Region.from_mask(mask).mask, patch())
    assert torch.equal(mask, before)


@pytest.mark.parametrize("mask, words", [
    (patch() * 255, "Mask 2 holds values from 0 to 255 but a mask lies in 0..1: scale it, 8-bit values by 1/255"),
    ((patch() * 255).byte(), "Mask 2 holds values from 0 to 255"),
    (patch().half() * 255, "Mask 2 holds values from 0 to 255"),
    (0 - patch(), "Mask 2 holds values from -1 to 0"),
    (patch() / 0, "Mask 2 holds NaN or infinite values but a mask lies in 0..1: check"),
    (patch().expand(3, -1, -1), "Mask 2 has 3 masks but a region has one: make"),
    (patch().expand(1, 3, -1, -1), r"Mask 2 has the shape \[1, 3, 40, 80\] but must be \[masks, height, width\]: link"),
    (torch.ones(0, 4), r"Mask 2 has the shape \[0, 4\]"),
])
def test_a_mask_that_makes_no_region_is_refused_in_one_sentence(mask, words):
    with pytest.raises(ValueError, match=words) as caught:
        Region.from_mask(mask, "Mask 2")
    assert "\n" not in str(caught.value)
    assert str(caught.value).count(": ") == 1
