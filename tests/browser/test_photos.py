"""Photos dropped on the canvas become subjects of the graph."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from msd_core.demo.world import draw_subject

ENCODE = "const encode = add('MSDiffusionEncode', 1000, 90); link(layout, 0, encode, 'layout');"
SUBJECTS = (
    ENCODE
    + """
    ['a red cup', 'a green hat'].forEach((phrase, k) => {
        const loader = add('LoadImage', -300, 90 + 500 * k);
        loader.widgets[0].value = 'there.png';
        const subject = add('MSDiffusionSubject', 60, 90 + 500 * k);
        subject.widgets.find((one) => one.name === 'phrase').value = phrase;
        subject.widgets.find((one) => one.name === 'weight').value = 1;
        link(loader, 0, subject, 'image');
        link(subject, 0, encode, `subjects.subject${k}`);
    });
    // As the frontend leaves the graph when it loads it, or an undo would first take back the difference.
    encode.setSize([encode.size[0], encode.computeSize()[1] + 20]);
    app.graph.updateExecutionOrder();
"""
)
LEFT, RIGHT, MIDDLE = (0, 0, 0.4, 0.4), (0.6, 0, 1, 0.4), (0.3, 0.6, 0.7, 1)

FILES = """const dropped = new DataTransfer();
    for (const [name, type, data] of files)
        dropped.items.add(new File([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], name, { type }));"""
DRAG = f"""([files, x, y, types]) => {{
    {FILES}
    const target = document.elementFromPoint(x, y);
    return types.map((type) => {{
        const event = new DragEvent(type,
            {{ dataTransfer: dropped, clientX: x, clientY: y, bubbles: true, cancelable: true }});
        target.dispatchEvent(event);
        return event.defaultPrevented;
    }});
}}"""
PASTE = f"""([files]) => {{
    {FILES}
    const event = new ClipboardEvent('paste', {{ clipboardData: dropped, bubbles: true, cancelable: true }});
    document.activeElement.dispatchEvent(event);
}}"""
OVERLAPPING = """() => {
    const vue = app.extensionManager.setting.get('Comfy.VueNodes.Enabled');
    const areas = app.graph.nodes.map((node) => {
        const shown = vue && document.querySelector(`[data-node-id="${node.id}"]`);
        const height = shown ? shown.offsetHeight - 30 : node.size[1];
        return [node.type, node.pos[0], node.pos[1] - 30, node.pos[0] + node.size[0], node.pos[1] + height];
    });
    return areas.flatMap((a, k) => areas.slice(k + 1)
        .filter((b) => a[1] < b[3] && b[1] < a[3] && a[2] < b[4] && b[2] < a[4]).map((b) => [a, b]));
}"""


@pytest.fixture(scope="session", autouse=True)
def picture(server):
    Image.new("RGB", (64, 48), "grey").save(server.input / "there.png")


def photo(name, colour="red", size=(96, 64), clear=False):
    """A file as a page hands it over: name, type and content."""
    image = Image.new("RGBA" if clear else "RGB", size, (0, 0, 0, 0) if clear else colour)
    if clear:
        ImageDraw.Draw(image).ellipse((10, 10, size[0] - 10, size[1] - 10), fill=colour)
    return name, "image/png", base64.b64encode(encoded(image)).decode()


def encoded(image):
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def drag(layout, files, x, y, *types):
    """Drags files over a point of the picture; whether each event was taken."""
    layout.page.evaluate("void document.querySelectorAll('.msd-rename').forEach((field) => field.blur())")
    return layout.page.evaluate(DRAG, [files, *layout.at(x, y), types])


def drop(layout, files, x, y):
    """Drops files and waits until they are in the graph."""
    assert drag(layout, files, x, y, "dragenter", "dragover", "drop") == [True] * 3
    wait_for_upload(layout)


def wait_for_upload(layout):
    layout.page.wait_for_function("![...document.querySelectorAll('.msd-landing')].some((one) => !one.hidden)")
    layout.pause()


def paste(layout, *files):
    layout.page.evaluate(PASTE, [files])
    wait_for_upload(layout)


def subjects(layout):
    layout.layout("ui.refresh()")
    return layout.layout("ui.editor.subjects")


def phrases(layout):
    return [subject["phrase"] for subject in subjects(layout) or []]


def pictures(layout):
    return [subject["picture"].split("filename=")[1].split("&")[0] for subject in subjects(layout)]


def types(layout):
    return sorted(layout.page.evaluate("app.graph.nodes.map((node) => node.type)"))


def widget(layout, type, name, k=0):
    return layout.page.evaluate(
        """([type, name, k]) => app.graph.nodes.filter((node) => node.type === type)[k]
            .widgets.find((one) => one.name === name).value""",
        [type, name, k],
    )


def titles(layout):
    """What stands in the boxes' tags."""
    return layout.layout("ui.stage.scene(ui.stage).titles")


