"""Painting regions with real pointer strokes: tools, keys, undo, what is saved, what a run makes of it."""

import io

import pytest
from PIL import Image

BOX = (0.2, 0.2, 0.6, 0.6)
PAINTED = """app.graph.nodes.find((node) => node.type === 'MSDiffusionLayout').widgets.find((one) => one.name === 'boxes')
    .value.includes('mask')"""


def start(layout, *boxes, select=0):
    """The painting mode on one of some boxes."""
    layout.set_boxes(*(boxes or (BOX,)))
    layout.layout(f"ui.editor.select([{select}])")
    layout.focus()
    layout.press("p")


@pytest.fixture(autouse=True)
def no_results(layout):
    """What a run has left is not there for the next test."""
    yield
    layout.page.evaluate("Object.keys(app.nodeOutputs).forEach((key) => delete app.nodeOutputs[key])")


def painting(layout):
    return layout.layout("ui.tools.on")


def covers(layout, x, y, k=0):
    """Whether a point lies in the region of the saved value, read anew."""
    return layout.page.evaluate(
        """async ([text, x, y, k]) => {
        const folder = [...document.querySelectorAll('link')].find((one) => one.href.endsWith('layout.css')).href;
        const { parseLayout } = await import(new URL('./model/format.mjs', folder));
        const { covers } = await import(new URL('./model/masks.mjs', folder));
        return covers(parseLayout(text)[k], { x, y });
    }""",
        [layout.text, x, y, k],
    )


def share(layout, k=0):
    """How much of the box is painted."""
    return layout.page.evaluate(
        """async ([text, k]) => {
        const folder = [...document.querySelectorAll('link')].find((one) => one.href.endsWith('layout.css')).href;
        const { parseLayout } = await import(new URL('./model/format.mjs', folder));
        const { rasterOf } = await import(new URL('./model/masks.mjs', folder));
        const { mask } = parseLayout(text)[k];
        return mask ? rasterOf(mask).bits.reduce((sum, bit) => sum + bit, 0) / rasterOf(mask).bits.length : 1;
    }""",
        [layout.text, k],
    )


def pixel(layout, x, y):
    """The colour that the canvas shows at a point of the picture."""
    return layout.layout(
        f"""(() => {{
        ui.stage.paint();
        const zoom = ui.stage.canvas.width / ui.stage.holder.clientWidth;
        const frame = ui.stage.frame;
        const at = [(frame.x + {x} * frame.w) * zoom, (frame.y + {y} * frame.h) * zoom];
        return [...ui.stage.context.getImageData(Math.round(at[0]), Math.round(at[1]), 1, 1).data];
    }})()"""
    )


def lasso(layout, *points, keys=()):
    layout.page.mouse.move(*layout.at(*points[0]))
    for key in keys:
        layout.page.keyboard.down(key)
    layout.page.mouse.down()
    for point in points[1:]:
        layout.page.mouse.move(*layout.at(*point), steps=4)
    layout.page.mouse.up()
    for key in keys:
        layout.page.keyboard.up(key)
    layout.pause()


def test_the_mode_is_entered_by_key_and_button_and_left_by_escape_enter_and_done(layout):
    start(layout)
    assert painting(layout)
    assert layout.find(".msd-tools").count() == 1 and layout.find(".msd-toolbar").count() == 0
    layout.press("Escape")
    assert not painting(layout) and layout.selected == [0]
    layout.find(".msd-toolbar [data-action=paint]").click()
    layout.pause()
    assert painting(layout)
    layout.press("Enter")
    assert not painting(layout)
    layout.press("p")
    layout.find(".msd-tools-done").click()
    layout.pause()
    assert not painting(layout)
    assert layout.layout("document.activeElement === ui.stage.canvas")


