"""The steady method over one run: what it reads, when it decides, what it keeps; and it asks the device nothing."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from msd_core.auto_layout import (
    AutoLayoutSettings,
    Shown,
    SteadyLayout,
    layers_read,
    phrase_maps,
    span_matrix,
    word_columns,
    word_maps,
)
from msd_core.auto_layout import maps as module
from msd_core.auto_layout.maps import GAIN
from msd_core.boxes import Box
from msd_core.embeds import SubjectEmbeds, SubjectTokens
from msd_core.layout import Region, region_cells
from msd_core.phrases import PromptWords

A, B = Region(Box(0.0, 0.1, 0.4, 0.5)), Region(Box(0.5, 0.4, 1.0, 0.9))
WORDS = PromptWords(((2,), (5, 6)), ((1,), (3,), (4,), (8,)))
ALL = (True, True)


def embeds(regions=(A, B), **inputs):
    tokens = torch.zeros(1, 16, 8)
    return SubjectEmbeds(tuple(SubjectTokens(tokens, region, "dog") for region in regions), None, **inputs)


def layout(regions=(A, B), words=WORDS, images=1, layers=(7,), **inputs):
    settings = AutoLayoutSettings(**{key: inputs.pop(key) for key in tuple(inputs) if key != "window"})
    return SteadyLayout(settings, embeds(regions, **inputs), words, layers, images)


def maps(seed, height=10, width=10, images=1, columns=32):
    return torch.rand(images, height * width, columns, generator=torch.Generator().manual_seed(seed)) ** 3 + 0.05


def run(one, steps, shown=None, images=1, key="k", kept=99):
    """Steps of maps, by seed; the start is behind from step 2 on."""
    shown = shown or Shown(10, 10)
    for step, seed in enumerate(steps, 1):
        one.at(step, step >= 2, step >= kept)
        if one.reads(key, 7):
            one.observe(key, 7, shown, maps(seed, shown.height, shown.width, images))
    return one.cells(key, shown, ALL)


def attention(seed, batch=2, positions=48, length=12, hidden=64):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(batch, count, hidden, generator=generator) for count in (positions, length))


@pytest.mark.parametrize("dtype, exact", [(torch.float32, 1e-6), (torch.bfloat16, 6e-3), (torch.float16, 1e-3)])
def test_one_fused_attention_gives_the_maps_of_phrases_and_words(dtype, exact):
    q, k = attention(1)
    spans, others = [(2, 3), (), (7,)], [(1,), (9, 10)]
    columns = word_columns(spans, others, (0,), 12, 16)
    expected = phrase_maps(q, k, 4, span_matrix([*spans, *others], (0,), 12), 6, 8).flatten(2).transpose(1, 2)
    found = word_maps(q.to(dtype), k.to(dtype), 4, columns.to(dtype)) / GAIN
    assert found.dtype == torch.float32
    assert (found[..., :5] - expected).abs().max() < exact * 4
    assert not found[..., 5:].any()


def test_more_words_than_a_head_is_wide_share_columns():
    columns = word_columns([(0,)], [(n,) for n in range(1, 30)], (0,), 30, 8)
    assert columns.shape == (30, 8)
    assert torch.equal(columns.sum(dim=1), torch.full((30,), GAIN))
    assert columns[1:, 0].sum() == 0
    with pytest.raises(ValueError, match="8 subjects on this model but there are 9"):
        word_columns([(0,)] * 9, [], (0,), 30, 8)


def test_the_places_of_a_step_are_decided_by_the_steps_before_it():
    one = layout()
    one.at(1, False, False)
    assert one.reads("k", 7) and not one.reads("k", 6)
    one.observe("k", 7, Shown(10, 10), maps(1))
    assert one.cells("k", Shown(10, 10), ALL) is None
    one.at(2, True, False)
    first = one.cells("k", Shown(10, 10), ALL)
    one.observe("k", 7, Shown(10, 10), maps(2))
    assert one.cells("k", Shown(10, 10), ALL) is first
    one.at(2, True, False)
    assert one.cells("k", Shown(10, 10), ALL) is first


def test_of_several_evaluations_in_a_step_the_latest_counts():
    once, twice = layout(), layout()
    expected = run(once, (1, 2, 3))
    for step, seeds in ((1, (9, 1)), (2, (8, 2)), (3, (3,))):
        for seed in seeds:
            twice.at(step, step >= 2, False)
            twice.observe("k", 7, Shown(10, 10), maps(seed))
    assert torch.equal(twice.cells("k", Shown(10, 10), ALL), expected)


def test_a_layer_of_larger_values_counts_no_more():
    one, other = layout(layers=(7, 8)), layout(layers=(7, 8))
    for gain, which in ((1, one), (100, other)):
        for layer in (7, 8):
            which.observe("k", layer, Shown(10, 10), maps(layer) * (gain if layer == 8 else 1))
        which.at(2, True, False)
    assert one.boxes() == other.boxes()


def test_places_are_kept_from_their_end_on_and_nothing_is_read_any_more():
    one = layout()
    assert not one.settled
    run(one, (1, 2, 3), kept=3)
    assert one.settled and not one.reads("k", 7)
    assert (one.began, one.ended) == (2, 3)
    kept = one.cells("k", Shown(10, 10), ALL)
    one.at(9, True, True)
    assert one.cells("k", Shown(10, 10), ALL) is kept
    reach = one.reach("k", Shown(10, 10), ALL, torch.float16)
    assert one.reach("k", Shown(10, 10), ALL, torch.float16) is reach


@pytest.mark.parametrize("shown", [Shown(10, 10), Shown(20, 20), Shown(8, 10, ((0.0, 0.1, 1.0, 0.9),)),
                                   Shown(10, 10, images=(1,))])
@pytest.mark.parametrize("active", [ALL, (True, False), (False, False)])
def test_kept_places_are_attended_in_their_rows_alone(shown, active):
    one = layout(images=2)
    run(one, (1, 2, 3), kept=3, images=2)
    cells, before = one.cells("k", shown, active), one.reach("k", shown, active, torch.float32)
    assert before.positions == slice(0, shown.height * shown.width)
    boxes = one.boxes()
    one.look()
    reach = one.reach("k", shown, active, torch.float32)
    held = cells.any(dim=0).any(dim=0).any(dim=1).nonzero().flatten().tolist()
    assert reach.positions == (slice(held[0] * shown.width, (held[-1] + 1) * shown.width) if held else slice(0, 0))
    assert torch.equal(reach.mask, before.mask[:, reach.positions])
    assert torch.equal(one.cells("k", shown, active), cells) and one.boxes() == boxes and not reach.shared


def test_a_conditioning_that_comes_later_is_read_again():
    one = layout()
    run(one, (1, 2, 3), kept=3)
    assert one.reads("late", 7)
    one.observe("late", 7, Shown(10, 10), maps(4))
    assert not one.settled
    one.at(5, True, True)
    assert one.settled and one.cells("late", Shown(10, 10), ALL) is not None


def test_all_sizes_show_one_region():
    one = layout()
    coarse, fine = run(one, (1, 2, 3)), one.cells("k", Shown(20, 20), ALL)
    assert torch.equal(coarse.repeat_interleave(2, -1).repeat_interleave(2, -2), fine)


def quarters(whole, size):
    """A map `[b, size * size, c]` as four tiles and their windows."""
    grid, half = whole.unflatten(1, (size, size)), size // 2
    for top in (0, 1):
        for left in (0, 1):
            part = grid[:, top * half : (top + 1) * half, left * half : (left + 1) * half].flatten(1, 2)
            yield Shown(half, half, ((left / 2, top / 2, left / 2 + 0.5, top / 2 + 0.5),)), part


def test_tiles_are_put_together_to_one_frame():
    whole, tiled = layout(), layout()
    for step in (1, 2, 3):
        for one in (whole, tiled):
            one.at(step, step >= 2, False)
        whole.observe("k", 7, Shown(10, 10), maps(step))
        for shown, part in quarters(maps(step), 10):
            tiled.observe("k", 7, shown, part)
    assert whole.boxes() == tiled.boxes()
    for shown, _ in quarters(maps(1), 10):
        assert torch.equal(whole.cells("k", shown, ALL), tiled.cells("k", shown, ALL))


def test_a_tile_that_wraps_round_the_frames_edge_is_put_where_it_is():
    whole, rolled = layout(), layout()
    for step in (1, 2):
        grid = maps(step).unflatten(1, (10, 10))
        for one in (whole, rolled):
            one.at(step, step >= 2, False)
        whole.observe("k", 7, Shown(10, 10), grid.flatten(1, 2))
        shown = Shown(10, 10, ((0.3, 0.0, 1.3, 1.0), (-0.7, 0.0, 0.3, 1.0)))
        rolled.observe("k", 7, shown, grid.roll(-3, 2).flatten(1, 2))
    assert whole.boxes() == rolled.boxes()
    assert torch.equal(rolled.cells("k", shown, ALL), whole.cells("k", Shown(10, 10), ALL).roll(-3, -1))


def test_windows_over_a_batch_fit_each_image_by_all_that_is_seen_of_it():
    whole, parts = layout(images=4), layout(images=4)
    for step in (1, 2, 3):
        seen = maps(step, images=4)
        for one in (whole, parts):
            one.at(step, step >= 2, False)
        whole.observe("k", 7, Shown(10, 10), seen)
        for images in ((0, 1, 2), (2, 3), (3, 0)):
            parts.observe("k", 7, Shown(10, 10, images=images), seen[list(images)])
    assert whole.boxes() == parts.boxes()
    shown = Shown(10, 10, images=(3, 1))
    assert torch.equal(parts.cells("k", shown, ALL), whole.cells("k", Shown(10, 10), ALL)[[3, 1]])


def test_inactive_subjects_have_no_cells_and_keep_their_places():
    one = layout()
    cells = run(one, (1, 2, 3))
    half = one.cells("k", Shown(10, 10), (True, False))
    assert torch.equal(half[:, 0], cells[:, 0]) and not half[:, 1].any()


def test_an_absent_phrase_keeps_its_very_box_or_has_no_region():
    words = PromptWords(((2,), ()), ((1,),))
    kept, gone = layout(words=words), layout(words=words, keep_absent=False)
    for one, cells in ((kept, region_cells([B], 10, 10)[0]), (gone, torch.zeros(10, 10, dtype=torch.bool))):
        run(one, (1, 2, 3))
        assert torch.equal(one.cells("k", Shown(10, 10), ALL)[0, 1], cells)


def test_boxes_are_told_in_fractions_of_the_layouts_frame():
    one = layout(window=(0.5, 0.0, 1.0, 1.0))
    run(one, (1, 2))
    (first, second), = one.boxes()
    assert first is None
    assert second[0] >= 0.5 and second[2] - second[0] == pytest.approx(0.5)


def test_no_conditioning_followed_is_no_boxes():
    assert layout().boxes() is None


def test_of_sdxl_one_block_of_each_coarse_transformer_on_the_way_up_is_read():
    layers = json.loads((Path(__file__).parents[1] / "data" / "sdxl_layers.json").read_text())
    sections = [layer["diffusers"].split("_")[0] for layer in layers]
    read = layers_read(sections, [tuple(layer["attn2_key"][:2]) for layer in layers], [x["hidden"] for x in layers])
    assert [layers[k]["attn2_key"] for k in read] == [["output", 0, 5], ["output", 1, 5], ["output", 2, 5]]
    assert {layers[k]["grid_at_1024px"] for k in read} == {32}
    assert layers_read(["down", "up", "up", "mid"], "abcd", [128] * 4) == (1, 2)


class Calls(TorchDispatchMode):
    """What is called, views left out."""

    VIEWS = ("view", "expand", "slice", "select", "unsqueeze", "squeeze", "transpose", "permute", "t", "detach",
             "alias", "split", "unbind", "_unsafe_view", "unfold", "flip_view")

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ not in self.VIEWS:
            self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("subjects, limit", [(1, 70), (2, 100), (4, 140)])
def test_at_sdxls_real_size_a_step_is_decided_without_asking_the_device(monkeypatch, subjects, limit):
    """On the meta device nothing can be asked: a tensor has no values. 1024 pixels, three layers read, masks of both
    sizes, attention as the one kernel that it is on a GPU. A step of SDXL itself has some 1,700 calls.
    """
    monkeypatch.setattr(module.F, "scaled_dot_product_attention", lambda q, k, v: torch.empty_like(q))
    regions = [Region(Box(0.2 * k, 0.1 * k, 0.2 * k + 0.3, 0.1 * k + 0.5)) for k in range(subjects)]
    words = PromptWords(tuple((k + 1,) for k in range(subjects)), tuple((20 + k,) for k in range(30)))
    one = SteadyLayout(AutoLayoutSettings(), embeds(regions), words, (1, 2, 3), 1)
    active = (True,) * subjects
    with torch.device("meta"):
        q, k = torch.empty(1, 1024, 1280, dtype=torch.float16), torch.empty(1, 77, 1280, dtype=torch.float16)
        columns = word_columns(words.phrases, words.others, (0,), 77, 64).to("meta", torch.float16)

    def step(number, kept=False):
        with Calls() as calls:
            one.at(number, True, kept)
            for layer in (1, 2, 3):
                if one.reads("k", layer):
                    one.observe("k", layer, Shown(32, 32), word_maps(q, k, 20, columns))
            if one.began:
                for side in (32, 64):
                    mask = one.reach("k", Shown(side, side), active, torch.float16).mask
                    assert mask.shape == (1, side * side, 16 * subjects + 8)
        return calls.names

    step(1)
    step(2)
    again = step(3)
    assert len(again) <= limit, (len(again), again)
    step(4, kept=True)
    assert step(5) == []
