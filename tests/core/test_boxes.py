"""The boxes' value: written one way, read in every way that scripts and detectors write it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msd_core.boxes import EMPTY_BOXES, HIGHEST, Box, boxes_from_pixels, boxes_to_pixels, format_boxes, parse_boxes
from msd_core.painted import PaintedMask

PIXELS = Path(__file__).parents[1] / "data" / "bounding_boxes.json"
CANONICAL = '{"version":1,"boxes":[{"x0":0.1,"y0":0.2,"x1":0.5,"y1":0.8,"label":"","color":""}]}'


@st.composite
def boxes(draw):
    x = sorted(draw(st.lists(st.integers(0, 10000), min_size=2, max_size=2, unique=True)))
    y = sorted(draw(st.lists(st.integers(0, 10000), min_size=2, max_size=2, unique=True)))
    label, color = draw(st.text(max_size=8)), draw(st.text(max_size=7) | st.from_regex("#[0-9a-fA-F]{6}"))
    mask = draw(st.sampled_from([None, PaintedMask(2, 2, "0120"), PaintedMask(16, 12, "5684M2N2Nb10^N2N2N3LM")]))
    return Box(
        x[0] / 10000, y[0] / 10000, x[1] / 10000, y[1] / 10000, label, color, draw(st.booleans()),
        draw(st.integers(-HIGHEST, HIGHEST)), mask,
    )


def test_the_canonical_text_has_fixed_keys_and_four_decimals():
    assert format_boxes([Box(0.1, 0.2, 0.5, 0.8)]) == CANONICAL
    assert format_boxes([Box(0.10001, 0.19999, 0.50004, 0.8)]) == CANONICAL
    assert format_boxes([]) == EMPTY_BOXES


@given(st.lists(boxes(), max_size=5))
def test_what_is_written_reads_back_the_same(placed):
    assert list(parse_boxes(format_boxes(placed))) == placed


@pytest.mark.parametrize("value", [
    CANONICAL,
    '{"boxes":[[0.1,0.2,0.5,0.8]]}',
    "[[0.1, 0.2, 0.5, 0.8]]",
    '[{"x0":0.1,"y0":0.2,"x1":0.5,"y1":0.8}]',
    {"boxes": [{"y1": 0.8, "x1": 0.5, "y0": 0.2, "x0": 0.1}]},
    '{"version":1,"boxes":[{"x0":0.1,"y0":0.2,"x1":0.5,"y1":0.8,"label":"","color":"","locked":"yes","score":0.9}]}',
])
def test_scripts_may_write_boxes_in_several_ways(value):
    assert parse_boxes(value) == (Box(0.1, 0.2, 0.5, 0.8),)


def test_what_a_box_has_beside_its_edges_is_written_in_one_order_and_only_where_it_has_it():
    mask = {"size": [2, 2], "counts": "0120"}
    box = {"mask": mask, "z": 3.0, "locked": True, "color": "#00Ff00", "label": "dog", "y1": 1, "x1": 1, "y0": 0}
    placed = parse_boxes([{**box, "x0": 0}])
    assert placed == (Box(0, 0, 1, 1, "dog", "#00Ff00", True, 3, PaintedMask(2, 2, "0120")),)
    assert format_boxes(placed) == (
        '{"version":1,"boxes":[{"x0":0,"y0":0,"x1":1,"y1":1,"label":"dog","color":"#00Ff00","locked":true,"z":3,'
        '"mask":{"size":[2,2],"counts":"0120"}}]}'
    )
    assert format_boxes([Box(0.1, 0.2, 0.5, 0.8, locked=False, z=0, mask=PaintedMask(2, 2, "04"))]) == CANONICAL


@pytest.mark.parametrize("color", [
    "red", "#f00", "#ff00001", "#ff000", " #ff0000", "#ff0000\n", "#gg0000", "#\uff11\uff12\uff13456", "rgb(0,0,0)",
    "red;position:fixed;background:url(http://example.com)", "#ff0000;x:y",
])
def test_what_is_no_colour_is_dropped_wherever_it_comes_from(color):
    drawn, = parse_boxes([{"x0": 0, "y0": 0, "x1": 1, "y1": 1, "color": color}])
    entry = {"x": 0, "y": 0, "width": 5, "height": 5, "metadata": {"palette": [color]}}
    linked, = boxes_from_pixels(entry, 100, 100)
    assert (drawn.color, linked.color, Box(0, 0, 1, 1, "", color).color) == ("", "", "")


@pytest.mark.parametrize("value", [None, "", EMPTY_BOXES, "[]"])
def test_no_boxes_is_an_empty_layout(value):
    assert parse_boxes(value) == ()


@pytest.mark.parametrize(("value", "words"), [
    ('{"boxes":[[0.1,0.2,0.5', ["valid JSON", "character"]),
    ("{'boxes':[[0.1,0.2,0.5,0.8]]}", ["valid JSON", "double quotes"]),
    ('{"version":2,"boxes":[]}', ["version 2", "version 1", "update"]),
    ('{"rects":[]}', ["rects", '"boxes"']),
    ("7", ["int", "list"]),
    ('{"boxes":[[0.1,0.2,0.5]]}', ["Box 1", "3 numbers", "4"]),
    ('{"boxes":[[0,0,1,1],"here"]}', ["Box 2", "'here'"]),
    ('{"boxes":[{"x0":0,"y0":0,"x1":1}]}', ["Box 1", "lacks y1"]),
    ('{"boxes":[{"x0":0,"y0":0,"x1":1,"y1":1,"label":3}]}', ["Box 1", "label 3"]),
    ('{"boxes":[[0.5,0,0.5,1]]}', ["Box 1", "x0 and x1 are both 0.5", "larger"]),
    ('{"boxes":[[0,0,1,0]]}', ["Box 1", "y0 and y1 are both 0"]),
    ('{"boxes":[[0.6,0,0.2,1]]}', ["Box 1", "x0 is 0.6", "x1 is 0.2", "swap"]),
    ('{"boxes":[[0,0,512,512]]}', ["Box 1", "x1 is 512", "from 0 to 1", "divide pixels"]),
    ('{"boxes":[[-0.1,0,1,1]]}', ["Box 1", "x0 is -0.1"]),
    ('{"boxes":[[NaN,0,1,1]]}', ["Box 1", "x0 is nan"]),
    ('{"boxes":[[0,0,1,Infinity]]}', ["Box 1", "y1 is inf"]),
    ('{"boxes":[["0",0,1,1]]}', ["Box 1", "x0 is '0'"]),
    ('{"boxes":[{"x0":0,"y0":0,"x1":0,"y1":1,"label":"dog"}]}', ['Box 1 ("dog")']),
])
def test_a_bad_value_is_named_in_one_sentence(value, words):
    with pytest.raises(ValueError) as caught:
        parse_boxes(value)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_pixel_boxes_and_fractions_are_interchangeable():
    placed = (Box(0.25, 0.5, 0.75, 1.0, "dog", "#ff0000"),)
    pixels = boxes_to_pixels(placed, 832, 1216)
    assert {key: pixels[0][0][key] for key in ("x", "y", "width", "height")} == {
        "x": 208, "y": 608, "width": 416, "height": 608,
    }
    assert boxes_from_pixels(pixels, 832, 1216) == placed


# The canvas' export is held to the same file by tests/web/format.test.mjs.
@pytest.mark.parametrize("case", json.loads(PIXELS.read_text("utf-8")), ids=lambda case: case["case"])
def test_pixel_boxes_are_those_that_the_canvas_exports(case):
    assert boxes_to_pixels(parse_boxes(case["boxes"]), case["width"], case["height"]) == case["pixels"]


@given(boxes(), st.integers(64, 4096), st.integers(64, 4096))
def test_pixel_boxes_stay_inside_the_frame_and_never_vanish(box, width, height):
    entry = boxes_to_pixels([box], width, height)[0][0]
    assert entry["width"] >= 1
    assert entry["height"] >= 1
    assert 0 <= entry["x"] < entry["x"] + entry["width"] <= width
    assert 0 <= entry["y"] < entry["y"] + entry["height"] <= height


def test_every_form_of_the_cores_bounding_box_is_read():
    entry = {"x": 10, "y": 20, "width": 30, "height": 40, "metadata": {"label": "cat"}}
    expected = (Box(0.1, 0.2, 0.4, 0.6, "cat"),)
    assert boxes_from_pixels(entry, 100, 100) == expected
    assert boxes_from_pixels([entry], 100, 100) == expected
    assert boxes_from_pixels([[entry]], 100, 100) == expected
    assert boxes_from_pixels([], 100, 100) == ()


def test_a_detectors_overshoot_is_clipped_to_the_frame():
    assert boxes_from_pixels({"x": -3, "y": 0, "width": 200, "height": 50}, 100, 100) == (Box(0.0, 0.0, 1.0, 0.5),)


@pytest.mark.parametrize(("value", "words"), [
    ("text", ["str", "BOUNDING_BOX"]),
    ([{"x": 1, "y": 2}], ["Bounding box 1", "width", ": check"]),
    ([{"x": float("nan"), "y": 0, "width": 5, "height": 5}], ["Bounding box 1", "'x': nan", "finite"]),
    ([{"x": 0, "y": 0, "width": float("inf"), "height": 5}], ["Bounding box 1", "'width': inf", "finite"]),
    ([{"x": 0, "y": float("-inf"), "width": 5, "height": 5}], ["Bounding box 1", "'y': -inf", "finite"]),
    ([{"x": 200, "y": 0, "width": 10, "height": 10}], ["Bounding box 1", "100x100", "no area"]),
])
def test_a_bad_bounding_box_is_named(value, words):
    with pytest.raises(ValueError) as caught:
        boxes_from_pixels(value, 100, 100)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_labels_in_any_script_survive():
    text = format_boxes([Box(0, 0, 1, 1, "ねこ 🐈", "red")])
    assert "ねこ 🐈" in text
    assert json.loads(text)["boxes"][0]["label"] == "ねこ 🐈"
