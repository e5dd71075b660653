"""Boxes that overlap: drawn as they will act, said, moved apart, brought to front."""

import json

import pytest
from PIL import Image

from .test_painting import pixel, start

BOXES = ((0.1, 0.1, 0.5, 0.5), (0.3, 0.3, 0.8, 0.8))


def words(layout):
    layout.pause()
    return layout.find(".msd-words").inner_text()


def overlap(layout, value):
    """Sets the node's input, as its widget does."""
    layout.layout(f"node.widgets.find((one) => one.name === 'overlap').value = '{value}', ui.refresh()")
    layout.pause()


def colours(layout, points):
    layout.page.mouse.move(*layout.at(0.97, 0.03))
    return [tuple(pixel(layout, *point)) for point in points]


def test_with_mix_the_shared_part_is_striped_in_both_colours_and_said(layout):
    layout.set_boxes(*BOXES)
    first, second = colours(layout, [(0.2, 0.2), (0.7, 0.7)])
    shared = colours(layout, [(0.32 + 0.004 * k, 0.42) for k in range(30)])
    assert len(set(shared)) > 2 and first not in shared and second not in shared
    assert words(layout) == "Boxes 1 and 2 overlap: both subjects act there"
    layout.set_boxes(*BOXES, (0.4, 0.4, 0.9, 0.6))
    assert words(layout) == "3 pairs of boxes overlap"


def test_boxes_in_a_scene_are_no_accident(layout):
    layout.set_boxes((0, 0, 1, 1), (0.2, 0.2, 0.5, 0.5))
    assert words(layout) == "2 boxes"


def test_move_apart_is_one_undo_step_and_leaves_locked_boxes_and_sizes(layout):
    layout.set_boxes(*BOXES)
    before, steps = layout.text, layout.undo_steps
    layout.find(".msd-remedy").click()
    layout.pause()
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = layout.edges
    assert ax1 <= bx0 or ay1 <= by0
    sizes = [ax1 - ax0, ay1 - ay0, bx1 - bx0, by1 - by0]
    assert sizes == pytest.approx([0.4, 0.4, 0.5, 0.5], abs=1e-6)
    assert layout.undo_steps == steps + 1
    assert words(layout) == "2 boxes"
    layout.undo()
    assert layout.text == before
    layout.layout("ui.editor.apply({ boxes: [{ ...ui.editor.state.boxes[0], locked: true }, ui.editor.state.boxes[1]], selected: [] })")
    layout.find(".msd-remedy").click()
    layout.pause()
    assert layout.edges[0] == list(BOXES[0]) and layout.edges[1] != list(BOXES[1])


def test_with_a_selection_a_sign_beside_the_numbers_moves_apart(layout):
    layout.set_boxes(*BOXES)
    layout.layout("ui.editor.select([0])")
    layout.pause()
    layout.find(".msd-overlap").click()
    layout.pause()
    assert layout.edges != [list(box) for box in BOXES]
    assert layout.find(".msd-overlap").count() == 0


def test_boxes_without_room_say_so_and_stay(layout):
    layout.set_boxes((0, 0, 0.7, 0.7), (0.2, 0.2, 0.9, 0.9))
    before = layout.text
    layout.find(".msd-remedy").click()
    layout.pause()
    assert layout.text == before
    overlap(layout, "apart")
    assert words(layout) == "Box 1 and box 2 can't be moved apart: they measure 717×717 and 717×717 pixels. Make boxes smaller, or set overlap to front"
    overlap(layout, "mix")


def test_the_one_in_front_covers_the_other(layout):
    layout.set_boxes(*BOXES)
    overlap(layout, "front")
    alone, shared = colours(layout, [(0.7, 0.7), (0.4, 0.4)])
    assert shared == alone
    layout.layout("ui.editor.select([0])")
    layout.focus()
    layout.press("Control+]", "Escape")
    assert [box.get("z", 0) for box in layout.boxes] == [1, 0]
    alone, shared = colours(layout, [(0.2, 0.2), (0.4, 0.4)])
    assert shared == alone
    layout.layout("ui.editor.select([0])")
    layout.press("Control+[", "Escape")
    assert [box.get("z", 0) for box in layout.boxes] == [0, 0]
    overlap(layout, "mix")


def test_the_nearer_one_keeps_the_shared_part(layout):
    layout.set_boxes((0.1, 0.1, 0.5, 0.5), (0.3, 0.1, 0.7, 0.5))
    overlap(layout, "nearest")
    left, near_left, near_right, right = colours(layout, [(0.2, 0.4), (0.37, 0.4), (0.43, 0.4), (0.6, 0.4)])
    assert (near_left, near_right) == (left, right) and left != right
    overlap(layout, "mix")


def test_apart_shows_where_the_boxes_will_stand_and_leaves_them(layout):
    layout.set_boxes(*BOXES)
    before = layout.text
    overlap(layout, "apart")
    places = layout.layout("ui.stage.scene(ui.stage).standing")
    assert places[0]["x1"] <= places[1]["x0"] or places[0]["y1"] <= places[1]["y0"]
    assert layout.text == before
    box, place = layout.boxes[1], places[1]
    left = box["x0"] + (place["x0"] - box["x0"]) / 2, box["y0"] + (place["y0"] - box["y0"]) / 2
    assert colours(layout, [(0.75, 0.75)]) != colours(layout, [(0.9, 0.9)]), "its fill is where it will stand"
    assert left != (box["x0"], box["y0"])
    overlap(layout, "mix")


def test_a_painted_region_overlaps_only_where_it_is_painted(layout):
    start(layout, *BOXES, select=1)
    layout.drag((0.6, 0.6), (0.7, 0.7), steps=6)
    layout.press("Escape", "Escape")
    assert words(layout) == "2 boxes"
    assert json.loads(layout.text)["boxes"][1]["mask"]


def test_linked_masks_are_drawn_as_the_run_says_that_they_act(layout, server):
    Image.new("L", (64, 64), 255).save(server.input / "white.png")
    layout.fresh(
        "const source = add('LoadImageMask', 20, 90); source.widgets[0].value = 'white.png'; link(source, 0, layout, 'masks');"
    )
    overlap(layout, "front")
    # A picture of 2 by 2 cells: the first subject acts in the left column, the second in the right one.
    layout.layout(
        """node.onExecuted({ msd_layout: [{ width: 1024, height: 1024, boxes: [{ x0: 0, y0: 0, x1: 1, y1: 1 }, { x0: 0, y0: 0, x1: 1, y1: 1 }],
        masks: [], overlap: 'front', regions: [{ size: [2, 2], counts: '022' }, { size: [2, 2], counts: '22' }] }] })"""
    )
    left, right = colours(layout, [(0.25, 0.8), (0.75, 0.8)])
    assert left != right
    overlap(layout, "mix")
