"""Auto layout by the paper's method in real sampling runs; `test_steady` has the other's."""

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT, guided

PROMPT = "a dog and a red backpack"
ROUGH = ((0.1, 0.1, 0.45, 0.9), (0.5, 0.2, 0.9, 0.8))


def request(host, studio, prompt=PROMPT, **inputs):
    inputs = {"threshold": 0.5, "start_step": 2, "method": "paper", **inputs}
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
    auto_layout = host.module("msd_core.auto_layout").PaperLayout
    original = auto_layout.cells

    def cells(self, key, images, step, maps, box_cells):
        found = original(self, key, images, step, maps, box_cells)
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
    model = auto()
    expected = studio.sample(model, steps=3)
    studio.interrupted(model, at=2, steps=4)
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


@pytest.mark.parametrize("sampled", [
    "a cat and a red backpack", "a red backpack and a dog", "", "a (dog:1.5) and a red backpack",
    ", ".join(["grass"] * 45) + ", a dog and a red backpack",
])
def test_another_prompt_than_the_sampled_one_is_refused_whatever_its_length(host, studio, auto, sampled):
    positive = host.call("CLIPTextEncode", clip=studio.demo.clip, text=sampled)[0]
    with pytest.raises(ValueError, match="Auto Layout has 'dog' and 'red backpack' where none of the 1 positive"):
        studio.sample(auto(), positive=positive)


def test_what_follows_the_phrases_does_not_matter(host, studio, auto, monkeypatch):
    """A token sees what stands before it only, so phrases in their places have their meaning already."""
    seen = record(host, monkeypatch)
    positive = host.call("CLIPTextEncode", clip=studio.demo.clip, text=PROMPT + " on the beach")[0]
    studio.sample(auto(), positive=positive)
    assert seen


def test_a_prompt_joined_behind_another_is_found(host, studio, auto, monkeypatch):
    seen = record(host, monkeypatch)
    grass = host.call("CLIPTextEncode", clip=studio.demo.clip, text="grass")[0]
    both = host.call("ConditioningConcat", conditioning_to=grass, conditioning_from=studio.positive)[0]
    studio.sample(auto(), positive=both, steps=1)
    assert all((maps.amax(dim=(-2, -1)) > 0).all() for _, _, maps, _, _ in seen)


AREA = {"width": 48, "height": 80, "x": 32, "y": 0, "strength": 1.0}


@pytest.mark.parametrize("words, negative_words", [(200, 1), (1, 200), (1, 100)])
def test_a_long_and_a_short_text_with_an_area_give_the_maps_that_each_gives_alone(
    host, studio, auto, monkeypatch, words, negative_words
):
    """The host repeats the shorter text, and makes the negative side an entry with the positive's id."""
    prompt = PROMPT + ", grass" * words
    positive = host.call("CLIPTextEncode", clip=studio.demo.clip, text=prompt)[0]
    area = host.call("ConditioningSetArea", conditioning=positive, **AREA)[0]
    negative = host.call("CLIPTextEncode", clip=studio.demo.clip, text=", ".join(["blurry"] * negative_words))[0]
    seen = record(host, monkeypatch)
    studio.sample(auto(prompt=prompt), positive=area, negative=negative, steps=1)
    beside = [maps for _, _, maps, _, _ in seen]
    seen.clear()
    studio.sample(auto(prompt=prompt), positive=area, cfg=1.0, steps=1)
    for first, second in zip(beside, (maps for _, _, maps, _, _ in seen), strict=True):
        assert torch.allclose(first, second, rtol=1e-3, atol=1e-6)


def test_of_two_combined_prompts_each_is_followed_by_its_own_words(host, studio, auto, monkeypatch):
    """The prompt's entry speaks; the other one keeps the boxes."""
    other = host.call("CLIPTextEncode", clip=studio.demo.clip, text="grass and a dog")[0]
    seen = record(host, monkeypatch)
    studio.sample(auto(), steps=2)
    alone = [(step, maps) for step, _, maps, _, _ in seen if step == 1]
    for first, second in ((studio.positive, other), (other, studio.positive)):
        seen.clear()
        both = host.call("ConditioningCombine", conditioning_1=first, conditioning_2=second)[0]
        studio.sample(auto(), steps=2, positive=both)
        begun = [(step, maps) for step, _, maps, _, _ in seen if step == 1]
        assert len(begun) == len(alone)
        for (_, found), (_, expected) in zip(begun, alone, strict=True):
            assert torch.allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_a_batch_of_which_each_image_has_a_text_of_its_own_keeps_the_boxes(host, studio, auto, said):
    """Prompt schedules give one conditioning a text for each image; positions of one are not another's."""
    other = host.call("CLIPTextEncode", clip=studio.demo.clip, text="grass and a dog")[0]
    scheduled = [[torch.cat([studio.positive[0][0], other[0][0]]), studio.positive[0][1]]]
    sample = dict(batch=2, steps=3, positive=scheduled)
    boxes = studio.sample(studio.apply(studio.encode(ROUGH)), **sample)
    assert torch.equal(studio.sample(auto(), **sample), boxes)
    assert len(said("Auto layout never began")) == 1


