"""What the canvas knows of the graph around it."""

import io

import pytest
from PIL import Image

SUBJECTS = """
    const encode = add('MSDiffusionEncode', 1150, 90);
    link(layout, 0, encode, 'layout');
    ['a red cup', 'a green hat'].forEach((phrase, k) => {
        const loader = add('LoadImage', -300, 90 + 400 * k);
        loader.widgets[0].value = k ? 'green.png' : 'red.png';
        const subject = add('MSDiffusionSubject', 60, 90 + 400 * k);
        subject.widgets.find((one) => one.name === 'phrase').value = phrase;
        subject.widgets.find((one) => one.name === 'weight').value = 1;
        link(loader, 0, subject, 'image');
        link(subject, 0, encode, `subjects.subject${k}`);
    });
"""
FIND = "const find = (type) => app.graph.nodes.filter((node) => node.type === type);"


@pytest.fixture(scope="session", autouse=True)
def pictures(server):
    """Two photos, red and green, in the server's input folder."""
    for name in ("red", "green"):
        Image.new("RGB", (64, 48), name).save(server.input / f"{name}.png")


def subjects(layout):
    layout.layout("ui.refresh()")
    return layout.layout("ui.editor.subjects")


def phrases(layout):
    return [subject["phrase"] for subject in subjects(layout) or []]


def words(layout):
    layout.layout("ui.refresh()")
    layout.pause()
    layout.pause()
    return layout.find(".msd-words").inner_text()


def pixel(layout, x, y):
    return layout.pixel(x, y)


def test_without_an_encoder_nothing_is_marked(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4))
    assert subjects(layout) is None
    assert words(layout) == "1 box"


