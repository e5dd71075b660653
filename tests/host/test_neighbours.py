"""Side by side with others: the shared attn2 slot in both orders, regional prompting, the host's own patches."""

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT, slots_of


class Neighbour:
    """What IPAdapter_plus, InstantID and PuLID keep in the slot: callbacks whose results are added in turn."""

    def __init__(self, callback, **kwargs):
        self.callbacks, self.kwargs = [callback], [kwargs]

    def add(self, callback, **kwargs):
        self.callbacks.append(callback)
        self.kwargs.append(kwargs)

    def __call__(self, q, k, v, extra_options):
        from comfy.ldm.modules.attention import optimized_attention

        out = optimized_attention(q, k, v, extra_options["n_heads"])
        sigma = extra_options["sigmas"][0].item() if "sigmas" in extra_options else 999999999.9
        for callback, kwargs in zip(self.callbacks, self.kwargs, strict=True):
            if kwargs["sigma_end"] <= sigma <= kwargs["sigma_start"]:
                out = out + callback(out, q, k, v, extra_options, **kwargs)
        return out


def apply_neighbour(model, amount=0.1, sigma_start=999999999.9, sigma_end=0.0):
    """Apply a neighbour as those packs do: put an object into an empty slot, add to whatever is there."""
    model = model.clone()

    def callback(out, q, k, v, extra_options, *, amount, sigma_start, sigma_end):
        return q * amount

    kwargs = {"amount": amount, "sigma_start": sigma_start, "sigma_end": sigma_end}
    for key in neighbour_keys(model):
        occupants = slots_of(model)
        if key in occupants:
            occupants[key].add(callback, **kwargs)
        else:
            model.set_model_attn2_replace(Neighbour(callback, **kwargs), *key)
    return model


def neighbour_keys(model):
    return [
        (section, number, index)
        for section, blocks in (("input", model.model.diffusion_model.input_blocks),
                                ("output", model.model.diffusion_model.output_blocks),
                                ("middle", [model.model.diffusion_model.middle_block]))
        for number, block in enumerate(blocks)
        for layer in block
        for index, _ in enumerate(getattr(layer, "transformer_blocks", ()))
    ]


def test_both_orders_give_the_same_picture(studio):
    embeds = studio.encode()
    ours_first = apply_neighbour(studio.apply(embeds))
    theirs_first = studio.apply(embeds, apply_neighbour(studio.demo.model))
    pictures = [studio.sample(model) for model in (ours_first, theirs_first)]
    assert torch.allclose(*pictures, atol=1e-4)
    for alone in (studio.apply(embeds), apply_neighbour(studio.demo.model)):
        assert (studio.sample(alone) - pictures[0]).abs().max() > 0.05


def test_what_a_neighbour_adds_downstream_stays_downstream(studio):
    upstream = studio.apply()
    before = studio.sample(upstream)
    first = apply_neighbour(upstream, 0.1)
    first_picture = studio.sample(first)
    apply_neighbour(upstream, 0.5)
    apply_neighbour(first, 0.5)
    assert torch.equal(studio.sample(upstream), before)
    assert torch.equal(studio.sample(first), first_picture)


def test_what_a_neighbour_adds_upstream_does_not_leak_into_us(studio):
    """Those packs add in place to the object that they share with models upstream."""
    theirs = apply_neighbour(studio.demo.model)
    ours = studio.apply(model=theirs)
    before = studio.sample(ours)
    apply_neighbour(theirs, 0.7)
    assert torch.equal(studio.sample(ours), before)


def test_a_neighbours_own_schedule_is_kept_in_our_slot(studio):
    ours = studio.apply()
    never = apply_neighbour(ours, 0.5, sigma_start=0.0, sigma_end=0.0)
    assert torch.equal(studio.sample(never), studio.sample(ours))
    early, whole = apply_neighbour(ours, 0.5, sigma_end=5.0), apply_neighbour(ours, 0.5)
    assert (studio.sample(early) - studio.sample(ours)).abs().max() > 1e-3
    assert (studio.sample(early) - studio.sample(whole)).abs().max() > 1e-3


