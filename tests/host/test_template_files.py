"""The example workflows' files: what they are generated from, and the two ways each is written down say the same."""

import itertools
import re

import pytest
from PIL import Image

from devtools.graphs import BYPASSED, as_text
from devtools.host import PACK
from devtools.workflows import API_EXAMPLES, EXAMPLES, EXAMPLES_IN_ORDER, REAL_EXAMPLES, build
from tests.host.workflow_files import (
    EXAMPLE,
    FRONTEND_ONLY,
    REAL,
    REMEDY,
    TEMPLATE,
    api,
    combo_choices,
    fields,
    nodes_of,
    to_api,
    ui,
    widget_values,
)


@pytest.fixture(scope="module")
def schemas(comfy_server) -> dict:
    return comfy_server.object_info()


@TEMPLATE
def test_graph_and_api_workflow_say_the_same(schemas, example):
    expected = {
        number: {"class_type": node["class_type"], "inputs": node["inputs"]}
        for number, node in api(example.name).items()
    }
    assert to_api(ui(example), schemas, bypass=False) == expected


@EXAMPLE
def test_no_graph_needs_a_file(schemas, example):
    for node in nodes_of(ui(example)):
        assert "Load" not in node["type"], node["type"]
        for name, type, options in fields(schemas[node["type"]]):
            assert not {"image_upload", "video_upload", "audio_upload", "remote"} & options.keys(), (node["type"], name)
            choices = combo_choices(schemas[node["type"]], name) if type == "COMBO" else []
            assert not any(re.search(r"\.\w{2,11}$", choice) for choice in choices), (node["type"], name)


@EXAMPLE
def test_every_choice_is_one_that_the_server_offers(schemas, example):
    for node in nodes_of(ui(example)):
        values = widget_values(node, schemas[node["type"]])
        for name, type, _ in fields(schemas[node["type"]]):
            if type == "COMBO":
                assert values[name] in combo_choices(schemas[node["type"]], name), (node["type"], name)


@EXAMPLE
def test_every_subject_of_a_graph_is_drawn_and_named_by_its_node(example):
    workflow = api(example.name)
    subjects = [node["inputs"] for node in workflow.values() if node["class_type"] == "MSDiffusionSubject"]
    drawn = [workflow[subject["phrase"][0]] for subject in subjects]
    assert {node["class_type"] for node in drawn} == {"MSDiffusionDemoSubject"}
    looks = {(node["inputs"]["kind"], node["inputs"]["seed"]) for node in drawn}
    assert len(looks) == len(subjects) == len(example.subjects)
    assert {kind for kind, _ in looks} <= set(example.prompt.split())


def test_the_templates_in_the_folder_are_those_of_the_descriptions():
    titles = sorted(example.title for example in (*REAL_EXAMPLES, *EXAMPLES_IN_ORDER))
    assert sorted(path.stem for path in EXAMPLES.glob("*.json")) == titles
    assert titles == [example.title for example in (*REAL_EXAMPLES, *EXAMPLES_IN_ORDER)], "what runs on SDXL first"
    assert all(title.startswith("MS-Diffusion ") for title in titles), "templates of all packs share one index"


@REAL
def test_every_node_that_loads_a_model_says_where_its_file_comes_from(schemas, example):
    graph, offered = ui(example), {}
    for node in nodes_of(graph):
        uploads = any("image_upload" in options for *_, options in fields(schemas[node["type"]]))
        files = node["properties"].get("models", [])
        loads = "Load" in node["type"] and not uploads
        assert [file["name"] for file in files] == (node["widgets_values"][:1] if loads else []), node["type"]
        offered |= {file["name"]: file for file in files}
    (note,) = (node["widgets_values"][0] for node in graph["nodes"] if node["type"] == "MarkdownNote")
    for name, file in offered.items():
        assert f"[{name}]({file['url']})" in note and f"**models/{file['directory']}**" in note, name
        assert file["url"].startswith("https://huggingface.co/") and "/resolve/main/" in file["url"]
        assert len(file.get("hash", "")) in (0, 64) and file.get("hash_type", "SHA256") == "SHA256"


@TEMPLATE
def test_notes_can_be_read_in_nodes_2_and_name_templates_that_exist(example):
    """Code is drawn blue on blue there."""
    (note,) = (node["widgets_values"][0] for node in ui(example)["nodes"] if node["type"] == "MarkdownNote")
    assert "`" not in note
    named = re.findall(r"\*\*(MS-Diffusion [^*]+)\*\*", note)
    assert set(named) <= {other.title for other in REAL_EXAMPLES}
    assert len(named) == (not example.real)


