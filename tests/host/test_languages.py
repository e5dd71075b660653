"""Every node in every language: locales against the real schemas. English stands in the schemas themselves."""

import json
import re
from pathlib import Path

import pytest

PREFIX = "MSDiffusion"
LOCALES = Path(__file__).parents[2] / "locales"
LANGUAGES = sorted(folder.name for folder in LOCALES.iterdir() if folder.name != "en")
# The frontend compiles names and descriptions (older ones: tooltips too) as message formats, in which these are syntax.
SYNTAX = re.compile(r"[{}@|$%\\]")


@pytest.fixture(scope="module")
def schemas(host):
    return {name: node.GET_SCHEMA() for name, node in host.nodes.items() if name.startswith(PREFIX)}


def shape_of(schema) -> dict:
    """What a translation of a node must have, with English for the text."""
    shape = {"display_name": schema.display_name, "description": schema.description}
    if schema.inputs:
        shape["inputs"] = {entry.id: {"name": entry.id, "tooltip": entry.tooltip} for entry in schema.inputs}
        shape["inputs"] |= grown(schema)
    shape["outputs"] = {
        str(index): {"name": output.display_name, "tooltip": output.tooltip}
        for index, output in enumerate(schema.outputs)
    }
    return shape


def grown(schema) -> dict:
    """English for the sockets that grow: the frontend takes it from a file alone, by the sockets' own names."""
    return {
        f"{entry.id}_{entry.template.prefix}{number}": {
            "tooltip": f"Subject {number + 1}, from MS-Diffusion Subject: it takes box {number + 1}."
        }
        for entry in schema.inputs if hasattr(entry, "template") for number in range(entry.template.max)
    }  # fmt: skip


def leaves(node, path: str = "") -> dict[str, str]:
    if isinstance(node, str):
        return {path: node}
    return {key: text for name, below in node.items() for key, text in leaves(below, f"{path}.{name}").items()}


@pytest.fixture(scope="module", params=LANGUAGES)
def translated(request):
    return json.loads((LOCALES / request.param / "nodeDefs.json").read_text("utf-8"))


def test_every_node_input_output_and_tooltip_is_translated_and_nothing_else(schemas, translated):
    asked = set(leaves({name: shape_of(schema) for name, schema in schemas.items()}))
    there = leaves(translated)
    assert sorted(asked - set(there)) == [], "without a translation"
    assert sorted(set(there) - asked) == [], "translated, but in no schema"
    assert all(text.strip() for text in there.values())


def test_sockets_that_grow_have_their_english_tooltips(schemas):
    written = json.loads((LOCALES / "en" / "nodeDefs.json").read_text("utf-8"))
    assert written == {name: {"inputs": grown(schema)} for name, schema in schemas.items() if grown(schema)}


def test_no_sentence_has_stayed_english(schemas, translated):
    english = leaves({name: shape_of(schema) for name, schema in schemas.items()})
    for key, text in leaves(translated).items():
        if key.endswith((".tooltip", ".description")):
            assert text != english[key], key
            assert re.search(r"[぀-ヿ一-鿿]", text), key


def test_no_text_holds_syntax_of_message_formats(translated):
    for key, text in leaves(translated).items():
        assert not SYNTAX.search(text), f"{key}: {text}"


def test_what_a_choice_offers_stands_in_its_translation_as_it_is_written(schemas, translated):
    """Choices are not translated by the frontend, so a tooltip that explains them must name them."""
    for name, schema in schemas.items():
        for declared in schema.inputs:
            for option in getattr(declared, "options", None) or []:
                if re.search(rf"\b{re.escape(option)}\b", declared.tooltip or ""):
                    told = translated[name]["inputs"][declared.id]["tooltip"]
                    assert option in told, f"{name}.{declared.id}: {option}"
