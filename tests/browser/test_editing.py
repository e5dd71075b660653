"""Every gesture of mouse and keyboard on the canvas."""

import pytest


def near(edges, expected, tolerance=0.006):
    """Within two screen pixels of what was meant."""
    return len(edges) == len(expected) and all(abs(a - b) <= tolerance for a, b in zip(edges, expected, strict=True))


def test_dragging_on_empty_ground_draws_a_selected_box(layout):
    layout.drag((0.1, 0.2), (0.6, 0.7))
    assert near(layout.edges[0], [0.1, 0.2, 0.6, 0.7])
    assert layout.selected == [0]


def test_a_click_on_empty_ground_draws_nothing_and_clears_the_selection(layout):
    layout.drag((0.1, 0.2), (0.6, 0.7))
    before = layout.text
    layout.click(0.9, 0.9)
    assert layout.text == before
    assert layout.selected == []


def test_dragging_a_box_moves_it_and_never_the_node(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4))
    place = layout.layout("[...node.pos]")
    layout.drag((0.2, 0.2), (0.5, 0.6))
    assert near(layout.edges[0], [0.4, 0.5, 0.7, 0.8])
    assert layout.layout("[...node.pos]") == place


def test_a_move_stops_at_the_edge_of_the_picture(layout):
    layout.set_boxes((0.5, 0.5, 0.8, 0.8))
    layout.drag((0.6, 0.6), (1.02, 1.02))
    assert near(layout.edges[0], [0.7, 0.7, 1, 1], 1e-9)


@pytest.mark.parametrize(
    ("handle", "to", "expected"),
    [
        ((0.3, 0.3), (0.2, 0.1), [0.2, 0.1, 0.7, 0.7]),
        ((0.5, 0.3), (0.5, 0.1), [0.3, 0.1, 0.7, 0.7]),
        ((0.7, 0.3), (0.9, 0.2), [0.3, 0.2, 0.9, 0.7]),
        ((0.7, 0.5), (0.8, 0.5), [0.3, 0.3, 0.8, 0.7]),
        ((0.7, 0.7), (0.8, 0.9), [0.3, 0.3, 0.8, 0.9]),
        ((0.5, 0.7), (0.5, 0.6), [0.3, 0.3, 0.7, 0.6]),
        ((0.3, 0.7), (0.1, 0.9), [0.1, 0.3, 0.7, 0.9]),
        ((0.3, 0.5), (0.4, 0.5), [0.4, 0.3, 0.7, 0.7]),
    ],
    ids=["nw", "n", "ne", "e", "se", "s", "sw", "w"],
)
def test_each_of_the_eight_handles_resizes(layout, handle, to, expected):
    layout.set_boxes((0.3, 0.3, 0.7, 0.7))
    layout.click(0.5, 0.45)
    layout.drag(handle, to)
    assert near(layout.edges[0], expected)


def test_shift_keeps_the_aspect_and_alt_works_from_the_centre(layout):
    layout.set_boxes((0.2, 0.4, 0.6, 0.6))
    layout.click(0.4, 0.55)
    layout.drag((0.6, 0.6), (0.8, 0.62), "Shift")
    assert near(layout.edges[0], [0.2, 0.4, 0.8, 0.7])
    layout.drag((0.8, 0.55), (0.7, 0.55), "Alt")
    assert near(layout.edges[0], [0.3, 0.4, 0.7, 0.7])


def test_ctrl_drag_draws_over_a_full_canvas(layout):
    layout.set_boxes((0, 0, 1, 1))
    layout.drag((0.2, 0.2), (0.5, 0.5), "Control")
    assert near(layout.edges[1], [0.2, 0.2, 0.5, 0.5])
    assert layout.edges[0] == [0, 0, 1, 1]


def test_alt_click_walks_through_boxes_that_lie_over_each_other(layout):
    layout.set_boxes((0, 0, 1, 1), (0.2, 0.2, 0.8, 0.8), (0.3, 0.3, 0.7, 0.7))
    seen = []
    for _ in range(4):
        layout.click(0.5, 0.6, "Alt")
        seen += layout.selected
    assert seen == [2, 1, 0, 2]


def test_alt_drag_moves_a_copy(layout):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3))
    layout.click(0.2, 0.25)
    layout.drag((0.2, 0.2), (0.7, 0.7), "Alt")
    assert layout.edges[0] == [0.1, 0.1, 0.3, 0.3]
    assert near(layout.edges[1], [0.6, 0.6, 0.8, 0.8])


