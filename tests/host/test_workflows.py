"""The example workflows on a real server: each runs, and the two ways each is written down say the same."""

import io
import itertools
import json
import re
import shutil

import pytest
from PIL import Image, ImageChops

from devtools.graphs import BYPASSED, as_text
from devtools.host import PACK
from devtools.server import ServerError
from devtools.websocket import WebSocket
from devtools.workflows import (
    API_EXAMPLES,
    EXAMPLES,
    EXAMPLES_IN_ORDER,
    PHOTOS,
    REAL_EXAMPLES,
    TWO_PHOTOS,
    build,
)
from msd_core.demo.config import SCENE_SIZE

EXAMPLE = pytest.mark.parametrize("example", EXAMPLES_IN_ORDER, ids=lambda example: example.name)
TEMPLATE = pytest.mark.parametrize("example", (*REAL_EXAMPLES, *EXAMPLES_IN_ORDER), ids=lambda example: example.name)
"""Those that need files, and those that run without."""
REAL = pytest.mark.parametrize("example", REAL_EXAMPLES, ids=lambda example: example.name)
FRONTEND_ONLY = {"MarkdownNote"}
REMEDY = "run python -m devtools.workflows"
# The frontend puts an extra widget after numbers of these names, whatever their schemas say.
SEEDS = {"seed", "noise_seed"}
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}


@pytest.fixture(scope="module")
def server(comfy_server):
    return comfy_server


@pytest.fixture(scope="module")
def schemas(server) -> dict:
    return server.object_info()


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


def overlap(a: tuple, b: tuple) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


# How many images each kind of example saves, and how much larger than the demo's scenes they are.
SAVED = {"blend": 4, "attribution": 5, "scores": 3}
ENLARGED = {"hires": 1.5, "tiles": 1.5}


@EXAMPLE
def test_every_example_yields_its_images_from_both_of_its_files(server, schemas, example):
    shipped = to_api(ui(example), schemas, bypass=True)
    side = int(SCENE_SIZE * ENLARGED.get(example.kind, 1))
    for workflow in (api(example.name), shipped):
        images = pictures(server, workflow)
        assert [image.size for image in images] == [(side, side)] * SAVED.get(example.kind, 1)
        assert all(len(image.getcolors(side * side)) > 100 for image in images)


def test_the_subjects_and_the_control_net_each_change_the_image(server):
    workflows = [short("two_subjects_controlnet") for _ in range(3)]
    first(workflows[0], "MSDiffusionApply")["scale"] = 0
    first(workflows[1], "ControlNetApplyAdvanced")["strength"] = 0
    assert len({picture(server, workflow).tobytes() for workflow in workflows}) == 3


def test_the_control_net_follows_its_sketch(server):
    sketched, other = short("two_subjects_controlnet"), short("two_subjects_controlnet")
    first(other, "EmptyImage")["color"] = 0
    assert picture(server, sketched).tobytes() != picture(server, other).tobytes()


def test_the_sketch_is_lines_on_black(server):
    workflow = short("two_subjects_controlnet")
    canny = number_of(workflow, "Canny")
    (sketch,) = pictures(server, workflow, "temp", number_of(workflow, "PreviewImage", images=[canny, 0]))
    dark, light = (sketch.convert("L").histogram()[value] / (sketch.width * sketch.height) for value in (0, 255))
    assert dark + light == 1
    assert 0.02 < light < 0.2


def test_bypassing_the_control_net_leaves_the_subjects_alone(server, schemas):
    (example,) = (example for example in EXAMPLES_IN_ORDER if example.kind == "control")
    graph, off = ui(example), api(example.name)
    for node in graph["nodes"]:
        if node["type"] == "ControlNetApplyAdvanced":
            node["mode"] = BYPASSED
    first(off, "ControlNetApplyAdvanced")["strength"] = 0
    assert picture(server, to_api(graph, schemas, bypass=True)).tobytes() == picture(server, off).tobytes()


def test_auto_layout_rules_from_its_start_on(server):
    """Of the paper's method a step says when; it may be one that the run has not."""
    auto, late, boxes = short("auto_layout"), short("auto_layout"), short("auto_layout")
    first(late, "MSDiffusionAutoLayout").update(method="paper", start_step=10000)
    del first(boxes, "MSDiffusionApply")["auto_layout"]
    plain = picture(server, boxes).tobytes()
    assert picture(server, late).tobytes() == plain
    assert picture(server, auto).tobytes() != plain