def test_two_neighbours_around_us_all_act(studio):
    stacked = apply_neighbour(studio.apply(model=apply_neighbour(studio.demo.model, 0.1)), 0.2)
    expected = apply_neighbour(apply_neighbour(studio.apply(), 0.1), 0.2)
    assert torch.allclose(studio.sample(stacked), studio.sample(expected), atol=1e-4)


def test_reapplying_keeps_the_neighbours(studio):
    embeds, others = studio.encode(), studio.encode((RIGHT, LEFT))
    kept = studio.apply(others, apply_neighbour(studio.apply(embeds)))
    assert torch.allclose(studio.sample(kept), studio.sample(apply_neighbour(studio.apply(others))), atol=1e-4)
    off = studio.apply(others, apply_neighbour(studio.apply(embeds)), scale=0.0)
    assert torch.allclose(studio.sample(off), studio.sample(apply_neighbour(studio.demo.model)), atol=1e-4)


def test_a_replacement_of_a_whole_block_is_wrapped_and_not_hidden(studio):
    blocked = studio.demo.model.clone()
    key = neighbour_keys(blocked)[0]
    seen = []

    def block_wide(q, k, v, extra_options):
        seen.append(extra_options["block"])
        return q

    blocked.set_model_attn2_replace(block_wide, *key[:2])
    studio.sample(studio.apply(model=blocked), steps=1)
    assert seen


def test_the_wrapped_objects_models_and_moves_still_reach_it(studio):
    said = []

    class Rich(Neighbour):
        def to(self, target):
            said.append(target)
            return self

        def models(self):
            return ["their model"]

        def cleanup(self):
            said.append("cleanup")

    model = studio.demo.model.clone()
    key = neighbour_keys(model)[0]
    model.set_model_attn2_replace(Rich(lambda *args, **kwargs: 0, sigma_start=0.0, sigma_end=0.0), *key)
    slot = slots_of(studio.apply(model=model))[key]
    said.clear()
    assert slot.models() == ["their model"]
    assert slot.to(torch.float16).inner is not None
    slot.cleanup()
    assert said == [torch.float16, "cleanup"]


def couple(model, regions: int, announce: str):
    """Attention couple in short: conditional rows are repeated for the regions, and averaged after the attention.

    announce: the key that lists the repeated rows, or "in place" for the pack that edits the host's own list.
    """
    model = model.clone()

    def expand(n, context, value, extra_options):
        chunks = extra_options["plain_chunks"] = list(extra_options["cond_or_uncond"])
        repeated = [index for index in chunks for _ in range(1 if index else regions)]

        def spread(x):
            return torch.cat([
                part.repeat(1 if index else regions, 1, 1)
                for index, part in zip(chunks, x.chunk(len(chunks)), strict=True)
            ])

        if announce == "in place":
            extra_options["cond_or_uncond"][:] = repeated
        else:
            extra_options[announce] = repeated
        return spread(n), spread(context), spread(value)

    def merge(n, extra_options):
        chunks = extra_options["plain_chunks"]
        if announce == "in place":
            extra_options["cond_or_uncond"][:] = chunks
        batch = n.shape[0] // sum(1 if index else regions for index in chunks)
        parts, start = [], 0
        for index in chunks:
            length = batch * (1 if index else regions)
            parts.append(n[start : start + length].view(-1, batch, *n.shape[1:]).mean(dim=0))
            start += length
        return torch.cat(parts)

    model.set_model_attn2_patch(expand)
    model.set_model_attn2_output_patch(merge)
    return model


@pytest.mark.parametrize("regions", [2, 3])
@pytest.mark.parametrize("announce", ["cond_or_uncond_couple", "cond_or_uncond_hook_couple", "in place"])
@pytest.mark.parametrize("ours_last", [True, False])
def test_attention_couple_rows_are_mapped_and_not_divided(studio, regions, announce, ours_last):
    """All regions repeat one prompt here, so the couple changes nothing, and neither may our view of its rows."""
    if ours_last:
        model = studio.apply(model=couple(studio.demo.model, regions, announce))
    else:
        model = couple(studio.apply(), regions, announce)
    assert torch.allclose(studio.sample(model), studio.sample(studio.apply()), atol=1e-3)