def test_shift_click_and_lasso_select_several_and_they_move_and_scale_together(layout):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3), (0.5, 0.5, 0.7, 0.7), (0.8, 0.05, 0.95, 0.2))
    layout.click(0.2, 0.25)
    layout.click(0.6, 0.65, "Shift")
    assert layout.selected == [0, 1]
    layout.drag((0.2, 0.2), (0.25, 0.2))
    assert near(layout.edges[0], [0.15, 0.1, 0.35, 0.3])
    assert near(layout.edges[1], [0.55, 0.5, 0.75, 0.7])
    layout.drag((0.75, 0.7), (0.45, 0.4))
    assert near(layout.edges[0], [0.15, 0.1, 0.25, 0.2])
    assert near(layout.edges[1], [0.35, 0.3, 0.45, 0.4])
    layout.press("Escape")
    layout.drag((0.5, 0.02), (0.9, 0.15), "Shift")
    assert layout.selected == [2]


def test_escape_during_a_drag_takes_it_back(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4))
    before = layout.text
    layout.page.mouse.move(*layout.at(0.2, 0.2))
    layout.page.mouse.down()
    layout.page.mouse.move(*layout.at(0.6, 0.6), steps=4)
    layout.press("Escape")
    layout.page.mouse.up()
    layout.pause()
    assert layout.text == before
    assert layout.layout("ui.editor.shown.boxes[0].x0") == 0.1


def test_the_keyboard_alone_adds_moves_resizes_renames_orders_and_removes(layout):
    layout.set_boxes((0.25, 0.25, 0.5, 0.5))
    layout.focus()
    layout.press("n")
    assert len(layout.boxes) == 2 and layout.selected == [1]
    layout.press("Escape", "Tab")
    assert layout.selected == [0]
    layout.press("ArrowRight", "Shift+ArrowDown")
    assert layout.edges[0] == [round(257 / 1024, 4), round(266 / 1024, 4), round(513 / 1024, 4), round(522 / 1024, 4)]
    layout.press("Control+Shift+ArrowRight")
    assert layout.edges[0][2] == round(523 / 1024, 4)
    layout.press("Enter")
    layout.page.keyboard.type("a cat")
    layout.press("Enter")
    assert layout.boxes[0]["label"] == "a cat"
    layout.press("PageDown")
    assert [box["label"] for box in layout.boxes] == ["", "a cat"]
    layout.press("Control+d")
    assert len(layout.boxes) == 3
    layout.press("Delete")
    assert len(layout.boxes) == 2
    layout.press("Control+a", "Backspace")
    assert layout.boxes == []


def test_keys_on_the_canvas_do_not_reach_the_graph(layout):
    layout.set_boxes((0.25, 0.25, 0.5, 0.5))
    layout.click(0.3, 0.45)
    layout.press("Delete", "Delete", "h", "p", ".", "m", "w", "Control+b", "Control+m", "Control+g", "Backspace")
    assert layout.layout("[node.mode, Boolean(node.flags.pinned), app.graph.nodes.length, app.canvas.read_only]") == [
        0,
        False,
        1,
        False,
    ]
    assert layout.page.evaluate("(app.graph.groups ?? app.graph._groups).length") == 0


def test_a_locked_box_lets_the_pointer_through_and_survives_delete(layout):
    layout.set_boxes((0, 0, 1, 1))
    layout.focus()
    layout.press("1", "l")
    assert layout.boxes[0]["locked"] is True
    layout.press("Delete", "Escape")
    layout.drag((0.2, 0.2), (0.5, 0.5))
    assert len(layout.boxes) == 2
    assert "locked" not in layout.boxes[1]


def test_double_click_renames_in_place_and_escape_keeps_the_old_name(layout):
    layout.set_boxes((0.1, 0.1, 0.6, 0.6))
    layout.click(0.3, 0.4, count=2)
    layout.page.keyboard.type("red hat")
    layout.press("Escape")
    assert layout.boxes[0]["label"] == ""
    layout.click(0.3, 0.4, count=2)
    layout.page.keyboard.type("red hat")
    layout.click(0.9, 0.9)
    assert layout.boxes[0]["label"] == "red hat"


