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


def test_undo_and_redo_work_on_a_keyboard_without_latin_letters(layout):
    layout.drag((0.1, 0.1), (0.4, 0.4))
    for key, code, shift, count in (
        ("я", "KeyZ", False, 0),
        ("Я", "KeyZ", True, 1),
        ("я", "KeyZ", False, 0),
        ("н", "KeyY", False, 1),
    ):
        layout.page.evaluate("void (window.msdBefore = app.graph.nodes[0])")
        layout.page.evaluate(
            """([key, code, shiftKey]) => document.activeElement.dispatchEvent(
            new KeyboardEvent('keydown', { key, code, shiftKey, ctrlKey: true, bubbles: true, cancelable: true }))""",
            [key, code, shift],
        )
        layout.page.wait_for_function("app.graph.nodes[0] && app.graph.nodes[0] !== window.msdBefore", timeout=15_000)
        layout.settle()
        assert len(layout.boxes) == count


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


def field(layout, name):
    return layout.find(f".msd-numbers [data-field={name}]")


def spoken(layout):
    return layout.page.locator(".msd-spoken").inner_text()


def test_escape_in_a_number_field_takes_the_typing_back(layout):
    layout.set_boxes(HALF)
    layout.click(0.4, 0.45)
    before, steps = layout.text, layout.undo_steps
    field(layout, "x").click()
    layout.page.keyboard.type("900")
    layout.press("Escape")
    assert layout.text == before
    assert layout.undo_steps == steps
    assert field(layout, "x").input_value() == "256"
    assert has_focus(layout)
    field(layout, "x").click()
    layout.press("ArrowUp", "Escape")
    assert layout.edges[0][0] == round(257 / 1024, 4)


def test_arrow_keys_in_a_number_field_move_the_box_at_once_as_one_step(layout):
    layout.set_boxes(HALF)
    layout.click(0.4, 0.45)
    steps = layout.undo_steps
    field(layout, "x").click()
    for _ in range(6):
        layout.page.keyboard.down("ArrowUp")
    layout.pause()
    assert layout.layout("ui.editor.shown.boxes[0].x0") == round(262 / 1024, 4)
    assert layout.edges[0][0] == 0.25
    layout.page.keyboard.up("ArrowUp")
    layout.pause()
    assert layout.edges[0][0] == round(262 / 1024, 4)
    assert layout.undo_steps == steps + 1
    layout.press("Shift+ArrowDown")
    assert layout.edges[0][0] == round(252 / 1024, 4)
    field(layout, "h").click()
    layout.press("Shift+ArrowUp")
    assert layout.edges[0][3] == round(522 / 1024, 4)
    assert field(layout, "h").input_value() == "266"


def test_number_fields_reckon(layout):
    layout.set_boxes(HALF)
    layout.click(0.4, 0.45)
    for name, typed, expected in (
        ("x", "1024/4+128", 384),
        ("w", "(1024-512)/2", 256),
        ("y", "2*", 256),
        ("h", "1e3", 256),
    ):
        field(layout, name).fill(typed)
        layout.press("Enter")
        assert field(layout, name).input_value() == str(expected), name
    assert layout.edges[0] == [0.375, 0.25, 0.625, 0.5]


def test_tab_goes_from_the_stage_through_list_and_fields_and_arrows_walk_the_rows(layout):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3), (0.5, 0.5, 0.7, 0.7), (0.2, 0.6, 0.4, 0.9))
    layout.open_list()
    layout.focus()
    layout.press("Tab", "Tab", "Tab")
    assert layout.selected == [2]
    layout.press("Tab")
    assert layout.page.evaluate("document.activeElement.dataset.box") == "2"
    layout.press("Home", "ArrowDown")
    assert layout.selected == [1]
    layout.press("Shift+ArrowDown")
    assert layout.selected == [1, 2]
    layout.press("Home")
    assert layout.selected == [0]
    layout.press("End", " ")
    assert layout.selected == []
    layout.press(" ")
    assert layout.selected == [2]
    layout.press("Tab")
    assert layout.page.evaluate("document.activeElement.dataset.field") == "x"
    layout.press("Tab", "Tab", "Tab")
    assert layout.page.evaluate("document.activeElement.dataset.field") == "h"
    field(layout, "x").focus()
    layout.press("Shift+Tab", "Delete")
    assert len(layout.boxes) == 2
    assert has_focus(layout)
    assert nodes(layout) == 1


def test_enter_on_a_row_renames_and_the_toolbar_is_one_stop(layout):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3), (0.5, 0.5, 0.7, 0.7))
    layout.open_list()
    layout.focus()
    layout.press("Escape", "Shift+Tab")
    if layout.layout("document.activeElement === ui.stage.canvas"):
        layout.press("Shift+Tab", "Shift+Tab")
    assert layout.layout("ui.toolbar.element.contains(document.activeElement)")
    layout.press("Home", "ArrowRight", "ArrowRight")
    third = layout.page.evaluate(
        "[...document.activeElement.parentElement.querySelectorAll('button:not(:disabled)')].indexOf(document.activeElement)"
    )
    assert third == 2
    layout.press("Tab")
    assert has_focus(layout)
    layout.press("2", "Tab", "ArrowDown", "Enter")
    layout.page.keyboard.type("a hat")
    layout.press("Enter")
    assert layout.boxes[1]["label"] == "a hat"


