"""Masked multi-subject cross-attention against the float64 reference."""

import pytest
import torch

from msd_core.attention import CPU, EMPTY_TOKENS, RegionMasks, SubjectKeyValues, attend_to_subjects, token_mask
from msd_core.boxes import Box
from msd_core.cells import WHOLE
from msd_core.layout import Region, region_cells
from tests import reference
from tests.samples import BOX_SETS, MAPS

TOLERANCE = 5e-6
HEADS, HIDDEN, COUNT = 3, 24, 4


def case(boxes, height, width, batch=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(batch, height * width, HIDDEN, generator=generator)
    keys, values = torch.randn(2, len(boxes), COUNT, HIDDEN, generator=generator)
    return q, keys, values


def side_by_side(*layers):
    """Keys and values of the layers as `Adapter.project_joint` gives them, and the layers' widths."""
    keys, values = zip(*layers, strict=True)
    return [torch.cat([*keys, *values], dim=-1)], [key.shape[-1] for key in keys]


def attend(boxes, height, width, q, keys, values, weights=None, scale=1.0, active=None):
    """The way a run computes it: keys and values prepared once, masks built once, one attention in some rows."""
    counts = [COUNT] * len(boxes)
    weights = torch.ones(len(boxes)) if weights is None else torch.tensor(weights)
    projected, hidden = side_by_side((keys.flatten(0, 1)[None], values.flatten(0, 1)[None]))
    prepared = SubjectKeyValues(projected, hidden, weights.repeat_interleave(COUNT) * scale, [1.0])
    masks = RegionMasks([Region(box) for box in boxes], counts)
    reach = masks.reach(height, width, active or (True,) * len(boxes), q.device, q.dtype)
    key, value = prepared.at(0, q.device, q.dtype)
    out = torch.zeros_like(q)
    out[:, reach.positions] += attend_to_subjects(q[:, reach.positions], key, value, reach.mask, HEADS)
    return out


@pytest.mark.parametrize("height, width", MAPS)
@pytest.mark.parametrize("name", BOX_SETS)
def test_attention_equals_the_reference(name, height, width):
    boxes = BOX_SETS[name]
    q, keys, values = case(boxes, height, width, batch=2)
    expected = reference.masked_attention(
        q, keys, values, region_cells([Region(box) for box in boxes], height, width), HEADS
    )
    assert (attend(boxes, height, width, q, keys, values) - expected).abs().max() < TOLERANCE


@pytest.mark.parametrize("weights", [(0.0, 1.0), (0.5, 2.0), (3.0, 0.25)])
def test_subject_weights_multiply_probabilities_after_the_softmax(weights):
    boxes = BOX_SETS["overlapping"]
    q, keys, values = case(boxes, 9, 14)
    cells = region_cells([Region(box) for box in boxes], 9, 14)
    expected = reference.masked_attention(q, keys, values, cells, HEADS, subject_scales=torch.tensor(weights))
    assert (attend(boxes, 9, 14, q, keys, values, weights) - expected).abs().max() < 2 * TOLERANCE


def test_a_weightless_subject_still_takes_its_share_of_the_softmax():
    boxes = (Box(0, 0, 1, 1), Box(0, 0, 1, 1))
    q, keys, values = case(boxes, 4, 4)
    with_weightless = attend(boxes, 4, 4, q, keys, values, (1.0, 0.0))
    alone = attend(boxes[:1], 4, 4, q, keys[:1], values[:1])
    assert (with_weightless - alone).abs().max() > 0.01


def test_overlap_is_one_softmax_and_neither_sum_nor_mean_of_two():
    boxes = (Box(0, 0, 1, 1), Box(0, 0, 1, 1))
    q, keys, values = case(boxes, 6, 5)
    joint = attend(boxes, 6, 5, q, keys, values)
    single = [attend(boxes[:1], 6, 5, q, keys[i : i + 1], values[i : i + 1]) for i in range(2)]
    assert (joint - sum(single)).abs().max() > 0.1
    assert (joint - sum(single) / 2).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_positions_in_no_box_get_exactly_zero(dtype):
    boxes = BOX_SETS["disjoint"]
    q, keys, values = (x.to(dtype) * 4 for x in case(boxes, 12, 10))
    out = attend(boxes, 12, 10, q, keys, values)
    outside = ~region_cells([Region(box) for box in boxes], 12, 10).any(dim=0).flatten()
    assert outside.any()
    assert out[:, outside].abs().max() == 0.0
    assert out[:, ~outside].abs().min(dim=-1).values.max() > 0


def test_scale_zero_adds_exactly_nothing():
    boxes = BOX_SETS["overlapping"]
    q, keys, values = case(boxes, 8, 8)
    assert attend(boxes, 8, 8, q, keys, values, scale=0.0).abs().max() == 0.0


def test_swapped_boxes_give_swapped_attention():
    boxes = BOX_SETS["disjoint"]
    q, keys, values = case(boxes, 10, 10)
    swapped = attend(boxes[::-1], 10, 10, q, keys, values)
    assert torch.allclose(swapped, attend(boxes, 10, 10, q, keys.flip(0), values.flip(0)), atol=1e-6)


def test_an_inactive_subject_is_as_absent():
    boxes = BOX_SETS["nested"]
    q, keys, values = case(boxes, 8, 11)
    without = attend(boxes, 8, 11, q, keys, values, active=(True, False))
    assert torch.allclose(without, attend(boxes[:1], 8, 11, q, keys[:1], values[:1]), atol=1e-6)


def test_each_image_of_a_batch_may_have_keys_and_a_mask_of_its_own():
    generator = torch.Generator().manual_seed(3)
    q = torch.randn(3, 16, HIDDEN, generator=generator)
    key, value = torch.randn(2, 3, COUNT + EMPTY_TOKENS, HIDDEN, generator=generator)
    cells = torch.rand(3, 1, 4, 4, generator=generator) > 0.5
    mask = token_mask(cells, [COUNT], torch.float32)
    out = attend_to_subjects(q, key, value, mask, HEADS)
    for image in range(3):
        one = slice(image, image + 1)
        alone = attend_to_subjects(q[one], key[one], value[one], mask[image], HEADS)
        assert torch.allclose(out[image], alone[0], atol=1e-6)


def test_masks_and_keys_are_built_once_and_kept():
    boxes = BOX_SETS["nested"]
    masks = RegionMasks([Region(box) for box in boxes], [COUNT, COUNT])
    first = masks.reach(8, 8, (True, True), CPU, torch.float32)
    assert masks.reach(8, 8, (True, True), CPU, torch.float32) is first
    assert masks.reach(8, 8, (True, False), CPU, torch.float32) is not first
    _, keys, values = case(boxes, 1, 1)
    prepared = SubjectKeyValues(*side_by_side((keys, values)), torch.ones(COUNT), [1.0])
    half = prepared.at(0, CPU, torch.float16)
    assert prepared.at(0, CPU, torch.float16)[0] is half[0]
    assert half[0].dtype == torch.float16


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_all_layers_are_kept_in_one_tensor_of_the_runs_dtype_and_nothing_else(dtype):
    """Keys and values of all layers, the empty tokens among them, and no second list in another dtype."""
    projected, hidden = side_by_side(*torch.randn(3, 2, 1, COUNT, HIDDEN))
    prepared = SubjectKeyValues([part.to(dtype) for part in projected], hidden, torch.ones(COUNT), [1.0, 0.5, 2.0])
    storages = {part.untyped_storage() for layer in range(3) for part in prepared.at(layer, CPU, dtype)}
    assert {len(storage) for storage in storages} == {3 * 2 * (COUNT + EMPTY_TOKENS) * HIDDEN * dtype.itemsize}
    assert len({storage.data_ptr() for storage in storages}) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_scales_are_multiplied_before_values_are_rounded(dtype):
    """One factor and one rounding, not a rounding for each of the two scales."""
    projected, hidden = side_by_side(*torch.randn(2, 2, 1, COUNT, HIDDEN).to(dtype))
    weights = torch.tensor([0.3, 0.7, 1.1, 1.3])
    prepared = SubjectKeyValues(projected, hidden, weights, [0.9, 1.7])
    unscaled = SubjectKeyValues(projected, hidden, torch.ones(COUNT), [1.0, 1.0])
    for layer, scale in enumerate((0.9, 1.7)):
        (key, value), (plain_key, plain) = (one.at(layer, CPU, dtype) for one in (prepared, unscaled))
        assert torch.equal(key, plain_key)
        expected = (plain[:, :COUNT].float() * (weights * scale)[:, None]).to(dtype)
        assert torch.equal(value[:, :COUNT], expected)
        assert value[:, COUNT:].abs().max() == 0


@pytest.mark.parametrize("height, width", [*MAPS, (64, 40)])
@pytest.mark.parametrize("name", BOX_SETS)
def test_the_rows_between_the_first_and_the_last_of_all_regions_are_attended_in(name, height, width):
    regions = [Region(box) for box in BOX_SETS[name]]
    reach = RegionMasks(regions, [COUNT] * len(regions)).reach(
        height, width, (True,) * len(regions), CPU, torch.float32
    )
    cells = region_cells(regions, height, width)
    inside = cells.any(dim=0).any(dim=1).nonzero().flatten().tolist()
    assert reach.positions == slice(inside[0] * width, (inside[-1] + 1) * width)
    whole = token_mask(cells, [COUNT] * len(regions), torch.float32)
    assert torch.equal(reach.mask, whole[reach.positions])
    assert reach.shared == bool((cells.sum(dim=0) > 1).any())
    assert not reach.empty


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("height, width", [(64, 64), (32, 32), (48, 20)])
def test_attention_in_some_rows_is_that_of_all_to_the_bit(dtype, height, width):
    """A query's attention depends on no other query's; views of the queries show that nothing is copied."""
    boxes = (Box(0.1, 0.3, 0.5, 0.7), Box(0.45, 0.35, 0.9, 0.6))
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, height * width, 2 * 64, generator=generator).to(dtype)
    key, value = torch.randn(2, 1, 2 * COUNT + EMPTY_TOKENS, 2 * 64, generator=generator).to(dtype)
    regions = [Region(box) for box in boxes]
    reach = RegionMasks(regions, [COUNT, COUNT]).reach(height, width, (True, True), CPU, dtype)
    whole = token_mask(region_cells(regions, height, width), [COUNT, COUNT], dtype)
    some = q[:, reach.positions]
    assert some.data_ptr() == q[0, reach.positions.start].data_ptr()
    expected = attend_to_subjects(q, key, value, whole, 2)
    assert torch.equal(attend_to_subjects(some, key, value, reach.mask, 2), expected[:, reach.positions])


