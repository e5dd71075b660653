"""Whose key it is: the canvas has the focus after everything a user does to it, and keeps its keys from the graph."""

import pytest

HALF = (0.25, 0.25, 0.5, 0.5)


def has_focus(layout):
    """Whether the stage is what keys go to."""
    return layout.layout("document.activeElement === ui.stage.canvas")


def nodes(layout):
    return layout.page.evaluate("app.graph.nodes.length")


@pytest.mark.parametrize("button", ["[data-action=snap]", "[data-action=grid]", "[data-action=list]", ".msd-unit"])
def test_delete_after_a_click_on_a_button_removes_the_box_and_never_the_node(layout, button):
    layout.set_boxes(HALF)
    layout.click(0.4, 0.45)
    layout.find(f".msd-root {button}").click()
    assert has_focus(layout)
    layout.press("Delete")
    assert layout.boxes == []
    assert nodes(layout) == 1
    layout.press("Delete", "Backspace")
    assert nodes(layout) == 1
    layout.option("Grid", False)


def test_plus_box_then_delete_removes_the_box_and_never_the_node(layout):
    layout.find(".msd-toolbar [data-action=add]").click()
    assert len(layout.boxes) == 1
    layout.press("Delete")
    assert layout.boxes == []
    layout.press("Delete")
    assert nodes(layout) == 1


def test_plus_box_then_enter_renames_it(layout):
    layout.find(".msd-toolbar [data-action=add]").click()
    layout.press("Enter")
    layout.page.keyboard.type("a cat")
    layout.press("Enter")
    assert [box["label"] for box in layout.boxes] == ["a cat"]
    assert has_focus(layout)


def test_copying_works_after_a_button_too(layout):
    layout.find(".msd-toolbar [data-action=add]").click()
    layout.find(".msd-toolbar [data-action=list]").click()
    layout.press("Control+c", "Control+v")
    assert len(layout.boxes) == 2
    assert nodes(layout) == 1
    layout.find(".msd-toolbar [data-action=list]").click()


@pytest.mark.parametrize("key", ["n", "Delete", "Control+v", "Control+d", "Control+a", "PageUp", "1", "Enter"])
def test_keys_do_nothing_while_a_pointer_holds_a_box(layout, key):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3), (0.5, 0.5, 0.7, 0.7))
    layout.page.evaluate("navigator.clipboard.writeText('[[0, 0, 0.5, 0.5]]')")
    layout.click(0.6, 0.65)
    steps = layout.undo_steps
    layout.page.mouse.move(*layout.at(0.6, 0.6))
    layout.page.mouse.down()
    layout.press(key)
    layout.page.mouse.move(*layout.at(0.7, 0.7), steps=4)
    layout.press(key)
    layout.page.mouse.move(*layout.at(0.8, 0.8), steps=4)
    layout.page.mouse.up()
    layout.pause()
    assert layout.edges[0] == [0.1, 0.1, 0.3, 0.3]
    assert layout.edges[1][0] > 0.65
    assert len(layout.boxes) == 2
    assert layout.undo_steps == steps + 1


def test_a_right_click_while_a_box_is_held_opens_nothing(layout):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3))
    layout.page.mouse.move(*layout.at(0.2, 0.2))
    layout.page.mouse.down()
    layout.page.mouse.move(*layout.at(0.4, 0.4), steps=4)
    layout.page.mouse.click(*layout.at(0.4, 0.4), button="right")
    assert layout.find(".msd-menu").count() == 0
    layout.page.mouse.move(*layout.at(0.5, 0.5), steps=4)
    layout.page.mouse.up()
    layout.pause()
    assert len(layout.boxes) == 1
    assert layout.find(".msd-menu").count() == 0


def test_letter_keys_work_on_any_keyboard_layout(layout):
    layout.focus()
    send = """([key, code, ctrlKey]) => document.activeElement.dispatchEvent(
        new KeyboardEvent('keydown', { key, code, ctrlKey, bubbles: true, cancelable: true }))"""
    for key, code in (("т", "KeyN"), ("ν", "KeyN"), ("n", "KeyK")):
        layout.page.evaluate(send, [key, code, False])
    layout.pause()
    assert len(layout.boxes) == 3
    layout.page.evaluate(send, ["ф", "KeyA", True])
    layout.pause()
    assert layout.selected == [0, 1, 2]
    layout.page.evaluate(send, ["в", "KeyD", True])
    layout.pause()
    assert len(layout.boxes) == 6


def test_enter_ends_a_composition_and_not_the_rename(layout):
    layout.set_boxes(HALF)
    layout.click(0.4, 0.45)
    layout.press("Enter")
    session = layout.page.context.new_cdp_session(layout.page)
    session.send("Input.imeSetComposition", {"text": "ねこ", "selectionStart": 2, "selectionEnd": 2})
    session.send(
        "Input.dispatchKeyEvent",
        {"type": "rawKeyDown", "key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229},
    )
    assert layout.find(".msd-rename").count() == 1
    layout.page.evaluate(
        """() => document.activeElement.dispatchEvent(
        new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', isComposing: true, bubbles: true }))"""
    )
    assert layout.find(".msd-rename").count() == 1
    session.send("Input.insertText", {"text": "猫"})
    layout.press("Enter")
    assert layout.boxes[0]["label"] == "猫"