def test_rows_and_the_selection_are_announced(layout):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3), HALF)
    layout.layout(
        "ui.editor.apply({ ...ui.editor.state, boxes: ui.editor.state.boxes.map((box, k) => ({ ...box, label: k ? 'cup' : '', locked: Boolean(k) })) })"
    )
    layout.open_list()
    layout.pause()
    rows = layout.find(".msd-list [role=option]")
    assert [rows.nth(k).get_attribute("aria-label") for k in (0, 1)] == ["Box 1 of 2", "Box 2 of 2, cup, locked"]
    assert [rows.nth(1).get_attribute(f"aria-{name}") for name in ("posinset", "setsize")] == ["2", "2"]
    layout.focus()
    layout.press("2")
    assert spoken(layout) == "Box 2 of 2, cup, locked, 256 by 256 pixels at 256, 256"
    layout.press("Control+a")
    assert spoken(layout) == "2 of 2 boxes selected"
    layout.press("Escape")
    assert spoken(layout) == "Nothing selected, boxes: 2"


def test_the_keys_panel_lists_every_key_and_keeps_the_focus(layout):
    layout.focus()
    layout.press("?")
    dialog = layout.page.get_by_role("dialog", name="Keys and gestures")
    assert dialog.is_visible()
    shown = set(dialog.locator("kbd").all_inner_texts())
    keys = layout.page.evaluate(
        """async () => { const folder = document.querySelector('link[href$="/layout/layout.css"]').href.replace('layout.css', '');
        const { ACTIONS } = await import(folder + 'input/actions.mjs');
        return Object.values(ACTIONS).flatMap(({ key }) => key ?? []); }"""
    )
    assert len(keys) > 20
    assert set(keys) <= shown
    layout.press("n", "Delete", "Tab", "Tab")
    assert layout.page.evaluate("document.activeElement.closest('.msd-shade') !== null")
    assert layout.boxes == []
    layout.press("Escape")
    assert dialog.count() == 0
    assert has_focus(layout)
    layout.find(".msd-toolbar [data-menu=more]").click()
    layout.find(".msd-menu-item", has_text="Keys").click()
    assert dialog.is_visible()
    layout.press("Escape")


def test_a_dialog_keeps_the_tab_key_and_gives_the_focus_back(layout):
    layout.focus()
    layout.press("j")
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 12:
        layout.page.keyboard.press(key)
        assert layout.page.evaluate("document.activeElement.closest('.msd-dialog') !== null")
    layout.press("Escape")
    assert has_focus(layout)
    layout.press("j")
    layout.page.mouse.click(5, 5)
    assert layout.find(".msd-dialog").count() == 0
    assert has_focus(layout)


def test_full_screen_keeps_the_tab_key_and_every_key(layout):
    layout.set_boxes(HALF)
    layout.focus()
    layout.press("f")
    layout.settle()
    for key in ["Tab"] * 20 + ["Shift+Tab"] * 20:
        layout.page.keyboard.press(key)
        assert layout.page.evaluate("document.activeElement.closest('.msd-full') !== null")
    layout.page.mouse.click(4, 400)
    layout.press("1", "Delete", "Delete")
    assert layout.boxes == []
    assert nodes(layout) == 1
    layout.press("Escape")
    layout.press("Escape")
    layout.settle()
    assert layout.find(".msd-full").count() == 0
    assert has_focus(layout)


def test_a_menu_opened_by_key_is_walked_by_key_and_gives_the_focus_back(layout):
    layout.set_boxes(HALF)
    layout.focus()
    layout.press("1", "Shift+F10")
    menu = layout.find(".msd-menu")
    assert layout.page.evaluate("document.activeElement.closest('.msd-menu') !== null")
    first = layout.page.evaluate("document.activeElement.innerText")
    layout.press("ArrowDown", "ArrowUp", "Tab", "Shift+Tab")
    assert layout.page.evaluate("document.activeElement.innerText") == first
    layout.press("End", "Home", "Delete", "h")
    assert layout.page.evaluate("document.activeElement.innerText") == first
    assert len(layout.boxes) == 1
    layout.press("Escape")
    assert menu.count() == 0
    assert has_focus(layout)
    layout.press("Shift+F10")
    assert layout.find(".msd-menu kbd").filter(has_text="Ctrl+V").count() == 1
    layout.press("Enter")
    assert len(layout.boxes) == 2
    assert has_focus(layout)