def close_field(layout):
    layout.press("Escape")
    layout.focus()


def test_a_dropped_photo_is_uploaded_linked_placed_and_drawn_as_one_step(layout, server):
    layout.fresh(ENCODE)
    before = types(layout)
    drop(layout, [photo("red_backpack.png")], 0.5, 0.6)
    assert layout.undo_steps == 1
    assert types(layout) == sorted([*before, "LoadImage", "MSDiffusionSubject"])
    assert Image.open(server.input / widget(layout, "LoadImage", "image")).size == (96, 64)
    ((x0, y0, x1, y1),) = layout.edges
    assert (x1 - x0) / (y1 - y0) == pytest.approx(96 / 64, abs=0.01)
    assert (x1 - x0) * (y1 - y0) == pytest.approx(0.25, abs=0.01)
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((0.5, 0.6), abs=0.01)
    assert phrases(layout) == ["red backpack"]
    assert layout.page.evaluate(OVERLAPPING) == []
    field = layout.page.evaluate(
        "[document.activeElement.value, document.activeElement.selectionStart, document.activeElement.selectionEnd]"
    )
    assert field == ["red backpack", 0, 12]
    close_field(layout)
    layout.undo()
    assert types(layout) == before and layout.boxes == [] and subjects(layout) == []
    layout.redo()
    assert phrases(layout) == ["red backpack"] and len(layout.boxes) == 1


def test_the_phrase_is_typed_over_the_files_name_and_is_the_subjects_own(layout):
    layout.fresh(ENCODE)
    drop(layout, [photo("IMG_1234.png")], 0.5, 0.5)
    assert phrases(layout) == [""]
    layout.page.keyboard.type("dog")
    layout.press("Enter")
    assert widget(layout, "MSDiffusionSubject", "phrase") == "dog"
    assert layout.undo_steps == 2
    assert layout.boxes[0]["label"] == ""


def test_several_photos_of_one_drop_are_one_step_and_stand_beside_each_other(layout):
    layout.fresh(ENCODE)
    drop(layout, [photo("cat.png"), photo("dog.png", "blue"), photo("hat.png", "green", (40, 90))], 0.3, 0.3)
    assert layout.undo_steps == 1
    assert phrases(layout) == ["cat", "dog", "hat"]
    assert pictures(layout) == ["cat.png", "dog.png", "hat.png"]
    boxes = layout.edges
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        for other in boxes[k + 1 :]:
            assert x1 <= other[0] or other[2] <= x0 or y1 <= other[1] or other[3] <= y0
    assert layout.page.evaluate(OVERLAPPING) == []
    # Enter goes from one phrase to the next.
    for text in ("kitten", "puppy", "cap"):
        layout.page.keyboard.type(text)
        layout.press("Enter")
    assert phrases(layout) == ["kitten", "puppy", "cap"]
    layout.focus()
    layout.undo(4)
    assert layout.boxes == [] and "LoadImage" not in types(layout)


@pytest.mark.parametrize("boxes", [1, 2, 3, 4])
def test_the_photo_stands_in_the_box_where_it_was_dropped_however_many_there_are(layout, boxes):
    layout.fresh(SUBJECTS)
    layout.set_boxes(*[(0.05 + 0.2 * k, 0, 0.2 + 0.2 * k, 0.2) for k in range(boxes)])
    before = layout.edges
    drop(layout, [photo("robot.png")], 0.5, 0.7)
    assert phrases(layout) == ["a red cup", "a green hat", "robot"]
    x0, y0, x1, y1 = layout.edges[2]
    assert x0 < 0.5 < x1 and y0 < 0.7 < y1
    assert layout.edges[: min(boxes, 2)] == before[:2]
    assert layout.edges[3:] == before[2:]
    assert len(layout.boxes) == max(boxes, 2) + 1


