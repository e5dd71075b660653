"""IPAdapter_plus, InstantID and PuLID: packs that add to a cross-attention's output in the place where we stand."""

import pytest

from .graph import LEFT, RIGHT, Scene
from .neighbours import instant_id, ip_adapter, pulid

IP_ADAPTER, INSTANT_ID, PULID = "ComfyUI_IPAdapter_plus", "ComfyUI_InstantID", "PuLID_ComfyUI"
ALL_THREE = pytest.mark.packs(IP_ADAPTER, INSTANT_ID, PULID)
METHODS = pytest.mark.parametrize("method", ["fidelity", "style", "neutral"])


@pytest.fixture(scope="module")
def another_order(pack_server):
    """What the order of additions alone makes: two of them without us, in both orders."""
    scene = Scene()
    return pack_server.off(
        scene.sample(ip_adapter(scene, instant_id(scene, scene.model))),
        scene.sample(instant_id(scene, ip_adapter(scene, scene.model))),
    )


@METHODS
@pytest.mark.packs(PULID)
def test_pulid_sees_the_texts_output_alone_in_either_order(packs, method, another_order):
    """Two of its methods use the output that they are handed: it is the text's, without the subjects."""
    scene = Scene()
    assert packs.off(
        scene.sample(pulid(scene, scene.apply(), method)), scene.sample(scene.apply(pulid(scene, scene.model, method)))
    ) <= 5 * another_order


@METHODS
@pytest.mark.packs(PULID)
def test_each_of_pulids_methods_acts_beside_the_subjects(packs, method):
    scene = Scene()
    both = scene.sample(pulid(scene, scene.apply(), method))
    assert packs.off(both, scene.sample(scene.apply())) > 0.5
    assert packs.off(both, scene.sample(pulid(scene, scene.model, method))) > 5


@ALL_THREE
@pytest.mark.parametrize("place", range(4))
def test_the_subjects_have_no_place_among_all_three(packs, another_order, place):
    scene = Scene()
    embeds = scene.embeds()

    def stacked(place):
        kinds = [ip_adapter, instant_id, pulid]
        kinds.insert(place, lambda scene, model: scene.apply(model, embeds=embeds))
        model = scene.model
        for put_on in kinds:
            model = put_on(scene, model)
        # What these packs put on a model they also put on the one before it, if that is still there.
        packs.forget()
        return packs.latents(scene.sample(model))

    apart = stacked(place) - stacked(0)
    assert apart.abs().max() <= 10 * another_order


@ALL_THREE
def test_applying_again_behind_them_replaces_the_subjects_and_keeps_them(packs, another_order):
    scene = Scene()
    swapped = scene.embeds((RIGHT, LEFT))
    again = scene.apply(ip_adapter(scene, pulid(scene, scene.apply())), embeds=swapped)
    assert packs.off(
        scene.sample(again), scene.sample(scene.apply(ip_adapter(scene, pulid(scene, scene.model)), embeds=swapped))
    ) <= 5 * another_order


@ALL_THREE
def test_taking_the_subjects_off_behind_them_leaves_them_alone_to_the_bit(packs):
    scene = Scene()
    off = scene.apply(ip_adapter(scene, pulid(scene, scene.apply())), scale=0.0)
    assert packs.off(scene.sample(off), scene.sample(ip_adapter(scene, pulid(scene, scene.model)))) == 0


@pytest.mark.packs(IP_ADAPTER)
def test_what_is_added_downstream_does_not_reach_the_model_upstream(packs):
    """The pack adds to the object that it finds in the slot, in place."""
    scene = Scene()
    upstream = scene.apply()
    before = packs.latents(scene.sample(upstream))
    packs.latents(scene.sample(ip_adapter(scene, upstream)))
    left = packs.latents(scene.sample(upstream)) - before
    assert left.abs().max() == 0


@pytest.mark.packs(IP_ADAPTER)
def test_ip_adapters_mask_and_schedule_are_kept(packs, another_order):
    scene = Scene()
    limits = {"attn_mask": scene.mask(0.0, 0.5), "end_at": 0.5}
    whole = scene.sample(ip_adapter(scene, scene.apply()))
    limited = scene.sample(ip_adapter(scene, scene.apply(), **limits))
    assert packs.off(limited, whole) > 0.5
    assert packs.off(
        limited, scene.sample(scene.apply(ip_adapter(scene, scene.model, **limits)))
    ) <= 5 * another_order


@pytest.mark.parametrize("order", ["us_first", "us_last"])
@pytest.mark.packs(INSTANT_ID)
def test_instant_id_with_its_control_net(packs, order):
    scene = Scene()

    def faced(model):
        return scene.node(
            "ApplyInstantIDAdvanced", model=model, positive=scene.positive, negative=scene.negative,
            instantid=scene.node("InstantIDModelLoader", instantid_file="packs.safetensors"),
            insightface=scene.node("InstantIDFaceAnalysis"), image=scene.photo("fish", 3), ip_weight=0.8,
            control_net=scene.node("ControlNetLoader", control_net_name="packs.safetensors"), cn_strength=0.5,
        )  # fmt: skip

    def sampled(face, model):
        return scene.sample(model, positive=face[1], negative=face[2])

    face = faced(scene.apply() if order == "us_first" else scene.model)
    both = sampled(face, face if order == "us_first" else scene.apply(face))
    alone = faced(scene.model)
    assert packs.off(both, sampled(alone, alone)) > 5
    assert packs.off(both, scene.sample(scene.apply())) > 0.5


@pytest.mark.packs(IP_ADAPTER)
def test_auto_layout_beside_ip_adapter(packs, another_order):
    scene = Scene()
    layout = {"auto_layout": scene.auto_layout()}
    first = scene.sample(ip_adapter(scene, scene.apply(**layout)))
    assert packs.off(first, scene.sample(scene.apply(ip_adapter(scene, scene.model), **layout))) <= 50 * another_order
    assert packs.off(first, scene.sample(ip_adapter(scene, scene.apply()))) > 0.5
