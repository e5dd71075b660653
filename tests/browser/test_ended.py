"""Where auto layout has put the subjects: drawn after the run, looked at image by image, made the layout."""

import json

import pytest
from PIL import Image

from devtools.host import PACK

from .test_room import IDS, RUN

BOXES = ((0.1, 0.1, 0.5, 0.5), (0.3, 0.3, 0.8, 0.8))
LEFT, RIGHT = [0.0, 0.05, 0.4, 0.45], [0.5, 0.45, 1.0, 0.95]
LAND, NEXT = "Make it the layout", "Next image of the batch"


def told(layout, *images, drawn=BOXES, node="4711", run="run") -> None:
    """The page hears where a run's subjects have ended."""
    number = layout.layout("String(node.id)")
    detail = {"layout": number, "node": node, "prompt_id": run, "subjects": ["a", "b"], "drawn": drawn, "images": images}
    layout.page.evaluate("(detail) => void app.api.dispatchCustomEvent('msdiffusion.regions', detail)", detail)
    layout.pause()


def with_subjects(layout) -> None:
    """A layout that feeds an encoder with two subjects."""
    layout.fresh("""
        const encode = add('MSDiffusionEncode', 1150, 90);
        link(layout, 0, encode, 'layout');
        for (const k of [0, 1]) {
            const subject = add('MSDiffusionSubject', 60, 90 + 300 * k);
            const drawing = add('MSDiffusionDemoSubject', -300, 90 + 300 * k);
            link(drawing, 0, subject, 'image');
            link(subject, 0, encode, `subjects.subject${k}`);
        }
    """)
    layout.layout("ui.refresh()")
    layout.set_boxes(*BOXES)
    layout.page.mouse.move(*layout.at(0.97, 0.03))


def words(layout) -> str:
    layout.pause()
    return layout.find(".msd-words").inner_text()


def test_places_are_drawn_and_said_until_the_boxes_change(layout):
    with_subjects(layout)
    before = layout.pixel(0.95, 0.9)
    assert words(layout) == "Boxes 1 and 2 overlap: both subjects act there"
    told(layout, [LEFT, RIGHT])
    assert layout.pixel(0.95, 0.9) != before
    assert words(layout) == "Where auto layout put them"
    layout.drag((0.15, 0.4), (0.2, 0.4))
    layout.press("Escape")
    layout.page.mouse.move(*layout.at(0.97, 0.03))
    assert layout.pixel(0.95, 0.9) == before
    layout.undo()
    assert layout.pixel(0.95, 0.9) != before


def test_made_the_layout_they_are_the_boxes_as_one_undo_step(layout):
    with_subjects(layout)
    told(layout, [LEFT, RIGHT])
    before, steps = layout.text, layout.undo_steps
    layout.find(".msd-remedy", has_text=LAND).click()
    layout.pause()
    assert layout.edges == [LEFT, RIGHT]
    assert layout.undo_steps == steps + 1
    assert words(layout) == "2 boxes for 2 subjects"
    layout.undo()
    assert layout.text == before
    assert words(layout) == "Where auto layout put them"
    layout.click(0.9, 0.1, button="right")
    layout.find(".msd-menu-item", has_text=LAND).click()
    assert layout.edges == [LEFT, RIGHT]


def test_locked_boxes_stay_and_say_so(layout):
    with_subjects(layout)
    layout.layout("ui.editor.apply({ boxes: ui.editor.state.boxes.map((box, k) => ({ ...box, locked: !k })), selected: [] })")
    told(layout, [LEFT, RIGHT])
    layout.find(".msd-remedy", has_text=LAND).click()
    layout.pause()
    assert layout.edges == [list(BOXES[0]), RIGHT]


def test_of_a_batch_each_image_can_be_looked_at_and_taken(layout):
    with_subjects(layout)
    told(layout, [LEFT, RIGHT], [list(BOXES[0]), None], [RIGHT, LEFT])
    step = layout.find(".msd-footer .msd-unit")
    assert step.inner_text() == "1 / 3"
    step.click()
    layout.pause()
    assert step.inner_text() == "2 / 3"
    assert layout.find(".msd-remedy").count() == 0, "none has moved there"
    layout.click(0.9, 0.1, button="right")
    assert layout.find(".msd-menu-item", has_text=LAND).count() == 0
    layout.find(".msd-menu-item", has_text=NEXT).click()
    layout.pause()
    assert step.inner_text() == "3 / 3"
    layout.find(".msd-remedy", has_text=LAND).click()
    layout.pause()
    assert layout.edges == [RIGHT, LEFT]
    assert layout.find(".msd-footer .msd-unit").count() == 0