def test_each_box_shows_phrase_weight_and_photo_of_its_subject(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes((0, 0, 0.5, 1), (0.5, 0, 1, 1))
    layout.page.evaluate(
        f"() => {{ {FIND} find('MSDiffusionSubject')[1].widgets.find((one) => one.name === 'weight').value = 1.5 }}"
    )
    assert [(one["phrase"], one["weight"]) for one in subjects(layout)] == [("a red cup", 1), ("a green hat", 1.5)]
    assert ["filename=red.png" in one["picture"] for one in subjects(layout)] == [True, False]
    layout.page.wait_for_timeout(500)
    red, green = pixel(layout, 0.25, 0.5), pixel(layout, 0.75, 0.5)
    assert red[0] > 150 and red[1] < 90
    assert green[1] > 80 and green[0] < 90
    layout.open_list()
    rows = layout.find(".msd-row-name").all_inner_texts()
    assert rows == ["a red cup", "a green hat"]
    assert layout.find(".msd-weight").inner_text() == "×1.5"


def test_subjects_are_found_through_reroutes(layout):
    layout.fresh(
        SUBJECTS
        + """
        for (const [from, to, name] of [[layout, encode, 'layout'], [app.graph.nodes.find((n) => n.type === 'LoadImage'),
            app.graph.nodes.find((n) => n.type === 'MSDiffusionSubject'), 'image'],
            [app.graph.nodes.find((n) => n.type === 'MSDiffusionSubject'), encode, 'subjects.subject0']]) {
            const reroute = add('Reroute', 900, 30);
            from.connect(0, reroute, 0);
            reroute.connect(0, to, input(to, name));
        }
    """
    )
    found = subjects(layout)
    assert [one["phrase"] for one in found] == ["a red cup", "a green hat"]
    assert "red.png" in found[0]["picture"]


@pytest.mark.parametrize(
    "types",
    [["LoadImage"], ["LoadImage", "MSDiffusionSubject"], ["MSDiffusionEncode"]],
    ids=["photos", "subjects", "encoder"],
)
def test_subjects_are_found_through_the_walls_of_subgraphs(layout, types):
    # Reroutes hold the encoder's growing inputs while the frontend moves the nodes behind them.
    layout.fresh(
        SUBJECTS
        + """
        app.graph.nodes.filter((node) => node.type === 'MSDiffusionSubject').forEach((subject, k) => {
            const reroute = add('Reroute', 700, 90 + 60 * k);
            subject.connect(0, reroute, 0);
            link(reroute, 0, encode, `subjects.subject${k}`);
        });
    """
    )
    layout.page.evaluate(
        "(types) => void app.graph.convertToSubgraph(new Set(app.graph.nodes.filter((node) => types.includes(node.type))))",
        types,
    )
    layout.page.wait_for_timeout(300)
    found = subjects(layout)
    assert [one["phrase"] for one in found] == ["a red cup", "a green hat"]
    assert "red.png" in found[0]["picture"]


def test_a_layout_inside_a_subgraph_finds_subjects_outside(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes((0, 0, 0.5, 1))
    layout.page.evaluate(
        """() => void app.graph.convertToSubgraph(new Set(app.graph.nodes.filter((node) =>
        ['MSDiffusionLayout', 'MSDiffusionEncode'].includes(node.type))))"""
    )
    found = layout.page.evaluate(
        """() => {
        const inner = [...app.rootGraph.subgraphs.values()][0].nodes.find((node) => node.type === 'MSDiffusionLayout');
        const ui = inner.widgets.find((one) => one.name === 'boxes').canvas;
        ui.refresh();
        return [ui.editor.subjects.map((one) => one.phrase), ui.editor.state.boxes.length];
    }"""
    )
    assert found == [["a red cup", "a green hat"], 1]


def test_muted_and_bypassed_subjects_keep_their_boxes_as_in_a_run(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes((0, 0, 0.5, 1), (0.5, 0, 1, 1))
    layout.open_list()
    assert [one["part"] for one in subjects(layout)] == ["acting", "acting"]
    for mode, part in ((2, "muted"), (4, "bypassed")):
        layout.page.evaluate(f"() => {{ {FIND} find('MSDiffusionSubject')[0].mode = {mode} }}")
        assert [(one["phrase"], one["part"]) for one in subjects(layout)] == [
            ("a red cup", part),
            ("a green hat", "acting"),
        ]
        assert layout.layout("ui.stage.scene(ui.stage).titles") == [f"1 a red cup ({part})", "2 a green hat"]
        # What a run is asked for: the second socket, and nothing in the first.
        sent = layout.page.evaluate("app.graphToPrompt().then(({ output }) => Object.values(output))")
        encode = next(node["inputs"] for node in sent if node["class_type"] == "MSDiffusionEncode")
        assert [name for name in encode if name.startswith("subjects.")] == ["subjects.subject1"]
        layout.pause()
        assert layout.find(".msd-muted").all_inner_texts() == [part]
        assert words(layout) == "In the run: 2 a green hat; left out: 1 a red cup"
    layout.page.evaluate(f"() => {{ {FIND} find('MSDiffusionSubject')[1].mode = 2 }}")
    assert [one["part"] for one in subjects(layout)] == ["bypassed", "muted"]
    assert words(layout) == "All subjects are left out"


SAMPLED = """
    const apply = add('MSDiffusionApply', 700, 400), sampler = add('KSampler', 1000, 400);
    const prompt = add('CLIPTextEncode', 700, 700);
    const to = (source, target, name) => source.connect(0, target, target.inputs.findIndex((one) => one.name === name));
    to(app.graph.nodes.find((node) => node.type === 'MSDiffusionEncode'), apply, 'embeds');
    to(apply, sampler, 'model');
    to(prompt, sampler, 'positive');
    prompt.widgets[0].value = 'a red cup on a table';
"""


def test_a_phrase_that_the_linked_prompt_has_not_is_said_and_no_longer_once_it_is_written(layout):
    layout.fresh(SUBJECTS + SAMPLED)
    layout.set_boxes((0, 0, 0.5, 1), (0.5, 0, 1, 1))
    layout.open_list()
    layout.pause()
    assert words(layout) == "“a green hat” is not in the prompt"
    assert layout.find(".msd-mark").all_inner_texts() == ["not in prompt"]
    layout.page.evaluate(
        f"() => {{ {FIND} find('CLIPTextEncode')[0].widgets[0].value = 'a red cup and a green hat'; }}"
    )
    layout.page.wait_for_function("() => ![...document.querySelectorAll('.msd-mark')].length")
    assert words(layout) == "2 boxes for 2 subjects"


def test_a_subject_whose_photo_is_muted_is_said_to_be_refused(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes((0, 0, 0.5, 1), (0.5, 0, 1, 1))
    layout.page.evaluate(f"() => {{ {FIND} find('LoadImage')[1].mode = 2 }}")
    assert [one["part"] for one in subjects(layout)] == ["acting", "no_photo"]
    assert words(layout) == "Subject 2 has no photo: a run would be refused"


def test_bypassed_image_nodes_let_the_photo_through(layout):
    layout.fresh(
        SUBJECTS
        + """
        const invert = add('ImageInvert', -100, 600);
        const subject = app.graph.nodes.filter((n) => n.type === 'MSDiffusionSubject')[1];
        app.graph.nodes.filter((n) => n.type === 'LoadImage')[1].connect(0, invert, 0);
        link(invert, 0, subject, 'image');
        invert.mode = 4;
    """
    )
    assert "green.png" in subjects(layout)[1]["picture"]


def test_a_phrase_edited_elsewhere_shows_without_an_event(layout):
    layout.fresh(SUBJECTS)
    layout.set_boxes((0, 0, 0.5, 1))
    layout.open_list()
    layout.page.evaluate(
        f"() => {{ {FIND} find('MSDiffusionSubject')[0].widgets.find((one) => one.name === 'phrase').value = 'a blue cup' }}"
    )
    layout.page.wait_for_function(
        "[...document.querySelectorAll('.msd-row-name')].some((one) => one.textContent === 'a blue cup')", timeout=3000
    )


def test_subjects_without_a_box_and_boxes_without_a_subject_are_marked(layout):
    layout.fresh(SUBJECTS)
    assert words(layout) == "2 subjects, 0 boxes"
    layout.open_list()
    assert layout.find(".msd-missing").count() == 2
    layout.find(".msd-remedy").click()
    layout.pause()
    assert len(layout.boxes) == 2
    layout.focus()
    layout.press("n", "Escape")
    assert "unused" in words(layout)
    assert layout.find(".msd-spare").count() == 1


def test_the_canvas_has_the_aspect_of_width_and_height_and_follows_them(layout):
    for width, height in ((1536, 640), (512, 1024)):
        layout.layout(f"node.widgets[0].value = {width}, node.widgets[1].value = {height}")
        layout.page.wait_for_function(
            f"Math.abs((f => f.w / f.h)(app.graph.nodes[0].widgets.find((w) => w.name === 'boxes').canvas.stage.frame) - {width / height}) < 0.01",
            timeout=3000,
        )


def test_a_linked_background_is_drawn_and_never_changes_width_and_height(layout):
    layout.fresh(
        "const loader = add('LoadImage', 20, 90); loader.widgets[0].value = 'red.png'; link(loader, 0, layout, 'background');"
    )
    layout.layout("ui.refresh()")
    layout.page.wait_for_timeout(600)
    strong = pixel(layout, 0.5, 0.25)
    assert strong[0] > 120 and strong[1] < 60
    layout.option("BackgroundOpacity", 20)
    assert pixel(layout, 0.5, 0.25)[0] < strong[0]
    layout.option("Background", "off")
    assert pixel(layout, 0.5, 0.25)[0] < 80
    layout.option("Background", "live")
    layout.option("BackgroundOpacity", 80)
    assert layout.layout("[node.widgets[0].value, node.widgets[1].value]") == [1024, 1024]


def test_linked_boxes_are_shown_read_only_and_one_click_makes_them_mine(layout):
    layout.fresh(
        "const source = add('CreateBoundingBoxes', 20, 90); const slot = source.outputs.findIndex((one) => one.type === 'BOUNDING_BOX'); link(source, slot, layout, 'bounding_boxes');"
    )
    assert "link" in words(layout)
    layout.layout(
        "node.onExecuted({ msd_layout: [{ width: 1024, height: 1024, boxes: [{ x0: 0.2, y0: 0.2, x1: 0.6, y1: 0.7, label: 'dog' }] }] })"
    )
    assert words(layout) == "1 box from a link"
    layout.drag((0.3, 0.3), (0.5, 0.5))
    assert layout.boxes == []
    before = layout.undo_steps
    layout.find(".msd-remedy").click()
    layout.page.wait_for_timeout(100)
    assert layout.boxes == [{"x0": 0.2, "y0": 0.2, "x1": 0.6, "y1": 0.7, "label": "dog", "color": ""}]
    assert layout.layout("ui.isLinked('bounding_boxes')") is False
    assert layout.undo_steps == before + 1


def test_linked_masks_are_painted_as_they_are(layout, server):
    half = Image.new("L", (64, 64), 0)
    half.paste(255, (0, 0, 64, 20))
    half.save(server.input / "half.png")
    layout.fresh(
        "const source = add('LoadImageMask', 20, 90); source.widgets[0].value = 'half.png'; link(source, 0, layout, 'masks');"
    )
    layout.layout(
        """node.onExecuted({ msd_layout: [{ width: 1024, height: 1024, boxes: [{ x0: 0, y0: 0, x1: 1, y1: 0.31 }],
        masks: [{ filename: 'half.png', subfolder: '', type: 'input' }] }] })"""
    )
    layout.pause()
    layout.page.wait_for_timeout(600)
    assert pixel(layout, 0.55, 0.2) != pixel(layout, 0.55, 0.6)


def test_a_queued_run_obeys_the_drawn_boxes(layout, server):
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
    layout.draw((0.25, 0.5, 0.75, 1.0))
    entry = layout.run(server, 30)
    mask = Image.open(io.BytesIO(server.view(**server.images(entry)[0]))).convert("L")
    box = layout.edges[0]
    bounds = mask.point(lambda value: 255 * (value > 127)).getbbox()
    assert mask.size == (256, 256)
    assert all(abs(side - 256 * edge) <= 1 for side, edge in zip(bounds, box, strict=True))
