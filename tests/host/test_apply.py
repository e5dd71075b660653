"""What users rely on when they apply subjects to a model: nothing leaks, nothing stacks, off is off."""

import gc
import weakref

import pytest
import torch

from tests.host.conftest import LEFT, PHRASES, RIGHT, attend, slots_of


def same(a, b) -> bool:
    return torch.equal(a, b)


def test_scale_zero_is_bit_identical_to_no_adapter(studio):
    off = studio.apply(scale=0.0)
    assert slots_of(off) == {}
    assert same(studio.sample(off), studio.sample(studio.demo.model))


def test_weightless_subjects_change_nothing(studio):
    weightless = studio.apply(studio.reweighted(studio.encode(), weight=0.0))
    assert same(studio.sample(weightless), studio.sample(studio.demo.model))


def test_the_adapter_moves_the_picture(studio):
    assert (studio.sample(studio.apply()) - studio.sample(studio.demo.model)).abs().max() > 0.1


def test_the_model_passed_in_is_untouched(studio):
    plain = studio.demo.model
    before = studio.sample(plain)
    options = {key: value for key, value in plain.model_options["transformer_options"].items()}
    patched = studio.apply()
    studio.sample(patched)
    assert patched is not plain
    assert plain.model_options["transformer_options"] == options
    assert slots_of(plain) == {}
    assert same(studio.sample(plain), before)


def test_running_the_node_again_gives_the_same_picture(studio):
    embeds = studio.encode()
    assert same(studio.sample(studio.apply(embeds)), studio.sample(studio.apply(embeds)))


def test_a_model_sampled_twice_gives_the_same_picture(studio):
    patched = studio.apply()
    assert same(studio.sample(patched), studio.sample(patched))


def test_applying_twice_in_a_row_replaces_and_never_stacks(studio):
    embeds, others = studio.encode(), studio.encode((RIGHT, LEFT))
    once = studio.apply(embeds)
    assert same(studio.sample(studio.apply(embeds, once)), studio.sample(once))
    assert same(studio.sample(studio.apply(others, once)), studio.sample(studio.apply(others)))
    assert same(studio.sample(studio.apply(others, once, scale=0.0)), studio.sample(studio.demo.model))
    assert same(studio.sample(once), studio.sample(studio.apply(embeds)))


def test_an_edited_value_leaves_no_trace_of_the_old_one(studio):
    embeds = studio.encode()
    first = studio.sample(studio.apply(embeds, scale=0.3))
    for scale in (1.5, 0.0, 0.9):
        studio.sample(studio.apply(embeds, scale=scale))
    assert same(studio.sample(studio.apply(embeds, scale=0.3)), first)


def test_a_clone_acts_like_its_original(studio):
    patched = studio.apply()
    clone = patched.clone()
    assert same(studio.sample(clone), studio.sample(patched))
    assert all(slots_of(clone)[key] is not slot for key, slot in slots_of(patched).items())


def test_a_run_leaves_nothing_behind(host, studio, monkeypatch):
    runs = []
    run = host.module("nodes.host.run").SamplingRun
    init = run.__init__
    monkeypatch.setattr(run, "__init__", lambda self, *args: (init(self, *args), runs.append(weakref.ref(self)))[0])
    patched = studio.apply()
    studio.sample(patched)
    gc.collect()
    assert len(runs) == 1
    assert runs[0]() is None
    assert not any(key.startswith("msdiffusion_") for key in patched.model_options["transformer_options"])


def test_an_interrupted_run_leaves_nothing_behind(studio):
    import comfy.model_management

    patched = studio.apply()
    expected = studio.sample(patched)
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        studio.sample(patched)
    assert not any(key.startswith("msdiffusion_") for key in patched.model_options["transformer_options"])
    assert same(studio.sample(patched), expected)


def test_keys_and_values_are_projected_once_a_subject_when_they_are_first_needed(studio, monkeypatch):
    adapter = studio.demo.adapter
    calls = []
    project = adapter.project
    monkeypatch.setattr(adapter, "project", lambda *args: (calls.append(1), project(*args))[1])
    patched = studio.apply(studio.encode(subjects=[studio.subject("dog", 310), studio.subject("cat", 311)]))
    assert calls == []
    for _ in range(2):
        studio.sample(patched, steps=3)
        assert calls == [1, 1]


def test_swapped_boxes_swap_the_subjects(studio):
    subjects = studio.subjects(2)
    swapped = studio.sample(studio.apply(studio.encode((RIGHT, LEFT), subjects)))
    assert (swapped - studio.sample(studio.apply(studio.encode((LEFT, RIGHT), subjects)))).abs().max() > 0.05


def test_swapped_boxes_give_swapped_attention_in_the_layer(host, studio):
    """One layer alone, without grounding, so that box and subject meet in the mask only."""
    subjects = studio.subjects(2)
    models = [
        studio.apply(studio.encode(boxes, given, grounding=False), scale=1.0)
        for boxes, given in (((LEFT, RIGHT), subjects), ((RIGHT, LEFT), subjects[::-1]), ((RIGHT, LEFT), subjects))
    ]
    generator = torch.Generator().manual_seed(0)
    hidden = studio.demo.adapter.layers.hidden[0]
    q, text = torch.randn(1, 36, hidden, generator=generator), torch.randn(1, 7, hidden, generator=generator)
    same_meaning, again, swapped = (attend(host, model, q, text).view(6, 6, hidden) for model in models)
    assert torch.allclose(same_meaning, again, atol=1e-5)
    assert (same_meaning - swapped).abs().amax(dim=-1).min() > 1e-4


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_every_image_of_a_batch_sees_the_subjects(studio, batch):
    patched, noise = studio.apply(), 7
    out = studio.sample(patched, batch=batch, seed=noise)
    assert out.shape[0] == batch
    moved = (out - studio.sample(studio.demo.model, batch=batch, seed=noise)).abs().amax(dim=(1, 2, 3))
    assert moved.min() > 0.05
    assert torch.allclose(out[:1], studio.sample(patched, seed=noise), atol=1e-4)


