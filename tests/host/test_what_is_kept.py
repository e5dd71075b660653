"""What each edit of a graph computes anew, in this process and under the caches of a real server."""

import copy
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from devtools.server import ComfyServer
from tests.conftest import HOST
from tests.host.conftest import LEFT, RIGHT
from tests.host.counting import COUNTED, count_calls
from tests.host.counting import COUNTS as counts
from tests.host.workflow_files import api

NOTHING = dict.fromkeys(COUNTED, 0)


def made(**numbers) -> dict:
    return NOTHING | numbers


# In this process


@pytest.fixture
def counted(host, monkeypatch):
    """What the pack has computed since it was last asked: `counted()`."""
    for what, (module, *path) in COUNTED.items():
        owner = host.module(f"nodes.host.{module}")
        for name in path[:-1]:
            owner = getattr(owner, name)
        monkeypatch.setattr(owner, path[-1], getattr(owner, path[-1]))
        count_calls(owner, path[-1], what)
    counts.clear()

    def ask() -> dict:
        found = {what: counts[what] for what in COUNTED}
        counts.clear()
        return found

    return ask


@pytest.fixture
def photos(studio):
    return [studio.photo(seed) for seed in (100, 101)]


def graph(host, studio, photos, *, phrases=("dog", "cat"), weights=(1.0, 1.0), boxes=(LEFT, RIGHT), model=None,
          label="", fit="stretch", mask=None, seed=1, models=None, **inputs):
    """One queued prompt: subjects, layout, encode, apply, sample."""
    subjects = [
        host.call("MSDiffusionSubject", image=photo, phrase=phrase, weight=weight, fit=fit, mask=mask)[0]
        for photo, phrase, weight in zip(photos, phrases, weights, strict=True)
    ]
    layout = host.call("MSDiffusionLayout", width=160, height=160, boxes=json.dumps({"boxes": [
        {"x0": box[0], "y0": box[1], "x1": box[2], "y1": box[3], "label": label} for box in boxes
    ]}))[0]
    embeds = studio.encode(subjects=subjects, layout=layout, **(models or {}))
    return studio.sample(studio.apply(embeds, model, **inputs), steps=1, seed=seed)


@pytest.mark.parametrize("edit, computed", [
    ({}, {}),
    ({"seed": 2}, {}),
    ({"scale": 0.3, "up_weight": 0.5}, {}),
    ({"weights": (0.4, 1.0)}, {}),
    ({"label": "other words"}, {}),
    ({"boxes": ((0.0, 0.0, 0.4, 1.0), RIGHT)}, {"resampled": 1, "projected": 1, "loaded": 2}),
    ({"phrases": ("hat", "cat")}, {"text": 1, "resampled": 1, "projected": 1, "loaded": 2}),
    ({"fit": "crop"}, {"vision": 2, "text": 2, "resampled": 2, "projected": 2, "loaded": 4}),
    ({"mask": torch.ones(1, 48, 64)}, {"vision": 2, "text": 2, "resampled": 2, "projected": 2, "loaded": 4}),
], ids=["nothing", "seed", "scale", "weight", "label", "box", "phrase", "fit", "mask"])
def test_an_edit_computes_what_depends_on_it(host, studio, photos, counted, edit, computed):
    """Every value is made anew, as in a graph whose cache has kept the photos and the models alone."""
    graph(host, studio, photos)
    assert counted() == made(vision=2, text=2, resampled=2, projected=2, loaded=4)
    graph(host, studio, photos, **edit)
    assert counted() == made(**computed)


def test_another_photo_of_one_subject_is_looked_at_alone(host, studio, photos, counted):
    graph(host, studio, photos)
    counted()
    graph(host, studio, [photos[0], studio.photo(102, views=3)])
    assert counted() == made(vision=1, text=1, resampled=1, projected=1, loaded=2)


@pytest.mark.parametrize("edit", [
    {}, {"weights": (0.4, 1.7)}, {"scale": 0.3}, {"boxes": ((0.1, 0.2, 0.4, 0.7), RIGHT)}, {"phrases": ("hat", "cat")},
    {"fit": "pad"},
], ids=["nothing", "weight", "scale", "box", "phrase", "fit"])
def test_what_is_kept_changes_no_bit_of_the_picture(host, studio, photos, edit):
    graph(host, studio, photos)
    kept = graph(host, studio, photos, **edit)
    fresh = graph(host, studio, [photo.clone() for photo in photos], **edit)
    assert torch.equal(kept, fresh)


