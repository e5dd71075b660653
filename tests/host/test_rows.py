"""Whose rows: guiders, couples, and what can't be explained."""

import copy

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT, guided, who_saw

ANNOUNCED = ("cond_or_uncond_couple", "cond_or_uncond_hook_couple", "in place")


def couple(model, regions, announce, masks=None):
    """Attention couple in short: conditional rows are repeated for the regions, and mixed after the attention.

    Args:
        regions: contexts `[1, length, C]` of the regions after the base, which has the sampled prompt.
        announce: the key that lists the repeated rows, or "in place" for the pack that edits the host's own list.
        masks: share of the base and of each region, all the same if not given.
    """
    model, count = model.clone(), len(regions) + 1
    shares = masks or [1 / count] * count

    def expand(n, context, value, extra_options):
        chunks = extra_options["plain_chunks"] = list(extra_options["cond_or_uncond"])
        batch = n.shape[0] // len(chunks)
        extra_options["plain_batch"] = batch
        rows, texts, repeated = [], [], []
        for index, queries, text in zip(chunks, n.chunk(len(chunks)), context.chunk(len(chunks)), strict=True):
            own = [text] if index == 1 else [text, *(region.repeat(batch, 1, 1) for region in regions)]
            rows += [queries] * len(own)
            texts += own
            repeated += [int(index == 1)] * len(own)
        if announce == "in place":
            extra_options["cond_or_uncond"][:] = repeated
        elif announce:
            extra_options[announce] = repeated
        texts = torch.cat(texts)
        return torch.cat(rows), texts, texts

    def merge(n, extra_options):
        chunks, batch = extra_options["plain_chunks"], extra_options["plain_batch"]
        if announce == "in place":
            extra_options["cond_or_uncond"][:] = chunks
        parts, merged = list(n.split(batch)), []
        for index in chunks:
            own = [parts.pop(0) for _ in range(1 if index == 1 else count)]
            merged.append(own[0] if index == 1 else sum(x * share for x, share in zip(own, shares, strict=True)))
        return torch.cat(merged)

    model.set_model_attn2_patch(expand)
    model.set_model_attn2_output_patch(merge)
    return model


def text(host, studio, prompt):
    return host.call("CLIPTextEncode", clip=studio.demo.clip, text=prompt)[0]


# Guiders


def test_without_a_special_guider_the_positive_side_alone_sees_the_subjects(studio):
    saw = who_saw(studio.demo.model, studio.apply(), lambda model: studio.sample(model, steps=1))
    assert saw == [{"positive": True, "negative": False}]


def test_three_way_guidance_shows_the_subjects_to_the_positive_side_only(host, studio):
    options = {"positive": studio.positive, "negative": studio.negative, "cfg": 3.0, "neg_scale": 1.0,
               "empty_conditioning": text(host, studio, "")}
    saw = who_saw(studio.demo.model, studio.apply(), lambda model: guided(host, "PerpNegGuider", model, **options))
    assert saw[0] == {"positive": True, "negative": False, "empty_negative_prompt": False}


def test_dual_guidance_is_told_apart_though_its_order_is_reversed(host, studio):
    options = {"cond1": studio.positive, "cond2": text(host, studio, "grass"), "negative": studio.negative,
               "cfg_conds": 3.0, "cfg_cond2_negative": 2.0, "style": "regular"}
    saw = who_saw(studio.demo.model, studio.apply(), lambda model: guided(host, "DualCFGGuider", model, **options))
    assert saw[0] == {"positive": True, "middle": True, "negative": False}


def test_a_negative_side_with_a_model_of_its_own_sees_no_subject(host, studio):
    """The guider hands the first model's options, with the patch that rides on them, to the second model too."""
    options = {"model_negative": studio.demo.model, "positive": studio.positive, "negative": studio.negative,
               "cfg": 3.0}
    saw = who_saw(studio.demo.model, studio.apply(), lambda model: guided(host, "DualModelGuider", model, **options))
    assert saw[:2] == [{"positive": True}, {"negative": False}]


def test_self_attention_guidance_evaluates_the_negative_side_without_subjects(host, studio):
    """It evaluates the unconditional half alone, as conditioning 0, of a latent that the subjects have changed."""
    guidance = {"scale": 0.5, "blur_sigma": 2.0}
    model = host.call("SelfAttentionGuidance", model=studio.apply(), **guidance)[0]
    alone = []

    def negative_alone(executor, model, conds, x_in, timestep, model_options):
        out = executor(model, conds, x_in, timestep, model_options)
        if len(conds) == 1:
            bare = {**model_options["transformer_options"]}
            for key in ("msdiffusion", "patches_replace"):
                bare.pop(key, None)
            bare["wrappers"] = {}
            plain = executor.original(model, conds, x_in, timestep, {**model_options, "transformer_options": bare})
            alone.append(torch.equal(plain[0], out[0]))
        return out

    import comfy.patcher_extension as extension

    model.add_wrapper_with_key(extension.WrappersMP.CALC_COND_BATCH, "test", negative_alone)
    studio.sample(model, (16, 16))
    assert alone == [True, True]