def test_boxes_are_drawn_to_each_other_to_thirds_and_to_the_grid(layout):
    layout.option("Snap", True)
    layout.set_boxes((0.1, 0.1, 0.4, 0.3))
    layout.drag((0.405, 0.505), (0.663, 0.8))
    assert layout.edges[1][0] == 0.4
    assert layout.edges[1][2] == 0.6667
    layout.option("Snap", False)
    layout.option("Grid", True)
    layout.option("GridStep", 128)
    layout.drag((0.13, 0.87), (0.24, 0.99))
    assert layout.edges[2] == [0.125, 0.875, 0.25, 1] or layout.edges[2][:3] == [0.125, 0.875, 0.25]
    layout.option("Grid", False)


def test_ctrl_while_dragging_moves_freely(layout):
    layout.option("Snap", True)
    layout.set_boxes((0.1, 0.1, 0.3, 0.3))
    start, end = layout.at(0.2, 0.2), layout.at(0.105, 0.205)
    layout.page.mouse.move(*start)
    layout.page.mouse.down()
    layout.page.mouse.move(*end, steps=5)
    layout.page.keyboard.down("Control")
    layout.page.mouse.move(end[0] + 1, end[1], steps=2)
    layout.page.mouse.up()
    layout.page.keyboard.up("Control")
    layout.pause()
    assert layout.edges[0][0] != 0


def test_copy_cut_and_paste_go_through_the_clipboard_as_text(layout):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3), (0.5, 0.5, 0.9, 0.9))
    layout.click(0.2, 0.25)
    layout.press("Control+c")
    assert '"version":1' in layout.page.evaluate("navigator.clipboard.readText()")
    layout.press("Control+v")
    assert len(layout.boxes) == 3
    layout.press("Control+x")
    assert len(layout.boxes) == 2
    layout.press("Control+v", "Control+v")
    assert len({tuple(edges) for edges in layout.edges}) == 4
    assert layout.page.evaluate("app.graph.nodes.length") == 1


def test_boxes_are_copied_from_one_layout_to_another(layout):
    layout.fresh("layout.pos = [20, 60]; layout.id0 = 1; add('MSDiffusionLayout', 520, 60)")
    layout.set_boxes((0.1, 0.1, 0.3, 0.3))
    layout.focus()
    layout.press("Control+a", "Control+c")
    layout.page.evaluate("app.graph.nodes[1].widgets.find((one) => one.name === 'boxes').canvas.focus()")
    layout.press("Control+v")
    values = layout.page.evaluate("app.graph.nodes.map((n) => n.widgets.find((one) => one.name === 'boxes').value)")
    assert values[0] == values[1]


def test_the_wheel_over_the_canvas_zooms_the_graph_as_beside_it(layout):
    layout.page.mouse.click(300, 880)
    layout.page.mouse.move(*layout.at(0.5, 0.5))
    layout.page.mouse.wheel(0, -240)
    layout.page.wait_for_timeout(300)
    assert layout.page.evaluate("app.canvas.ds.scale") > 1


def test_gestures_are_exact_at_other_zooms(layout):
    for scale in (0.5, 1.7):
        layout.page.evaluate(
            f"app.canvas.ds.scale = {scale}; app.canvas.ds.offset = [-250, 0]; app.canvas.setDirty(true, true)"
        )
        layout.settle()
        layout.set_boxes()
        layout.drag((0.2, 0.2), (0.7, 0.8))
        assert near(layout.edges[0], [0.2, 0.2, 0.7, 0.8], 0.012)


def test_the_canvas_is_sharp_at_every_zoom(layout):
    layout.page.evaluate("app.canvas.ds.scale = 2; app.canvas.ds.offset = [-350, -50]; app.canvas.setDirty(true, true)")
    layout.settle()
    layout.page.wait_for_timeout(900)
    pixels, shown = layout.layout("[ui.stage.canvas.width, ui.stage.canvas.getBoundingClientRect().width]")
    assert abs(pixels - shown) <= 2


def test_touch_draws_and_a_long_press_opens_the_menu(layout):
    session = layout.page.context.new_cdp_session(layout.page)

    def touch(kind, *point):
        points = [{"x": point[0], "y": point[1]}] if point else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    start, end = layout.at(0.2, 0.2), layout.at(0.7, 0.7)
    touch("touchStart", *start)
    for step in range(1, 7):
        touch("touchMove", *(a + (b - a) * step / 6 for a, b in zip(start, end, strict=True)))
    touch("touchEnd")
    layout.pause()
    assert near(layout.edges[0], [0.2, 0.2, 0.7, 0.7])
    touch("touchStart", *layout.at(0.5, 0.5))
    layout.page.wait_for_timeout(750)
    assert layout.find(".msd-menu").is_visible()
    touch("touchEnd")
    layout.press("Escape")
    assert len(layout.boxes) == 1
