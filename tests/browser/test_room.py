"""Room on the canvas: what the picture gets of the node, zoom and pan, what lies under the boxes."""

import json

import pytest

from devtools.host import PACK

MEASURE = """(() => {
    const { frame, holder } = ui.stage;
    const zoom = holder.getBoundingClientRect().width / holder.clientWidth;
    return [frame.w * zoom / (node.size[0] * app.canvas.ds.scale), frame.w / frame.h];
})()"""
CUT = """(() => {
    const outer = ui.root.getBoundingClientRect();
    const inside = (rect) => rect.left >= outer.left && rect.right <= outer.right + 0.5
        && rect.top >= outer.top && rect.bottom <= outer.bottom + 0.5;
    return [...ui.root.querySelectorAll('button, input, .msd-stage')]
        .filter((one) => one.offsetParent && !inside(one.getBoundingClientRect())).map((one) => one.outerHTML);
})()"""


def resize(layout, width: str, height: str) -> None:
    layout.layout(f"(node.setSize([{width}, {height}]), app.canvas.setDirty(true, true))")
    layout.page.wait_for_timeout(150)
    layout.settle()


def test_a_square_layout_takes_nine_tenths_of_a_new_nodes_width(layout):
    share, aspect = layout.layout(MEASURE)
    assert share >= 0.9
    assert aspect == pytest.approx(1)


def test_a_square_layout_fills_the_node_of_every_example(layout):
    layout.page.evaluate(
        "(graph) => app.loadGraphData(graph)", json.loads((PACK / "example_workflows/02 Two subjects.json").read_text())
    )
    layout.settle()
    assert layout.layout(MEASURE)[0] >= 0.75
    sizes = {
        tuple(node["size"])
        for path in (PACK / "example_workflows").glob("*.json")
        for node in json.loads(path.read_text())["nodes"]
        if node["type"] == "MSDiffusionLayout"
    }
    for size in sizes:
        resize(layout, *size)
        assert layout.layout(MEASURE)[0] >= 0.75, size


def test_what_a_node_grows_by_goes_to_the_stage(layout):
    before = layout.layout("[ui.stage.holder.clientWidth, ui.stage.holder.clientHeight]")
    resize(layout, "node.size[0] + 100", "node.size[1] + 140")
    after = layout.layout("[ui.stage.holder.clientWidth, ui.stage.holder.clientHeight]")
    assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx([100, 140], abs=2)


@pytest.mark.parametrize("selected", [False, True])
def test_nothing_is_cut_in_the_smallest_node(layout, selected):
    resize(layout, "10", "10")
    layout.set_boxes((0.2, 0.2, 0.8, 0.8))
    if selected:
        layout.click(0.5, 0.6)
    assert layout.layout(CUT) == []
    assert layout.layout("Math.min(ui.stage.frame.w, ui.stage.frame.h)") > 150


def test_controls_are_at_least_28_pixels_high(layout):
    layout.set_boxes((0.2, 0.2, 0.8, 0.8))
    layout.open_list()
    layout.click(0.3, 0.6)
    small = layout.layout(
        "[...ui.root.querySelectorAll('button, input')].filter((one) => one.offsetParent && one.clientHeight < 28)"
        ".map((one) => one.outerHTML)"
    )
    assert small == []


def test_the_list_lies_over_a_narrow_stage_and_stands_beside_a_wide_one(layout):
    narrow = layout.layout("ui.stage.holder.clientWidth")
    assert layout.find(".msd-list").count() == 0
    layout.focus()
    layout.press("b")
    assert layout.find(".msd-list").is_visible()
    assert layout.layout("ui.stage.holder.clientWidth") == narrow
    layout.press("b")
    assert layout.find(".msd-list").count() == 0
    resize(layout, "700", "node.size[1]")
    sides = layout.layout("[ui.stage.holder, ui.list.element].map((one) => one.getBoundingClientRect()).map((r) => [r.left, r.right])")
    assert sides[0][1] <= sides[1][0]


# zoom and pan

PERCENT = "ui.stage.frame.w / ui.stage.size.width"


def wheel(layout, x: float, y: float, turn: int, keys: str = "") -> None:
    """Turns the wheel at a point of the picture; away from the user (nearer) is negative."""
    layout.page.mouse.move(*layout.at(x, y))
    if keys:
        layout.page.keyboard.down(keys)
    layout.page.mouse.wheel(0, turn)
    if keys:
        layout.page.keyboard.up(keys)
    layout.page.wait_for_timeout(120)
    layout.pause()


