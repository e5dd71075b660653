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