def test_the_page_that_runs_auto_layout_is_told_where_each_subject_ended(server):
    """Of a run that is sampled: what the server still has, nobody follows."""
    workflow, told = short("auto_layout"), []
    first(workflow, "KSampler")["seed"] = 424242
    layout, sampler = (number_of(workflow, type) for type in ("MSDiffusionLayout", "KSampler"))
    drawn = [[box[edge] for edge in ("x0", "y0", "x1", "y1")] for box in json.loads(
        workflow[layout]["inputs"]["boxes"])["boxes"]]
    websocket = WebSocket(server.address, server.port, "/ws?clientId=told")
    try:
        prompt = server.post_prompt(workflow, "told")
        for text in websocket.messages():
            message = json.loads(text)
            if message["type"] == "msdiffusion.regions":
                told.append(message["data"])
            if message["type"] in ("execution_success", "execution_error"):
                break
    finally:
        websocket.close()
    (data,) = told
    ((first_box, second_box),) = data.pop("images")
    assert data == {"prompt_id": prompt, "node": sampler, "layout": layout, "subjects": ["car", "rocket"],
                    "drawn": drawn}
    for box, own in zip((first_box, second_box), drawn, strict=True):
        assert box[2] - box[0] == pytest.approx(own[2] - own[0], abs=2e-4)
    assert first_box[0] >= second_box[2] or first_box[1] >= second_box[3] or first_box[2] <= second_box[0]


def test_regions_in_the_drawings_shapes_replace_the_boxes(server):
    shaped, boxes = short("free_form_regions"), short("free_form_regions")
    del first(boxes, "MSDiffusionLayout")["masks"]
    assert picture(server, shaped).tobytes() != picture(server, boxes).tobytes()
    preview = number_of(shaped, "PreviewImage", images=[number_of(shaped, "MSDiffusionLayout"), 4])
    (shown,) = pictures(server, shaped, "temp", preview)
    points = ((0.02, 0.02), (0.25, 0.35), (0.03, 0.13))
    background, in_the_fish, beside_the_fish = (
        shown.getpixel((round(x * shown.width), round(y * shown.height))) for x, y in points
    )
    assert in_the_fish != background == beside_the_fish


def test_every_view_weight_and_schedule_of_its_example_counts(server):
    name = "views_weights_schedules"
    workflows = {change: short(name) for change in ("none", "one view", "subject weight", "blocks", "schedule")}
    del first(workflows["one view"], "BatchImagesNode")["images.image1"]
    first(workflows["subject weight"], "MSDiffusionSubject")["weight"] = 1.0
    first(workflows["blocks"], "MSDiffusionApply").update(down_weight=1.0, up_weight=1.0)
    mug = number_of(workflows["schedule"], "MSDiffusionSubject", end_percent=0.8)
    workflows["schedule"][mug]["inputs"].update(start_percent=0.0, end_percent=1.0)
    assert len({picture(server, workflow).tobytes() for workflow in workflows.values()}) == len(workflows)


def test_a_blends_first_image_is_the_first_subject_alone(server):
    blended, plain = short("blend_batch"), short("blend_batch")
    blend = number_of(plain, "MSDiffusionBlend")
    first(plain, "MSDiffusionApply")["embeds"] = plain[blend]["inputs"]["embeds_a"]
    images, alone = pictures(server, blended), pictures(server, plain)
    assert difference(images[0], alone[0]) <= 1
    assert all(difference(*pair) > 1 for pair in zip(images[1:], alone[1:], strict=True))


def test_attribution_shows_each_subjects_region_and_leaves_the_image_alone(server):
    workflow = short("attribution_maps")
    result = number_of(workflow, "SaveImage", filename_prefix="MS-Diffusion")
    (watched,) = pictures(server, workflow, node=result)
    assert watched.tobytes() == picture(server, short("two_subjects")).tobytes()
    maps = number_of(workflow, "MSDiffusionAttributionMaps", source="subject")
    cat, robot = pictures(server, workflow, "temp", number_of(workflow, "MaskPreview", mask=[maps, 1]))
    places = [(int(x * SCENE_SIZE), int(y * SCENE_SIZE)) for x, y in ((0.25, 0.7), (0.75, 0.35))]
    assert [mask.getpixel(at)[0] for mask in (cat, robot) for at in places] == [255, 0, 0, 255]


def test_each_tile_gets_its_own_part_of_the_layout(server):
    tiled, whole = short("tiles"), short("tiles")
    for node in whole.values():
        if node["class_type"] == "MSDiffusionApply":
            node["inputs"]["embeds"] = [number_of(whole, "MSDiffusionEncode"), 0]
    assert picture(server, tiled).tobytes() != picture(server, whole).tobytes()


def test_the_scores_of_a_batch_show_in_bars_and_in_words(server):
    workflow = short("scores")
    outputs = server.run(workflow)["outputs"]
    bars = outputs[number_of(workflow, "MSDiffusionScore")]["images"]
    drawn = [Image.open(io.BytesIO(server.view(**record))) for record in bars]
    assert len(drawn) == 3 and len({image.tobytes() for image in drawn}) == 3
    (report,) = outputs[number_of(workflow, "PreviewAny")]["text"]
    assert report.startswith("image 1: CLIP-I 0.") and "mean of 3: " in report
    assert re.search(r"in its region cat 0\.\d+, rocket 0\.\d+", report)


