"""What attribution measures."""

import pytest
import torch

from msd_core.attention import EMPTY_TOKENS, RegionMasks, attend_to_subjects, scaled_dot_product, token_mask
from msd_core.attribution import (
    Attribution,
    MapMean,
    RunMaps,
    WatchedRun,
    read_phrases,
    readout,
    span_values,
    subject_parts,
    subject_shares,
)
from msd_core.auto_layout import phrase_maps, span_matrix

HEADS, HIDDEN, COUNTS = 3, 24, (4, 2)


def case(seed=0, rows=2, height=4, width=5):
    generator = torch.Generator().manual_seed(seed)
    q, text = torch.randn(2, rows, height * width, HIDDEN, generator=generator)
    key, value = torch.randn(2, 1, sum(COUNTS), HIDDEN, generator=generator)
    key, value = (torch.nn.functional.pad(x, (0, 0, 0, EMPTY_TOKENS)) for x in (key, value))
    cells = torch.zeros(2, height, width, dtype=torch.bool)
    cells[0, :, :3] = cells[1, :, 2:4] = True
    return q, text, key, value, cells


def parts_of(q, key, value, cells):
    """What each subject adds, and the mask."""
    mask = token_mask(cells, COUNTS, torch.float32)
    owners = RegionMasks([], COUNTS).owners(q.device, q.dtype)
    return subject_parts(q, key, value, mask, HEADS, owners, scaled_dot_product), mask


def test_parts_are_what_each_subject_adds_and_together_what_the_attention_adds():
    q, _, key, value, cells = case()
    parts, mask = parts_of(q, key, value, cells)
    assert torch.allclose(parts.sum(dim=1), attend_to_subjects(q, key, value, mask, HEADS), atol=1e-6)
    by_head = [x.view(x.shape[0], -1, HEADS, HIDDEN // HEADS).transpose(1, 2) for x in (q, key, value)]
    scores = by_head[0] @ by_head[1].transpose(-1, -2) * (HIDDEN // HEADS) ** -0.5
    probabilities = torch.softmax(scores + mask, dim=-1)
    for number, tokens in enumerate((slice(0, 4), slice(4, 6))):
        expected = (probabilities[..., tokens] @ by_head[2][:, :, tokens]).transpose(1, 2).flatten(2)
        assert torch.allclose(parts[:, number], expected, atol=1e-6)


def test_parts_of_a_batch_with_regions_of_its_own_are_those_of_each_image():
    q, _, key, value, cells = case()
    both = torch.stack([cells, cells.flip(-1)])
    parts, _ = parts_of(q, key, value, both)
    for image in range(2):
        alone, _ = parts_of(q[image : image + 1], key, value, both[image : image + 1])
        assert torch.allclose(parts[image], alone[0], atol=1e-6)


def test_shares_are_the_norm_of_what_attention_adds_where_one_subject_acts():
    q, text, key, value, cells = case()
    parts, mask = parts_of(q, key, value, cells)
    shares = subject_shares(parts, text)
    added = attend_to_subjects(q, key, value, mask, HEADS)
    alone = (cells[0] & ~cells[1]).flatten()
    assert torch.allclose(shares[:, 0, alone], (added.norm(dim=-1) / text.norm(dim=-1))[:, alone], atol=1e-4)
    assert shares[:, 1, alone].max() == 0
    assert torch.allclose(shares[:, 0, alone], subject_shares(added[:, None], text)[:, 0, alone], atol=1e-6)


def test_nobody_acts_outside_all_regions():
    q, text, key, value, cells = case()
    shares = subject_shares(parts_of(q, key, value, cells)[0], text)
    assert shares[:, :, ~cells.any(dim=0).flatten()].max() == 0


@pytest.mark.parametrize("phrases", [1, 3, 8, 11])
def test_phrases_are_read_as_auto_layouts_maps_say_it(phrases):
    """Also more phrases than a head is wide."""
    q, _, _, _, _ = case()
    k = torch.randn(2, 30, HIDDEN, generator=torch.Generator().manual_seed(1))
    spans = span_matrix([(number, number + 15) for number in range(phrases)], (0,), 30)
    values = span_values(spans, HEADS, HIDDEN // HEADS, torch.float32)
    read = read_phrases(q, k, values, HEADS, phrases, scaled_dot_product)
    assert read.dtype == torch.float32
    assert torch.allclose(read, phrase_maps(q, k, HEADS, spans, 4, 5).flatten(2), atol=1e-6)


def test_maps_of_some_rows_are_zero_elsewhere():
    some, whole = MapMean(2), MapMean(2)
    maps = torch.rand(2, 3, 4, 5)
    maps[:, :, :1] = maps[:, :, 3:] = 0
    for images in (None, (1,)):
        chosen = maps if images is None else maps[1:]
        whole.add(chosen, images)
        some.add(chosen[:, :, 1:3], images, (4, 5), 1)
    assert torch.equal(some.result(), whole.result())


def test_cells_that_stay_are_only_counted():
    fixed, summed = MapMean(2), MapMean(2)
    cells = torch.rand(3, 4, 5) > 0.5
    for images in (None, None, (1,)):
        fixed.add_fixed(cells, images)
        summed.add(cells.float().expand(2 if images is None else 1, -1, -1, -1), images)
    assert torch.equal(fixed.result(), summed.result())


def test_maps_of_several_sizes_are_brought_to_the_largest():
    mean = MapMean(1)
    assert mean.result() is None
    mean.add(torch.full((1, 1, 2, 2), 1.0))
    mean.add(torch.full((1, 1, 4, 4), 2.0))
    mean.add(torch.full((1, 1, 4, 4), 3.0))
    assert mean.result().shape == (1, 1, 4, 4)
    assert torch.allclose(mean.result(), torch.full((1, 1, 4, 4), 2.0))


def test_an_image_seen_more_often_than_another_still_has_its_own_mean():
    mean = MapMean(3)
    mean.add(torch.tensor([1.0, 2.0]).view(2, 1, 1, 1), images=(0, 1))
    mean.add(torch.tensor([4.0, 5.0]).view(2, 1, 1, 1), images=(1, 2))
    mean.add(torch.tensor([3.0, 3.0, 3.0]).view(3, 1, 1, 1))
    assert mean.result().flatten().tolist() == [2.0, 3.0, 4.0]


def test_regions_are_the_last_steps_and_maps_those_of_all_steps():
    maps = RunMaps(1)
    for step in (1, 2):
        maps.at_step(step)
        maps.regions.add(torch.full((1, 1, 2, 2), float(step)))
        maps.text.add(torch.full((1, 1, 2, 2), float(step)))
    seen = WatchedRun.of(maps, 1, (16, 16))
    assert seen.regions.max() == 2
    assert seen.text.max() == 1.5
    assert seen.subject is None


def test_every_run_keeps_its_own_and_the_oldest_are_forgotten():
    watched = Attribution(["dog"])
    runs = [WatchedRun.of(RunMaps(1), 1, (number, 1)) for number in range(Attribution.KEPT + 2)]
    for run in runs:
        watched.keep(run)
    assert watched.runs == runs[2:]


def test_the_readout_is_the_mean_share_where_a_subject_acts():
    shares = torch.zeros(1, 2, 2, 2)
    shares[0, 0, 0] = 0.5
    shares[0, 1] = torch.tensor([[0.1, 0.3], [0.0, 0.0]])
    assert torch.allclose(torch.tensor(readout(shares)), torch.tensor([0.5, 0.2]))
