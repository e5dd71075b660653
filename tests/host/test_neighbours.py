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
    """Apply a neighbour as those packs do: put an object into an empty slot, add to whatever is there.

    What it adds depends on the output that it is handed, as PuLID's does.
    """
    model = model.clone()

    def callback(out, q, k, v, extra_options, *, amount, sigma_start, sigma_end):
        return q * amount + out * 0.3

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


@pytest.mark.parametrize("ours_last", [True, False])
def test_a_replacement_of_a_whole_block_acts_before_and_behind_us(studio, ours_last):
    """The host asks for an attention's own replacement first, so a slot would hide what is put behind it."""
    def block_wide(model):
        model = model.clone()
        for key in {key[:2] for key in neighbour_keys(model)}:
            model.set_model_attn2_replace(lambda q, k, v, extra_options: q * 0.5, *key)
        return model

    embeds = studio.encode()
    both = studio.apply(embeds, block_wide(studio.demo.model))
    if not ours_last:
        again = block_wide(studio.apply(embeds))
        assert torch.equal(studio.sample(again), studio.sample(both))
        # A later one counts, as it would without us; and nothing of the run stays on the model.
        assert torch.equal(studio.sample(block_wide(both)), studio.sample(both))
        assert all(slot.inner is None for slot in slots_of(again).values() if hasattr(slot, "inner"))
    assert (studio.sample(both) - studio.sample(block_wide(studio.demo.model))).abs().max() > 0.05


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


# Neighbours that keep the slot they found


def wrap_slots(model, scale=2.0):
    """As Normalized Attention Guidance of sd-perturbed-attention: a function around what it found in each slot."""
    from comfy.ldm.modules.attention import optimized_attention

    model = model.clone()

    def around(found):
        def attention(q, k, v, extra_options):
            if found is None:
                out = optimized_attention(q, k, v, extra_options["n_heads"])
            else:
                out = found(q, k, v, extra_options)
            return out + scale * (out - optimized_attention(q, k.roll(1, 1), v, extra_options["n_heads"]))

        return attention

    for key in neighbour_keys(model):
        model.set_model_attn2_replace(around(slots_of(model).get(key)), *key)
    return model


def test_scale_zero_behind_a_neighbour_that_keeps_our_slot_is_the_neighbour_alone(studio):
    off = studio.apply(model=wrap_slots(studio.apply(scale=1.0)), scale=0.0)
    assert torch.equal(studio.sample(off), studio.sample(wrap_slots(studio.demo.model)))


def test_applying_again_behind_a_neighbour_that_keeps_our_slot_replaces_and_never_acts_twice(studio):
    """The place of the first Apply is kept; what acts there is the last one's."""
    embeds, others = studio.encode((RIGHT, LEFT)), studio.encode()
    expected = studio.sample(wrap_slots(studio.apply(others, scale=1.0)))
    again = studio.apply(others, wrap_slots(studio.apply(embeds, scale=0.5)), scale=1.0)
    assert torch.equal(studio.sample(again), expected)


def test_watching_behind_a_neighbour_that_keeps_our_slot_changes_nothing(host, studio):
    embeds = studio.encode()
    wrapped = wrap_slots(studio.apply(embeds))
    model, attribution = host.call("MSDiffusionAttribution", model=wrapped, embeds=embeds, clip=studio.demo.clip,
                                   prompt="a dog")
    assert torch.equal(studio.sample(model), studio.sample(wrapped))
    assert attribution.runs[-1].subject is not None


def test_a_slot_kept_by_a_neighbour_acts_for_no_other_model(studio):
    """The first model's slot is in the second one's options, but another patch rides on these."""
    embeds, others = studio.encode(), studio.encode((RIGHT, LEFT))
    first = wrap_slots(studio.apply(embeds))
    before = studio.sample(first)
    studio.sample(studio.apply(others, first))
    assert torch.equal(studio.sample(first), before)


# Neighbours that keep what they return


def test_what_a_neighbour_has_returned_is_not_written_to(studio):
    kept = []

    def keeping(q, k, v, extra_options):
        from comfy.ldm.modules.attention import optimized_attention

        out = optimized_attention(q, k, v, extra_options["n_heads"])
        kept.append((out, out.clone()))
        return out

    model = studio.demo.model.clone()
    for key in neighbour_keys(model):
        model.set_model_attn2_replace(keeping, *key)
    studio.sample(studio.apply(model=model), steps=1)
    assert kept
    assert all(torch.equal(out, copy) for out, copy in kept)


def test_what_an_attention_override_has_returned_is_not_written_to(studio):
    kept = []

    def override(attention, *args, **kwargs):
        out = attention(*args, **kwargs)
        kept.append((out, out.clone()))
        return out

    model = studio.apply()
    model.model_options["transformer_options"]["optimized_attention_override"] = override
    studio.sample(model, steps=1)
    assert kept
    assert all(torch.equal(out, copy) for out, copy in kept)


# The host's own patches


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
    attention = host.module("nodes.host.attention")
    asked = []
    original = attention._attention

    def spy(*args, **kwargs):
        asked.append((kwargs.get("low_precision_attention"), "attn_precision" in kwargs))
        return original(*args, **kwargs)

    monkeypatch.setattr(attention, "_attention", spy)
    studio.sample(studio.apply(), steps=1)
    assert asked
    assert set(asked) == {(False, True)}


@pytest.mark.parametrize("name", ["sage", "sage3", "flash", "comfy_kitchen_int8"])
def test_where_the_hosts_choice_does_not_do_subjects_get_its_pytorch_attention(host, monkeypatch, name):
    """Flash warns on every call with a mask; Comfy Kitchen's has no switch and would compute subjects in INT8."""
    from comfy.ldm.modules import attention as hosts

    choose, chosen = host.module("nodes.host.attention").fit_for_subjects, object()
    assert choose(chosen) is chosen
    monkeypatch.setitem(hosts.REGISTERED_ATTENTION_FUNCTIONS, name, chosen)
    assert choose(chosen) is hosts.attention_pytorch


@pytest.mark.parametrize("name", ["pytorch", "sub_quad", "split", "xformers"])
def test_every_other_choice_of_the_host_is_kept(host, name):
    """Its `attn_precision` is needed where attention overflows in half precision, as on Macs."""
    from comfy.ldm.modules import attention as hosts

    chosen = hosts.get_attention_function(name, None) or hosts.attention_xformers
    assert host.module("nodes.host.attention").fit_for_subjects(chosen) is chosen
