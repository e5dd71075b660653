"""The paper's auto layout against the float64 reference, step by step; masks are compared exactly."""

import pytest
import torch

from msd_core.auto_layout import AutoLayoutSettings, PaperLayout, RunningMean, phrase_maps, regions_of, span_matrix
from msd_core.boxes import Box
from msd_core.layout import Region, region_cells
from tests import reference

HEADS, HIDDEN, LENGTH = 3, 24, 12
SPANS = [(2, 3), (7,), ()]
BOXES = [Region(Box(0.0, 0.0, 0.5, 1.0)), Region(Box(0.4, 0.2, 1.0, 0.9)), Region(Box(0.6, 0.0, 1.0, 0.4))]


def attention(seed, batch=1, positions=48, length=LENGTH):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(batch, count, HIDDEN, generator=generator) for count in (positions, length))


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("height, width", [(6, 8), (8, 6), (1, 9)])
def test_phrase_maps_equal_the_reference(batch, height, width):
    q, k = attention(batch, batch, height * width)
    maps = phrase_maps(q, k, HEADS, span_matrix(SPANS, (0,), LENGTH), height, width)
    ranges = [(span[0], span[-1] + 1) if span else None for span in SPANS]
    expected = reference.phrase_maps(q, k, ranges, HEADS, height, width)
    assert (maps - expected).abs().max() < 1e-6
    assert maps.dtype == torch.float32


def test_low_precision_queries_still_give_fp32_maps():
    q, k = (x.bfloat16() for x in attention(0))
    assert phrase_maps(q, k, HEADS, span_matrix(SPANS, (0,), LENGTH), 6, 8).dtype == torch.float32


@pytest.mark.parametrize("boxes_before", [True, False])
@pytest.mark.parametrize("start_step", [1, 3])
def test_cells_equal_the_reference_step_by_step(start_step, boxes_before):
    box_cells = region_cells(BOXES, 6, 8)
    settings = AutoLayoutSettings(0.5, start_step, boxes_before, keep_absent=False)
    ours = PaperLayout(settings, [bool(span) for span in SPANS])
    expected = reference.AutoLayoutReference(0.5, start_step)
    for step in range(1, 7):
        for layer in ("down", "up"):
            q, k = attention(10 * step + len(layer), batch=2)
            maps = phrase_maps(q, k, HEADS, span_matrix(SPANS, (0,), LENGTH), 6, 8)
            expected.observe(layer, step, maps)
            cells = ours.cells(layer, None, step, maps, box_cells)
            if step < start_step and not boxes_before:
                assert cells is None
            else:
                assert torch.equal(cells, expected.cells(layer, step, box_cells).expand_as(cells))


