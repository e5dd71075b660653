"""The example workflows on a real server: each runs, and shows what it is about."""

import io
import json
import re
import shutil

import pytest
from PIL import Image

from devtools.graphs import BYPASSED, as_text
from devtools.websocket import WebSocket
from devtools.workflows import API_EXAMPLES, EXAMPLES_IN_ORDER, PHOTOS, TWO_PHOTOS, build
from msd_core.demo.config import SCENE_SIZE
from tests.host.workflow_files import (
    EXAMPLE,
    REMEDY,
    api,
    difference,
    first,
    number_of,
    picture,
    pictures,
    short,
    to_api,
    ui,
)


@pytest.fixture(scope="module")
def server(comfy_server):
    return comfy_server


@pytest.fixture(scope="module")
def schemas(server) -> dict:
    return server.object_info()


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