def test_the_same_prompt_in_two_ranges_of_the_run_goes_on_with_its_mean(host, studio, auto):
    halves = [
        host.call("ConditioningSetTimestepRange", conditioning=studio.positive, start=start, end=end)[0]
        for start, end in ((0.0, 0.5), (0.5, 1.0))
    ]
    ranged = host.call("ConditioningCombine", conditioning_1=halves[0], conditioning_2=halves[1])[0]
    whole = studio.sample(auto(), steps=6)
    assert torch.equal(studio.sample(auto(), steps=6, positive=ranged), whole)


def test_two_conditionings_keep_their_maps_apart(host, studio, auto, monkeypatch):
    """Of the same text, in one guider: what one remembers must not be the other's."""
    seen = record(host, monkeypatch)
    again = host.call("CLIPTextEncode", clip=studio.demo.clip, text=PROMPT)[0]
    guided(host, "DualCFGGuider", auto(start_step=1), cond1=studio.positive, cond2=again, negative=studio.negative,
           cfg_conds=3.0, cfg_cond2_negative=2.0, style="regular")
    keys = {key[1].conditioning for _, key, *_ in seen}
    assert keys == {"positive", "middle"}


def test_keys_that_are_half_the_conditioning_are_followed(host, studio, auto):
    """NegPip encodes a key and a value for each token and hands them on apart."""
    def doubled(conditioning):
        return [[context.repeat_interleave(2, dim=1), options] for context, options in conditioning]

    def apart(model):
        model = model.clone()
        model.set_model_attn2_patch(lambda n, context, value, options: (n, context[:, ::2], value[:, 1::2]))
        return model

    twice = {"positive": doubled(studio.positive), "negative": doubled(studio.negative)}
    assert torch.allclose(studio.sample(apart(auto()), steps=3, **twice), studio.sample(auto(), steps=3), atol=1e-4)


def test_a_wrapper_that_runs_the_unet_itself_has_the_run(host, studio, auto, monkeypatch):
    """DeepCache calls the UNet past the host's `apply_model`."""
    runs, kind = [], host.module("nodes.host.run")
    made = kind.SubjectKeyValues
    monkeypatch.setattr(kind, "SubjectKeyValues", lambda *args: (runs.append(1), made(*args))[1])

    def past(model):
        model, inner = model.clone(), model.model

        def wrapper(apply_model, args):
            c = args["c"]
            scaled = inner.model_sampling.calculate_input(args["timestep"], args["input"])
            out = inner.diffusion_model(
                scaled, inner.model_sampling.timestep(args["timestep"]).float(), context=c["c_crossattn"], y=c["y"],
                transformer_options=c["transformer_options"],
            )
            return inner.model_sampling.calculate_denoised(args["timestep"], out.float(), args["input"])

        model.set_model_unet_function_wrapper(wrapper)
        return model

    for model in (studio.apply(), auto()):
        expected = studio.sample(model, steps=3)
        runs.clear()
        assert torch.equal(studio.sample(past(model), steps=3), expected)
        assert runs == [1]


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


def test_a_subjects_own_schedule_holds_under_auto_layout(host, studio, auto, monkeypatch):
    """Its cells are its own until the end; whether they count is asked of the schedule at every call."""
    subjects = [studio.subject("dog", 0), studio.subject("red backpack", 1, start_percent=0.5)]
    seen, call = [], host.module("nodes.host.call").AttentionCall
    original = call._reach

    def mask(self, chunk, cells):
        seen.append((self.call.active, cells.clone()))
        return original(self, chunk, cells)

    monkeypatch.setattr(call, "_reach", mask)
    studio.sample(auto(embeds=studio.encode(ROUGH, subjects), start_step=1), steps=4)
    assert {active for active, _ in seen} == {(True, False), (True, True)}
    for active, cells in seen:
        assert cells[:, 1].any() == active[1]


def test_three_way_guidance_runs(host, studio, auto):
    empty = host.call("CLIPTextEncode", clip=studio.demo.clip, text="")[0]
    out = guided(host, "PerpNegGuider", auto(start_step=1), positive=studio.positive, negative=studio.negative,
                 empty_conditioning=empty, cfg=3.0, neg_scale=1.0)
    assert torch.isfinite(out).all()


def test_applying_without_auto_layout_takes_it_off_again(studio, auto):
    embeds = studio.encode((LEFT, RIGHT))
    plain = studio.apply(embeds)
    assert torch.equal(studio.sample(studio.apply(embeds, auto())), studio.sample(plain))