def test_a_box_that_moves_and_comes_back_computes_nothing(host, studio, photos, counted):
    moved = ((0.0, 0.0, 0.4, 1.0), RIGHT)
    for boxes in ((LEFT, RIGHT), moved):
        graph(host, studio, photos, boxes=boxes)
    counted()
    for boxes in ((LEFT, RIGHT), moved):
        graph(host, studio, photos, boxes=boxes)
    assert counted() == NOTHING


def test_without_grounding_a_box_that_moves_computes_nothing(host, studio, photos, counted):
    """Neither phrase nor box goes into the tokens."""
    graph(host, studio, photos, models={"grounding": False})
    counted()
    graph(host, studio, photos, models={"grounding": False}, boxes=((0.0, 0.0, 0.4, 1.0), RIGHT))
    assert counted() == NOTHING
    graph(host, studio, photos)
    assert counted() == made(resampled=2, projected=2, loaded=4)


def test_one_photo_of_two_subjects_is_looked_at_once(host, studio, photos, counted):
    graph(host, studio, [photos[0], photos[0]])
    assert counted()["vision"] == 1


def test_another_image_encoder_looks_again_and_another_adapter_does_not(host, studio, photos, counted):
    adapter, checkpoint = host.module("nodes.host.adapter"), host.module("msd_core.checkpoint")
    again = adapter.ManagedAdapter(checkpoint.AdapterFile(studio.demo.adapter.model.state_dict(), 32), "again")
    graph(host, studio, photos)
    counted()
    graph(host, studio, photos, models={"clip_vision": copy.copy(studio.demo.clip_vision)})
    assert counted() == made(vision=2, resampled=2, projected=2, loaded=4)
    graph(host, studio, photos)
    assert counted() == NOTHING
    subjects = [studio.subject_of(photo, phrase) for photo, phrase in zip(photos, ("dog", "cat"), strict=True)]
    studio.encode(subjects=subjects)
    counted()
    studio.sample(studio.apply(studio.encode(subjects=subjects, adapter=again)), steps=1)
    assert counted() == made(resampled=2, projected=2, loaded=4)


def test_two_encodes_of_one_subject_with_different_adapters_do_not_get_in_each_others_way(
    host, studio, photos, counted
):
    """Whether the subject's value is the same or made anew, as it is after its weight has changed."""
    adapter, checkpoint = host.module("nodes.host.adapter"), host.module("msd_core.checkpoint")
    weights = {name: weight * 0.9 for name, weight in studio.demo.adapter.model.state_dict().items()}
    other = adapter.ManagedAdapter(checkpoint.AdapterFile(weights, 32), "other")

    def encoded() -> list:
        subject = studio.subject_of(photos[0])
        return [studio.encode((LEFT,), [subject], adapter=one).subjects[0] for one in (studio.demo.adapter, other)]

    first, second = encoded()
    assert counted() == made(vision=1, text=1, resampled=2, loaded=2)
    assert not torch.allclose(first.tokens, second.tokens)
    for _ in range(2):
        again = encoded()
        assert [one.projections for one in again] == [first.projections, second.projections]
    assert counted() == NOTHING


def test_a_muted_subject_and_its_return_compute_nothing(host, studio, photos, counted):
    def subjects() -> list:
        return [studio.subject_of(photo, phrase) for photo, phrase in zip(photos, ("dog", "cat"), strict=True)]

    both = studio.encode(subjects=subjects())
    studio.sample(studio.apply(both), steps=1)
    counted()
    alone = studio.encode((LEFT, RIGHT), [None, subjects()[1]])
    studio.sample(studio.apply(alone), steps=1)
    studio.sample(studio.apply(studio.encode(subjects=subjects())), steps=1)
    assert counted() == NOTHING
    assert torch.equal(alone.subjects[0].tokens, both.subjects[1].tokens)


