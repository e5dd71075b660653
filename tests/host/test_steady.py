"""Auto layout by the method `steady` in real sampling runs."""

from dataclasses import replace

import pytest
import torch

from benchmarks.ledger import Ledger
from tests.host.conftest import guided
from tests.host.test_auto_layout import PROMPT, ROUGH


def request(host, studio, prompt=PROMPT, **inputs):
    """As a workflow has it that was saved before there were methods."""
    inputs = {"threshold": 0.5, "start_step": 5, **inputs}
    return host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt=prompt, **inputs)[0]


@pytest.fixture
def auto(host, studio):
    def make(model=None, boxes=ROUGH, embeds=None, **inputs):
        embeds = studio.encode(boxes) if embeds is None else embeds
        return studio.apply(embeds, model, auto_layout=request(host, studio, **inputs))
    return make


@pytest.fixture
def followed(host, monkeypatch):
    """Who had which cells, attention by attention: (step, layer, key, cells or None, boxes).

    The step is told by the noise level, for the run counts it no longer once the places are kept.
    """
    steady, seen = host.module("nodes.host.auto_layout").Steady, []
    original, levels = steady.cells, []

    def cells(self, attention, chunk, rows, boxes):
        found = original(self, attention, chunk, rows, boxes)
        if not seen:
            levels.clear()
        if attention.call.sigma not in levels:
            levels.append(attention.call.sigma)
        step = levels.index(attention.call.sigma) + 1
        seen.append((step, attention.layer, chunk.key, None if found is None else found.clone(), boxes))
        return found

    monkeypatch.setattr(steady, "cells", cells)
    return seen


@pytest.fixture
def fits(host, monkeypatch):
    """Every choice of places: `(rows, columns)`."""
    fit, made = host.module("msd_core.auto_layout.fit").Fit, []
    original = fit.places
    monkeypatch.setattr(fit, "places", lambda self, score: (made.append(original(self, score)), made[-1])[1])
    return made


def test_a_workflow_that_names_no_method_is_steady(host, studio):
    assert request(host, studio).settings.method == "steady"
    assert request(host, studio, method="paper").settings.method == "paper"


def test_boxes_rule_until_the_start_and_then_one_region_rules_in_all_layers(studio, auto, followed):
    studio.sample(auto(), steps=10)
    starts = {step for step, *_, cells, _ in followed if cells.ndim == 4}
    assert min(starts) == 3 and max(starts) == 10
    for step in range(1, 11):
        cells = [(found, boxes) for at, *_, found, boxes in followed if at == step]
        assert len(cells) == 4
        for found, boxes in cells:
            assert torch.equal(found, boxes) if step < 3 else torch.equal(found, cells[0][0])
            assert step < 3 or not (found.sum(dim=1) > 1).any()


def test_a_region_has_its_boxs_size_wherever_it_is(studio, auto, followed):
    studio.sample(auto(boxes=((0.0, 0.0, 0.4, 0.5), (0.5, 0.0, 1.0, 0.4))), (20, 20), steps=6)
    cells = next(found for *_, found, _ in reversed(followed))[0]
    assert [int(region.sum()) for region in cells] == [4 * 5, 5 * 4]


def test_before_its_start_the_run_is_that_of_the_boxes(studio, auto, said):
    boxes = studio.sample(studio.apply(studio.encode(ROUGH)), steps=1)
    assert torch.equal(studio.sample(auto(), steps=1), boxes)
    assert said("Auto layout never began: it begins after the first step")


def test_off_before_the_start_is_no_adapter_until_then(studio, auto, followed):
    off = studio.sample(auto(before_start="off"), steps=1)
    assert torch.equal(off, studio.sample(studio.demo.model, steps=1))
    followed.clear()
    studio.sample(auto(before_start="off"), steps=10)
    assert {step for step, *_, cells, _ in followed if cells is not None} == set(range(5, 11))


@pytest.mark.parametrize("before, first", [("boxes", 2), ("off", 3)])
def test_a_model_of_four_steps_is_followed(studio, auto, followed, before, first):
    studio.sample(auto(before_start=before), steps=4, scheduler="sgm_uniform", cfg=1.0)
    assert min(step for step, *_, cells, _ in followed if cells is not None and cells.ndim == 4) == first