def test_a_brush_stroke_is_the_region_as_one_undo_step_and_redo_brings_it_back(layout):
    start(layout)
    before, steps = layout.text, layout.undo_steps
    layout.drag((0.3, 0.4), (0.5, 0.4), steps=12)
    assert layout.undo_steps == steps + 1
    assert layout.edges == [list(BOX)]
    assert [covers(layout, 0.4, y) for y in (0.3, 0.4, 0.5)] == [False, True, False]
    painted = layout.text
    layout.undo()
    assert layout.text == before
    assert painting(layout), "undo leaves the mode on"
    layout.redo()
    assert layout.text == painted


def test_the_region_is_drawn_as_it_is_painted(layout):
    start(layout)
    layout.drag((0.3, 0.4), (0.5, 0.4), steps=12)
    layout.page.mouse.move(*layout.at(0.9, 0.9))
    layout.press("Escape", "Escape")
    empty, inside, outside = pixel(layout, 0.8, 0.8), pixel(layout, 0.4, 0.4), pixel(layout, 0.4, 0.55)
    assert outside == empty and inside != empty


def test_a_stroke_over_the_edge_makes_the_box_larger_and_ctrl_keeps_it(layout):
    start(layout)
    layout.drag((0.5, 0.4), (0.75, 0.4), steps=12)
    assert layout.edges[0][2] > 0.78 and layout.edges[0][:2] == [0.2, 0.2]
    assert covers(layout, 0.7, 0.4)
    layout.undo()
    layout.drag((0.5, 0.4), (0.75, 0.4), "Control", steps=12)
    assert layout.edges[0] == list(BOX)
    assert covers(layout, 0.59, 0.4)


def test_eraser_and_alt_take_away(layout):
    start(layout)
    layout.press("e")
    layout.drag((0.3, 0.2), (0.3, 0.6), steps=12)
    assert [covers(layout, x, 0.4) for x in (0.22, 0.3, 0.5)] == [True, False, True]
    layout.press("b")
    layout.drag((0.5, 0.2), (0.5, 0.6), "Alt", steps=12)
    assert [covers(layout, x, 0.4) for x in (0.4, 0.5, 0.59)] == [True, False, True]


def test_a_region_can_not_be_emptied(layout):
    start(layout)
    layout.drag((0.3, 0.3), (0.32, 0.3))
    before, steps = layout.text, layout.undo_steps
    layout.press("e")
    layout.layout("ui.tools.set({ brush: 400 })")
    layout.drag((0.3, 0.3), (0.32, 0.3))
    assert layout.text == before and layout.undo_steps == steps


def test_lasso_and_polygon_enclose(layout):
    start(layout)
    layout.press("l")
    lasso(layout, (0.25, 0.25), (0.45, 0.25), (0.45, 0.45), (0.25, 0.45))
    assert covers(layout, 0.35, 0.35) and not covers(layout, 0.5, 0.5)
    steps = layout.undo_steps
    layout.press("o")
    for x, y in ((0.5, 0.5), (0.58, 0.5), (0.9, 0.9)):
        layout.click(x, y)
    layout.press("Backspace")
    layout.click(0.58, 0.58)
    assert layout.undo_steps == steps
    layout.page.mouse.move(*layout.at(0.9, 0.1))
    layout.press("Enter")
    assert layout.undo_steps == steps + 1
    assert covers(layout, 0.57, 0.53) and not covers(layout, 0.51, 0.57)
    assert layout.edges == [list(BOX)]
    for x, y in ((0.5, 0.22), (0.58, 0.22), (0.58, 0.3)):
        layout.click(x, y)
    layout.click(0.502, 0.222)
    assert covers(layout, 0.57, 0.24)
    for x, y in ((0.22, 0.5), (0.3, 0.5)):
        layout.click(x, y)
    layout.click(0.3, 0.58, count=2)
    assert covers(layout, 0.29, 0.53)
    assert layout.layout("ui.tools.stroke") is None


