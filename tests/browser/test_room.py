"""Room on the canvas: what the picture gets of the node, zoom and pan, what lies under the boxes."""

import json

import pytest
from PIL import Image

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
        "(graph) => app.loadGraphData(graph)",
        json.loads((PACK / "example_workflows/MS-Diffusion Try it now 02 Two subjects.json").read_text()),
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


# what lies under the boxes and in them

RUN = """
    const encode = add('MSDiffusionEncode', 1150, 90);
    const apply = add('MSDiffusionApply', 1150, 300);
    const sampler = add('KSampler', 1150, 500);
    const decode = add('VAEDecode', 1500, 90);
    const save = add('SaveImage', 1500, 200);
    const plan = add('PreviewImage', 1500, 600);
    const edges = add('PreviewImage', 60, 600);
    const scaled = add('ImageScale', 60, 400);
    const loader = add('LoadImage', 60, 90);
    loader.widgets[0].value = 'quarters.png';
    link(loader, 0, scaled, 'image');
    link(layout, 1, scaled, 'width');
    link(scaled, 0, edges, 'images');
    link(layout, 0, encode, 'layout');
    link(encode, 0, apply, 'embeds');
    link(apply, 0, sampler, 'model');
    link(sampler, 0, decode, 'samples');
    link(decode, 0, save, 'images');
    link(layout, 4, plan, 'images');
"""
IDS = """(() => {
    const named = (type, n = 0) => String(app.graph.nodes.filter((one) => one.type === type)[n].id);
    return { save: named('SaveImage'), plan: named('PreviewImage'), edges: named('PreviewImage', 1),
        sampler: named('KSampler'), loader: named('LoadImage') };
})()"""
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture(scope="session", autouse=True)
def pictures(server):
    """Plain pictures, a wide one, one of four quarters, and one of fine checks."""
    for name, colour in COLOURS.items():
        Image.new("RGB", (64, 64), colour).save(server.input / f"plain_{name}.png")
    Image.new("RGB", (200, 64), COLOURS["blue"]).save(server.input / "wide.png")
    quarters = Image.new("RGBA", (128, 64), (0, 0, 0, 0))
    quarters.paste((255, 0, 0, 255), (0, 0, 64, 64))
    quarters.paste((0, 255, 0, 255), (64, 0, 128, 32))
    quarters.save(server.input / "quarters.png")
    checks = Image.new("L", (1536, 1536))
    checks.putdata([255 * ((x // 4 + y // 4) % 2) for y in range(1536) for x in range(1536)])
    checks.save(server.input / "checks.png")


def executed(layout, node: str, name: str, run: str = "") -> None:
    """The page hears that a node has shown a picture."""
    record = {"filename": name, "subfolder": "", "type": "input"}
    detail = {"node": node, "display_node": node, "output": {"images": [record]}, **({"prompt_id": run} if run else {})}
    layout.page.evaluate("(detail) => void app.api.dispatchCustomEvent('executed', detail)", detail)
    layout.page.wait_for_timeout(350)


def sampled(layout, node: str, colour: str, run: str = "run") -> None:
    """The page hears a preview of a step."""
    layout.page.evaluate(
        """async ([nodeId, colour, jobId]) => {
        const canvas = new OffscreenCanvas(8, 8);
        const context = canvas.getContext('2d');
        context.fillStyle = colour;
        context.fillRect(0, 0, 8, 8);
        const blob = await canvas.convertToBlob();
        app.api.dispatchCustomEvent('b_preview_with_metadata',
            { blob, nodeId, displayNodeId: nodeId, realNodeId: nodeId, parentNodeId: nodeId, jobId });
    }""",
        [node, colour, run],
    )
    layout.page.wait_for_timeout(250)


def under(layout) -> str:
    """The colour that lies under the boxes: red, green, blue or none."""
    pixel = layout.pixel(0.5, 0.22)[:3]
    strongest = max(range(3), key=lambda k: pixel[k])
    return list(COLOURS)[strongest] if pixel[strongest] > 150 and sorted(pixel)[1] < 90 else "none"


def test_the_run_lies_under_the_boxes_by_default_first_its_steps_then_its_result(layout):
    layout.fresh(RUN)
    ids = layout.page.evaluate(IDS)
    assert under(layout) == "none"
    sampled(layout, ids["sampler"], "#00ff00")
    assert under(layout) == "green"
    executed(layout, ids["save"], "plain_red.png")
    assert under(layout) == "red"
    sampled(layout, ids["sampler"], "#0000ff")
    assert under(layout) == "blue"
    layout.page.evaluate("app.api.dispatchCustomEvent('execution_interrupted', { prompt_id: 'run' })")
    layout.pause()
    assert under(layout) == "red"
    layout.focus()
    layout.press("n")
    layout.undo()
    layout.page.wait_for_timeout(300)
    assert under(layout) == "red"


def test_only_pictures_that_were_sampled_with_the_layout_are_its_results(layout):
    layout.fresh(RUN)
    ids = layout.page.evaluate(IDS)
    for other in ("plan", "edges", "loader"):
        executed(layout, ids[other], "plain_green.png")
        sampled(layout, ids[other], "#00ff00")
        assert under(layout) == "none", other
    executed(layout, "4711", "plain_green.png")
    assert under(layout) == "none"
    executed(layout, ids["save"], "plain_red.png")
    executed(layout, ids["save"], "wide.png")
    assert under(layout) == "red"


def test_the_background_menu_chooses_what_lies_under_the_boxes_and_how_strong(layout):
    layout.fresh(RUN + "const under = add('LoadImage', 60, 800); under.widgets[0].value = 'plain_green.png'; link(under, 0, layout, 'background');")
    layout.layout("ui.refresh()")
    layout.page.wait_for_timeout(400)
    assert under(layout) == "green"
    executed(layout, layout.page.evaluate(IDS)["save"], "plain_red.png")
    assert under(layout) == "red"
    for choice, colour in (("Linked image", "green"), ("Last result", "red"), ("None", "none")):
        layout.find(".msd-toolbar [data-menu=background]").click()
        layout.find(".msd-menu-item", has=layout.page.get_by_text(choice, exact=True)).click()
        layout.pause()
        assert under(layout) == colour
    layout.option("Background", "live")
    strong = layout.pixel(0.5, 0.22)[0]
    layout.find(".msd-toolbar [data-menu=background]").click()
    layout.find(".msd-menu-slider input").fill("30")
    layout.press("Escape")
    assert layout.pixel(0.5, 0.22)[0] < strong - 60
    layout.option("BackgroundOpacity", 80)


def test_a_run_of_another_workflow_with_the_same_node_ids_is_not_taken_for_this_ones(layout):
    layout.fresh(RUN)
    ids = layout.page.evaluate(IDS)
    layout.page.route("**/prompt", lambda route: route.fulfill(json={"prompt_id": "elsewhere", "number": 1, "node_errors": {}}))
    layout.page.evaluate("async () => void (await app.api.queuePrompt(0, { output: {}, workflow: {} }))")
    layout.page.unroute("**/prompt")
    first = layout.page.evaluate("app.extensionManager.workflow.activeWorkflow.path")
    layout.page.evaluate("app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
    layout.page.wait_for_function("(first) => app.extensionManager.workflow.activeWorkflow.path !== first", arg=first)
    layout.fresh(RUN)
    assert layout.page.evaluate(IDS) == ids
    executed(layout, ids["save"], "plain_red.png", "elsewhere")
    assert under(layout) == "none"
    executed(layout, ids["save"], "plain_red.png", "here")
    assert under(layout) == "red"


def test_a_background_is_as_sharp_as_its_file(layout):
    layout.fresh("const under = add('LoadImage', 60, 90); under.widgets[0].value = 'checks.png'; link(under, 0, layout, 'background');")
    layout.layout("(node.widgets[0].value = node.widgets[1].value = 1536, ui.refresh())")
    layout.page.wait_for_timeout(600)
    layout.focus()
    layout.press("f")
    layout.settle()
    layout.press("Shift+Digit0")
    lights = [layout.pixel((770 + 2 * step) / 1536, 540 / 1536)[0] for step in range(8)]
    layout.press("0", "f")
    layout.settle()
    assert max(lights) - min(lights) > 120


@pytest.mark.parametrize(
    ("fit", "left", "right", "below_right"),
    [("stretch", "red", "green", "none"), ("pad", "none", "none", "none"), ("crop", "red", "green", "none")],
)
def test_a_photo_fills_its_box_as_its_fit_says_and_alpha_stays_clear(layout, fit, left, right, below_right):
    layout.fresh(
        """
        const encode = add('MSDiffusionEncode', 1150, 90);
        link(layout, 0, encode, 'layout');
        const loader = add('LoadImage', 20, 90);
        loader.widgets[0].value = 'quarters.png';
        const subject = add('MSDiffusionSubject', 20, 500);
        link(loader, 0, subject, 'image');
        link(subject, 0, encode, 'subjects.subject0');
    """
    )
    layout.page.evaluate(
        "(fit) => { app.graph.nodes.find((n) => n.type === 'MSDiffusionSubject').widgets.find((w) => w.name === 'fit').value = fit }", fit
    )
    layout.set_boxes((0.2, 0.2, 0.8, 0.8))
    layout.layout("ui.refresh()")
    layout.page.wait_for_timeout(400)

    def at(x, y):
        red, green, blue = layout.pixel(x, y)[:3]
        return "red" if red > 140 and green < 90 else "green" if green > 140 and red < 110 else "none"

    assert [at(0.3, 0.28), at(0.6, 0.28), at(0.6, 0.7)] == [left, right, below_right]
    assert at(0.3, 0.5) == "red"
    assert at(0.24, 0.5) == "red"


def test_a_linked_side_is_read_from_the_widget_that_it_comes_from(layout):
    layout.fresh(
        """
        const other = add('MSDiffusionLayout', 20, 90);
        other.widgets[0].value = 640;
        other.widgets[1].value = 1280;
        const number = add('PrimitiveInt', 20, 900);
        number.widgets[0].value = 768;
        link(number, 0, layout, 'width');
        link(other, 2, layout, 'height');
    """
    )
    layout.layout("ui.refresh()")
    assert layout.layout("Object.values(ui.editor.size)") == [768, 1280]
    layout.layout("(node.onExecuted({ msd_layout: [{ width: 768, height: 1280, boxes: [] }] }))")
    layout.page.evaluate("() => { app.graph.nodes.find((n) => n.type === 'PrimitiveInt').widgets[0].value = 512 }")
    layout.layout("ui.refresh()")
    assert layout.layout("Object.values(ui.editor.size)") == [512, 1280]


def test_a_run_tells_a_linked_side_that_the_graph_does_not(layout):
    layout.fresh("const seen = add('GetImageSize', 20, 90); link(seen, 1, layout, 'height');")
    layout.layout("node.onExecuted({ msd_layout: [{ width: 1024, height: 512, boxes: [] }] })")
    assert layout.layout("Object.values(ui.editor.size)") == [1024, 512]


@pytest.mark.timeout(600)
def test_a_real_run_shows_its_result_and_where_each_watched_subject_acts(layout, server):
    layout.page.evaluate("app.extensionManager.setting.set('Comfy.Execution.PreviewMethod', 'latent2rgb')")
    layout.page.evaluate(
        "(graph) => app.loadGraphData(graph)",
        json.loads((PACK / "example_workflows/MS-Diffusion Try it now 09 Attribution maps.json").read_text()),
    )
    layout.settle()
    layout.page.evaluate(
        """() => {
        const sampler = app.graph.nodes.find((one) => one.type === 'KSampler');
        sampler.widgets.find((one) => one.name === 'steps').value = 4;
        // Another one than in the renderer before, whose run the server has kept.
        sampler.widgets.find((one) => one.name === 'seed').value = Date.now() % 1e6;
        window.msdSteps = 0;
        app.api.addEventListener('b_preview_with_metadata', () => window.msdSteps++);
    }"""
    )
    assert layout.layout("ui.around.heat") == []
    layout.run(server, 240)
    layout.page.wait_for_timeout(600)
    assert layout.page.evaluate("window.msdSteps") > 0
    assert layout.layout("ui.around.heat.length") == 2
    hot = layout.layout("(ui.stage.paint(), ui.stage.canvas.toDataURL())")
    layout.find(".msd-toolbar [data-menu=background]").click()
    layout.find(".msd-menu-item", has_text="Where each subject acts").click()
    layout.pause()
    assert layout.layout("(ui.stage.paint(), ui.stage.canvas.toDataURL())") != hot
    layout.option("Heat", True)
    shown = layout.pixel(0.5, 0.03)
    layout.option("Background", "off")
    assert layout.pixel(0.5, 0.03) != shown
    layout.option("Background", "live")


# small things


def test_presets_are_shown_as_pictures_each_layout_once(layout):
    layout.find(".msd-toolbar [data-menu=presets]").click()
    cards = layout.layout(
        """[...document.querySelectorAll('.msd-cards')].slice(0, 2).flatMap((cards) => [...cards.children]).map((card) => [
        card.title, [...card.querySelectorAll('.msd-card-frame span')].map((one) => one.getAttribute('style')).join()])"""
    )
    assert len({picture for _, picture in cards}) == len(cards) == 15
    assert "Living + living, Living + object, Object + object" in [title for title, _ in cards]
    layout.press("Escape")


def test_a_size_of_the_picture_is_one_click_and_one_step_of_undo(layout):
    before = layout.undo_steps
    layout.find(".msd-toolbar [data-menu=presets]").click()
    layout.find(".msd-card", has_text="832 × 1216").click()
    layout.page.wait_for_timeout(150)
    assert layout.layout("[node.widgets[0].value, node.widgets[1].value]") == [832, 1216]
    assert layout.layout("ui.stage.frame.w / ui.stage.frame.h") == pytest.approx(832 / 1216)
    assert layout.undo_steps == before + 1
    layout.undo()
    assert layout.layout("[node.widgets[0].value, node.widgets[1].value]") == [1024, 1024]


def test_colours_have_names(layout):
    layout.set_boxes((0.2, 0.2, 0.6, 0.6))
    layout.click(0.4, 0.5, button="right")
    layout.page.get_by_role("button", name="Violet").click()
    layout.pause()
    assert layout.boxes[0]["color"] == "#b57bff"


@pytest.mark.parametrize(("count", "words"), [(0, "No boxes yet"), (1, "1 box"), (2, "2 boxes")])
def test_the_status_counts_properly(layout, count, words):
    layout.set_boxes(*[(0.1, 0.1, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)][:count])
    assert layout.find(".msd-words").inner_text() == words


def test_a_row_carried_to_the_edge_of_the_list_scrolls_it(layout):
    layout.set_boxes(*[(k / 40, 0, k / 40 + 0.02, 0.1) for k in range(30)])
    layout.open_list()
    first, frame = layout.find(".msd-row").nth(0).bounding_box(), layout.find(".msd-list").bounding_box()
    x = first["x"] + 100
    layout.page.mouse.move(x, first["y"] + 12)
    layout.page.mouse.down()
    layout.page.mouse.move(x, first["y"] + 60, steps=4)
    layout.page.mouse.move(x, frame["y"] + frame["height"] - 6, steps=6)
    layout.page.wait_for_function(
        "(list => list.scrollTop + list.clientHeight >= list.scrollHeight - 1)(document.querySelector('.msd-list'))"
    )
    layout.page.wait_for_timeout(100)
    layout.page.mouse.up()
    layout.pause()
    assert layout.edges[-1][0] == 0
    assert layout.selected == [29]


def test_each_repaint_takes_one_frame(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4))
    frames = layout.layout(
        """new Promise((done) => {
        let painted = 0;
        const { paint } = ui.stage;
        ui.stage.paint = function () { painted++; return paint.call(this); };
        ui.setHover(0);
        requestAnimationFrame(() => { delete ui.stage.paint; done(painted); });
    })"""
    )
    assert frames == 1