def test_a_photo_written_anew_in_the_same_tensor_is_looked_at_again(host, studio, photos, counted):
    """As a camera's buffer may be."""
    graph(host, studio, photos)
    counted()
    photos[1].copy_(studio.photo(103))
    written = graph(host, studio, photos)
    assert counted() == made(vision=1, text=1, resampled=1, projected=1, loaded=2)
    assert torch.equal(written, graph(host, studio, [photo.clone() for photo in photos]))


def test_a_text_encoder_with_other_weights_reads_the_phrase_again(host, studio, photos, counted):
    """A LoRA on the CLIP, as a clone of its own and in place."""
    graph(host, studio, photos)
    counted()
    clone = studio.demo.clip.clone()
    graph(host, studio, photos, models={"clip": clone})
    assert counted() == made(text=2), "the same weights give the same embedding, and so the same tokens"
    name = next(key for key in clone.patcher.model_state_dict() if key.startswith("clip_l.") and "q_proj.weight" in key)
    weight = clone.patcher.model_state_dict()[name]
    assert clone.add_patches({name: (torch.randn_like(weight),)}, 1.0)
    graph(host, studio, photos, models={"clip": clone})
    assert counted() == made(text=2, resampled=2, projected=2, loaded=4)


def test_other_passes_and_tiles_and_dtypes_project_no_more_than_they_need(host, studio, counted):
    embeds = studio.encode(subjects=[studio.subject("dog", 200), studio.subject("cat", 201)])
    studio.sample(studio.apply(embeds), steps=1)
    counted()
    tile = host.call("MSDiffusionCropEmbeds", embeds=embeds, x=0, y=0, width=512, height=512, frame_width=1024,
                     frame_height=1024)[0]
    for given, size in ((embeds, (16, 16)), (tile, (10, 10)), (studio.reweighted(embeds, weight=0.3), (10, 10))):
        studio.sample(studio.apply(given), size, steps=1)
    assert counted() == NOTHING
    for _ in range(2):
        studio.sample(studio.apply(embeds, studio.in_dtype(torch.bfloat16)), steps=1)
    assert counted() == made(projected=2, loaded=2)


def test_a_blend_is_projected_once(host, studio, counted):
    a, b = (studio.encode(subjects=[studio.subject("dog", seed), studio.subject("cat", 201)]) for seed in (210, 211))
    blend = host.call("MSDiffusionBlend", embeds_a=a, embeds_b=b, amount=0.4, mode="slerp", frames=1)[0]
    counted()
    for seed in (1, 2):
        studio.sample(studio.apply(blend), steps=1, seed=seed)
    assert counted() == made(projected=2, loaded=2)


def test_a_seed_alone_needs_no_adapter_on_the_device(host, studio):
    """Nor does a changed weight: the host may have given its place to the UNet."""
    import comfy.model_management as management

    embeds = studio.encode()
    expected = studio.sample(studio.apply(embeds), steps=1)
    management.unload_all_models()
    assert torch.equal(studio.sample(studio.apply(embeds), steps=1), expected)
    patcher = studio.demo.adapter.patcher
    assert not any(loaded.model is patcher for loaded in management.current_loaded_models)


def test_all_that_is_kept_is_in_the_hosts_memory(host, studio, photos):
    graph(host, studio, photos)
    subjects = [studio.subject_of(photo, phrase) for photo, phrase in zip(photos, ("dog", "cat"), strict=True)]
    embeds = studio.encode(subjects=subjects)
    studio.sample(studio.apply(embeds), steps=1)
    for subject, tokens in zip(subjects, embeds.subjects, strict=True):
        assert tokens.projections.tokens is tokens.tokens
        kept = [result for recent in subject.photo.made.values() for _, result in recent]
        tensors = [getattr(one, "states", getattr(one, "tokens", one)) for one in kept]
        (projected,) = (dtypes[torch.float32] for dtypes in tokens.projections._made.values())
        assert {tensor.device.type for tensor in (*tensors, projected, tokens.tokens)} == {"cpu"}
        assert not any(tensor.requires_grad for tensor in (*tensors, projected))


def test_keys_and_values_of_a_subject_do_not_depend_on_who_stands_beside_it(host, studio):
    """Else the picture after an edit would depend on what was computed before it."""
    one = studio.encode((LEFT,), [studio.subject("dog", 220)])
    two = studio.encode((LEFT, RIGHT), [studio.subject("dog", 220), studio.subject("cat", 221)])
    alone, beside = (embeds.projected(torch.float32, embeds.adapter.project)[0] for embeds in (one, two))
    assert torch.equal(alone, beside)