def test_fill_closes_a_ring_and_a_click_with_alt_empties_it(layout):
    start(layout)
    layout.layout("ui.tools.set({ brush: 30 })")
    lasso(layout, (0.3, 0.3), (0.5, 0.3), (0.5, 0.5), (0.3, 0.5), (0.3, 0.3))
    assert not covers(layout, 0.4, 0.4)
    layout.press("g")
    layout.click(0.4, 0.4)
    assert covers(layout, 0.4, 0.4) and not covers(layout, 0.25, 0.25)
    before = layout.text
    layout.click(0.4, 0.4, "Alt")
    assert layout.text == before, "nothing would be left"


def test_invert_and_reset_are_buttons(layout):
    start(layout)
    layout.drag((0.3, 0.4), (0.5, 0.4), steps=12)
    first = share(layout)
    layout.find(".msd-tools [data-action=turn_region]").click()
    layout.pause()
    assert share(layout) == pytest.approx(1 - first, abs=1e-6)
    layout.find(".msd-tools [data-action=reset_region]").click()
    layout.pause()
    assert "mask" not in layout.boxes[0]
    assert layout.find(".msd-tools [data-action=reset_region]").is_disabled()


def test_delete_in_the_mode_resets_the_region_and_leaves_box_and_node(layout):
    start(layout)
    layout.drag((0.3, 0.4), (0.5, 0.4))
    layout.press("Delete")
    assert len(layout.boxes) == 1 and "mask" not in layout.boxes[0]
    layout.press("Delete", "Backspace")
    assert len(layout.boxes) == 1
    assert layout.page.evaluate("app.graph.nodes.length") == 1


def test_escape_cancels_the_stroke_first_and_then_the_mode(layout):
    start(layout)
    before, steps = layout.text, layout.undo_steps
    layout.page.mouse.move(*layout.at(0.3, 0.4))
    layout.page.mouse.down()
    layout.page.mouse.move(*layout.at(0.5, 0.4), steps=5)
    layout.press("Escape")
    layout.page.mouse.move(*layout.at(0.5, 0.5), steps=5)
    layout.page.mouse.up()
    layout.pause()
    assert layout.text == before and layout.undo_steps == steps and painting(layout)
    layout.press("o")
    layout.click(0.3, 0.3)
    layout.click(0.5, 0.3)
    layout.press("Escape")
    assert layout.text == before and painting(layout)
    layout.press("Escape")
    assert not painting(layout)


def test_nothing_is_saved_while_a_stroke_is_under_way(layout):
    start(layout)
    before = layout.text
    layout.page.mouse.move(*layout.at(0.3, 0.4))
    layout.page.mouse.down()
    layout.page.mouse.move(*layout.at(0.5, 0.4), steps=5)
    assert layout.text == before
    layout.page.mouse.up()
    layout.pause()
    assert layout.text != before


def test_keys_and_slider_set_the_size_of_the_brush(layout):
    start(layout)
    layout.press("]")
    assert layout.layout("ui.session.paint.brush") == 120
    layout.press("[", "[")
    assert layout.layout("ui.session.paint.brush") == 77
    layout.find(".msd-tools input").fill("0")
    layout.pause()
    assert layout.layout("ui.session.paint.brush") == 4
    for _ in range(3):
        layout.press("[")
    assert layout.layout("ui.session.paint.brush") == 4


def test_shift_draws_a_straight_line_from_the_last_stroke(layout):
    start(layout)
    layout.drag((0.25, 0.25), (0.27, 0.25))
    layout.click(0.5, 0.5, "Shift")
    assert covers(layout, 0.385, 0.375)


def test_without_a_selection_a_stroke_makes_a_box_around_itself(layout):
    layout.focus()
    layout.press("p", "l")
    lasso(layout, (0.3, 0.3), (0.7, 0.3), (0.7, 0.6))
    assert layout.selected == [0]
    x0, y0, x1, y1 = layout.edges[0]
    assert [x0, y0, x1, y1] == pytest.approx([0.3, 0.3, 0.7, 0.6], abs=0.01)
    assert covers(layout, 0.65, 0.4) and not covers(layout, 0.35, 0.55)