def test_rows_that_nothing_explains_are_an_error(studio):
    model = studio.apply()

    def double(n, context, value, extra_options):
        return n.repeat(2, 1, 1), context.repeat(2, 1, 1), value.repeat(2, 1, 1)

    model.set_model_attn2_patch(double)
    with pytest.raises(ValueError, match="4 rows but 2 conditionings of 1 latents"):
        studio.sample(model)


def test_merged_positions_are_an_error(studio):
    model = studio.apply()
    model.set_model_attn2_patch(lambda n, context, value, extra_options: (n[:, ::2], context, value))
    with pytest.raises(ValueError, match="13 queries but the feature map is 5x5"):
        studio.sample(model)


def guided(host, guider, model, **options):
    sampler = host.call("KSamplerSelect", sampler_name="euler")[0]
    sigmas = host.call("BasicScheduler", model=model, scheduler="normal", steps=2, denoise=1.0)[0]
    noise = host.call("RandomNoise", noise_seed=7)[0]
    made = host.call(guider, model=model, **options)[0]
    return host.call(
        "SamplerCustomAdvanced", noise=noise, guider=made, sampler=sampler, sigmas=sigmas,
        latent_image={"samples": torch.zeros(1, 4, 10, 10)},
    )[0]["samples"]


def chunks_with_subjects(host, studio, guider, **options):
    """Which conditionings, by their prompt, saw the subjects."""
    patch = host.module("nodes.host.run")
    seen = {}
    original = patch.conditional_chunks

    def watch(extra_options, flags, rows, batch):
        chunks = original(extra_options, flags, rows, batch)
        seen.update(dict.fromkeys(extra_options["uuids"], False))
        seen.update({chunk.uuid: True for chunk in chunks})
        return chunks

    patch.conditional_chunks = watch
    roles = {}
    try:
        model = studio.apply()

        def remember(executor, *args, **kwargs):
            for role, entries in executor.class_obj.conds.items():
                roles.update({entry["uuid"]: role for entry in entries})
            return executor(*args, **kwargs)

        import comfy.patcher_extension as extension

        model.add_wrapper_with_key(extension.WrappersMP.OUTER_SAMPLE, "test", remember)
        guided(host, guider, model, **options)
    finally:
        patch.conditional_chunks = original
    return {roles[uuid]: saw for uuid, saw in seen.items()}


def test_three_way_guidance_shows_the_subjects_to_the_positive_side_only(host, studio):
    other = host.call("CLIPTextEncode", clip=studio.demo.clip, text="")[0]
    assert chunks_with_subjects(
        host, studio, "PerpNegGuider", positive=studio.positive, negative=studio.negative,
        empty_conditioning=other, cfg=3.0, neg_scale=1.0,
    ) == {"positive": True, "negative": False, "empty_negative_prompt": False}


def test_dual_guidance_is_told_apart_though_its_order_is_reversed(host, studio):
    other = host.call("CLIPTextEncode", clip=studio.demo.clip, text="grass")[0]
    assert chunks_with_subjects(
        host, studio, "DualCFGGuider", cond1=studio.positive, cond2=other, negative=studio.negative,
        cfg_conds=3.0, cfg_cond2_negative=2.0, style="regular",
    ) == {"positive": True, "middle": True, "negative": False}


def test_self_attention_guidance_evaluates_the_negative_side_without_subjects(host, studio):
    """It evaluates the unconditional half alone, as conditioning 0."""
    patch = host.module("nodes.host.run")
    flags = []
    original = patch.conditional_flags

    def watch(roles, conditionings):
        found = original(roles, conditionings)
        flags.append(found)
        return found

    patch.conditional_flags = watch
    try:
        model = host.call("SelfAttentionGuidance", model=studio.apply(), scale=0.5, blur_sigma=2.0)[0]
        studio.sample(model, (16, 16))
    finally:
        patch.conditional_flags = original
    assert (True, False) in flags
    assert (False,) in flags