def point_at(layout, place) -> list[float]:
    """The point of the picture at a place of the screen."""
    return layout.layout(f"Object.values(ui.stage.pointAt({{ clientX: {place[0]}, clientY: {place[1]} }}))")


def graph_zoom(layout) -> float:
    return layout.page.evaluate("app.canvas.ds.scale")


def zoom_in(layout, x: float = 0.5, y: float = 0.5, turns: int = 3) -> None:
    layout.focus()
    for _ in range(turns):
        wheel(layout, x, y, -300)


def test_the_wheel_zooms_the_graph_until_the_canvas_has_the_focus_and_then_the_canvas(layout):
    layout.page.mouse.click(300, 880)
    wheel(layout, 0.5, 0.5, -120)
    assert graph_zoom(layout) > 1
    assert layout.layout("ui.session.view") is None
    layout.focus()
    before, inner = graph_zoom(layout), layout.layout(PERCENT)
    wheel(layout, 0.5, 0.5, -120)
    assert graph_zoom(layout) == before
    assert layout.layout(PERCENT) > inner * 1.1
    layout.page.mouse.click(300, 880)
    wheel(layout, 0.5, 0.5, 120)
    assert graph_zoom(layout) < before


def test_the_wheel_over_the_bars_zooms_the_graph_also_with_the_focus(layout):
    layout.focus()
    box = layout.find(".msd-toolbar").bounding_box()
    layout.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    layout.page.mouse.wheel(0, -120)
    layout.page.wait_for_timeout(200)
    assert graph_zoom(layout) > 1


@pytest.mark.parametrize("keys", ["", "Control"], ids=["wheel", "pinch on a touch pad"])
def test_zooming_keeps_what_lies_under_the_pointer(layout, keys):
    layout.focus()
    place = layout.at(0.3, 0.6)
    before, graph = point_at(layout, place), graph_zoom(layout)
    for _ in range(3):
        layout.page.mouse.move(*place)
        if keys:
            layout.page.keyboard.down(keys)
        layout.page.mouse.wheel(0, -40 if keys else -200)
        if keys:
            layout.page.keyboard.up(keys)
        layout.page.wait_for_timeout(120)
        layout.pause()
    assert layout.layout("ui.session.view.zoom") > 1.5
    assert point_at(layout, place) == pytest.approx(before, abs=0.002)
    assert graph_zoom(layout) == graph


@pytest.mark.parametrize("how", ["space", "middle"])
def test_the_view_is_dragged_with_space_or_the_middle_button_and_no_box_is(layout, how):
    layout.set_boxes((0.3, 0.3, 0.7, 0.7))
    zoom_in(layout)
    boxes, graph = layout.text, layout.page.evaluate("[...app.canvas.ds.offset]")
    start = layout.at(0.5, 0.5)
    before = point_at(layout, start)
    if how == "space":
        layout.page.keyboard.down("Space")
    layout.page.mouse.move(*start)
    layout.page.mouse.down(button="middle" if how == "middle" else "left")
    layout.page.mouse.move(start[0] - 60, start[1] - 40, steps=5)
    layout.page.mouse.up(button="middle" if how == "middle" else "left")
    if how == "space":
        layout.page.keyboard.up("Space")
    layout.pause()
    assert point_at(layout, (start[0] - 60, start[1] - 40)) == pytest.approx(before, abs=0.003)
    assert layout.text == boxes
    assert layout.page.evaluate("[...app.canvas.ds.offset]") == graph
    layout.drag((0.5, 0.5), (0.55, 0.5))
    assert layout.text != boxes


def test_keys_and_the_corner_control_zoom_fit_and_show_actual_pixels(layout):
    layout.focus()
    fitting = layout.layout(PERCENT)
    assert layout.find(".msd-zoom").count() == 0
    layout.press("Shift+Digit0")
    assert layout.layout(PERCENT) == pytest.approx(1)
    assert layout.find(".msd-percent").inner_text() == "100 %"
    layout.press("0")
    assert layout.layout(PERCENT) == pytest.approx(fitting)
    layout.press("+", "+")
    assert layout.layout(PERCENT) == pytest.approx(fitting * 1.25**2)
    layout.press("-")
    layout.press("Shift+Digit1")
    assert layout.layout(PERCENT) == pytest.approx(fitting)
    layout.press("+")
    layout.find(".msd-zoom [data-action=zoom_in]").click()
    layout.pause()
    assert layout.layout(PERCENT) == pytest.approx(fitting * 1.25**2)
    layout.find(".msd-zoom [data-action=fit]").click()
    layout.pause()
    assert layout.layout(PERCENT) == pytest.approx(fitting)


