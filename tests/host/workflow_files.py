"""The example workflows as they are written down, and what a real server makes of them."""

import io
import json

import pytest
from PIL import Image, ImageChops

from devtools.graphs import BYPASSED
from devtools.workflows import API_EXAMPLES, EXAMPLES, EXAMPLES_IN_ORDER, REAL_EXAMPLES

EXAMPLE = pytest.mark.parametrize("example", EXAMPLES_IN_ORDER, ids=lambda example: example.name)
TEMPLATE = pytest.mark.parametrize("example", (*REAL_EXAMPLES, *EXAMPLES_IN_ORDER), ids=lambda example: example.name)
"""Those that need files, and those that run without."""
REAL = pytest.mark.parametrize("example", REAL_EXAMPLES, ids=lambda example: example.name)
FRONTEND_ONLY = {"MarkdownNote"}
REMEDY = "run python -m devtools.workflows"
# The frontend puts an extra widget after numbers of these names, whatever their schemas say.
SEEDS = {"seed", "noise_seed"}
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}


def api(name: str) -> dict:
    return json.loads((API_EXAMPLES / f"{name}.api.json").read_text("utf-8"))


def ui(example) -> dict:
    return json.loads((EXAMPLES / f"{example.title}.json").read_text("utf-8"))


def nodes_of(graph: dict) -> list[dict]:
    """A graph's nodes without those that only the frontend knows."""
    return [node for node in graph["nodes"] if node["type"] not in FRONTEND_ONLY]


def pictures(server, workflow: dict, kind: str = "output", node: str | None = None) -> list[Image.Image]:
    """The images that a workflow, or one node of it, saves ("output") or previews ("temp")."""
    entry = server.run(workflow)
    if node is not None:
        entry = {"outputs": {node: entry["outputs"][node]}}
    return [Image.open(io.BytesIO(server.view(**record))).convert("RGB") for record in server.images(entry, kind)]


def picture(server, workflow: dict) -> Image.Image:
    (saved,) = pictures(server, workflow)
    return saved


def difference(a: Image.Image, b: Image.Image) -> int:
    """The largest difference of two images in any channel, 0 to 255."""
    return max(high for _, high in ImageChops.difference(a, b).getextrema())


def short(name: str) -> dict:
    """An API workflow with few steps, for comparing what its settings do."""
    workflow = api(name)
    for node in workflow.values():
        if node["class_type"] == "KSampler":
            node["inputs"]["steps"] = 6
    return workflow


def number_of(workflow: dict, type: str, **inputs) -> str:
    """The number of the only node of a type, or of the one with these inputs."""
    (number,) = (
        number for number, node in workflow.items()
        if node["class_type"] == type and all(node["inputs"][name] == value for name, value in inputs.items())
    )  # fmt: skip
    return number


def first(workflow: dict, type: str) -> dict:
    """The inputs of the first node of a type."""
    return next(node["inputs"] for node in workflow.values() if node["class_type"] == type)


def fields(schema: dict) -> list[tuple[str, str, dict]]:
    """Name, type and options of a node's inputs in its schema's order; an autogrow group goes by its sockets' stem."""
    found = []
    for kind in ("required", "optional"):
        for name in schema["input_order"].get(kind, []):
            type, options = (*schema["input"][kind][name], {})[:2]
            if type == "COMFY_AUTOGROW_V3":
                template = options["template"]
                ((type, *_),) = (declared for group in template["input"].values() for declared in group.values())
                name = f"{name}.{template['prefix']}"
            found.append((name, "COMBO" if isinstance(type, list) else type, options))
    return found


def combo_choices(schema: dict, name: str) -> list:
    """What a node offers for one of its inputs."""
    inputs = {name: entry for group in schema["input"].values() for name, entry in group.items()}
    type, options = (*inputs[name], {})[:2]
    return type if isinstance(type, list) else options["options"]


def widget_values(node: dict, schema: dict) -> dict:
    """What a saved node's widgets hold, by name. The frontend saves them in the schema's order."""
    values = iter(node["widgets_values"])
    found = {}
    for name, type, options in fields(schema):
        if type in WIDGETS and not options.get("forceInput"):
            found[name] = next(values)
            if name in SEEDS or options.get("control_after_generate") or options.get("image_upload"):
                next(values)
    assert list(values) == [], f"{node['type']} has values left over"
    return found


def to_api(graph: dict, schemas: dict, bypass: bool) -> dict:
    """What the frontend would queue of a graph, read with the server's schemas.

    Args:
        bypass: whether bypassed nodes are left out, with what passes through them linked past them.
    """
    links = {link[0]: link for link in graph["links"]}
    by_id = {node["id"]: node for node in graph["nodes"]}

    def source(link_id: int) -> list:
        _, origin, slot, _, _, type = links[link_id]
        node = by_id[origin]
        if not bypass or node["mode"] != BYPASSED:
            return [str(origin), slot]
        passing = [entry for entry in node["inputs"] if entry["type"] == type]
        twins = [entry for entry in node["outputs"] if entry["type"] == type]
        return source(passing[twins.index(node["outputs"][slot])]["link"])

    return {
        str(node["id"]): {
            "class_type": node["type"],
            "inputs": widget_values(node, schemas[node["type"]])
            | {entry["name"]: source(entry["link"]) for entry in node["inputs"] if entry["link"]},
        }
        for node in nodes_of(graph)
        if not (bypass and node["mode"] == BYPASSED)
    }
