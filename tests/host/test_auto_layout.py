"""Auto layout in real sampling runs."""

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT

PROMPT = "a dog and a red backpack"
ROUGH = ((0.1, 0.1, 0.45, 0.9), (0.5, 0.2, 0.9, 0.8))


def request(host, studio, prompt=PROMPT, **inputs):
    inputs = {"threshold": 0.5, "start_step": 2, **inputs}
    return host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt=prompt, **inputs)[0]


@pytest.fixture
def auto(host, studio):
    """A model with auto layout from the second step on."""
    def make(model=None, boxes=ROUGH, embeds=None, **inputs):
        embeds = studio.encode(boxes) if embeds is None else embeds
        return studio.apply(embeds, model, auto_layout=request(host, studio, **inputs))
    return make


def record(host, monkeypatch):
    """Cells and maps of every auto layout call: (step, key, maps, cells)."""
    seen = []
    auto_layout = host.module("msd_core.auto_layout").AutoLayout
    original = auto_layout.cells

    def cells(self, key, step, maps, box_cells):
        found = original(self, key, step, maps, box_cells)
        seen.append((step, key, maps.clone(), None if found is None else found.clone(), box_cells))
        return found

    monkeypatch.setattr(auto_layout, "cells", cells)
    return seen


def test_the_prompts_attention_takes_over_from_the_start_step(host, studio, auto, monkeypatch):
    seen = record(host, monkeypatch)
    studio.sample(auto(), steps=3)
    assert {step for step, *_ in seen} == {1, 2, 3}
    for step, _, maps, cells, box_cells in seen:
        assert maps.shape[:2] == (1, 2)
        if step == 1:
            assert torch.equal(cells[0], box_cells)
    assert any(not torch.equal(cells[0], box_cells) for step, _, _, cells, box_cells in seen if step > 1)


def test_masks_equal_the_float64_reference_step_by_step(host, studio, auto, monkeypatch):
    from tests import reference

    seen = record(host, monkeypatch)
    studio.sample(auto(), steps=4)
    expected = reference.AutoLayoutReference(0.5, 2)
    for step, key, maps, cells, box_cells in seen:
        expected.observe(key, step, maps)
        near = (expected.normalised(key, step) - 0.5).abs().min() < 1e-5
        assert near or torch.equal(cells, expected.cells(key, step, box_cells).expand_as(cells))


def test_before_its_start_the_boxes_rule_exactly(host, studio, auto):
    boxes_only = studio.sample(studio.apply(studio.encode(ROUGH)), steps=2)
    late = studio.sample(auto(start_step=10), steps=2)
    assert torch.allclose(late, boxes_only, atol=1e-5)
    assert (studio.sample(auto(start_step=1), steps=2) - boxes_only).abs().max() > 1e-3


def test_off_before_the_start_is_no_adapter_until_then(studio, auto):
    off = studio.sample(auto(start_step=10, before_start="off"), steps=2)
    assert torch.equal(off, studio.sample(studio.demo.model, steps=2))


@pytest.mark.parametrize("sampler", [
    "euler", "heun", "dpmpp_2s_ancestral", "euler_ancestral", "euler_cfg_pp", "dpmpp_2m", "dpm_2", "lcm", "uni_pc",
])
def test_every_family_of_samplers_runs_and_leaves_no_state(studio, auto, sampler):
    model = auto()
    first = studio.sample(model, steps=3, sampler=sampler)
    assert torch.isfinite(first).all()
    assert torch.equal(studio.sample(model, steps=3, sampler=sampler), first)


@pytest.mark.parametrize("batch, size", [(1, (10, 10)), (2, (8, 14)), (5, (14, 8))])
def test_each_image_of_a_batch_has_regions_of_its_own(host, studio, auto, monkeypatch, batch, size):
    seen = record(host, monkeypatch)
    studio.sample(auto(), size, batch=batch, steps=2)
    last = [cells for step, _, _, cells, _ in seen if step == 2]
    assert all(cells.shape[0] == batch for cells in last)
    if batch > 1:
        assert any(not torch.equal(cells[0], cells[1]) for cells in last)


def test_split_batches_do_not_advance_the_step(host, studio, auto, monkeypatch):
    model = auto()
    joint = studio.sample(model, steps=3)
    monkeypatch.setattr(studio.demo.model.model, "memory_required", lambda *args, **kwargs: 1e30)
    seen = record(host, monkeypatch)
    split = studio.sample(model, steps=3)
    assert [step for step, key, *_ in seen if key == seen[0][1]] == [1, 2, 3]
    assert (split - joint).abs().mean() < 1e-2


def test_a_run_resumed_at_a_later_step_counts_its_own_steps(host, studio, auto, monkeypatch):
    seen = record(host, monkeypatch)
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    host.call(
        "KSamplerAdvanced", model=auto(), add_noise="enable", noise_seed=1, steps=6, cfg=2.0, sampler_name="euler",
        scheduler="normal", positive=studio.positive, negative=studio.negative, latent_image=latent, start_at_step=3,
        end_at_step=6, return_with_leftover_noise="disable",
    )
    assert sorted({step for step, *_ in seen}) == [1, 2, 3]