def test_after_a_while_the_places_are_kept(studio, auto, fits, said):
    studio.sample(auto(), steps=20)
    assert 2 <= len(fits) <= 5
    assert said("auto layout from step 5, kept from step")


@pytest.mark.parametrize("sampler", [
    "euler", "heun", "dpmpp_2s_ancestral", "euler_ancestral", "euler_cfg_pp", "dpmpp_2m", "dpm_2", "lcm", "uni_pc",
    "dpm_fast", "dpm_adaptive", "seeds_3",
])
def test_every_family_of_samplers_runs_and_leaves_no_state(studio, auto, fits, sampler):
    model = auto()
    first = studio.sample(model, steps=6, sampler=sampler)
    assert torch.isfinite(first).all()
    assert fits
    assert torch.equal(studio.sample(model, steps=6, sampler=sampler), first)


def test_a_sampler_of_two_evaluations_decides_once_a_step(studio, auto, fits):
    for sampler in ("euler", "heun", "dpm_2"):
        fits.clear()
        studio.sample(auto(), steps=10, sampler=sampler)
        assert len(fits) == 3, sampler


def test_each_image_of_a_batch_has_places_of_its_own(studio, auto, fits, monkeypatch):
    model = auto(before_start="off", boxes=((0, 0, 1, 1), (0, 0, 1, 1)))
    joint = studio.sample(model, (20, 14), batch=3, steps=10)
    rows, columns = fits[-1]
    assert rows.shape == (2, 3)
    places = {(*rows[:, image].tolist(), *columns[:, image].tolist()) for image in range(3)}
    assert len(places) > 1
    monkeypatch.setattr(studio.demo.model.model, "memory_required", lambda *args, **kwargs: 1e30)
    split = studio.sample(model, (20, 14), batch=3, steps=10)
    assert torch.equal(fits[-1][0], rows) and torch.equal(fits[-1][1], columns)
    assert (split - joint).abs().mean() < 1e-2


def test_a_second_pass_follows_the_picture_that_it_gets(studio, auto, followed):
    """At half the noise the start lies behind it, and its first maps decide."""
    studio.sample(auto(), steps=4, denoise=0.5)
    assert [cells.ndim for *_, cells, _ in followed] == 4 * [3] + 12 * [4]


def test_one_region_is_one_at_every_size_of_the_frame(host, studio, auto, fits):
    for size in ((20, 20), (14, 26), (30, 18)):
        studio.sample(auto(), size, steps=5)
    assert [one[0].shape for one in fits] == [(2, 1)] * len(fits)


def test_an_absent_phrase_keeps_its_box_or_vanishes(studio, auto, followed, caplog):
    studio.sample(auto(prompt="a dog on the grass"), steps=6, positive=None or studio.positive)
    assert "keeps its box" in caplog.text
    for *_, cells, boxes in followed:
        assert torch.equal(cells[0, 1] if cells.ndim == 4 else cells[1], boxes[1])
    followed.clear()
    studio.sample(auto(prompt="a dog on the grass", absent_phrase="vanish"), steps=6)
    assert all(not cells[0, 1].any() for *_, cells, _ in followed if cells.ndim == 4)


def test_a_phrase_used_twice_stands_in_two_places(host, studio, auto, followed):
    text = "a dog and a dog"
    positive = host.call("CLIPTextEncode", clip=studio.demo.clip, text=text)[0]
    subjects = [studio.subject("dog", 0), studio.subject("dog", 1)]
    embeds = studio.encode((ROUGH[0], ROUGH[0]), subjects)
    studio.sample(auto(embeds=embeds, prompt=text), steps=8, positive=positive)
    last = followed[-1][3][0]
    assert last.any(dim=(1, 2)).all() and not (last.sum(dim=0) > 1).any()


def test_three_subjects_have_three_places(host, studio, auto, followed):
    text = "a dog and a red backpack and a cat"
    positive = host.call("CLIPTextEncode", clip=studio.demo.clip, text=text)[0]
    boxes = ((0.0, 0.0, 0.4, 0.4), (0.1, 0.1, 0.5, 0.5), (0.2, 0.2, 0.6, 0.6))
    studio.sample(auto(boxes=boxes, prompt=text), (20, 20), steps=8, positive=positive)
    last = followed[-1][3][0]
    assert [int(region.sum()) for region in last] == [16, 16, 16]