def test_a_conditioning_is_told_by_its_entries_ids_and_never_by_its_place(host):
    """For an area of the positive side the host makes the negative side an entry that carries the positive's id."""
    told = host.module("nodes.host.rows").conditioning_roles
    positive, negative = [{"uuid": 1}], [{"uuid": 2}, {"uuid": 1}]
    roles = {"positive": positive, "negative": negative}
    assert told(roles, [positive, negative]) == ("positive", "negative")
    assert told(roles, [negative]) == ("negative",)
    assert told(roles, [list(negative), list(positive)]) == ("negative", "positive")
    assert told(roles, [list(positive), None]) == ("positive", "negative")
    # A window of the host's context windows may take one entry of several.
    both = {"positive": [{"uuid": 1}, {"uuid": 3}], "negative": [{"uuid": 2}]}
    assert told(both, [[{"uuid": 3}]]) == ("positive",)
    with pytest.raises(ValueError, match="Conditioning 0 of an evaluation is none of the guider's"):
        told(roles, [[{"uuid": 9}], [{"uuid": 8}]])


# Couples


@pytest.mark.parametrize("regions", [1, 2])
@pytest.mark.parametrize("announce", ANNOUNCED)
@pytest.mark.parametrize("ours_last", [True, False])
@pytest.mark.parametrize("batch", [1, 2])
def test_attention_couple_rows_are_mapped_and_not_divided(studio, regions, announce, ours_last, batch):
    """All regions repeat one prompt here, so the couple changes nothing, and neither may our view of its rows."""
    contexts = [studio.positive[0][0]] * regions
    if ours_last:
        model = studio.apply(model=couple(studio.demo.model, contexts, announce))
    else:
        model = couple(studio.apply(), contexts, announce)
    assert torch.allclose(studio.sample(model, batch=batch), studio.sample(studio.apply(), batch=batch), atol=1e-4)


@pytest.mark.parametrize("announce", ANNOUNCED)
def test_a_couple_under_three_way_guidance_has_its_rows_explained(host, studio, announce):
    options = {"positive": studio.positive, "negative": studio.negative, "cfg": 3.0, "neg_scale": 1.0,
               "empty_conditioning": text(host, studio, "")}
    coupled = couple(studio.apply(), [], announce)
    pictures = [guided(host, "PerpNegGuider", model, **options) for model in (coupled, studio.apply())]
    assert torch.allclose(*pictures, atol=1e-4)


@pytest.fixture(params=["steady", "paper"])
def auto(host, studio, request):
    request = host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt="a dog and a red backpack",
                        threshold=0.5, start_step=1, method=request.param)[0]
    return studio.apply(studio.encode((LEFT, RIGHT)), auto_layout=request)


@pytest.mark.parametrize("announce", ANNOUNCED)
def test_auto_layout_does_not_ask_in_which_order_a_couples_regions_stand(host, studio, auto, announce):
    first, second = (text(host, studio, prompt)[0][0] for prompt in ("a cat on the grass", "a red backpack"))
    pictures = [
        studio.sample(couple(auto, regions, announce, masks), steps=3)
        for regions, masks in (((first, second), (0.2, 0.5, 0.3)), ((second, first), (0.2, 0.3, 0.5)))
    ]
    assert torch.allclose(*pictures, atol=1e-4)


def test_regions_of_other_prompts_do_not_move_what_the_prompt_says(host, studio, auto):
    """Regions that nothing is taken of leave the picture as it is, whatever tokens stand in them."""
    other = text(host, studio, "grass grass grass grass dog")[0][0]
    model = couple(auto, [other, other], ANNOUNCED[0], (1.0, 0.0, 0.0))
    assert torch.allclose(studio.sample(model, steps=3), studio.sample(auto, steps=3), atol=1e-4)