@pytest.mark.parametrize("size", [(16, 16), (13, 19), (19, 13), (15, 9), (8, 15)])
def test_every_aspect_ratio_works(studio, size):
    """1024x1024, 832x1216, 1216x832 and 1000x568 scaled down, and an odd one."""
    out = studio.sample(studio.apply(), size)
    assert out.shape[-2:] == size
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("count", range(1, 7))
def test_one_to_six_subjects_with_a_phrase_used_twice(studio, count):
    boxes = [(k / count, 0.0, (k + 1) / count, 1.0) for k in range(count)]
    embeds = studio.encode(boxes)
    assert [subject.phrase for subject in embeds.subjects] == list(PHRASES[:count])
    assert torch.isfinite(studio.sample(studio.apply(embeds))).all()


def test_two_subjects_of_one_phrase_keep_their_own_looks(studio):
    first, second = (subject.tokens for subject in studio.encode(
        (LEFT, RIGHT), [studio.subject("dog", 1), studio.subject("dog", 2)]).subjects)
    assert (first - second).abs().max() > 0.1


def test_several_views_of_a_subject_stand_side_by_side(studio):
    embeds = studio.encode((LEFT, RIGHT), [studio.subject("dog", views=3), studio.subject("hat")])
    one = studio.demo.adapter.model.image_proj.tokens
    assert embeds.token_counts == (3 * one, one)
    assert torch.isfinite(studio.sample(studio.apply(embeds))).all()


def test_without_guidance_the_subjects_act_in_the_only_half(studio):
    assert (studio.sample(studio.apply(), cfg=1.0) - studio.sample(studio.demo.model, cfg=1.0)).abs().max() > 0.05


def test_split_batches_equal_joint_ones(studio, monkeypatch):
    patched = studio.apply()
    joint = studio.sample(patched, batch=2)
    calls = []

    def greedy(*args, **kwargs):
        calls.append(1)
        return 1e30

    monkeypatch.setattr(studio.demo.model.model, "memory_required", greedy)
    split = studio.sample(patched, batch=2)
    assert calls
    assert torch.allclose(split, joint, atol=1e-4)


def test_the_unconditional_half_is_exactly_as_without_the_adapter(studio):
    embeds = studio.encode()
    halves = {}
    for name, model in (("plain", studio.demo.model), ("patched", studio.apply(embeds))):
        watched = model.clone()

        def keep(args, name=name):
            halves[name] = args["uncond_denoised"].clone(), args["cond_denoised"].clone()
            return args["denoised"]

        watched.set_model_sampler_post_cfg_function(keep)
        studio.sample(watched, steps=1)
    assert same(halves["plain"][0], halves["patched"][0])
    assert not same(halves["plain"][1], halves["patched"][1])


@pytest.mark.parametrize("dtype, tolerance", [(torch.float16, 2e-2), (torch.bfloat16, 1e-1)])
def test_low_precision_stays_close_to_fp32(studio, dtype, tolerance):
    embeds = studio.encode()
    exact = studio.sample(studio.apply(embeds), steps=1)
    low = studio.sample(studio.apply(embeds, studio.in_dtype(dtype)), steps=1)
    plain = studio.sample(studio.in_dtype(dtype), steps=1)
    assert (low - exact).abs().max() < tolerance * exact.abs().max()
    assert (low - plain).abs().max() > 0.05


def test_start_and_end_confine_the_subjects_to_their_part_of_the_run(studio):
    plain, whole = studio.sample(studio.demo.model, steps=4), studio.sample(studio.apply(), steps=4)
    late = studio.sample(studio.apply(start_percent=0.99), steps=4)
    middle = studio.sample(studio.apply(start_percent=0.3, end_percent=0.6), steps=4)
    assert (middle - plain).abs().max() > 1e-3
    assert (middle - whole).abs().max() > 1e-3
    assert (late - plain).abs().max() < (whole - plain).abs().max()


def test_a_subject_has_a_start_and_an_end_of_its_own(studio):
    subjects = [studio.subject("dog", 0), studio.subject("cat", 1, start_percent=0.5)]
    embeds = studio.encode((LEFT, RIGHT), subjects)
    assert [(subject.start, subject.end) for subject in embeds.subjects] == [(0.0, 1.0), (0.5, 1.0)]
    first_only = studio.sample(studio.apply(studio.encode((LEFT,), subjects[:1]), end_percent=0.4), steps=2)
    both = studio.sample(studio.apply(embeds, end_percent=0.4), steps=2)
    assert torch.allclose(first_only, both, atol=1e-4)


@pytest.mark.parametrize("start, end", [(0.5, 0.5), (0.8, 0.2), (-0.1, 1.0), (0.0, 1.1)])
def test_a_start_that_is_not_before_the_end_is_refused(studio, start, end):
    with pytest.raises(ValueError, match=f"start_percent is {start:g} and end_percent is {end:g}"):
        studio.apply(start_percent=start, end_percent=end)