def test_masks_move_as_they_are(studio, auto, followed):
    mask = torch.zeros(2, 160, 160)
    mask[0, :80, :80] = torch.ones(80, 80).tril()
    mask[1, 80:, 80:] = 1
    layout = studio.layout((), masks=mask)
    studio.sample(auto(embeds=studio.encode(layout=layout, subjects=studio.subjects(2))), (20, 20), steps=8)
    cells = followed[-1][3][0]
    assert 12 <= int(cells[0].sum()) <= 18 and int(cells[1].sum()) == 25


def test_of_two_combined_prompts_the_other_keeps_the_boxes(host, studio, auto, followed):
    other = host.call("CLIPTextEncode", clip=studio.demo.clip, text="grass and a dog")[0]
    both = host.call("ConditioningCombine", conditioning_1=other, conditioning_2=studio.positive)[0]
    studio.sample(auto(), steps=8, positive=both)
    kinds = {(key.entry, cells.ndim) for step, _, key, cells, _ in followed if step == 8}
    assert {ndim for _, ndim in kinds} == {3, 4} and len(kinds) == 2


def test_the_same_prompt_in_two_ranges_of_the_run_goes_on(host, studio, auto):
    halves = [
        host.call("ConditioningSetTimestepRange", conditioning=studio.positive, start=start, end=end)[0]
        for start, end in ((0.0, 0.3), (0.3, 1.0))
    ]
    ranged = host.call("ConditioningCombine", conditioning_1=halves[0], conditioning_2=halves[1])[0]
    assert torch.equal(studio.sample(auto(), steps=8, positive=ranged), studio.sample(auto(), steps=8))


def test_a_prompt_that_comes_late_is_followed_from_then_on(host, studio, auto, fits):
    other = host.call("CLIPTextEncode", clip=studio.demo.clip, text="grass")[0]
    parts = [
        host.call("ConditioningSetTimestepRange", conditioning=conditioning, start=start, end=end)[0]
        for conditioning, start, end in ((other, 0.0, 0.5), (studio.positive, 0.5, 1.0))
    ]
    late = host.call("ConditioningCombine", conditioning_1=parts[0], conditioning_2=parts[1])[0]
    studio.sample(auto(), steps=8, positive=late)
    assert len(fits) == 1


def test_two_conditionings_are_followed_apart(host, studio, auto, followed):
    again = host.call("CLIPTextEncode", clip=studio.demo.clip, text=PROMPT)[0]
    guided(host, "DualCFGGuider", auto(), cond1=studio.positive, cond2=again, negative=studio.negative,
           cfg_conds=3.0, cfg_cond2_negative=2.0, style="regular", steps=6)
    assert {key.conditioning for _, _, key, cells, _ in followed if cells.ndim == 4} == {"positive", "middle"}


def test_a_subjects_own_schedule_holds(studio, auto, followed):
    subjects = [studio.subject("dog", 0), studio.subject("red backpack", 1, start_percent=0.5)]
    studio.sample(auto(embeds=studio.encode(ROUGH, subjects)), steps=8)
    acting = {step: bool(cells[:, 1].any()) for step, *_, cells, _ in followed if cells.ndim == 4}
    assert not acting[3] and acting[8]


def test_an_interrupted_run_leaves_no_state(studio, auto):
    model = auto()
    expected = studio.sample(model, steps=6)
    studio.interrupted(model, at=4, steps=6)
    assert torch.equal(studio.sample(model, steps=6), expected)


def test_maps_shows_the_regions_as_masks(host, studio, followed):
    embeds = studio.encode(ROUGH)
    model = studio.apply(embeds, auto_layout=request(host, studio))
    model, attribution = host.call(
        "MSDiffusionAttribution", model=model, embeds=embeds, clip=studio.demo.clip, prompt=PROMPT
    )
    studio.sample(model, steps=6)
    assert torch.equal(attribution.runs[-1].regions[0], followed[-1][3][0].float())