def test_where_no_subject_is_there_is_nothing_to_attend_in():
    masks = RegionMasks([Region(Box(0.0, 0.0, 0.3, 0.3))], [COUNT])
    away = (0.5, 0.5, 1.0, 1.0)
    assert masks.reach(8, 8, (True,), CPU, torch.float32, (away,)).empty
    assert masks.reach(8, 8, (False,), CPU, torch.float32).empty
    assert not masks.reach(8, 8, (True,), CPU, torch.float32).empty


def of_frames(frames):
    """Two layers' keys and values, of every image its own, in float16 as a run asks for them."""
    generator = torch.Generator().manual_seed(4)
    layers = (torch.randn(2, frames, COUNT, HIDDEN, generator=generator) for _ in range(2))
    prepared = SubjectKeyValues(*side_by_side(*layers), torch.ones(COUNT), [1.0, 0.5])
    return prepared, torch.device("cpu"), torch.float16


@pytest.mark.parametrize("images", [(0, 1, 2, 3), (2, 3), (3,), (3, 0, 1), (2, 1), (0, 2), (1, 1)])
def test_images_of_a_batch_get_their_own_frames_in_their_order(images):
    prepared, device, dtype = of_frames(4)
    for layer in range(2):
        for found, every in zip(
            prepared.at(layer, device, dtype, images), prepared.at(layer, device, dtype), strict=True
        ):
            assert torch.equal(found, torch.stack([every[image] for image in images]))


