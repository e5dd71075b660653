"""What attribution measures."""

import torch

from msd_core.attention import EMPTY_TOKENS, attend_to_subjects, token_mask
from msd_core.attribution import Attribution, MapMean, RunMaps, WatchedRun, readout, subject_shares

HEADS, HIDDEN, COUNTS = 3, 24, (4, 2)


def case(seed=0, rows=2, height=4, width=5):
    generator = torch.Generator().manual_seed(seed)
    q, text = torch.randn(2, rows, height * width, HIDDEN, generator=generator)
    key, value = torch.randn(2, 1, sum(COUNTS), HIDDEN, generator=generator)
    key, value = (torch.nn.functional.pad(x, (0, 0, 0, EMPTY_TOKENS)) for x in (key, value))
    cells = torch.zeros(2, height, width, dtype=torch.bool)
    cells[0, :, :3] = cells[1, :, 2:4] = True
    return q, text, key, value, cells


def test_shares_are_the_norm_of_what_attention_adds_where_one_subject_acts():
    q, text, key, value, cells = case()
    mask = token_mask(cells, COUNTS, torch.float32)
    shares = subject_shares(q, key, value, mask, HEADS, COUNTS, text)
    added = attend_to_subjects(q, key, value, mask, HEADS).norm(dim=-1) / text.norm(dim=-1)
    alone = (cells[0] & ~cells[1]).flatten()
    assert torch.allclose(shares[:, 0, alone], added[:, alone], atol=1e-4)
    assert shares[:, 1, alone].max() == 0


def test_nobody_acts_outside_all_regions():
    q, text, key, value, cells = case()
    shares = subject_shares(q, key, value, token_mask(cells, COUNTS, torch.float32), HEADS, COUNTS, text)
    assert shares[:, :, ~cells.any(dim=0).flatten()].max() == 0


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
