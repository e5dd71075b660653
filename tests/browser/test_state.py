"""The value: what is saved, sent, copied and undone."""

import json
import random

import pytest

ONE = '{"version":1,"boxes":[{"x0":0.1,"y0":0.2,"x1":0.5,"y1":0.8,"label":"","color":""}]}'


def sent(layout):
    """The value in the prompt that would be queued."""
    return layout.page.evaluate(
        "async () => Object.values((await app.graphToPrompt()).output)"
        ".find((node) => node.class_type === 'MSDiffusionLayout').inputs.boxes"
    )


def reload(layout):
    layout.page.evaluate("() => app.loadGraphData(structuredClone(app.graph.serialize()))")
    layout.settle()


def test_the_saved_value_has_four_decimals_and_one_order_of_keys(layout):
    layout.set_boxes((0.1, 0.2, 0.5, 0.8))
    assert layout.text == ONE
    assert sent(layout) == ONE


def test_equal_layouts_are_equal_strings_however_they_came_about(layout):
    layout.set_boxes((0.1, 0.2, 0.5, 0.8))
    layout.drag((0.3, 0.4), (0.6, 0.15))
    layout.set_boxes((0.1, 0.2, 0.5, 0.8))
    assert layout.text == ONE


def test_no_half_drawn_box_is_visible_to_a_run_or_a_save(layout):
    layout.page.mouse.move(*layout.at(0.2, 0.2))
    layout.page.mouse.down()
    layout.page.mouse.move(*layout.at(0.6, 0.6), steps=5)
    layout.pause()
    assert layout.layout("ui.editor.shown.boxes.length") == 1
    assert json.loads(sent(layout))["boxes"] == []
    assert layout.boxes == []
    layout.page.mouse.up()
    layout.pause()
    assert len(json.loads(sent(layout))["boxes"]) == 1


def test_the_layout_survives_a_reload_of_the_workflow(layout):
    layout.set_boxes((0.1, 0.2, 0.5, 0.8))
    reload(layout)
    assert layout.text == ONE
    layout.drag((0.6, 0.1), (0.9, 0.4))
    assert len(layout.boxes) == 2


def test_a_pasted_node_has_a_copy_of_its_own(layout):
    layout.set_boxes((0.1, 0.2, 0.5, 0.8))
    layout.page.evaluate(
        "() => { app.canvas.selectItems([app.graph.nodes[0]]); app.canvas.copyToClipboard(); app.canvas.pasteFromClipboard(); }"
    )
    layout.page.wait_for_timeout(400)
    values = "app.graph.nodes.map((n) => n.widgets.find((one) => one.name === 'boxes').value)"
    assert layout.page.evaluate(values) == [ONE, ONE]
    layout.set_boxes((0.3, 0.3, 0.6, 0.6))
    assert layout.page.evaluate(values)[1] == ONE


def test_the_layout_survives_becoming_part_of_a_subgraph(layout):
    layout.set_boxes((0.1, 0.2, 0.5, 0.8))
    layout.page.evaluate(
        "() => { app.canvas.selectItems([app.graph.nodes[0]]); app.graph.convertToSubgraph(app.canvas.selectedItems); }"
    )
    layout.page.wait_for_timeout(400)
    assert sent(layout) == ONE


def test_the_layout_survives_collapsing_the_node(layout):
    layout.set_boxes((0.1, 0.2, 0.5, 0.8))
    layout.layout("node.collapse()")
    layout.page.wait_for_timeout(300)
    layout.layout("node.collapse()")
    layout.settle()
    assert layout.text == ONE
    layout.drag((0.6, 0.1), (0.9, 0.4))
    assert len(layout.boxes) == 2


def test_the_layout_survives_switching_the_renderer(layout):
    layout.set_boxes((0.1, 0.2, 0.5, 0.8))
    for vue in (layout.renderer != "vue", layout.renderer == "vue"):
        layout.page.evaluate("(vue) => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', vue)", vue)
        layout.page.wait_for_timeout(1200)
        layout.settle()
        assert layout.text == ONE
    layout.drag((0.6, 0.1), (0.9, 0.4))
    assert len(layout.boxes) == 2


def test_a_value_that_is_no_layout_is_named_and_kept_until_it_is_edited(layout):
    layout.layout('(widget.value = \'{"version":1,"boxes":[[0,0,1]]}\')')
    layout.pause()
    assert "Box 1" in layout.find(".msd-words").inner_text()
    assert layout.text == '{"version":1,"boxes":[[0,0,1]]}'
    layout.drag((0.2, 0.2), (0.5, 0.5))
    assert len(layout.boxes) == 1


def test_a_gesture_is_one_step_of_undo_whatever_it_is(layout):
    assert layout.undo_steps == 0
    steps = [
        lambda: layout.drag((0.1, 0.1), (0.4, 0.4)),
        lambda: layout.drag((0.2, 0.2), (0.5, 0.5)),
        lambda: layout.drag((0.7, 0.7), (0.9, 0.9)),
        lambda: layout.press("ArrowLeft"),
        lambda: layout.press("Control+d"),
        lambda: layout.press("Delete"),
    ]
    for count, step in enumerate(steps, 1):
        step()
        layout.page.wait_for_timeout(80)
        assert layout.undo_steps == count