def test_a_locked_box_is_not_painted(layout):
    layout.set_boxes(BOX, locked=True)
    layout.layout("ui.editor.select([0])")
    layout.focus()
    layout.press("p")
    before = layout.text
    layout.drag((0.3, 0.4), (0.5, 0.4))
    assert layout.text == before


def test_moving_and_resizing_keep_the_shape(layout):
    start(layout)
    layout.drag((0.3, 0.4), (0.5, 0.4), steps=8)
    mask = layout.boxes[0]["mask"]
    layout.press("Escape")
    layout.drag((0.4, 0.4), (0.6, 0.5))
    assert layout.edges[0] == pytest.approx([0.4, 0.3, 0.8, 0.7], abs=0.005)
    layout.drag((layout.edges[0][2], layout.edges[0][3]), (0.95, 0.95))
    assert layout.edges[0][2:] == pytest.approx([0.95, 0.95], abs=0.005)
    assert layout.boxes[0]["mask"] == mask


def test_a_click_where_nothing_is_painted_means_what_lies_behind(layout):
    start(layout, (0.1, 0.1, 0.9, 0.9), (0.2, 0.2, 0.6, 0.6), select=1)
    layout.drag((0.3, 0.3), (0.5, 0.3), steps=8)
    layout.press("Escape", "Escape")
    layout.click(0.4, 0.55)
    assert layout.selected == [0]
    layout.click(0.4, 0.3)
    assert layout.selected == [1]


def test_a_selected_region_is_moved_by_its_empty_part_too(layout):
    start(layout)
    layout.drag((0.3, 0.3), (0.5, 0.3), steps=8)
    layout.press("Escape")
    layout.drag((0.4, 0.55), (0.5, 0.65))
    assert len(layout.boxes) == 1
    assert layout.edges[0][:2] == pytest.approx([0.3, 0.3], abs=0.005)


def test_the_box_fits_itself_to_its_region(layout):
    start(layout)
    layout.drag((0.3, 0.4), (0.5, 0.4), steps=8)
    layout.layout("document.activeElement.blur()")
    layout.focus()
    layout.press("Escape")
    layout.click(0.4, 0.4, button="right")
    layout.find(".msd-menu-item", has=layout.page.get_by_text("Fit the box to its region", exact=True)).click()
    layout.pause()
    assert layout.edges[0] == pytest.approx([0.253, 0.353, 0.547, 0.447], abs=0.006)
    assert covers(layout, 0.4, 0.4)


def test_a_reloaded_workflow_has_the_same_text(layout):
    start(layout)
    layout.drag((0.3, 0.4), (0.5, 0.5), steps=8)
    before = layout.text
    layout.page.evaluate("async () => { await app.loadGraphData(app.graph.serialize()) }")
    layout.settle()
    assert layout.text == before


