"""What a run says when it ends: what was done, and what did nothing."""

import copy
import logging

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT, slots_of
from tests.host.test_auto_layout import request


def warnings(caplog):
    return [record.getMessage() for record in caplog.records
            if record.name == "MS-Diffusion" and record.levelname == "WARNING"]


def test_a_run_ends_with_one_line_of_what_it_did(studio, said, caplog):
    studio.sample(studio.apply(), steps=4)
    assert said() == [
        "MS-Diffusion: 4 of 4 cross-attentions, 'dog' in steps 1 to 4 of 4 (100%), 'red backpack' in steps 1 to 4 of 4 "
        "(100%)."
    ]
    assert warnings(caplog) == []


def test_a_subjects_own_part_of_the_run_is_told(studio, said):
    subjects = [studio.subject("dog", 0, end_percent=0.5), studio.subject("hat", 1, start_percent=0.5)]
    studio.sample(studio.apply(studio.encode((LEFT, RIGHT), subjects)), steps=4)
    (line,) = said()
    assert "'dog' in steps 1 to 2 of 4 (50%), 'hat' in steps 3 to 4 of 4 (50%)" in line


def test_auto_layout_tells_from_which_step_it_ruled(host, studio, said):
    studio.sample(studio.apply(auto_layout=request(host, studio, start_step=3)), steps=4)
    assert "auto layout from step 3" in said()[-1]


def test_auto_layout_that_would_begin_after_the_last_step_is_said(host, studio, said):
    studio.sample(studio.apply(auto_layout=request(host, studio, start_step=5)), steps=4)
    assert len(said("Auto layout never began: its start_step is 5 but the run has 4 steps")) == 1


def test_a_subject_whose_part_a_partial_run_never_enters_is_said(studio, said):
    """The end is a share of the whole noise schedule, of which a run with denoise below 1 is only the last part."""
    studio.sample(studio.apply(end_percent=0.5), steps=4, denoise=0.3)
    assert len(said("'dog' never acted: it acts at noise levels from")) == 1
    assert len(said("'red backpack' never acted")) == 1


def test_a_subject_that_acts_in_the_first_step_alone_is_not_called_idle(studio, caplog):
    studio.sample(studio.apply(end_percent=0.01), steps=4)
    assert warnings(caplog) == []


def test_an_apply_that_replaces_another_is_said(studio, said):
    once = studio.apply()
    assert said("replaces an earlier one") == []
    studio.apply(studio.encode((LEFT,), [studio.subject("hat", 3)]), once)
    (message,) = said("replaces an earlier one")
    assert "'dog', 'red backpack' by 'hat'" in message


def test_slots_that_a_later_patch_has_taken_are_said(studio, said):
    """PLADIS and others put a function into slots without asking what is in them."""
    from comfy.ldm.modules.attention import optimized_attention

    model = studio.apply()
    for key in list(slots_of(model))[:3]:
        model.set_model_attn2_replace(lambda q, k, v, options: optimized_attention(q, k, v, options["n_heads"]), *key)
    studio.sample(model)
    assert "1 of 4 cross-attentions" in said()[0]
    assert len(said("Only 1 of the model's 4 cross-attentions were reached")) == 1


def test_a_model_that_is_evaluated_from_older_options_is_said(studio, said):
    """A pack that copied the options in front of Apply evaluates without any of it."""
    import comfy.samplers

    older, model = copy.deepcopy(studio.demo.model.model_options), studio.apply().clone()

    def evaluate(args):
        options = copy.deepcopy(older)
        options["transformer_options"]["sample_sigmas"] = args["model_options"]["transformer_options"]["sample_sigmas"]
        return comfy.samplers.calc_cond_batch(args["model"], args["conds"], args["input"], args["sigma"], options)

    model.model_options["sampler_calc_cond_batch_function"] = evaluate
    assert torch.equal(studio.sample(model), studio.sample(studio.demo.model))
    assert len(said("None of the model's 4 cross-attentions was reached")) == 1