def test_the_papers_method_is_this_to_the_bit():
    """Written out in the operations that it had when it was the only one."""
    box_cells = region_cells(BOXES, 6, 8)
    spans = span_matrix(SPANS, (0,), LENGTH)
    ours = PaperLayout(AutoLayoutSettings(0.4, 3, keep_absent=True, method="paper"), [bool(span) for span in SPANS])
    seen = []
    for step in range(1, 6):
        q, k = attention(step, batch=2)
        heads = [x.view(2, -1, HEADS, HIDDEN // HEADS).transpose(1, 2) for x in (q, k)]
        logits = heads[0] @ heads[1].transpose(-1, -2) * (HIDDEN // HEADS) ** -0.5
        maps = (torch.softmax(logits, dim=-1).mean(dim=1) @ spans).transpose(1, 2).reshape(2, 3, 6, 8)
        found = phrase_maps(q, k, HEADS, spans, 6, 8)
        assert torch.equal(found, maps)
        total = 0.0
        for earlier in seen:
            total = total + earlier
        mean = (total + maps) / (len(seen) + 1)
        seen.append(maps)
        low, high = mean.amin(dim=(2, 3), keepdim=True), mean.amax(dim=(2, 3), keepdim=True)
        expected = (mean - low) / (high - low + 1e-5) > 0.4
        expected[:, 2] = box_cells[2]
        cells = ours.cells("layer", None, step, found, box_cells)
        assert torch.equal(cells, expected if step >= 3 else box_cells.expand(2, -1, -1, -1))


def test_a_second_evaluation_in_a_step_does_not_advance_it():
    mean, expected = RunningMean(), reference.AutoLayoutReference()
    maps = torch.rand(5, 1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    for step, entry in ((1, 0), (1, 1), (2, 2), (2, 3), (3, 4)):
        expected.observe("layer", step, maps[entry])
        assert torch.allclose(mean.update(step, maps[entry]).double(), expected.mean_maps("layer", step), atol=1e-6)


def test_an_absent_phrase_keeps_its_box_or_vanishes():
    box_cells = region_cells(BOXES, 6, 8)
    q, k = attention(1)
    maps = phrase_maps(q, k, HEADS, span_matrix(SPANS, (0,), LENGTH), 6, 8)
    present = [bool(span) for span in SPANS]
    kept = PaperLayout(AutoLayoutSettings(start_step=1), present).cells(0, None, 1, maps, box_cells)
    gone = PaperLayout(AutoLayoutSettings(start_step=1, keep_absent=False), present).cells(0, None, 1, maps, box_cells)
    assert torch.equal(kept[0, 2], box_cells[2])
    assert not gone[0, 2].any()
    assert torch.equal(kept[:, :2], gone[:, :2])


def test_layers_and_conditionings_keep_their_maps_apart():
    box_cells = region_cells(BOXES[:1], 2, 2)
    layout = PaperLayout(AutoLayoutSettings(start_step=1), [True])
    left, right = torch.tensor([[[[1.0, 0], [1, 0]]]]), torch.tensor([[[[0.0, 1], [0, 1]]]])
    assert layout.cells("a", None, 1, left, box_cells)[0, 0, 0].tolist() == [True, False]
    assert layout.cells("b", None, 1, right, box_cells)[0, 0, 0].tolist() == [False, True]


def test_each_image_of_a_window_keeps_a_mean_of_its_own():
    """Windows overlap and move; an image's mean does not ask in which of them, or where in them, it was seen."""
    box_cells = region_cells(BOXES[:1], 2, 2)
    maps = torch.rand(3, 4, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    windows = {1: [(0, 1, 2), (1, 2, 3)], 2: [(3, 0), (1, 2)], 3: [(0, 1, 2, 3)]}
    whole = PaperLayout(AutoLayoutSettings(start_step=1), [True])
    parts = PaperLayout(AutoLayoutSettings(start_step=1), [True])
    for step, images in windows.items():
        expected = whole.cells("layer", None, step, maps[step - 1], box_cells)
        for window in images:
            found = parts.cells("layer", window, step, maps[step - 1][list(window)], box_cells)
            assert torch.equal(found, expected[list(window)])


def test_a_flat_map_gives_no_region():
    assert not regions_of(torch.full((1, 1, 4, 4), 0.3), 0.5).any()


def test_the_prompts_copies_all_count_and_what_follows_it_does_not():
    q, k = attention(2)
    once = phrase_maps(q, k, HEADS, span_matrix(SPANS, (0,), LENGTH), 6, 8)
    twice = phrase_maps(q, k.repeat(1, 2, 1), HEADS, span_matrix(SPANS, (0, LENGTH), 2 * LENGTH), 6, 8)
    assert torch.allclose(once, twice, atol=1e-6)
    assert span_matrix(SPANS, (0,), LENGTH + 5)[LENGTH:].sum() == 0


@pytest.mark.parametrize("values, words", [
    (dict(threshold=1.0), "threshold is 1 but"),
    (dict(threshold=-0.1), "-0.1"),
    (dict(start_step=0), "start_step is 0"),
    (dict(method="original"), "The method is 'original' but must be one of steady, paper"),
    (dict(layers=()), "layers is empty"),
])
def test_settings_out_of_range_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        AutoLayoutSettings(**values)