def test_an_interrupted_run_leaves_no_state(studio, auto):
    import comfy.model_management

    model = auto()
    expected = studio.sample(model, steps=3)
    stop = model.clone()
    steps = []

    def interrupt(args):
        steps.append(1)
        if len(steps) == 2:
            comfy.model_management.interrupt_current_processing()
        return args["denoised"]

    stop.set_model_sampler_post_cfg_function(interrupt)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        studio.sample(stop, steps=4)
    assert torch.equal(studio.sample(model, steps=3), expected)


def test_weights_in_the_prompt_are_syntax_and_not_words(host, studio):
    plain = request(host, studio, "a dog and a red backpack").prompt
    weighted = request(host, studio, "a (dog:1.3) and a ((red)) backpack").prompt
    for prompt in (plain, weighted):
        assert prompt.spans(["dog", "red backpack"]) == [(2,), (5, 6)]


def test_a_long_prompt_is_followed_through_all_its_windows(host, studio, auto, monkeypatch):
    long = ", ".join(["grass"] * 45) + ", a dog and a red backpack"
    prompt = request(host, studio, long).prompt
    spans = prompt.spans(["dog", "red backpack"])
    assert len(prompt.pieces) == 154
    assert all(position > 77 for span in spans for position in span)
    seen = record(host, monkeypatch)
    positive = host.call("CLIPTextEncode", clip=studio.demo.clip, text=long)[0]
    assert torch.isfinite(studio.sample(auto(prompt=long), positive=positive)).all()
    assert all(maps.max() > 0 for _, _, maps, _, _ in seen)


def test_a_short_prompt_beside_a_long_negative_one_gives_the_same_maps(host, studio, auto, monkeypatch):
    """The host repeats the shorter context to fit both into one batch."""
    seen = record(host, monkeypatch)
    studio.sample(auto(), steps=1)
    alone = [maps for _, _, maps, _, _ in seen]
    seen.clear()
    negative = host.call("CLIPTextEncode", clip=studio.demo.clip, text=", ".join(["blurry"] * 50))[0]
    studio.sample(auto(), steps=1, negative=negative)
    for first, second in zip(alone, (maps for _, _, maps, _, _ in seen), strict=True):
        assert torch.allclose(first, second, rtol=1e-3, atol=1e-6)


def test_another_prompt_than_the_conditionings_is_refused_where_it_cannot_fit(host, studio, auto):
    long = ", ".join(["grass"] * 45) + ", a dog and a red backpack"
    with pytest.raises(ValueError, match="154 tokens but the conditioning has 77"):
        studio.sample(auto(prompt=long))


def test_an_absent_phrase_is_named_in_the_log_and_keeps_its_box(host, studio, auto, monkeypatch, caplog):
    seen = record(host, monkeypatch)
    with caplog.at_level("WARNING", logger="MS-Diffusion"):
        studio.sample(auto(prompt="a dog on the grass"), steps=3)
    assert "has no 'red backpack'" in caplog.text
    assert "keeps its box" in caplog.text
    for step, _, _, cells, box_cells in seen:
        assert torch.equal(cells[0, 1], box_cells[1]), step


def test_an_absent_phrase_may_vanish_as_in_the_original(host, studio, auto, monkeypatch, caplog):
    seen = record(host, monkeypatch)
    studio.sample(auto(prompt="a dog on the grass", absent_phrase="vanish"), steps=3)
    assert "gets no region" in caplog.text
    assert all(not cells[0, 1].any() for step, _, _, cells, _ in seen if step > 1)


def test_the_same_phrase_twice_follows_its_two_occurrences(host, studio):
    prompt = request(host, studio, "a dog and a dog").prompt
    assert prompt.spans(["dog", "dog", "dog"]) == [(2,), (5,), ()]


def test_a_subjects_own_schedule_holds_under_auto_layout(host, studio, auto):
    subjects = [studio.subject("dog", 0), studio.subject("red backpack", 1, start_percent=0.9)]
    late = studio.encode(ROUGH, subjects)
    alone = studio.encode(ROUGH[:1], subjects[:1])
    pair = [studio.sample(auto(embeds=embeds, start_step=5), steps=2) for embeds in (late, alone)]
    assert (pair[0] - pair[1]).abs().max() < (pair[0] - studio.sample(studio.demo.model, steps=2)).abs().max()


def test_three_way_guidance_runs(host, studio, auto):
    from tests.host.test_neighbours import guided

    empty = host.call("CLIPTextEncode", clip=studio.demo.clip, text="")[0]
    out = guided(host, "PerpNegGuider", auto(start_step=1), positive=studio.positive, negative=studio.negative,
                 empty_conditioning=empty, cfg=3.0, neg_scale=1.0)
    assert torch.isfinite(out).all()


def test_applying_without_auto_layout_takes_it_off_again(studio, auto):
    embeds = studio.encode((LEFT, RIGHT))
    plain = studio.apply(embeds)
    assert torch.equal(studio.sample(studio.apply(embeds, auto())), studio.sample(plain))
