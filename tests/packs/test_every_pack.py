"""What holds beside every pack that puts something on a model, whatever it is."""

import pytest

from .graph import Scene
from .neighbours import NEIGHBOURS, ip_adapter, pulid

US_FIRST, US_LAST = "us_first", "us_last"


def beside(*orders: str, **wanted: bool):
    """A test for every neighbour with these attributes, in each order of the nodes if any is given."""
    return pytest.mark.parametrize(
        ["neighbour", "order"] if orders else ["neighbour"],
        [
            pytest.param(*(neighbour, *order), id="-".join((name, *order)), marks=pytest.mark.packs(neighbour.pack))
            for name, neighbour in NEIGHBOURS.items()
            for order in ([(order,) for order in orders] or [()])
            if all(getattr(neighbour, attribute) == value for attribute, value in wanted.items())
            and not (neighbour.copies and order == (US_LAST,))
        ],
    )


def together(scene, neighbour, order, scale=1.0, model=None, **inputs):
    """The subjects and the neighbour on one model, in one order of the nodes."""
    model = model or scene.model
    if order == US_FIRST:
        return neighbour.put_on(scene, scene.apply(model, scale, **inputs))
    return scene.apply(neighbour.put_on(scene, model), scale, **inputs)


@pytest.fixture(scope="module")
def another_order(pack_server):
    """What the order of additions alone makes: two packs that add to the attention, without us, in both orders."""
    scene = Scene()
    return pack_server.off(
        scene.sample(ip_adapter(scene, pulid(scene, scene.model))),
        scene.sample(pulid(scene, ip_adapter(scene, scene.model))),
    )


@beside(US_FIRST, US_LAST)
def test_the_subjects_and_the_neighbour_both_act(packs, neighbour, order):
    scene = Scene()
    both = scene.sample(together(scene, neighbour, order))
    assert packs.off(both, scene.sample(neighbour.put_on(scene, scene.model))) > 5
    if neighbour.acts:
        assert packs.off(both, scene.sample(scene.apply())) > 0.5


@beside(US_FIRST, US_LAST)
def test_scale_0_is_the_neighbour_alone_to_the_bit(packs, neighbour, order):
    scene = Scene()
    alone = scene.sample(neighbour.put_on(scene, scene.model))
    assert packs.off(scene.sample(together(scene, neighbour, order, scale=0.0)), alone) == 0


@beside(either_order=True)
def test_the_order_of_the_nodes_makes_no_difference(packs, neighbour, another_order):
    scene = Scene()
    first, last = (scene.sample(together(scene, neighbour, order)) for order in (US_FIRST, US_LAST))
    assert packs.off(first, last) <= (5 * another_order if neighbour.adds else 0)


@beside(US_FIRST, US_LAST)
def test_the_negative_side_sees_no_subject(packs, neighbour, order):
    """Every prediction for the negative conditioning, those that a pack makes besides the host's own as well."""
    scene = Scene()
    alone = scene.predictions("negative", lambda model: neighbour.put_on(scene, model))
    both = scene.predictions("negative", lambda model: together(scene, neighbour, order, model=model))
    assert packs.off(both, alone) == 0


@beside(US_FIRST, US_LAST)
def test_queued_again_after_other_values_it_gives_the_first_bits(packs, neighbour, order):
    scene = Scene()
    model, other = together(scene, neighbour, order), together(scene, neighbour, order, scale=0.5)
    first = packs.latents(scene.sample(model))
    for between in (scene.sample(model, seed=8), scene.sample(other), scene.sample(model, steps=2)):
        assert (packs.latents(between) - first).abs().max() > 0.5
        again = packs.latents(scene.sample(model)) - first
        assert again.abs().max() == 0


@beside(US_FIRST, US_LAST)
def test_nothing_of_it_is_left_on_the_model_and_the_neighbour(packs, neighbour, order):
    """What a bypassed node gives: the graph without it, after it has run."""
    scene = Scene()
    graphs = scene.sample(neighbour.put_on(scene, scene.model)), scene.sample()
    before = [packs.latents(sampled) for sampled in graphs]
    packs.latents(scene.sample(together(scene, neighbour, order)))
    for sampled, then in zip(graphs, before, strict=True):
        left = packs.latents(sampled) - then
        assert left.abs().max() == 0


@beside(US_FIRST, US_LAST)
def test_keys_and_values_are_made_once_a_subject_and_the_adapter_is_never_copied(packs, neighbour, order):
    scene = Scene()
    said = scene.node("StandInSaidProjections", embeds=scene.embeds())
    _, log = packs.latents_and_log(scene.sample(together(scene, neighbour, order, embeds=said)))
    assert log.count("keys and values are made") == 2
    assert "the adapter is copied" not in log


@beside()
def test_an_image_of_a_batch_is_what_it_is_alone(packs, neighbour):
    """As far as it is without us: some look at the whole batch."""
    scene = Scene()
    noise = scene.noise(2)
    second = scene.node("LatentFromBatch", samples=noise, batch_index=1, length=1)

    def apart(model):
        both = packs.latents(scene.sample(model, latent_image=noise))[1:]
        return (packs.latents(scene.sample(model, latent_image=second)) - both).abs().max()

    without_us = apart(neighbour.put_on(scene, scene.model))
    assert apart(together(scene, neighbour, US_FIRST)) <= max(1e-3, 4 * without_us)