@pytest.mark.parametrize("node, inputs", [
    ("PerturbedAttentionGuidance", {"scale": 2.0}),
    ("FreeU_V2", {"b1": 1.1, "b2": 1.2, "s1": 0.9, "s2": 0.4}),
    ("PatchModelAddDownscale", {"block_number": 1, "downscale_factor": 1.5, "start_percent": 0.0, "end_percent": 0.5,
                                "downscale_after_skip": True, "downscale_method": "bicubic",
                                "upscale_method": "bicubic"}),
    ("HyperTile", {"tile_size": 64, "swap_size": 2, "max_depth": 0, "scale_depth": False}),
    ("TomePatchModel", {"ratio": 0.3}),
    ("RescaleCFG", {"multiplier": 0.7}),
    ("ModelSamplingDiscrete", {"sampling": "v_prediction", "zsnr": True}),
])
@pytest.mark.parametrize("ours_last", [True, False])
def test_the_hosts_own_patches_work_before_and_after(host, studio, node, inputs, ours_last):
    plain = host.call(node, model=studio.demo.model, **inputs)[0]
    patched = studio.apply(model=plain) if ours_last else host.call(node, model=studio.apply(), **inputs)[0]
    size = (16, 16)
    out = studio.sample(patched, size)
    assert torch.isfinite(out).all()
    assert (out - studio.sample(plain, size)).abs().max() > 0.01


@pytest.mark.parametrize("sampler", [
    "euler", "heun", "dpm_2", "dpmpp_2s_ancestral", "dpmpp_2m", "dpmpp_sde", "euler_ancestral", "euler_cfg_pp",
    "euler_ancestral_cfg_pp", "res_multistep_cfg_pp", "uni_pc", "ddim", "lcm", "dpm_fast", "dpm_adaptive", "sa_solver",
])
def test_every_kind_of_sampler_runs(studio, sampler):
    assert torch.isfinite(studio.sample(studio.apply(), steps=3, sampler=sampler)).all()


def test_an_area_conditionings_borrowed_entry_is_not_taken_for_positive(host):
    """For an area of the positive side the host makes the negative side an entry that carries the positive's id."""
    flags = host.module("nodes.host.rows").conditional_flags
    positive, negative = [{"uuid": 1}], [{"uuid": 2}, {"uuid": 1}]
    roles = {"positive": positive, "negative": negative}
    assert flags(roles, [positive, negative]) == (True, False)
    assert flags(roles, [negative]) == (False,)
    assert flags(roles, [list(positive), list(negative)]) == (True, False)
    assert flags(roles, [[{"uuid": 9}], [{"uuid": 8}]]) == (True, False)


@pytest.mark.parametrize("boxes", [(LEFT, RIGHT)])
def test_area_conditioning_runs(host, studio, boxes):
    area = host.call("ConditioningSetAreaPercentage", conditioning=studio.positive, width=0.5, height=1.0, x=0.0, y=0.0,
                     strength=1.0)[0]
    both = host.call("ConditioningCombine", conditioning_1=studio.positive, conditioning_2=area)[0]
    assert torch.isfinite(studio.sample(studio.apply(studio.encode(boxes)), (16, 16), positive=both)).all()


def test_a_lora_and_the_subjects_both_act(host, studio):
    import comfy.sd

    weight = studio.demo.model.model.diffusion_model.input_blocks[1][0].in_layers[2].weight
    name = "diffusion_model.input_blocks.1.0.in_layers.2"
    generator = torch.Generator().manual_seed(0)
    lora = {
        f"{name}.lora_up.weight": torch.randn(weight.shape[0], 2, 1, 1, generator=generator) * 0.3,
        f"{name}.lora_down.weight": torch.randn(2, *weight.shape[1:], generator=generator) * 0.3,
    }
    with_lora, _ = comfy.sd.load_lora_for_models(studio.demo.model, None, lora, 1.0, 0.0)
    both = studio.sample(studio.apply(model=with_lora))
    assert (both - studio.sample(with_lora)).abs().max() > 0.05
    assert (both - studio.sample(studio.apply())).abs().max() > 1e-3


def test_the_subjects_attention_is_never_done_in_reduced_precision(host, studio, monkeypatch):
    """Sage attention ruins adapters; the host's switch keeps it off this call and on the text's."""
    run = host.module("nodes.host.run")
    asked = []
    original = run.optimized_attention

    def spy(*args, **kwargs):
        asked.append(kwargs.get("low_precision_attention"))
        return original(*args, **kwargs)

    monkeypatch.setattr(run, "optimized_attention", spy)
    studio.sample(studio.apply(), steps=1)
    assert asked
    assert set(asked) == {False}