def test_copies_of_embeds_are_as_good_as_they(host, studio, counted):
    embeds = studio.encode(subjects=[studio.subject("dog", 230), studio.subject("cat", 231)])
    expected = studio.sample(studio.apply(embeds), steps=1)
    counted()
    assert torch.equal(studio.sample(studio.apply(copy.deepcopy(embeds)), steps=1), expected)
    assert counted() == NOTHING
    assert torch.equal(studio.sample(studio.apply(replace(embeds)), steps=1), expected)


# Under the caches of a real server


@pytest.fixture(scope="module", params=["classic", "lru", "ram"])
def server(request):
    options = {"classic": ("--cache-classic",), "lru": ("--cache-lru", "100"), "ram": ("--cache-ram", "0.5")}
    server = ComfyServer(HOST, sys.executable, options=options[request.param])
    shutil.copytree(Path(__file__).parent / "counting", server.base / "custom_nodes" / "msd-test-counting")
    with server:
        empty = {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}
        server.run({"1": empty, "counts": {"class_type": "MSDTestCounts", "inputs": {"images": ["1", 0]}}})
        yield server


NODES = {
    "drawing": ("MSDiffusionDemoSubject", 0), "subject": ("MSDiffusionSubject", 0), "second": ("MSDiffusionSubject", 1),
    "layout": ("MSDiffusionLayout", 0), "apply": ("MSDiffusionApply", 0), "sampler": ("KSampler", 0),
    "decoder": ("VAEDecode", 0),
}  # fmt: skip


def queued(server, seed: int, **edits) -> dict:
    """Queue workflow 02 with a step, and with edits `node_input` by the names above; what it has computed."""
    workflow = api("two_subjects")
    numbers = {
        name: [number for number, node in workflow.items() if node["class_type"] == type][which]
        for name, (type, which) in NODES.items()
    }
    for name, value in {"sampler_steps": 1, "sampler_seed": seed, **edits}.items():
        node, key = name.split("_", 1)
        workflow[numbers[node]]["inputs"][key] = value
    counts = {"class_type": "MSDTestCounts", "inputs": {"images": [numbers["decoder"], 0]}}
    return server.run({**workflow, "counts": counts})["outputs"]["counts"]["counts"][0]


def boxes(first=(0, 0.45, 0.5, 0.95), label="cat") -> str:
    return json.dumps({"boxes": [
        {"x0": first[0], "y0": first[1], "x1": first[2], "y1": first[3], "label": label},
        {"x0": 0.5, "y0": 0.1, "x1": 1, "y1": 0.6, "label": "robot"},
    ]})


def test_edits_under_a_servers_cache_compute_what_depends_on_them(server):
    seeds = iter(range(100))
    two = {"photos": 2}
    assert queued(server, next(seeds)) == made(vision=2, text=2, resampled=2, projected=2, loaded=4) | two
    for edit in (
        {}, {"apply_scale": 0.5}, {"subject_weight": 0.5}, {"second_end_percent": 0.8},
        {"layout_boxes": boxes(label="x")},
    ):
        assert queued(server, next(seeds), **edit) == NOTHING | two, edit
    moved = boxes((0.1, 0.45, 0.5, 0.95))
    assert queued(server, next(seeds), layout_boxes=moved) == made(resampled=1, projected=1, loaded=2) | two
    renamed = queued(server, next(seeds), layout_boxes=moved, second_phrase="machine")
    assert renamed == made(text=1, resampled=1, projected=1, loaded=2) | two
    assert queued(server, next(seeds)) == NOTHING | two
    other = queued(server, next(seeds), drawing_seed=9)
    assert {**other, "photos": 2} == made(vision=1, text=1, resampled=1, projected=1, loaded=2) | two


def test_the_graph_forgets_and_memory_returns(server):
    """The classic cache drops a photo as soon as another one takes its place; the others when they see fit."""
    found = [queued(server, 200 + turn, drawing_seed=300 + turn)["photos"] for turn in range(4)]
    assert max(found) <= (2 if "--cache-classic" in server._command else 2 + 2 + len(found))