def test_with_a_transition_each_image_has_its_tokens_and_its_place(host, studio, fits):
    a, b = studio.encode(), studio.encode(subjects=[studio.subject("dog", 3), studio.subject("red backpack", 4)])
    moving = host.call("MSDiffusionBlend", embeds_a=a, embeds_b=b, amount=0.5, mode="linear", frames=3)[0]
    model = studio.apply(moving, auto_layout=request(host, studio))
    assert torch.isfinite(studio.sample(model, batch=3, steps=6)).all()
    assert fits[-1][0].shape == (2, 3)


def test_once_the_places_are_kept_a_layer_costs_what_boxes_cost(host, studio, auto, monkeypatch):
    """From the second evaluation on: the first builds the masks, the next one looks at the places and cuts them."""
    model, counts = auto(), []
    slot = host.module("nodes.host.call").AttentionCall
    original = slot.add_subjects

    def counted(self):
        with Ledger("cpu") as ledger:
            original(self)
        counts.append((self.run.step, self.run.counts_steps, ledger.calls))

    monkeypatch.setattr(slot, "add_subjects", counted)
    studio.sample(studio.apply(studio.encode(ROUGH)), steps=8)
    boxes = counts[-1][2]
    counts.clear()
    studio.sample(model, steps=8)
    kept = [names for _, counting, names in counts if not counting]
    assert len(kept) >= 5 * 4
    assert kept[2 * 4 :] == [boxes] * len(kept[2 * 4 :])


def test_a_step_asks_the_device_once_and_none_once_the_places_are_kept(host, studio, auto, monkeypatch):
    """What the host itself asks is counted off by a run with boxes."""
    def asked(model):
        steps = []
        call = host.module("nodes.host.run").Patch
        original = call.predict_noise

        def predict(self, executor, *args, **kwargs):
            with Ledger("cpu") as ledger:
                out = original(self, executor, *args, **kwargs)
            steps.append(ledger.waits.total() + ledger.calls["repeat_interleave"])
            return out

        with monkeypatch.context() as patch:
            patch.setattr(call, "predict_noise", predict)
            studio.sample(model(), steps=10)
        return steps

    boxes = asked(lambda: studio.apply(studio.encode(ROUGH)))
    more = [ours - theirs for ours, theirs in zip(asked(auto), boxes, strict=True)]
    assert max(more[1:]) <= 1, more
    assert more[-4:] == [0] * 4, more


def test_the_page_is_told_where_each_subject_ended(host, studio, auto, monkeypatch, followed):
    from types import SimpleNamespace

    told, sent = host.module("nodes.host.told"), []
    server = SimpleNamespace(client_id="page", send_sync=lambda *message: sent.append(message))
    monkeypatch.setattr(told.PromptServer, "instance", server, raising=False)
    monkeypatch.setattr(told, "get_executing_context", lambda: SimpleNamespace(prompt_id="p", node_id="9"))
    embeds = replace(studio.encode(ROUGH), origin="4:2")
    studio.sample(auto(embeds=embeds), (20, 20), batch=2, steps=6)
    (event, message, client), = sent
    assert (event, client) == ("msdiffusion.regions", "page")
    assert (message["prompt_id"], message["node"], message["layout"]) == ("p", "9", "4:2")
    assert message["subjects"] == ["dog", "red backpack"] and message["drawn"] == [list(box) for box in ROUGH]
    regions = host.module("msd_core.layout")
    boxes = host.module("msd_core.boxes")
    cells = followed[-1][3]
    assert len(message["images"]) == 2
    for image, found in zip(message["images"], cells, strict=True):
        drawn = regions.region_cells([regions.Region(boxes.Box(*box)) for box in image], 10, 10)
        assert torch.equal(drawn, found)
    sent.clear()
    studio.sample(studio.apply(embeds), steps=2)
    studio.sample(auto(embeds=embeds, method="paper"), steps=6)
    assert not sent


def test_a_layout_knows_its_node(host, studio):
    embeds = studio.encode()
    assert embeds.origin is None
    layout = replace(studio.layout(((0, 0, 1, 1),)), origin="7")
    assert studio.encode(layout=layout, subjects=studio.subjects(1)).origin == "7"