def test_consecutive_images_are_views_and_others_are_gathered_once_for_all_layers():
    prepared, device, dtype = of_frames(4)
    key, _ = prepared.at(1, device, dtype)
    assert prepared.at(1, device, dtype, (1, 2, 3))[0].data_ptr() == key[1].data_ptr()
    for images in ((1, 2, 3), (3, 0)):
        first = [prepared.at(layer, device, dtype, images) for layer in range(2)]
        again = [prepared.at(layer, device, dtype, images) for layer in range(2)]
        assert all(ours[0] is theirs[0] and ours[1] is theirs[1] for ours, theirs in zip(first, again, strict=True))


def test_one_frame_is_for_all_images():
    prepared, device, dtype = of_frames(1)
    plain = prepared.at(1, device, dtype)
    for images in ((0,), (5, 6), (3, 1)):
        assert prepared.at(1, device, dtype, images) is plain


@pytest.mark.parametrize("images, named", [((2, 3, 4), "3 to 5"), ((7, 0), "1 to 8"), ((-1, 0), "0 to 1")])
def test_an_image_without_a_frame_is_refused_and_never_clipped(images, named):
    prepared, device, dtype = of_frames(4)
    with pytest.raises(ValueError, match=f"Images {named} of the latent batch .*4 frames.*: set its batch size to 4"):
        prepared.at(0, device, dtype, images)


def test_masks_of_a_view_are_those_of_its_windows():
    regions = [Region(box) for box in BOX_SETS["disjoint"]]
    masks, cpu, both = RegionMasks(regions, [COUNT, COUNT]), torch.device("cpu"), (True, True)
    view = (0.75, 0.0, 1.25, 1.0), (-0.25, 0.0, 0.25, 1.0)
    for windows in (view, view[:1], (WHOLE,)):
        assert torch.equal(masks.cells(8, 6, both, cpu, windows), region_cells(regions, 8, 6, *windows))
    reach = masks.reach(8, 6, both, cpu, torch.float32, view)
    whole = token_mask(region_cells(regions, 8, 6, *view), [COUNT, COUNT], torch.float32)
    assert torch.equal(reach.mask, whole[reach.positions])
    assert masks.reach(8, 6, both, cpu, torch.float32, view) is reach
    assert masks.reach(8, 6, both, cpu, torch.float32) is masks.reach(8, 6, both, cpu, torch.float32, (WHOLE,))
    assert masks.reach(8, 6, both, cpu, torch.float32, view[:1]) is not reach


def test_masks_are_exact_in_low_precision():
    """bf16 would shift cells: 0.7 of 130 columns is 91, but 0.69921875 of them is 90.9."""
    region = Region(Box(0.7, 0.0, 1.0, 1.0))
    cpu = torch.device("cpu")
    full, low = (
        RegionMasks([region], [1]).reach(2, 130, (True,), cpu, d).mask for d in (torch.float32, torch.bfloat16)
    )
    assert torch.equal(full == 0, low == 0)
    assert (full.view(2, 130, -1)[0, :, 0] == 0).nonzero()[0].item() == 91
