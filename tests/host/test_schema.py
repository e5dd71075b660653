"""Every node's schema, frozen: shared workflow files outlive code."""

import json
import os
from pathlib import Path

import pytest

SNAPSHOT = Path(__file__).parents[1] / "data" / "schemas.json"
PREFIX = "MSDiffusion"


@pytest.fixture(scope="module")
def ours(host):
    return {name: node for name, node in host.nodes.items() if name.startswith(PREFIX)}


def frozen(node) -> dict:
    """What a workflow file depends on, and what the user reads of it."""
    info = node.GET_NODE_INFO_V1()
    kept = ("input", "input_order", "output", "output_name", "display_name", "category", "search_aliases")
    found = {key: info[key] for key in kept if key in info}
    # Lists of files differ from machine to machine.
    for section in found["input"].values():
        for declared in section.values():
            files = declared[0] == "COMBO" and all("." in str(option) for option in declared[1]["options"])
            if files:
                declared[1]["options"] = []
                declared[1].pop("default", None)
    return json.loads(json.dumps(found))


def test_schemas_are_as_frozen(ours):
    current = {name: frozen(node) for name, node in sorted(ours.items())}
    if os.environ.get("MSD_FREEZE_SCHEMAS"):
        SNAPSHOT.write_text(json.dumps(current, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert current == json.loads(SNAPSHOT.read_text("utf-8")), (
        "A schema changed. Ids, input names and output order are frozen; for a new optional input or a better text, "
        "set MSD_FREEZE_SCHEMAS=1 once and review the difference."
    )


def test_every_input_has_a_tooltip_and_every_node_a_description_and_aliases(ours):
    for name, node in ours.items():
        schema = node.GET_SCHEMA()
        assert schema.category.startswith("MS-Diffusion"), name
        assert schema.description, name
        assert schema.search_aliases, name
        for declared in schema.inputs:
            assert declared.tooltip, f"{name}.{declared.id}"
        for output in schema.outputs:
            assert output.tooltip, f"{name} output {output.display_name}"


def test_every_node_has_a_help_page_that_names_all_its_inputs(ours, host):
    for name, node in ours.items():
        page = Path(host.pack.__path__[0]) / "web" / "docs" / f"{name}.md"
        text = page.read_text("utf-8")
        for declared in node.GET_SCHEMA().inputs:
            assert f"`{declared.id}`" in text, f"{page.name} says nothing of {declared.id}"