def test_locked_boxes_stay_and_it_is_said(layout):
    layout.set_boxes((0.1, 0.1, 0.3, 0.3), (0.5, 0.5, 0.7, 0.7))
    layout.focus()
    layout.press("1", "l")
    before = layout.edges[0]
    assert field(layout, "x").is_disabled()
    layout.press("ArrowRight", "Delete", "PageDown")
    layout.page.get_by_text("Locked boxes stay as they are").first.wait_for()
    layout.open_list()
    row = layout.find(".msd-row").nth(0)
    row.hover()
    row.locator("button").nth(1).click()
    assert layout.edges[0] == before
    layout.press("Control+a", "Control+x")
    assert layout.edges == [before]
    layout.page.evaluate("app.extensionManager.command.execute('MSDiffusion.Layout.Spread')")
    layout.pause()
    assert layout.edges[0] == before
    layout.find(".msd-toolbar [data-menu=more]").click()
    layout.find(".msd-menu-item", has_text="Remove all boxes").click()
    layout.pause()
    assert layout.edges == [before]
    layout.focus()
    layout.press("j")
    layout.find(".msd-text").fill("[[0, 0, 0.2, 0.2]]")
    layout.find("[data-do=replace]").click()
    layout.pause()
    assert layout.edges == [before, [0, 0, 0.2, 0.2]]


@pytest.mark.parametrize("side", [10, 13, 17])
def test_a_small_box_is_moved_from_inside_and_pulled_from_outside(layout, side):
    share = side / layout.layout("ui.stage.frame.w")
    layout.set_boxes((0.5, 0.5, 0.5 + share, 0.5 + share))
    middle = 0.5 + share / 2
    layout.click(middle, middle)
    assert layout.selected == [0]
    layout.drag((middle, middle), (middle + 0.2, middle - 0.1))
    edges = layout.edges[0]
    assert edges == pytest.approx([0.7, 0.4, 0.7 + share, 0.4 + share], abs=0.006)
    pixel = share / side
    layout.drag((edges[2] + 5 * pixel, edges[3] + 5 * pixel), (edges[2] + 0.1 + 5 * pixel, edges[3] + 0.1 + 5 * pixel))
    assert layout.edges[0] == pytest.approx([0.7, 0.4, 0.8 + share, 0.5 + share], abs=0.008)


def test_a_long_press_opens_the_menu_of_the_box_under_the_finger(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4), (0.6, 0.6, 0.9, 0.9))
    layout.focus()
    layout.press("1")
    session = layout.page.context.new_cdp_session(layout.page)
    x, y = layout.at(0.75, 0.75)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    layout.find(".msd-menu").wait_for()
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert layout.selected == [1]
    layout.press("Escape")
    assert len(layout.boxes) == 2


HOSTILE = "red;position:fixed;inset:0;background:url(http://evil.invalid/x)"
MARKUP = '"><img src=x onerror="window.msdHarmed=1"><script>window.msdHarmed=1</script>'


def test_what_a_file_says_can_neither_style_the_page_nor_run(layout):
    asked = []
    layout.page.on("request", lambda request: asked.append(request.url))
    layout.fresh(
        """
        const encode = add('MSDiffusionEncode', 1150, 90);
        link(layout, 0, encode, 'layout');
        const subject = add('MSDiffusionSubject', 60, 90);
        link(subject, 0, encode, 'subjects.subject0');
    """
    )
    layout.page.evaluate(
        """([colour, markup]) => {
        const subject = app.graph.nodes.find((one) => one.type === 'MSDiffusionSubject');
        subject.widgets.find((one) => one.name === 'phrase').value = markup;
        subject.title = markup;
        const widget = app.graph.nodes[0].widgets.find((one) => one.name === 'boxes');
        widget.value = JSON.stringify({ version: 1, boxes: [{ x0: 0.1, y0: 0.1, x1: 0.6, y1: 0.6, label: markup, color: colour }] });
    }""",
        [HOSTILE, MARKUP],
    )
    layout.pause()
    layout.open_list()
    layout.pause()
    # Past the reading of the value, as if it let everything through.
    layout.layout(
        f"(ui.editor.state = {{ boxes: [{{ x0: 0.1, y0: 0.1, x1: 0.6, y1: 0.6, label: {MARKUP!r}, color: {HOSTILE!r} }}], selected: [0] }}, ui.editor.changed())"
    )
    layout.pause()
    layout.pause()
    layout.focus()
    layout.press("Shift+F10", "Escape", "Enter", "Escape", "j", "Escape")
    styled = layout.page.evaluate("getComputedStyle(document.querySelector('.msd-row .msd-number')).position")
    assert styled == "static"
    assert (
        layout.page.evaluate(
            "document.querySelectorAll('.msd-root script, .msd-root img[src=x], .msd-menu img[src=x]').length"
        )
        == 0
    )
    assert layout.page.evaluate("window.msdHarmed") is None
    assert [url for url in asked if "evil" in url] == []
