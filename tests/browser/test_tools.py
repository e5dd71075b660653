"""Toolbar, menus, list, numbers, presets, import and export, settings, commands."""

import json

import pytest


def menu(layout, name, entry):
    """Opens a menu of the toolbar and chooses an entry by its text."""
    layout.find(f".msd-toolbar [data-menu={name}]").click()
    layout.find(".msd-menu-item", has=layout.page.get_by_text(entry, exact=True)).click()
    layout.pause()


def edges_of_rows(layout):
    return layout.find(".msd-row-name").all_inner_texts()


def test_the_plus_button_adds_boxes_that_do_not_lie_on_each_other(layout):
    for _ in range(4):
        layout.find(".msd-toolbar [data-action=add]").click()
    layout.pause()
    assert len({tuple(edges) for edges in layout.edges}) == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Living + headwear", [[0.25, 0.25, 0.75, 0.75], [0.25, 0, 0.75, 0.25]]),
        ("Living + object + scene", [[0, 0.25, 0.5, 0.75], [0.5, 0.25, 1, 0.75], [0, 0, 1, 1]]),
        ("DreamBench: one box", [[0.25, 0.25, 0.75, 0.75]]),
        ("Quarters, 2 × 2", [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]]),
    ],
)
def test_a_preset_lays_the_boxes_out_as_one_step(layout, name, expected):
    before = layout.undo_steps
    menu(layout, "presets", name)
    assert layout.edges == expected
    assert layout.undo_steps == before + 1


def test_spread_gives_one_box_per_subject(layout):
    layout.fresh(
        """
        const encode = add('MSDiffusionEncode', 1150, 90);
        link(layout, 0, encode, 'layout');
        for (let k = 0; k < 3; k++) link(add('MSDiffusionSubject', 20, 90 + 250 * k), 0, encode, `subjects.subject${k}`);
    """
    )
    layout.layout("ui.refresh()")
    menu(layout, "presets", "Spread one box per subject")
    assert len(layout.boxes) == 3


def test_boxes_align_and_distribute_from_the_menu(layout):
    layout.set_boxes((0.1, 0.1, 0.2, 0.2), (0.3, 0.4, 0.4, 0.5), (0.8, 0.7, 0.9, 0.8))
    layout.focus()
    layout.press("Control+a")
    menu(layout, "arrange", "Align left")
    assert [edges[0] for edges in layout.edges] == [0.1, 0.1, 0.1]
    layout.press("Control+a")
    menu(layout, "arrange", "Equal gaps down")
    ys = [edges[1] for edges in layout.edges]
    assert abs((ys[1] - ys[0]) - (ys[2] - ys[1])) < 2e-4


def test_numbers_are_entered_in_pixels_and_in_fractions(layout):
    layout.set_boxes((0.25, 0.25, 0.5, 0.5))
    layout.click(0.3, 0.45)

    def enter(field, value):
        layout.find(f".msd-numbers [data-field={field}]").fill(value)
        layout.page.keyboard.press("Enter")
        layout.pause()

    enter("x", "512")
    assert layout.edges[0] == [0.5, 0.25, 0.75, 0.5]
    enter("h", "128")
    assert layout.edges[0] == [0.5, 0.25, 0.75, 0.375]
    layout.find(".msd-unit").click()
    enter("w", "0.125")
    assert layout.edges[0] == [0.5, 0.25, 0.625, 0.375]
    enter("y", "nonsense")
    assert layout.edges[0] == [0.5, 0.25, 0.625, 0.375]
    layout.find(".msd-unit").click()


def test_ctrl_z_in_a_number_field_does_not_touch_the_graph(layout):
    layout.set_boxes((0.25, 0.25, 0.5, 0.5))
    layout.click(0.3, 0.45)
    layout.find(".msd-numbers [data-field=x]").click()
    layout.page.keyboard.type("99")
    layout.press("Control+z", "Delete")
    assert len(layout.boxes) == 1


def test_the_list_reorders_by_dragging_and_the_order_is_the_subjects(layout):
    layout.set_boxes((0, 0, 0.3, 0.3), (0.3, 0.3, 0.6, 0.6), (0.6, 0.6, 1, 1))
    layout.open_list()
    first = layout.find(".msd-row").nth(0).bounding_box()
    middle = (first["x"] + 120, first["y"] + first["height"] / 2)
    layout.page.mouse.move(*middle)
    layout.page.mouse.down()
    layout.page.mouse.move(middle[0], middle[1] + 2 * first["height"], steps=8)
    layout.page.mouse.up()
    layout.pause()
    assert [edges[0] for edges in layout.edges] == [0.3, 0.6, 0]
    assert layout.selected == [2]


def test_the_list_locks_and_removes(layout):
    layout.set_boxes((0, 0, 0.3, 0.3), (0.3, 0.3, 0.6, 0.6))
    layout.open_list()
    row = layout.find(".msd-row").nth(0)
    row.hover()
    row.locator("button").nth(0).click()
    layout.pause()
    layout.pause()
    assert [box.get("locked", False) for box in layout.boxes] == [True, False]
    row = layout.find(".msd-row").nth(1)
    row.hover()
    row.locator("button").nth(1).click()
    layout.pause()
    assert len(layout.boxes) == 1


