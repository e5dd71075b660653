"""Which of the watched runs made some images: told by the graph, as the host tells whether it knows a node's result.

A sampler that ran in the present execution made them in its latest run. One whose result the host had kept made them in
the run with the same inputs, which is remembered from when it was drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from comfy_execution.utils import get_executing_context

from ...msd_core.attribution import Attribution, WatchedRun

_DRAWN: WeakKeyDictionary[Attribution, dict[str, WatchedRun]] = WeakKeyDictionary()


class Place(NamedTuple):
    """A node in the graph that is executed.

    Attributes:
        graph: the host's dynamic prompt.
        node: the node's id.
    """

    graph: Any
    node: str


def run_of(attribution: Attribution, images: int, place: Place | None) -> WatchedRun:
    """The run that made some images.

    Args:
        attribution: the watched runs.
        images: how many images there are.
        place: the node that has them in its input `images`; None outside of a graph.

    Raises:
        ValueError: no run made them, or more than one may have.
    """
    if not attribution.runs:
        raise ValueError("0 runs were watched but 1 is to be drawn: put the Watch node's model into the sampler.")
    sampler = place and _sampler(attribution.runs, place)
    if sampler is None:
        return _only(attribution.runs, images, "watched runs")
    made = [run for run in attribution.runs if run.origin is not None and run.origin.node_id == sampler]
    drawn = _DRAWN.setdefault(attribution, {})
    inputs = _signature(place.graph, sampler)
    now = get_executing_context()
    latest = [run for run in made if now is not None and run.origin.prompt_id == now.prompt_id]
    if not latest and inputs in drawn:
        return _checked(drawn[inputs], images)
    if len(latest) > 1 and now.list_index is not None:
        latest = [run for run in latest if run.origin.list_index == now.list_index] or latest
    run = _only(latest or made, images, f"watched runs of node {sampler}")
    if latest:
        drawn[inputs] = run
    return run


def _only(runs: Sequence[WatchedRun], images: int, what: str) -> WatchedRun:
    if len(runs) == 1:
        return _checked(runs[0], images)
    fitting = [run for run in runs if run.batch == images]
    if len(fitting) != 1:
        raise ValueError(
            f"{len(fitting)} of the {len(runs)} {what} made {images} images and nothing tells which made these: give "
            "each sampler a Watch node of its own and sample again."
        )
    return fitting[0]


def _checked(run: WatchedRun, images: int) -> WatchedRun:
    if run.batch != images:
        raise ValueError(
            f"The watched run made {run.batch} images but {images} are linked: link that run's decoded result."
        )
    return run


def _sampler(runs: Sequence[WatchedRun], place: Place) -> str | None:
    """The nearest node upstream of the images that has made watched runs; None where there is none.

    Raises:
        ValueError: two nodes are equally near.
    """
    known = {run.origin.node_id for run in runs if run.origin is not None}
    level, seen = [place.graph.get_node(place.node)["inputs"].get("images")], set()
    level = [link[0] for link in level if _is_link(link)]
    while level:
        found = sorted(set(level) & known)
        if len(found) > 1:
            raise ValueError(
                f"The images come from {len(found)} watched samplers (nodes {', '.join(found)}) and 1 is to be drawn: "
                "link the decoded result of one."
            )
        if found:
            return found[0]
        seen.update(level)
        level = [link[0] for node in level for link in _links(place.graph, node) if link[0] not in seen]
    return None


def _signature(graph: Any, node: str) -> str:
    """A node's class and inputs and those of all nodes upstream: equal where the host would not compute it again."""
    order: dict[str, int] = {}
    told: list[Any] = []

    def visit(name: str) -> int:
        if name not in order:
            order[name] = len(order)
            described = graph.get_node(name)
            inputs = described["inputs"]
            place = len(told)
            told.append(None)
            told[place] = [described["class_type"], [
                [key, [visit(inputs[key][0]), inputs[key][1]] if _is_link(inputs[key]) else inputs[key]]
                for key in sorted(inputs)
            ]]
        return order[name]

    visit(node)
    return json.dumps(told, default=repr)


def _links(graph: Any, node: str) -> Iterator[list]:
    return (value for value in graph.get_node(node)["inputs"].values() if _is_link(value))


def _is_link(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str)