def test_boxes_that_the_run_moved_apart_first_are_the_runs(layout):
    with_subjects(layout)
    layout.layout("node.widgets.find((one) => one.name === 'overlap').value = 'apart', ui.refresh()")
    layout.pause()
    moved = layout.layout("ui.stage.scene(ui.stage).standing.map(({ x0, y0, x1, y1 }) => [x0, y0, x1, y1])")
    told(layout, [LEFT, RIGHT], drawn=[[round(edge, 4) for edge in box] for box in moved])
    assert words(layout) == "Where auto layout put them"
    layout.layout("node.widgets.find((one) => one.name === 'overlap').value = 'mix', ui.refresh()")
    assert words(layout) != "Where auto layout put them"


def test_a_sampler_at_work_again_forgets_what_it_told(layout):
    with_subjects(layout)
    told(layout, [LEFT, RIGHT])
    for node, shown in (("4712", True), ("4711", False)):
        layout.page.evaluate("(node) => void app.api.dispatchCustomEvent('executing', node)", node)
        assert (words(layout) == "Where auto layout put them") is shown


def test_they_are_turned_off_where_each_subject_acts_is(layout):
    with_subjects(layout)
    before = layout.pixel(0.95, 0.9)
    told(layout, [LEFT, RIGHT])
    layout.find(".msd-toolbar [data-menu=background]").click()
    layout.find(".msd-menu-item", has_text="Where each subject acts").click()
    layout.page.mouse.move(*layout.at(0.97, 0.03))
    layout.pause()
    assert layout.pixel(0.95, 0.9) == before
    layout.option("Heat", True)


def test_under_the_places_of_an_image_lies_that_image(layout, server):
    records = []
    for name, colour in (("first", (255, 0, 0)), ("second", (0, 255, 0))):
        Image.new("RGB", (64, 64), colour).save(server.input / f"ended_{name}.png")
        records.append({"filename": f"ended_{name}.png", "subfolder": "", "type": "input"})
    layout.fresh(RUN)
    layout.set_boxes(*BOXES)
    told(layout, [LEFT, RIGHT], [RIGHT, LEFT])
    save = layout.page.evaluate(IDS)["save"]
    detail = {"node": save, "display_node": save, "output": {"images": records}}
    layout.page.evaluate("(detail) => void app.api.dispatchCustomEvent('executed', detail)", detail)
    layout.page.wait_for_timeout(350)
    red, green = layout.pixel(0.95, 0.1)[:2]
    assert red > 150 > 100 > green
    layout.click(0.9, 0.05, button="right")
    layout.find(".msd-menu-item", has_text=NEXT).click()
    layout.page.wait_for_timeout(350)
    red, green = layout.pixel(0.95, 0.1)[:2]
    assert green > 150 > 100 > red


@pytest.mark.timeout(600)
def test_after_a_real_run_the_canvas_has_them(layout, server):
    graph = json.loads((PACK / "example_workflows/MS-Diffusion Try it now 05 Auto layout.json").read_text())
    layout.page.evaluate("(graph) => app.loadGraphData(graph)", graph)
    layout.settle()
    layout.page.evaluate(
        """() => {
        const sampler = app.graph.nodes.find((one) => one.type === 'KSampler');
        sampler.widgets.find((one) => one.name === 'steps').value = 8;
        // Another one than in the renderer before, whose run the server has kept.
        sampler.widgets.find((one) => one.name === 'seed').value = Date.now() % 1e6;
    }"""
    )
    drawn = layout.edges
    layout.run(server, 240)
    layout.page.wait_for_timeout(600)
    assert words(layout) == "Where auto layout put them"
    layout.find(".msd-remedy", has_text=LAND).click()
    layout.pause()
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = layout.edges
    assert layout.edges != drawn
    assert ax1 <= bx0 + 2e-4 or bx1 <= ax0 + 2e-4 or ay1 <= by0 + 2e-4 or by1 <= ay0 + 2e-4