def test_the_context_menu_colours_and_duplicates(layout):
    layout.set_boxes((0.2, 0.2, 0.6, 0.6))
    layout.click(0.4, 0.5, button="right")
    layout.find(".msd-menu .msd-swatch").nth(4).click()
    layout.pause()
    assert layout.boxes[0]["color"] == "#b57bff"
    layout.click(0.4, 0.5, button="right")
    layout.find(".msd-menu-item", has_text="Duplicate").click()
    layout.pause()
    assert len(layout.boxes) == 2


def test_a_layout_is_exported_and_imported_in_both_forms(layout):
    layout.set_boxes((0.25, 0.25, 0.5, 0.75))
    menu(layout, "more", "Import or export")
    text = layout.find(".msd-text")
    assert json.loads(text.input_value())["boxes"][0]["x0"] == 0.25
    layout.page.get_by_label("Write as").select_option("boxes")
    ((box,),) = json.loads(text.input_value())
    assert [box[name] for name in ("x", "y", "width", "height")] == [256, 256, 256, 512]
    text.fill('[{"x": 512, "y": 0, "width": 512, "height": 1024, "metadata": {"text": "tower"}}]')
    assert layout.find(".msd-found").inner_text() == "1 box in pixels"
    layout.find("[data-do=append]").click()
    layout.pause()
    assert layout.edges == [[0.25, 0.25, 0.5, 0.75], [0.5, 0, 1, 1]]
    assert layout.boxes[1]["label"] == "tower"


def test_the_axis_order_of_imported_lists_is_named(layout):
    menu(layout, "more", "Import or export")
    layout.find(".msd-text").fill("[[0, 512, 256, 256]]")
    layout.page.get_by_label("Read lists of four numbers as").select_option("xywh")
    layout.find("[data-do=replace]").click()
    layout.pause()
    assert layout.edges == [[0, 0.5, 0.25, 0.75]]


def test_a_bad_import_is_explained_and_changes_nothing(layout):
    layout.set_boxes((0.25, 0.25, 0.5, 0.75))
    menu(layout, "more", "Import or export")
    layout.find(".msd-text").fill('[{"x0": 0.1, "y0": 0.1, "x1": 0.1, "y1": 0.5}]')
    assert layout.find(".msd-found").inner_text() == "Box 1 has no area"
    layout.find("[data-do=replace]").click()
    assert layout.find(".msd-dialog").is_visible()
    layout.page.keyboard.press("Escape")
    assert layout.edges == [[0.25, 0.25, 0.5, 0.75]]


def test_pasting_something_else_shows_an_error_and_changes_nothing(layout):
    layout.page.evaluate("navigator.clipboard.writeText('no boxes here')")
    layout.focus()
    layout.press("Control+v")
    layout.page.get_by_text("Nothing to paste").first.wait_for()
    assert layout.boxes == []


def test_full_screen_edits_the_same_layout_and_comes_back(layout):
    layout.find(".msd-toolbar [data-action=full]").click()
    layout.settle()
    assert layout.find(".msd-full .msd-root").is_visible()
    assert layout.layout("ui.stage.frame.h") > 500
    layout.drag((0.1, 0.1), (0.6, 0.6))
    layout.find(".msd-toolbar [data-action=full]").click()
    layout.settle()
    layout.drag((0.7, 0.7), (0.9, 0.9))
    assert len(layout.boxes) == 2


def test_commands_act_on_the_layout(layout):
    layout.page.evaluate("app.extensionManager.command.execute('MSDiffusion.Layout.AddBox')")
    layout.pause()
    assert len(layout.boxes) == 1
    layout.press("Control+Alt+l")
    layout.settle()
    assert layout.find(".msd-full").count() == 1
    layout.page.evaluate("app.extensionManager.command.execute('MSDiffusion.Layout.FullScreen')")
    layout.settle()


def test_settings_change_the_canvas_at_once(layout):
    layout.set_boxes((0.2, 0.2, 0.6, 0.6))
    for name, value, other in (("Palette", "safe", "vivid"), ("Fill", 50, 14), ("Thirds", False, True)):
        before = layout.layout("(ui.stage.paint(), ui.stage.canvas.toDataURL())")
        layout.option(name, value)
        assert layout.layout("(ui.stage.paint(), ui.stage.canvas.toDataURL())") != before
        layout.option(name, other)


def test_texts_come_in_chinese(layout):
    layout.page.evaluate("app.extensionManager.setting.set('Comfy.Locale', 'zh')")
    layout.page.reload()
    layout.open()
    try:
        assert layout.find(".msd-toolbar [data-menu=presets]").get_attribute("aria-label") == "预设"
    finally:
        layout.page.evaluate("app.extensionManager.setting.set('Comfy.Locale', 'en')")
        layout.page.wait_for_timeout(500)
        layout.open()
        layout.errors.clear()


def test_a_light_theme_is_read_as_light(layout):
    layout.page.evaluate("app.extensionManager.setting.set('Comfy.ColorPalette', 'light')")
    layout.page.wait_for_timeout(800)
    try:
        assert layout.layout("ui.root.dataset.theme") == "light"
        assert layout.layout("ui.stage.theme.dark") is False
    finally:
        layout.page.evaluate("app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")
        layout.page.wait_for_timeout(500)
    assert layout.layout("ui.root.dataset.theme") == "dark"
