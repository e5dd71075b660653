"""Whose maps are drawn on a real server: two passes on one watched model, and results that its caches have kept."""

import copy
import sys

import pytest

from devtools.server import ComfyServer
from tests.conftest import HOST
from tests.host.workflow_files import api, difference, number_of, pictures


@pytest.fixture(scope="module", params=["lru", "ram"])
def server(request):
    options = {"lru": ("--cache-lru", "100"), "ram": ("--cache-ram", "0.5")}
    with ComfyServer(HOST, sys.executable, options=options[request.param]) as server:
        yield server


def watched(seed: int, second: int | None = None) -> tuple[dict, str]:
    """The workflow of the attribution maps with 4 steps, and the node that saves the maps of its subjects.

    Args:
        second: seed of a second sampler on the same watched model, which goes on from the first one's result; the
            maps of it are drawn too.
    """
    graph = api("attribution_maps")
    sampler = number_of(graph, "KSampler")
    graph[sampler]["inputs"] |= {"seed": seed, "steps": 4}
    maps = number_of(graph, "MSDiffusionAttributionMaps", source="subject")
    decode = graph[maps]["inputs"]["images"][0]
    for number in [number for number, node in graph.items() if node["class_type"] in ("SaveImage", "PreviewImage")]:
        del graph[number]
    graph["first"] = {"class_type": "PreviewImage", "inputs": {"images": [maps, 0]}}
    if second is not None:
        graph["sampler 2"] = copy.deepcopy(graph[sampler])
        graph["sampler 2"]["inputs"] |= {"seed": second, "latent_image": [sampler, 0], "denoise": 0.6}
        graph["decode 2"] = copy.deepcopy(graph[decode])
        graph["decode 2"]["inputs"]["samples"] = ["sampler 2", 0]
        graph["maps 2"] = copy.deepcopy(graph[maps])
        graph["maps 2"]["inputs"]["images"] = ["decode 2", 0]
        graph["second"] = {"class_type": "PreviewImage", "inputs": {"images": ["maps 2", 0]}}
    return graph


def drawn(server, graph: dict, node: str = "first") -> list:
    return pictures(server, graph, "temp", node)


def alike(one: list, other: list) -> bool:
    return len(one) == len(other) and all(difference(a, b) == 0 for a, b in zip(one, other, strict=True))


def test_a_seed_gets_its_own_maps_again_after_another_one(server):
    first = drawn(server, watched(1))
    other = drawn(server, watched(2))
    assert not alike(first, other)
    assert alike(drawn(server, watched(1)), first)
    assert alike(drawn(server, watched(2)), other)


def masks(seed: int, inverted: bool) -> dict:
    """The masks of the phrases' maps, over the result or over its negative, which changes nothing of them."""
    graph = watched(seed)
    maps = number_of(graph, "MSDiffusionAttributionMaps", source="text")
    if inverted:
        graph["inverted"] = {"class_type": "ImageInvert", "inputs": {"image": graph[maps]["inputs"]["images"]}}
        graph[maps]["inputs"]["images"] = ["inverted", 0]
    graph["masks"] = {"class_type": "MaskToImage", "inputs": {"mask": [maps, 1]}}
    graph["first"]["inputs"]["images"] = ["masks", 0]
    return graph


def test_maps_that_are_drawn_anew_of_a_kept_result_are_those_of_the_run_that_made_it(server):
    first, other = drawn(server, masks(11, False)), drawn(server, masks(12, False))
    assert not alike(first, other)
    assert alike(drawn(server, masks(11, True)), first)


def test_each_of_two_passes_on_one_watched_model_has_maps_of_its_own(server):
    alone = drawn(server, watched(3))
    both = watched(3, second=4)
    assert alike(drawn(server, both), alone)
    assert not alike(drawn(server, watched(3, second=5), "second"), alone)
    # The first pass was kept from before, the second one is new.
    assert alike(drawn(server, watched(3, second=6)), alone)