def test_the_cut_out_of_a_subject_becomes_the_region(layout, server):
    cut_out = Image.new("RGBA", (80, 60), (0, 0, 0, 0))
    cut_out.paste((255, 0, 0, 255), (20, 10, 60, 30))
    cut_out.paste((255, 0, 0, 255), (20, 30, 40, 50))
    cut_out.save(server.input / "cut_out.png")
    layout.fresh(
        """
        const encode = add('MSDiffusionEncode', 1150, 90);
        link(layout, 0, encode, 'layout');
        const loader = add('LoadImage', 20, 90);
        loader.widgets[0].value = 'cut_out.png';
        const subject = add('MSDiffusionSubject', 20, 500);
        link(loader, 0, subject, 'image');
        link(subject, 0, encode, 'subjects.subject0');
    """
    )
    layout.set_boxes((0.1, 0.1, 0.5, 0.9))
    layout.layout("ui.refresh()")
    layout.layout("ui.editor.select([0])")
    layout.focus()
    before = layout.undo_steps
    layout.click(0.3, 0.3, button="right")
    layout.find(".msd-menu-item", has=layout.page.get_by_text("Use the subject's shape", exact=True)).click()
    layout.page.wait_for_function(PAINTED)
    assert layout.undo_steps == before + 1
    assert layout.edges[0] == pytest.approx([0.1, 0.3, 0.5, 0.7], abs=0.005)
    assert covers(layout, 0.4, 0.4) and covers(layout, 0.2, 0.6) and not covers(layout, 0.4, 0.6)
    layout.page.evaluate(
        """() => {
        const find = (type) => app.graph.nodes.find((node) => node.type === type);
        const [loader, subject] = [find('LoadImage'), find('MSDiffusionSubject')];
        loader.connect(1, subject, subject.inputs.findIndex((one) => one.name === 'mask'));
    }"""
    )
    shape = "(ui.refresh(), ui.editor.subjects[0].shape)"
    assert layout.layout(f"{shape}.inverted") is True, "white in Load Image's mask is what is transparent"
    layout.page.evaluate(
        "app.graph.nodes.find((one) => one.type === 'MSDiffusionSubject').widgets.find((one) => one.name === 'mask_is').value = 'background'"
    )
    assert layout.layout(f"{shape}.inverted") is False


def test_linked_masks_become_painted_regions(layout, server):
    half = Image.new("L", (64, 64), 0)
    half.paste(255, (0, 0, 64, 20))
    half.paste(255, (0, 0, 20, 40))
    half.save(server.input / "corner.png")
    layout.fresh(
        "const source = add('LoadImageMask', 20, 90); source.widgets[0].value = 'corner.png'; link(source, 0, layout, 'masks');"
    )
    layout.layout(
        """node.onExecuted({ msd_layout: [{ width: 1024, height: 1024, boxes: [{ x0: 0, y0: 0, x1: 1, y1: 0.625 }],
        masks: [{ filename: 'corner.png', subfolder: '', type: 'input' }] }] })"""
    )
    layout.pause()
    before = layout.undo_steps
    layout.find(".msd-remedy").click()
    layout.page.wait_for_function(PAINTED)
    layout.pause()
    assert layout.layout("ui.isLinked('masks')") is False
    assert layout.undo_steps == before + 1
    assert layout.edges == [[0, 0, 1, 0.625]]
    assert covers(layout, 0.8, 0.2) and covers(layout, 0.1, 0.5) and not covers(layout, 0.8, 0.5)


def test_a_run_has_the_painted_region(layout, server):
    layout.fresh(
        """
        layout.widgets[0].value = 256;
        layout.widgets[1].value = 256;
        const image = add('MaskToImage', 1000, 90);
        const save = add('SaveImage', 1250, 90);
        layout.connect(layout.outputs.findIndex((one) => one.type === 'MASK'), image, 0);
        image.connect(0, save, 0);
    """
    )
    layout.layout("ui.refresh()")
    start(layout)
    layout.layout("ui.tools.set({ brush: 24 })")
    lasso(layout, (0.25, 0.25), (0.55, 0.3), (0.4, 0.55))
    painted = layout.page.evaluate(
        """async (text) => {
        const folder = [...document.querySelectorAll('link')].find((one) => one.href.endsWith('layout.css')).href;
        const { parseLayout } = await import(new URL('./model/format.mjs', folder));
        const { cellsOf, rasterOf } = await import(new URL('./model/masks.mjs', folder));
        const [box] = parseLayout(text);
        return [...cellsOf(box, rasterOf(box.mask), 256, 256)];
    }""",
        layout.text,
    )
    entry = layout.run(server, 30)
    mask = Image.open(io.BytesIO(server.view(**server.images(entry)[0]))).convert("L")
    assert [int(value > 127) for value in mask.tobytes()] == painted
