"""Boxes of any origin: the canvas' verdict on every text, numbers of any type, values that no box is made of."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy
import pytest

from msd_core.boxes import Box, boxes_from_pixels, boxes_to_pixels, format_boxes, parse_boxes

# The canvas is held to the same file by tests/web/format.test.mjs.
VERDICTS = json.loads((Path(__file__).parents[1] / "data" / "boxes_verdicts.json").read_text("utf-8"))


def text_of(parts) -> str:
    """A case's text; one that is a list is put together of texts and of texts so many times."""
    if isinstance(parts, str):
        return parts
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)


def refusal(read, *values) -> str:
    with pytest.raises(ValueError) as caught:
        read(*values)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert message.startswith(("Box ", "Bounding box ", "The layout ", '"boxes" is ')), message
    assert ": " in message, "the remedy is missing"
    return message


@pytest.mark.parametrize("case", VERDICTS["valid"], ids=lambda case: case["case"])
def test_a_text_that_the_canvas_reads_is_read(case):
    read = parse_boxes(text_of(case["text"]))
    assert [list(box.edges) for box in read] == case["boxes"]
    assert parse_boxes(format_boxes(read)) == read


@pytest.mark.parametrize("case", VERDICTS["refused"], ids=lambda case: case["case"])
def test_a_text_that_the_canvas_refuses_is_refused_in_one_sentence(case):
    refusal(parse_boxes, text_of(case["text"]))


@pytest.mark.parametrize("kind", [numpy.float64, numpy.float32, numpy.float16, Fraction])
def test_numbers_of_any_type_are_read_and_kept_as_pythons(kind):
    (box,) = parse_boxes([[kind(0.25), kind(0), kind(0.5), kind(1)]])
    assert box == Box(0.25, 0.0, 0.5, 1.0)
    assert [type(edge) for edge in box.edges] == [float] * 4
    assert format_boxes([box]) == '{"version":1,"boxes":[{"x0":0.25,"y0":0,"x1":0.5,"y1":1,"label":"","color":""}]}'


@pytest.mark.parametrize("kind", [numpy.int64, numpy.int32, numpy.uint8, numpy.float32, float])
def test_a_detectors_numpy_numbers_are_read(kind):
    entry = {"x": kind(10), "y": kind(20), "width": kind(30), "height": kind(40), "metadata": {"label": "cat"}}
    (box,) = boxes_from_pixels([entry], 100, 100)
    assert box == Box(0.1, 0.2, 0.4, 0.6, "cat")
    assert [type(edge) for edge in box.edges] == [float] * 4
    json.dumps(boxes_to_pixels([box], 100, 100))


@pytest.mark.parametrize("value", [True, numpy.bool_(True), 1 + 0j, Decimal(1), "1", None, [1], numpy.ones(2), b"1"])
def test_what_is_no_number_is_told(value):
    assert "x1 is " in refusal(parse_boxes, [[0, 0, value, 1]])
    entry = {"x": 0, "y": 0, "width": value, "height": 5}
    assert "needs finite numbers" in refusal(boxes_from_pixels, [entry], 100, 100)


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), 10**5000, numpy.float32("inf"), numpy.float64("nan")],
    ids=["400 digits", "minus 400 digits", "5000 digits", "infinity", "nan"],
)
def test_a_number_without_end_is_told(value):
    assert "must be a number from 0 to 1" in refusal(parse_boxes, [[0, 0, value, 1]])
    entry = {"x": value, "y": 0, "width": 5, "height": 5}
    assert "needs finite numbers" in refusal(boxes_from_pixels, [entry], 100, 100)


@pytest.mark.parametrize("value, words", [
    (numpy.ones((1, 4)), '"boxes" is a ndarray'),
    ({"boxes": numpy.ones((1, 4))}, '"boxes" is a ndarray'),
    ({"version": numpy.ones(2), "boxes": []}, "version"),
    ({1: [], "a": []}, "has the keys"),
    ({"boxes": [{*()}]}, "Box 1 is set()"),
    ({"boxes": [[0, 0, 1, 1], "here" * 1000]}, "Box 2 is 'here"),
    ({"boxes": [{"x0": 0, "y0": 0, "x1": 0, "y1": 1, "label": "a\nb" * 1000}]}, r'Box 1 ("a\nba\nb'),
    ({"boxes": [{"x0": 0, "y0": 0, "x1": 1, "y1": 1, "label": 10**5000}]}, "Box 1 has label a"),
], ids=["array", "array of boxes", "version", "keys", "set", "long text", "long label", "label of digits"])
def test_python_values_that_are_no_layout_are_told(value, words):
    assert words in refusal(parse_boxes, value)


def test_a_list_that_holds_itself_is_told():
    value: list = []
    value += [value] * 100
    assert "more than 16 deep" in refusal(parse_boxes, value)
    assert "Bounding box 1 is [" in refusal(boxes_from_pixels, value, 100, 100)


PLACE = {"x": 10, "y": 20, "width": 30, "height": 40}


@pytest.mark.parametrize("metadata, words", [
    (["cat"], "has the metadata ['cat']"),
    ("cat", "has the metadata 'cat'"),
    (7, "has the metadata 7"),
    ({"palette": "red"}, "has the palette 'red'"),
    ({"palette": {"0": "red"}}, "has the palette {'0': 'red'}"),
])
def test_metadata_of_another_form_are_told(metadata, words):
    assert words in refusal(boxes_from_pixels, [PLACE, {**PLACE, "metadata": metadata}][1:], 100, 100)


@pytest.mark.parametrize("metadata", [None, {}, {"palette": None}, {"palette": []}, {"desc": ""}])
def test_metadata_that_say_nothing_leave_the_box_without_a_name(metadata):
    assert boxes_from_pixels([{**PLACE, "metadata": metadata}], 100, 100) == (Box(0.1, 0.2, 0.4, 0.6),)


@pytest.mark.parametrize("entry", [None, 7, "here", [], [0, 0, 5, 5], {}, {**PLACE, "x": None}, {**PLACE, "y": True}])
def test_what_is_no_bounding_box_is_told(entry):
    assert "Bounding box 2 is" in refusal(boxes_from_pixels, [PLACE, entry], 100, 100)