def test_a_run_starts_from_the_cut_outs_in_their_boxes_on_grey(server):
    workflow, moved = short("collage"), short("collage")
    collage = number_of(workflow, "MSDiffusionCollage")
    (shown,) = pictures(server, workflow, "temp", number_of(workflow, "PreviewImage", images=[collage, 0]))
    assert shown.size == (SCENE_SIZE, SCENE_SIZE)
    at = [tuple(round(edge * SCENE_SIZE) for edge in place) for place in ((0.05, 0.05), (0.95, 0.9), (0.55, 0.7))]
    assert {shown.getpixel(place) for place in at} == {(127, 127, 127)}
    for box in ((0.15, 0.65, 0.35, 0.9), (0.6, 0.42, 0.9, 0.52)):
        part = shown.crop(tuple(round(edge * SCENE_SIZE) for edge in box))
        assert (127, 127, 127) not in {colour for _, colour in part.getcolors(part.width * part.height)}
    first(moved, "MSDiffusionCollage")["fit"] = "fill"
    assert picture(server, workflow).tobytes() != picture(server, moved).tobytes()


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


def test_two_real_photos_run_through(server):
    workflow = api(TWO_PHOTOS.name)
    written = (API_EXAMPLES / f"{TWO_PHOTOS.name}.api.json").read_text("utf-8")
    assert written == as_text(build(TWO_PHOTOS).to_api()), REMEDY
    photos = [node["inputs"]["image"] for node in workflow.values() if node["class_type"] == "LoadImage"]
    assert sorted(photos) == sorted(photo.name for photo in PHOTOS.iterdir() if photo.suffix != ".md")
    assert len(photos) == 2
    for photo in photos:
        assert (PHOTOS / photo).stat().st_size < 100_000
        shutil.copy(PHOTOS / photo, server.input)
    assert picture(server, workflow).size == (SCENE_SIZE, SCENE_SIZE)


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


BOX = '{"x0":0.1,"y0":0.1,"x1":0.5,"y1":0.9}'
REFUSED = {
    "malformed JSON": ("MSDiffusionLayout", "boxes", '{"boxes":[', ["no valid JSON", "at character 10"]),
    "Python instead of JSON": ("MSDiffusionLayout", "boxes", "{'boxes':[]}", ["use double quotes"]),
    "a reversed box": ("MSDiffusionLayout", "boxes", '{"boxes":[[0.9,0,0.1,1]]}', ["Box 1", "x0 is 0.9", "x1 is 0.1"]),
    "a box without area": ("MSDiffusionLayout", "boxes", '{"boxes":[[0.3,0,0.3,1]]}', ["Box 1", "both 0.3"]),
    "a box in pixels": ("MSDiffusionLayout", "boxes", '{"boxes":[[0,0,512,1]]}', ["Box 1", "512", "divide pixels"]),
    "a NaN edge": ("MSDiffusionLayout", "boxes", '{"boxes":[[0,0,NaN,1]]}', ["Box 1", "nan"]),
    "fewer boxes than subjects": (
        "MSDiffusionLayout", "boxes", f'{{"boxes":[{BOX}]}}', ["Subject 2, 'robot', takes box 2", "there are 1 boxes"],
    ),
    "no box at all": ("MSDiffusionLayout", "boxes", "", ["Subject 1", "there are 0 boxes", "'cat', takes box 1"]),
    "an empty phrase": ("MSDiffusionSubject", "phrase", " ", ["The phrase is ''", "must name the subject"]),
    "a window of no length": (
        "MSDiffusionApply", "start_percent", 1.0, ["start_percent is 1", "end_percent is 1", "before"],
    ),
}  # fmt: skip


def with_bare_pictures(workflow: dict) -> dict:
    """A workflow without nodes that show something by themselves: the server runs those whatever it refuses."""
    for node in workflow.values():
        if node["class_type"] == "MSDiffusionSubject":
            node["inputs"]["phrase"] = workflow[node["inputs"]["phrase"][0]]["inputs"]["kind"]
    for node in workflow.values():
        if node["class_type"] == "MSDiffusionDemoSubject":
            node.update(class_type="EmptyImage", inputs={"width": 64, "height": 64, "batch_size": 1, "color": 0})
    return workflow


@pytest.mark.parametrize("type, name, value, said", REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_with_its_values(server, type, name, value, said):
    workflow = with_bare_pictures(api("two_subjects"))
    first(workflow, type)[name] = value
    with pytest.raises(ServerError) as refusal:
        server.run(workflow)
    assert type in refusal.value.message or "MSDiffusionEncode" in refusal.value.message
    for words in said:
        assert words in refusal.value.message


def test_a_layout_without_the_boxes_input_means_no_boxes(server):
    workflow = api("two_subjects")
    del first(workflow, "MSDiffusionLayout")["boxes"]
    with pytest.raises(ServerError, match="takes box 1 but there are 0 boxes"):
        server.run(workflow)