@pytest.mark.parametrize("size, crop", [((16, 8), False), ((8, 16), False), ((16, 16), True)])
def test_a_latent_of_another_shape_than_the_layouts_frame_is_said(host, studio, said, size, crop):
    embeds = studio.encode(layout=studio.layout((LEFT, RIGHT), 512, 512), subjects=studio.subjects(2))
    if crop:
        embeds = host.call("MSDiffusionCropEmbeds", embeds=embeds, x=0, y=0, width=512, height=256, frame_width=512,
                           frame_height=512)[0]
    studio.sample(studio.apply(embeds), size)
    (message,) = said("the layout's frame has the shape")
    assert f"{size[1]}x{size[0]}" in message


@pytest.mark.parametrize("size, frame", [((16, 16), (512, 512)), ((104, 152), (1216, 832)), ((11, 16), (1216, 832))])
def test_a_latent_of_the_frames_shape_is_not_said(host, studio, caplog, size, frame):
    embeds = studio.encode(layout=studio.layout((LEFT, RIGHT), *frame), subjects=studio.subjects(2))
    model = studio.apply(embeds)
    run = host.module("nodes.host.run").SamplingRun
    patch = model.model_options["transformer_options"]["msdiffusion"]
    account = run(patch, patch.application.model_sampling, None, (1, *size)).account
    assert account._aspect(embeds.frame, embeds.window) == []


def test_every_attention_of_every_evaluation_passes_a_slot(host, studio, monkeypatch):
    """A cache or a graph replay that skips our Python would show as fewer."""
    slot, call = host.module("nodes.host.slot").AttentionSlot, host.module("nodes.host.call")
    attentions, calls = [], []
    attend, begin = slot.__call__, call.ModelCall.__init__
    monkeypatch.setattr(slot, "__call__", lambda self, *args: (attentions.append(self.layer), attend(self, *args))[1])
    monkeypatch.setattr(call.ModelCall, "__init__", lambda self, *args: (calls.append(1), begin(self, *args))[1])
    studio.sample(studio.apply(), steps=3, sampler="heun")
    assert len(calls) == 5
    assert sorted(attentions) == sorted(list(range(4)) * 5)


def test_a_pack_that_silences_the_hosts_log_while_it_samples_does_not_silence_a_warning(studio, caplog):
    """Ultimate SD Upscale sets the root's level beyond all messages."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL + 1)
    try:
        studio.sample(studio.apply(), (16, 8))
    finally:
        root.setLevel(level)
    (message,) = warnings(caplog)
    assert "the layout's frame has the shape 160x160" in message


def test_an_interrupted_run_says_nothing(studio, said):
    import comfy.model_management

    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        studio.sample(studio.apply())
    assert said() == []


@pytest.mark.parametrize("name", ["scale", "down_weight", "mid_weight", "up_weight"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_scale_that_is_no_number_is_refused(studio, name, value):
    with pytest.raises(ValueError, match=f"{name} is {value} but must be a finite number"):
        studio.apply(**{name: value})


@pytest.mark.parametrize("edge, acts", [(0.0, True), (0.01, False)])
def test_a_subject_acts_at_its_end_and_start_themselves(host, studio, edge, acts):
    from tests.host.conftest import attend

    model = studio.apply(start_percent=0.3, end_percent=0.6)
    schedule = studio.demo.model.get_model_object("model_sampling").percent_to_sigma
    hidden = studio.demo.adapter.layers.hidden[0]
    q, text = torch.randn(1, 36, hidden), torch.randn(1, 7, hidden)
    off = attend(host, model, q, text, sigmas=torch.tensor([schedule(0.1)]))
    for sigma in (schedule(0.3) + edge, schedule(0.6) - edge):
        out = attend(host, model, q, text, sigmas=torch.tensor([sigma]))
        assert torch.equal(out, off) != acts