def test_two_fingers_zoom_and_pan_the_picture_and_draw_nothing(layout):
    session = layout.page.context.new_cdp_session(layout.page)
    graph = layout.page.evaluate("[app.canvas.ds.scale, ...app.canvas.ds.offset]")

    def touch(kind, *points):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [dict(x=x, y=y, id=k) for k, (x, y) in enumerate(points)]})

    zoom_in(layout, turns=1)
    x, y = layout.at(0.5, 0.5)
    before, zoom = point_at(layout, (x, y)), layout.layout("ui.session.view.zoom")
    touch("touchStart", (x - 30, y))
    touch("touchStart", (x - 30, y), (x + 30, y))
    for step in range(1, 9):
        touch("touchMove", (x - 30 - 7.5 * step + 2 * step, y), (x + 30 + 7.5 * step + 2 * step, y))
    touch("touchEnd")
    layout.pause()
    assert layout.layout("ui.session.view.zoom") == pytest.approx(3 * zoom, rel=0.02)
    assert point_at(layout, (x + 16, y)) == pytest.approx(before, abs=0.01)
    assert layout.boxes == []
    assert layout.page.evaluate("[app.canvas.ds.scale, ...app.canvas.ds.offset]") == graph
    touch("touchStart", layout.at(0.45, 0.45))
    for step in range(1, 7):
        touch("touchMove", layout.at(0.45 + step / 60, 0.45 + step / 60))
    touch("touchEnd")
    layout.pause()
    assert layout.edges[0] == pytest.approx([0.45, 0.45, 0.55, 0.55], abs=0.006)


@pytest.mark.parametrize("scale", [0.6, 1.6])
def test_gestures_handles_and_the_rename_field_are_exact_at_every_inner_zoom(layout, scale):
    layout.page.evaluate(f"app.canvas.ds.scale = {scale}; app.canvas.ds.offset = [-250, -160]; app.canvas.setDirty(true, true)")
    layout.settle()
    zoom_in(layout, 0.4, 0.4, 4)
    layout.drag((0.38, 0.38), (0.44, 0.46))
    assert layout.edges[0] == pytest.approx([0.38, 0.38, 0.44, 0.46], abs=0.002)
    layout.drag((0.44, 0.46), (0.45, 0.45))
    assert layout.edges[0] == pytest.approx([0.38, 0.38, 0.45, 0.45], abs=0.002)
    layout.drag((0.41, 0.41), (0.4, 0.42))
    assert layout.edges[0] == pytest.approx([0.37, 0.39, 0.44, 0.46], abs=0.003)
    layout.press("Enter")
    field, stage = layout.find(".msd-rename").bounding_box(), layout.find(".msd-stage").bounding_box()
    left = layout.at(0.37, 0.39)
    assert (field["x"], field["y"]) == pytest.approx(left, abs=4)
    assert field["x"] + field["width"] <= stage["x"] + stage["width"] + 1
    layout.press("Escape")


def test_snapping_reaches_as_many_pixels_at_every_inner_zoom(layout):
    layout.option("Snap", True)
    layout.set_boxes((0.1, 0.1, 0.2, 0.4))
    zoom_in(layout, 0.3, 0.3, 4)
    width = layout.layout("ui.stage.frame.w")
    for away, snapped in ((5, True), (12, False)):
        layout.set_boxes((0.1, 0.1, 0.2, 0.4), (0.26, 0.27, 0.31, 0.31))
        wanted = 0.2 + away / width
        layout.drag((0.285, 0.29), (0.285 + wanted - 0.26, 0.292))
        assert (layout.edges[1][0] == 0.2) is snapped, away


def test_the_view_survives_undo_and_full_screen(layout):
    layout.set_boxes((0.4, 0.4, 0.6, 0.6))
    zoom_in(layout)
    view = layout.layout("ui.session.view")
    layout.press("n")
    layout.undo()
    assert layout.layout("ui.session.view") == view
    assert layout.layout("ui.stage.frame.w") > 2 * layout.layout("ui.stage.holder.clientWidth")
    layout.press("f")
    layout.settle()
    assert layout.layout("ui.stage.shownView.zoom") == pytest.approx(view["zoom"])
    wheel(layout, 0.5, 0.5, -100)
    assert layout.layout("ui.stage.shownView.zoom") > view["zoom"]
    layout.press("f")
    layout.settle()