def test_the_three_files_are_those_of_the_readme():
    readme = (PACK / "README.md").read_text("utf-8")
    files = [node["properties"]["models"][0] for node in nodes_of(ui(REAL_EXAMPLES[0]))
             if "models" in node["properties"] and node["mode"] != BYPASSED]  # fmt: skip
    assert len(files) == 3
    for file in files:
        page, _, path = file["url"].partition("/resolve/main/")
        assert f"({page}): `{path}`" in readme, file["name"]
        assert f"`{file['name']}`" in readme and f"`models/{file['directory']}`" in readme, file["name"]


@REAL
def test_backgrounds_are_removed_from_the_start_only_where_the_graph_needs_it(example):
    modes = {node["type"]: node["mode"] for node in nodes_of(ui(example)) if "Background" in node["type"]}
    expected = 0 if example.cut_outs else BYPASSED
    assert modes == {"LoadBackgroundRemovalModel": expected, "RemoveBackground": expected}
    assert example.cut_outs == (example.kind in ("control", "collage"))


@REAL
def test_every_phrase_of_a_template_stands_in_its_prompt(example):
    assert all(subject.phrase in example.prompt for subject in example.subjects)


@TEMPLATE
def test_the_files_are_what_their_description_yields(example):
    graph = build(example)
    assert (EXAMPLES / f"{example.title}.json").read_text("utf-8") == as_text(graph.to_ui()), REMEDY
    assert (API_EXAMPLES / f"{example.name}.api.json").read_text("utf-8") == as_text(graph.to_api()), REMEDY


@TEMPLATE
def test_every_socket_is_one_that_the_server_knows(schemas, example):
    for node in nodes_of(ui(example)):
        schema = schemas[node["type"]]
        known = {name: type for name, type, _ in fields(schema)}
        for entry in node["inputs"]:
            stem = entry["name"].rstrip("0123456789") if "." in entry["name"] else entry["name"]
            assert known[stem] == entry["type"], (node["type"], entry["name"])
        outputs = list(zip(schema["output_name"], schema["output"], strict=True))
        saved = [(entry["name"], entry["type"]) for entry in node["outputs"]]
        assert saved == outputs[: len(saved)], node["type"]


@TEMPLATE
def test_every_link_is_known_to_both_of_its_ends(example):
    graph = ui(example)
    nodes = {node["id"]: node for node in graph["nodes"]}
    links = {link[0]: link for link in graph["links"]}
    assert len(links) == len(graph["links"]) == graph["last_link_id"]
    for number, origin, slot, target, entry, type in links.values():
        assert number in nodes[origin]["outputs"][slot]["links"]
        assert nodes[target]["inputs"][entry]["link"] == number
        assert nodes[origin]["outputs"][slot]["type"] == type
        assert nodes[target]["inputs"][entry]["type"] in (type, "*")
    held = [entry["link"] for node in nodes.values() for entry in node["inputs"] if entry["link"]]
    held += [link for node in nodes.values() for entry in node["outputs"] for link in entry["links"] or []]
    assert sorted(held) == sorted([*links, *links])


def overlap(a: tuple, b: tuple) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@TEMPLATE
def test_nothing_overlaps_and_every_node_but_the_note_is_in_a_group(example):
    graph = ui(example)
    nodes = {node["id"]: (node["pos"][0], node["pos"][1] - 30, node["size"][0], node["size"][1] + 30)
             for node in graph["nodes"]}  # fmt: skip
    groups = [tuple(group["bounding"]) for group in graph["groups"]]
    for a, b in itertools.chain(itertools.combinations(nodes.values(), 2), itertools.combinations(groups, 2)):
        assert not overlap(a, b), (a, b)
    for node in graph["nodes"]:
        inside = [group for group in groups if overlap(group, nodes[node["id"]])]
        assert len(inside) == (0 if node["type"] in FRONTEND_ONLY else 1), node["type"]


@TEMPLATE
def test_every_graph_has_a_picture_of_its_own(example):
    with Image.open(EXAMPLES / f"{example.title}.jpg") as thumbnail:
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == (512, 512)
        badge = thumbnail.convert("L").crop((0, 0, 230, 62))
    low, high = badge.getextrema()
    assert high - low < 16, "the list of templates lays its badge there"