def test_holding_an_arrow_key_is_one_step_of_undo(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4))
    before = layout.undo_steps
    layout.click(0.2, 0.3)
    for _ in range(12):
        layout.page.keyboard.down("ArrowRight")
    layout.page.keyboard.up("ArrowRight")
    layout.pause()
    assert layout.edges[0][0] == round((round(0.1 * 1024) + 12) / 1024, 4)
    assert layout.undo_steps == before + 1


def test_undo_and_redo_keep_focus_and_selection_and_drawing_goes_on(layout):
    layout.drag((0.1, 0.1), (0.4, 0.4))
    layout.drag((0.2, 0.2), (0.5, 0.5))
    layout.undo()
    assert len(layout.boxes) == 1
    layout.press("Delete")
    assert layout.boxes == []
    assert layout.page.evaluate("app.graph.nodes.length") == 1
    layout.undo(2)
    layout.redo()
    layout.drag((0.6, 0.6), (0.9, 0.9))
    assert len(layout.boxes) == 2


def test_undo_works_in_full_screen(layout):
    layout.focus()
    layout.press("f")
    layout.settle()
    layout.drag((0.1, 0.1), (0.4, 0.4))
    layout.drag((0.5, 0.5), (0.8, 0.8))
    layout.undo()
    assert len(layout.boxes) == 1
    assert layout.find(".msd-full .msd-root").is_visible()
    assert layout.layout("document.querySelector('.msd-full').contains(ui.root) && ui.stage.frame.h > 500")
    layout.drag((0.5, 0.1), (0.8, 0.4))
    assert len(layout.boxes) == 2
    layout.press("Escape", "Escape")
    assert layout.find(".msd-full").count() == 0
    layout.settle()
    layout.drag((0.1, 0.6), (0.3, 0.9))
    assert len(layout.boxes) == 3


class Hand:
    """Makes gestures at random, the same ones every time."""

    def __init__(self, layout, seed: int):
        self.layout, self.random = layout, random.Random(seed)

    def point(self):
        return self.random.uniform(0.02, 0.98), self.random.uniform(0.02, 0.98)

    def gesture(self) -> str:
        """One gesture that changes the value; returns the new value."""
        before = self.layout.text
        for _ in range(20):
            self.random.choice(
                [self.draw, self.draw, self.move, self.resize, self.nudge, self.duplicate, self.remove, self.order]
            )()
            if self.layout.text != before:
                return self.layout.text
        raise AssertionError("twenty gestures changed nothing")

    def draw(self):
        self.layout.drag(
            self.point(), self.point(), self.random.choice(["Control", "Control", "Control+Shift"]), steps=3
        )

    def move(self):
        if boxes := self.layout.edges:
            x0, y0, x1, y1 = self.random.choice(boxes)
            self.layout.drag(((x0 + x1) / 2, (y0 + y1) / 2), self.point(), self.random.choice(["", "", "Alt"]), steps=3)

    def resize(self):
        if boxes := self.layout.edges:
            k = self.random.randrange(len(boxes))
            self.layout.layout(f"ui.editor.select([{k}])")
            self.layout.drag(
                (boxes[k][2], boxes[k][3]), self.point(), self.random.choice(["", "Shift", "Alt"]), steps=3
            )

    def nudge(self):
        self.choose()
        self.layout.press(self.random.choice(["ArrowLeft", "Shift+ArrowDown", "Control+Shift+ArrowRight"]))

    def duplicate(self):
        if len(self.layout.boxes) < 9:
            self.choose()
            self.layout.press("Control+d")

    def remove(self):
        if len(self.layout.boxes) > 2:
            self.choose()
            self.layout.press("Delete")

    def order(self):
        self.choose()
        self.layout.press(self.random.choice(["PageUp", "PageDown"]))

    def choose(self):
        self.layout.focus()
        self.layout.press("Escape", str(self.random.randint(1, 4)))


@pytest.mark.slow
def test_forty_gestures_are_undone_to_the_start_and_redone_to_the_end(layout):
    hand = Hand(layout, 5)
    values = [layout.text]
    for _ in range(40):
        values.append(hand.gesture())
    for value in reversed(values[:-1]):
        layout.undo()
        assert layout.text == value
    for value in values[1:]:
        layout.redo()
        assert layout.text == value


@pytest.mark.slow
def test_two_hundred_mixed_gestures_undos_and_redos_agree_with_a_plain_history(layout):
    hand = Hand(layout, 6)
    past, future = [layout.text], []
    for _ in range(200):
        step = hand.random.choice(["gesture", "gesture", "gesture", "undo", "redo"])
        if step == "undo" and len(past) > 1:
            layout.undo()
            future.append(past.pop())
        elif step == "redo" and future:
            layout.redo()
            past.append(future.pop())
        elif step == "gesture":
            past.append(hand.gesture())
            past, future = past[-45:], []
        assert layout.text == past[-1]