def test_in_a_couples_regions_the_subjects_stand_where_the_prompt_has_found_them(host, studio, auto, seen):
    """The regions' rows have the base's queries, so what the base says of the frame holds for them."""
    cells, call = [], host.module("nodes.host.call").AttentionCall
    original = call._reach

    def keep(self, chunk, found):
        cells.append(found)
        return original(self, chunk, found)

    call._reach = keep
    try:
        studio.sample(couple(auto, [text(host, studio, "grass")[0][0]], ANNOUNCED[0]), steps=2)
    finally:
        call._reach = original
    assert all(len(one.rows) == 2 for one in seen)
    assert all(found.ndim == 4 for found in cells[len(cells) // 2 :])


def test_where_no_row_has_the_prompt_the_boxes_rule_and_it_is_said(host, studio, auto, said):
    """comfyui-tooling-nodes puts its regions in the prompt's place."""
    other = text(host, studio, "grass")[0][0]

    def replaced(model):
        model = model.clone()
        model.set_model_attn2_patch(lambda n, context, value, options: (n, *[other.expand_as(context)] * 2))
        return model

    boxes = studio.apply(studio.encode((LEFT, RIGHT)))
    assert torch.equal(studio.sample(replaced(auto)), studio.sample(replaced(boxes)))
    assert len(said("Auto layout never began: the attention has none of its prompt's tokens")) == 1


@pytest.mark.parametrize("rows", [2, 3])
def test_rows_that_nothing_explains_are_an_error_that_names_the_likely_pack(studio, rows):
    """cgem156's couple repeats rows and lists nothing."""
    model = couple(studio.apply(), [studio.positive[0][0]] * (rows - 1), None)
    with pytest.raises(ValueError, match=f"{rows + 1} rows but 2 conditionings of 1 latents.*cgem156.*ComfyUI-ppm"):
        studio.sample(model)


def test_the_sampler_of_comfyui_nag_is_refused_by_name_and_leaves_the_unet_as_it_was(host, studio):
    """It has replaced the UNet's forward when a run begins, and puts it back only after one that ends well."""
    import comfy.samplers

    unet = studio.demo.model.model.diffusion_model

    class NAGGuider(comfy.samplers.CFGGuider):
        def sample(self, *args, **kwargs):
            self.nag_negative_cond = studio.negative
            unet.forward = lambda *args, **kwargs: 1 / 0
            return super().sample(*args, **kwargs)

    guider = NAGGuider(studio.apply())
    guider.set_conds(studio.positive, studio.negative)
    noise = torch.zeros(1, 4, 8, 8)
    with pytest.raises(ValueError, match="ComfyUI-NAG's sampler appends.*NAGuidance"):
        guider.sample(noise, noise, comfy.samplers.sampler_object("euler"), torch.tensor([5.0, 0.0]))
    assert torch.isfinite(studio.sample(studio.apply())).all()


def test_text_rows_without_queries_are_an_error(studio):
    model = studio.apply()
    model.set_model_attn2_patch(
        lambda n, context, value, options: (n, *[torch.cat([context, context[:1]])] * 2)
    )
    with pytest.raises(ValueError, match="2 rows of queries but 3 of text"):
        studio.sample(model)


def test_merged_positions_are_an_error(studio):
    model = studio.apply()
    model.set_model_attn2_patch(lambda n, context, value, extra_options: (n[:, ::2], context, value))
    with pytest.raises(ValueError, match="13 queries but the feature map is 5x5"):
        studio.sample(model)


# Options that others copy


@pytest.mark.parametrize("when", ["before the run", "in the run"])
def test_a_deep_copy_of_the_options_copies_nothing_of_ours_and_has_the_run(host, studio, when):
    """Packs deep-copy a model's options, before a run or in it, and evaluate with the copy."""
    patched = studio.apply()
    before = copy.deepcopy(patched.model_options)
    ride = host.module("nodes.host.call").PATCH
    assert before["transformer_options"][ride] is patched.model_options["transformer_options"][ride]

    def evaluate_with_a_copy(model):
        model = model.clone()

        def evaluate(args):
            import comfy.samplers

            ours = args["model_options"]
            options = copy.deepcopy(before if when == "before the run" else {
                key: value for key, value in ours.items() if key != "sampler_calc_cond_batch_function"
            })
            if when == "before the run":
                options["transformer_options"]["sample_sigmas"] = ours["transformer_options"]["sample_sigmas"]
            return comfy.samplers.calc_cond_batch(args["model"], args["conds"], args["input"], args["sigma"], options)

        model.model_options["sampler_calc_cond_batch_function"] = evaluate
        return model

    assert torch.equal(studio.sample(evaluate_with_a_copy(patched)), studio.sample(patched))


def test_a_deep_copy_of_the_options_does_not_copy_the_adapter(studio):
    patched = studio.apply(auto_layout=None)
    memo = {}
    copy.deepcopy(patched.model_options, memo)
    weights = {id(weight) for weight in studio.demo.adapter.model.parameters()}
    assert not weights & set(memo)


def test_a_call_outside_of_every_evaluation_is_refused(studio):
    model = studio.apply()

    def again(args):
        options = {"cond_or_uncond": [0], "sigmas": args["sigma"], **model.model_options["transformer_options"]}
        args["model"].apply_model(args["input"], args["sigma"], c_crossattn=studio.positive[0][0],
                                  y=torch.zeros(1, 1), transformer_options=options)
        return args["denoised"]

    watched = model.clone()
    watched.set_model_sampler_post_cfg_function(again)
    with pytest.raises(ValueError, match="outside of every evaluation of conditionings"):
        studio.sample(watched)