def test_a_box_without_a_subject_takes_the_photo_and_comes_to_its_place_in_the_order(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes((0, 0, 0.2, 0.2), (0.3, 0, 0.5, 0.2), LEFT[:1] + (0.5, 0.3, 0.9), MIDDLE)
    taken = layout.edges[3]
    drop(layout, [photo("robot.png")], 0.5, 0.8)
    assert len(layout.boxes) == 4 and layout.edges[2] == taken
    assert phrases(layout)[2] == "robot"
    assert layout.undo_steps == 2


def test_a_photo_on_a_taken_box_replaces_that_subjects_photo(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes(LEFT, RIGHT)
    before = types(layout)
    drop(layout, [photo("other.png", "blue", (50, 50))], 0.8, 0.2)
    assert types(layout) == before and layout.edges == [list(LEFT), list(RIGHT)]
    assert pictures(layout) == ["there.png", "other.png"]
    assert phrases(layout) == ["a red cup", "a green hat"]
    assert layout.undo_steps == 2
    layout.focus()
    layout.undo()
    assert pictures(layout) == ["there.png", "there.png"]


def test_a_photo_that_comes_from_elsewhere_is_not_replaced_and_the_reason_is_said(layout):
    layout.fresh(
        ENCODE
        + """
        const drawn = add('MSDiffusionDemoSubject', -300, 90);
        const subject = add('MSDiffusionSubject', 60, 90);
        link(drawn, 0, subject, 'image');
        link(subject, 0, encode, 'subjects.subject0');
    """
    )
    layout.set_boxes(LEFT)
    before = layout.page.evaluate("JSON.stringify(app.graph.serialize().nodes)")
    layout.page.evaluate("void (window.said = [])")
    layout.page.evaluate(
        "() => { const { toast } = app.extensionManager; window.tell ??= toast.add; toast.add = (one) => window.said.push(one.summary) }"
    )
    drag(layout, [photo("other.png")], 0.2, 0.2, "dragover", "drop")
    layout.page.wait_for_timeout(300)
    layout.page.evaluate("() => { app.extensionManager.toast.add = window.tell }")
    (sentence,) = layout.page.evaluate("window.said")
    assert "comes from MS-Diffusion Demo Subject" in sentence
    assert layout.page.evaluate("JSON.stringify(app.graph.serialize().nodes)") == before


def test_a_cut_out_links_its_transparency_as_the_background(layout):
    layout.fresh(ENCODE)
    drop(layout, [photo("cup.png", clear=True)], 0.3, 0.3)
    close_field(layout)
    drop(layout, [photo("dog.png")], 0.8, 0.8)
    linked = layout.page.evaluate(
        """() => app.graph.nodes.filter((node) => node.type === 'MSDiffusionSubject')
            .map((node) => node.isInputConnected(node.inputs.findIndex((one) => one.name === 'mask')))"""
    )
    assert linked == [True, False]
    assert [widget(layout, "MSDiffusionSubject", "mask_is", k) for k in range(2)] == ["background", "subject"]


def test_a_cut_out_on_an_opaque_subjects_box_brings_its_transparency(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes(LEFT, RIGHT)
    drop(layout, [photo("cup.png", clear=True)], 0.2, 0.2)
    assert [widget(layout, "MSDiffusionSubject", "mask_is", k) for k in range(2)] == ["background", "subject"]
    drop(layout, [photo("plain.png")], 0.2, 0.2)
    # Its mask is empty, which is only right as a background.
    assert widget(layout, "MSDiffusionSubject", "mask_is") == "background"


def test_photos_are_taken_over_the_stage_only(layout):
    layout.fresh(ENCODE)
    x, y = layout.layout("(({ left, bottom }) => [left + 20, bottom - 12])(ui.root.getBoundingClientRect())")
    layout.page.evaluate(DRAG, [[photo("cat.png")], x, y, ["dragover", "drop"]])
    # The page opens it in its own way.
    layout.page.wait_for_function("app.graph.nodes.some((node) => node.type === 'LoadImage')")
    assert layout.boxes == [] and "MSDiffusionSubject" not in types(layout)


def test_what_is_no_picture_is_left_to_the_page(layout):
    layout.fresh(ENCODE)
    text = ("workflow.json", "application/json", base64.b64encode(b"{}").decode())
    drag(layout, [text], 0.5, 0.5, "dragenter", "dragover")
    assert layout.find(".msd-landing").count() == 0


def test_a_picture_dragged_out_of_a_page_is_fetched(layout):
    layout.fresh(ENCODE)
    layout.page.evaluate(
        """([x, y]) => {
        const dragged = new DataTransfer();
        dragged.setData('text/uri-list', `${location.origin}/api/view?filename=there.png&type=input`);
        const how = { dataTransfer: dragged, clientX: x, clientY: y, bubbles: true, cancelable: true };
        const target = document.elementFromPoint(x, y);
        for (const type of ['dragover', 'drop']) target.dispatchEvent(new DragEvent(type, how));
    }""",
        list(layout.at(0.5, 0.5)),
    )
    layout.page.wait_for_function("app.graph.nodes.some((node) => node.type === 'MSDiffusionSubject')")
    assert phrases(layout) == ["there"] and len(layout.boxes) == 1
    assert layout.undo_steps == 1


def test_while_dragging_the_canvas_shows_where_the_photo_will_land(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes(LEFT, RIGHT, MIDDLE)
    ghost = layout.find(".msd-landing")
    words = {}
    for name, point in {"replace": (0.2, 0.2), "take": (0.5, 0.8), "new": (0.15, 0.7)}.items():
        drag(layout, [photo("cat.png")], *point, "dragover")
        assert ghost.get_attribute("data-kind") == name
        words[name] = ghost.inner_text()
    assert words == {"replace": "New photo for a red cup", "take": "Takes box 3", "new": "New subject"}
    drag(layout, [photo("cat.png")], 0.5, 0.5, "dragleave")
    assert ghost.count() == 0


def test_a_pasted_picture_becomes_a_subject_in_free_space_or_in_the_selected_box(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes(LEFT, RIGHT)
    layout.focus()
    paste(layout, photo("image.png", "blue"))
    assert phrases(layout) == ["a red cup", "a green hat", ""]
    assert widget(layout, "LoadImage", "image", 2).startswith("pasted/")
    assert len(layout.boxes) == 3
    layout.page.keyboard.type("vase")
    layout.press("Enter")
    layout.set_boxes(LEFT, RIGHT, MIDDLE, (0, 0.6, 0.2, 1))
    layout.layout("(ui.editor.select([3]), ui.focus())")
    paste(layout, photo("cat.png"))
    assert len(layout.boxes) == 4 and phrases(layout)[3] == "cat"


def test_photos_reach_the_encoder_through_reroutes(layout):
    layout.fresh(
        SUBJECTS
        + """
        const reroute = add('Reroute', 900, 30);
        layout.connect(0, reroute, 0);
        reroute.connect(0, encode, input(encode, 'layout'));
    """
    )
    layout.set_boxes(LEFT, RIGHT)
    drop(layout, [photo("cat.png")], 0.5, 0.8)
    assert phrases(layout) == ["a red cup", "a green hat", "cat"]


def test_photos_follow_the_encoder_into_a_subgraph(layout):
    # Reroutes hold the encoder's growing inputs while the frontend moves it.
    layout.fresh(
        SUBJECTS
        + """
        app.graph.nodes.filter((node) => node.type === 'MSDiffusionSubject').forEach((subject, k) => {
            const reroute = add('Reroute', 900, 400 + 60 * k);
            subject.connect(0, reroute, 0);
            link(reroute, 0, encode, `subjects.subject${k}`);
        });
        app.graph.convertToSubgraph(new Set([encode])).node.pos = [1000, 90];
    """
    )
    layout.set_boxes(LEFT, RIGHT)
    assert phrases(layout) == ["a red cup", "a green hat"]
    drop(layout, [photo("dog.png"), photo("cat.png")], 0.5, 0.8)
    assert phrases(layout) == ["a red cup", "a green hat", "dog", "cat"]
    inner = layout.page.evaluate("[...app.rootGraph.subgraphs.values()][0].nodes.map((node) => node.type)")
    assert sorted(inner) == ["LoadImage"] * 2 + ["MSDiffusionEncode"] + ["MSDiffusionSubject"] * 2


def test_of_several_encoders_the_one_with_most_subjects_gets_the_photo(layout):
    layout.fresh(SUBJECTS + "const second = add('MSDiffusionEncode', 1000, 600); link(layout, 0, second, 'layout');")
    layout.set_boxes(LEFT, RIGHT)
    drop(layout, [photo("cat.png")], 0.5, 0.8)
    assert phrases(layout) == ["a red cup", "a green hat", "cat"]


def test_a_double_click_edits_the_phrase_and_f2_the_boxs_own_name(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes(LEFT, RIGHT)
    layout.click(0.2, 0.2, count=2)
    layout.page.keyboard.type("a blue cup")
    layout.press("Enter")
    assert widget(layout, "MSDiffusionSubject", "phrase") == "a blue cup"
    assert layout.undo_steps == 2 and layout.boxes[0]["label"] == ""
    layout.click(0.2, 0.2)
    layout.press("F2")
    layout.page.keyboard.type("Grandma's")
    layout.press("Enter")
    assert layout.boxes[0]["label"] == "Grandma's"
    assert titles(layout)[0] == "1 Grandma's · a blue cup"
    layout.press("Enter", "Escape")
    assert widget(layout, "MSDiffusionSubject", "phrase") == "a blue cup"
    layout.undo(2)
    assert phrases(layout)[0] == "a red cup"


def test_a_linked_phrase_is_written_into_its_primitive_or_said_to_be_linked(layout):
    layout.fresh(
        SUBJECTS
        + """
        const [first, second] = app.graph.nodes.filter((node) => node.type === 'MSDiffusionSubject');
        const text = add('PrimitiveString', -300, -300);
        text.widgets[0].value = 'teapot';
        link(text, 0, first, 'phrase');
        const drawn = add('MSDiffusionDemoSubject', 60, -300);
        link(drawn, drawn.outputs.findIndex((one) => one.name === 'phrase'), second, 'phrase');
    """
    )
    layout.set_boxes(LEFT, RIGHT)
    assert phrases(layout)[0] == "teapot"
    layout.click(0.2, 0.2, count=2)
    layout.page.keyboard.type("vase")
    layout.press("Enter")
    assert widget(layout, "PrimitiveString", "value") == "vase"
    assert phrases(layout)[0] == "vase"
    layout.click(0.8, 0.2, count=2)
    assert layout.find(".msd-rename").count() == 0


def test_the_weights_slider_writes_the_subjects_weight_once_per_drag(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes(LEFT, RIGHT)
    layout.page.evaluate(
        """() => { window.called = []; const subject = app.graph.nodes.filter((node) => node.type === 'MSDiffusionSubject')[1];
            subject.widgets.find((one) => one.name === 'weight').callback = (value) => window.called.push(value) }"""
    )
    slider = layout.find(".msd-weight-field input")
    assert slider.count() == 0
    layout.click(0.8, 0.2)
    before = layout.undo_steps
    box = slider.bounding_box()
    layout.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    layout.page.mouse.down()
    layout.page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] / 2, steps=5)
    layout.pause()
    assert widget(layout, "MSDiffusionSubject", "weight", 1) == 1
    assert "×1." in titles(layout)[1]
    layout.page.mouse.up()
    layout.pause()
    weight = widget(layout, "MSDiffusionSubject", "weight", 1)
    assert 1.3 < weight < 2 and weight * 20 == pytest.approx(round(weight * 20))
    assert layout.page.evaluate("window.called") == [weight]
    assert layout.undo_steps == before + 1
    layout.focus()
    layout.undo()
    assert widget(layout, "MSDiffusionSubject", "weight", 1) == 1


def test_a_linked_weight_follows_its_primitive_or_is_said_to_be_linked(layout):
    layout.fresh(
        SUBJECTS
        + """
        const [first, second] = app.graph.nodes.filter((node) => node.type === 'MSDiffusionSubject');
        const number = add('PrimitiveFloat', -300, -300);
        number.widgets[0].value = 1;
        link(number, 0, first, 'weight');
        const math = add('ComfyMathExpression', 60, -400);
        if (math) link(math, math.outputs.findIndex((one) => one.type === 'FLOAT'), second, 'weight');
    """
    )
    layout.set_boxes(LEFT, RIGHT)
    layout.click(0.2, 0.2)
    slider = layout.find(".msd-weight-field input")
    slider.focus()
    layout.press("ArrowRight")
    # The primitive rounds to tenths.
    assert widget(layout, "PrimitiveFloat", "value") == pytest.approx(1.1)
    layout.click(0.8, 0.2)
    assert slider.is_disabled()
    assert "comes from" in layout.find(".msd-weight-field").get_attribute("title")


DEMO = """
    layout.widgets[0].value = layout.widgets[1].value = 160;
    const models = add('MSDiffusionDemoModels', 1000, 600);
    const find = (node, type) => node.outputs.findIndex((one) => one.type === type);
    const sampler = add('KSampler', 1800, 600);
    ['a cat and a robot in a meadow', 'blurry'].forEach((text, k) => {
        const prompt = add('CLIPTextEncode', 1350, 600 + 250 * k);
        prompt.widgets[0].value = text;
        link(models, find(models, 'CLIP'), prompt, 'clip');
        link(prompt, 0, sampler, k ? 'negative' : 'positive');
    });
    const values = {
        seed: 1, control_after_generate: 'fixed', steps: 20, cfg: 2, sampler_name: 'euler', scheduler: 'simple', denoise: 1,
    };
    for (const one of sampler.widgets) if (one.name in values) one.value = values[one.name];
    const latent = add('EmptyLatentImage', 1350, 1150);
    const decode = add('VAEDecode', 2200, 600);
    const save = add('SaveImage', 2450, 600);
    link(models, find(models, 'MODEL'), sampler, 'model');
    link(models, find(models, 'VAE'), decode, 'vae');
    link(latent, 0, sampler, 'latent_image');
    link(sampler, 0, decode, 'samples');
    link(decode, 0, save, 'images');
"""


def sprite(kind, seed):
    """A subject of the demo world on white, as a file."""
    pixels, _, _ = draw_subject(kind, seed, 256)
    image = Image.fromarray((pixels * 255).astype("uint8"))
    return (f"{kind}_{seed:04}.png", "image/png", base64.b64encode(encoded(image)).decode()), image


def run(layout, server):
    """Queues the page's graph as its button does; the picture it saves."""
    entry = layout.run(server, 180)
    return Image.open(io.BytesIO(server.view(**server.images(entry)[0]))).convert("RGB")


def hues(image):
    """Shares of a picture's hues, of what is neither grey, white nor black."""
    hue, saturation, value = (np.asarray(band).ravel() for band in image.convert("HSV").split())
    shares = np.histogram(hue[(saturation > 90) & (value > 60)], 16, (0, 256))[0].astype(float)
    return shares / max(np.linalg.norm(shares), 1e-9)


def likeness(picture, box, photo):
    """How alike the colours of a part of a picture and of a photo are."""
    width, height = picture.size
    part = picture.crop((box[0] * width, box[1] * height, box[2] * width, box[3] * height))
    return float(hues(part) @ hues(photo))


def test_two_dropped_photos_and_the_chain_make_the_picture_with_each_in_its_place(layout, server):
    """With no Encode in the graph: both photos, then one click, then a real run on the demo models."""
    layout.fresh(DEMO)
    (cat, cat_photo), (robot, robot_photo) = sprite("cat", 16), sprite("robot", 3)
    drop(layout, [cat], 0.25, 0.7)
    close_field(layout)
    assert len(layout.boxes) == 1 and phrases(layout) == ["cat"]
    drop(layout, [robot], 0.75, 0.3)
    close_field(layout)
    assert phrases(layout) == ["cat", "robot"]
    layout.find(".msd-notice .msd-remedy").click()
    layout.pause()
    boxes = layout.edges
    picture = run(layout, server)
    assert picture.size == (160, 160)
    # More like its photo where it should stand than where the other one does.
    assert likeness(picture, boxes[0], cat_photo) > likeness(picture, boxes[1], cat_photo) + 0.1
    assert likeness(picture, boxes[1], robot_photo) > likeness(picture, boxes[0], robot_photo) + 0.1
    # The cat is muted: the robot stays where it is, and the first box stays empty.
    layout.page.evaluate("void (app.graph.nodes.find((node) => node.type === 'MSDiffusionSubject').mode = 2)")
    assert [one["part"] for one in subjects(layout)] == ["muted", "acting"]
    alone = run(layout, server)
    assert likeness(alone, boxes[0], cat_photo) < likeness(picture, boxes[0], cat_photo) / 2
    assert likeness(alone, boxes[1], robot_photo) > 0.8


def test_the_chain_is_one_step_with_the_photos_before_it(layout):
    layout.fresh(DEMO)
    drop(layout, [photo("cat.png")], 0.25, 0.7)
    close_field(layout)
    before, steps = types(layout), layout.undo_steps
    layout.find(".msd-notice .msd-remedy").click()
    layout.pause()
    assert layout.undo_steps == steps + 1
    assert types(layout) == sorted([*before, "MSDiffusionApply", "MSDiffusionEncode"])
    assert layout.page.evaluate(OVERLAPPING) == []
    assert layout.find(".msd-notice").count() == 0
    layout.focus()
    layout.undo()
    assert types(layout) == before


def test_in_an_empty_graph_the_chain_is_a_whole_graph(layout):
    drop(layout, [photo("red backpack.png"), photo("the dog.png", "blue")], 0.3, 0.3)
    close_field(layout)
    layout.page.evaluate("void app.extensionManager.command.execute('MSDiffusion.Layout.AddChain')")
    layout.page.wait_for_function("app.graph.nodes.some((node) => node.type === 'SaveImage')")
    layout.pause()
    sent = layout.page.evaluate("app.graphToPrompt().then(({ output }) => output)")
    by_type = {node["class_type"]: node["inputs"] for node in sent.values() if node["class_type"] != "CLIPTextEncode"}
    of = {number: node["class_type"] for number, node in sent.items()}
    linked = {name: of[value[0]] for name, value in by_type["MSDiffusionEncode"].items() if isinstance(value, list)}
    assert linked == {
        "adapter": "MSDiffusionAdapterLoader",
        "clip_vision": "CLIPVisionLoader",
        "clip": "CheckpointLoaderSimple",
        "layout": "MSDiffusionLayout",
        "subjects.subject0": "MSDiffusionSubject",
        "subjects.subject1": "MSDiffusionSubject",
    }
    assert of[by_type["KSampler"]["model"][0]] == "MSDiffusionApply"
    assert of[by_type["MSDiffusionApply"]["model"][0]] == "CheckpointLoaderSimple"
    assert of[by_type["EmptyLatentImage"]["width"][0]] == "MSDiffusionLayout"
    prompts = [node["inputs"]["text"] for node in sent.values() if node["class_type"] == "CLIPTextEncode"]
    assert prompts == ["a red backpack and a dog", ""]
    assert layout.page.evaluate(OVERLAPPING) == []
    layout.focus()
    layout.undo()
    assert types(layout) == ["LoadImage", "LoadImage", "MSDiffusionLayout", "MSDiffusionSubject", "MSDiffusionSubject"]
    layout.undo()
    assert types(layout) == ["MSDiffusionLayout"]


def test_the_chain_leaves_open_what_several_nodes_would_fit(layout):
    layout.fresh(DEMO + "add('MSDiffusionDemoModels', 1000, 900); add('KSampler', 1800, 1000);")
    layout.page.evaluate("void app.extensionManager.command.execute('MSDiffusion.Layout.AddChain')")
    layout.page.wait_for_function("app.graph.nodes.some((node) => node.type === 'MSDiffusionApply')")
    linked = layout.page.evaluate(
        """() => Object.fromEntries(['MSDiffusionEncode', 'MSDiffusionApply'].flatMap((type) => {
            const node = app.graph.nodes.find((one) => one.type === type);
            return node.inputs.map((one, k) => [one.name, node.isInputConnected(k)]);
        }))"""
    )
    assert linked["layout"] and linked["embeds"]
    assert not any(linked[name] for name in ("adapter", "clip_vision", "clip", "model"))
