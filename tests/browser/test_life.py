"""How canvases come, go and take each other's place, and what they hear of the graph without asking."""

import pytest

from .test_graph import FIND, SUBJECTS

UI = (
    "app.graph.nodes.find((one) => one.type === 'MSDiffusionLayout').widgets.find((one) => one.name === 'boxes').canvas"
)
MAKE_AND_DELETE = """async (count) => {
    const turn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    for (let k = 0; k < count; k++) {
        const node = LiteGraph.createNode('MSDiffusionLayout');
        app.graph.add(node);
        await turn();
        app.graph.remove(node);
        await turn();
    }
}"""


class Memory:
    """Counts what the page holds, after collecting garbage."""

    def __init__(self, page):
        self.page = page
        self.cdp = page.context.new_cdp_session(page)

    def collect(self):
        # The frontend keeps the last mouse event, and with it whatever that happened on; the test, the last node.
        self.page.mouse.move(3, 500)
        self.page.evaluate("void (window.msdBefore = null)")
        for _ in range(3):
            self.cdp.send("HeapProfiler.collectGarbage")

    def canvases(self) -> int:
        """Layout canvases in memory, on the page or not."""
        self.collect()
        prototype = self.cdp.send("Runtime.evaluate", {"expression": f"{UI}.constructor.prototype"})["result"][
            "objectId"
        ]
        found = self.cdp.send("Runtime.queryObjects", {"prototypeObjectId": prototype})["objects"]["objectId"]
        count = {"objectId": found, "functionDeclaration": "function() { return this.length }", "returnByValue": True}
        try:
            return self.cdp.send("Runtime.callFunctionOn", count)["result"]["value"]
        finally:
            for held in (found, prototype):
                self.cdp.send("Runtime.releaseObject", {"objectId": held})

    def counters(self) -> tuple[int, int]:
        """Nodes of the DOM and listeners in memory."""
        self.collect()
        counters = self.cdp.send("Memory.getDOMCounters")
        return counters["nodes"], counters["jsEventListeners"]


def own_nodes(layout):
    return layout.page.evaluate("document.querySelectorAll('.msd-root').length")


def test_deleted_nodes_leave_no_canvas_behind(layout):
    # What earlier tests left in subgraphs goes with the next graph.
    layout.page.evaluate("() => app.loadGraphData(structuredClone(app.graph.serialize()))")
    layout.settle()
    memory = Memory(layout.page)
    layout.page.evaluate(MAKE_AND_DELETE, 5)
    assert memory.canvases() == 1
    before = memory.counters()
    layout.page.evaluate(MAKE_AND_DELETE, 20)
    assert memory.canvases() == 1
    assert own_nodes(layout) == 1
    nodes, listeners = (b - a for a, b in zip(before, memory.counters(), strict=True))
    if layout.renderer == "classic":
        # The pinned frontend keeps three elements of its own for each widget that was.
        assert nodes <= 20 * 3 + 20
        assert listeners <= 20


def test_undo_leaves_no_canvas_behind(layout):
    memory = Memory(layout.page)
    layout.drag((0.1, 0.1), (0.4, 0.4))
    for _ in range(4):
        layout.undo()
        layout.redo()
    assert memory.canvases() == 1
    assert own_nodes(layout) == 1


def test_a_node_that_was_taken_out_and_put_back_goes_on(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4))
    layout.page.evaluate("(() => { const node = app.graph.nodes[0]; app.graph.remove(node); app.graph.add(node); })()")
    layout.settle()
    assert layout.edges == [[0.1, 0.1, 0.4, 0.4]]
    layout.drag((0.5, 0.5), (0.8, 0.8))
    assert len(layout.boxes) == 2


def test_a_new_graph_whose_layout_has_the_same_id_starts_afresh(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4))
    layout.focus()
    layout.press("1", "b")
    before = layout.layout("String(node.id)")
    shown = layout.layout("ui.listShown")
    layout.page.evaluate("() => app.loadGraphData(structuredClone(app.graph.serialize()))")
    layout.settle()
    assert layout.layout("String(node.id)") == before
    assert layout.selected == []
    assert layout.layout("ui.listShown") is not shown
    assert layout.layout("ui.root.contains(document.activeElement)") is False
    layout.press("n")
    assert len(layout.boxes) == 1
    layout.page.evaluate("void (app.extensionManager.sidebarTab.activeSidebarTabId = null)")  # the page took the key


def test_undo_keeps_focus_selection_and_the_list(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4), (0.5, 0.5, 0.8, 0.8))
    layout.focus()
    layout.press("2", "b", "ArrowRight")
    shown = layout.layout("ui.listShown")
    layout.undo()
    assert layout.edges[1][0] == 0.5
    assert layout.selected == [1]
    assert layout.layout("ui.listShown") is shown
    assert layout.layout("document.activeElement === ui.stage.canvas")


def test_keys_pressed_while_an_undo_is_at_work_never_reach_the_node(layout):
    for k in range(3):
        layout.drag((0.1 + 0.3 * k, 0.1), (0.3 + 0.3 * k, 0.3))
    layout.page.keyboard.press("Control+z")
    for key in ("Delete", "Backspace", "Delete", "Delete"):
        layout.page.keyboard.press(key)
    layout.page.wait_for_timeout(600)
    layout.settle()
    assert layout.page.evaluate("app.graph.nodes.length") == 1
    layout.press("n")
    assert layout.boxes


def test_undo_and_redo_stay_in_full_screen(layout):
    layout.focus()
    layout.press("f")
    layout.settle()
    layout.drag((0.1, 0.1), (0.4, 0.4))
    layout.drag((0.5, 0.5), (0.8, 0.8))
    for act, count in ((layout.undo, 1), (layout.undo, 0), (layout.redo, 1), (layout.redo, 2)):
        act()
        assert len(layout.boxes) == count
        assert layout.layout("ui.session.full && document.querySelector('.msd-full').contains(ui.root)")
        assert layout.page.evaluate("document.querySelectorAll('.msd-full .msd-root').length") == 1
        assert layout.layout("ui.stage.frame.h") > 500
        assert layout.layout("document.activeElement === ui.stage.canvas")
    layout.press("Escape", "Escape")
    assert layout.find(".msd-full").count() == 0
    layout.settle()
    assert own_nodes(layout) == 1
    assert layout.layout("ui.root.getBoundingClientRect().width") < 700


def test_full_screen_goes_with_its_node(layout):
    layout.focus()
    layout.press("f")
    layout.settle()
    layout.page.evaluate("() => app.graph.clear()")
    layout.pause()
    assert layout.page.evaluate("document.querySelectorAll('.msd-full').length") == 0


def test_full_screen_of_a_node_whose_making_is_undone_closes(layout):
    layout.page.evaluate(
        """() => {
        const node = LiteGraph.createNode('MSDiffusionLayout');
        app.graph.add(node);
        node.pos = [900, 90];
        app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
        window.msdOther = node;
    }"""
    )
    layout.settle()
    layout.page.evaluate("msdOther.widgets.find((one) => one.name === 'boxes').canvas.toggleFull()")
    assert layout.find(".msd-full").count() == 1
    layout.undo()
    layout.page.wait_for_timeout(200)
    assert layout.page.evaluate("document.querySelectorAll('.msd-full').length") == 0
    assert layout.page.evaluate("app.graph.nodes.length") == 1


def test_nothing_is_read_while_nothing_changes(layout):
    layout.fresh(SUBJECTS)
    layout.page.wait_for_timeout(600)
    layout.layout(
        "void (window.msdReads = 0, ui.refresh = ((read) => function () { msdReads++; return read.call(this); })(ui.refresh))"
    )
    layout.page.wait_for_timeout(1500)
    assert layout.page.evaluate("msdReads") == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("find('MSDiffusionSubject')[0].widgets.find((one) => one.name === 'phrase').value = 'a blue cup'", "a blue cup"),
        ("find('MSDiffusionSubject')[0].mode = 2", "muted"),
        ("find('MSDiffusionSubject')[1].connect(0, encode, encode.inputs.findIndex((one) => one.name === 'subjects.subject0'))", "a green hat"),
        ("encode.disconnectInput(encode.inputs.findIndex((one) => one.name === 'layout'))", "Box 1"),
    ],
    ids=["value", "mode", "link", "encoder"],
)  # fmt: skip
def test_what_a_script_changes_upstream_shows_at_once(layout, change, expected):
    layout.fresh(SUBJECTS)
    layout.set_boxes((0, 0, 0.5, 1))
    layout.open_list()
    layout.page.evaluate(f"() => {{ {FIND} const encode = find('MSDiffusionEncode')[0]; {change} }}")
    layout.pause()
    layout.pause()
    assert expected in layout.find(".msd-row").first.inner_text()


def test_a_widget_is_as_it_was_once_it_is_no_longer_upstream(layout):
    layout.fresh("add('MSDiffusionSubject', 20, 90); add('MSDiffusionEncode', 1150, 90);")
    describe = f"""() => {{ {FIND}
        const widget = find('MSDiffusionSubject')[0].widgets.find((one) => one.name === 'phrase');
        const own = Object.getOwnPropertyDescriptor(widget, 'value');
        window.msdSetters ??= [];
        window.msdSetters.push(own?.set, widget.callback);
        return [Object.keys(own ?? {{}}), own?.enumerable, typeof widget.callback, widget.value];
    }}"""
    # A subject that waits for an encoder is read, so it goes into a graph of another layout first.
    layout.page.evaluate("(() => { const other = LiteGraph.createNode('MSDiffusionLayout'); app.graph.add(other); })()")
    layout.page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    layout.pause()
    before = layout.page.evaluate(describe)
    link = f"""() => {{ {FIND} const [subject, encode, layout] = ['Subject', 'Encode', 'Layout'].map((one) => find(`MSDiffusion${{one}}`)[0]);
        const slot = (name) => encode.inputs.findIndex((one) => one.name === name);
        subject.connect(0, encode, slot('subjects.subject0'));
        layout.connect(0, encode, slot('layout')); }}"""
    layout.page.evaluate(link)
    layout.pause()
    during = layout.page.evaluate(describe)
    layout.page.evaluate(
        f"() => {{ {FIND} const subject = find('MSDiffusionSubject')[0]; subject.widgets[0].value = 'a cat'; app.graph.remove(find('MSDiffusionEncode')[0]); }}"
    )
    layout.pause()
    after = layout.page.evaluate(describe)
    assert after == [*before[:3], "a cat"]
    same = layout.page.evaluate(
        "[0, 1].map((k) => [msdSetters[k] === msdSetters[k + 2], msdSetters[k] === msdSetters[k + 4]])"
    )
    assert same == [[False, True], [False, True]]
    assert during[3] == before[3]


def test_the_pointer_over_the_canvas_is_enough_to_read_again(layout):
    layout.layout(
        "void (window.msdReads = 0, ui.refresh = ((read) => function () { msdReads++; return read.call(this); })(ui.refresh))"
    )
    layout.page.mouse.move(5, 300)
    layout.page.mouse.move(*layout.at(0.5, 0.5), steps=3)
    layout.pause()
    assert layout.page.evaluate("msdReads") >= 1


def test_undo_inside_a_subgraph_keeps_selection_and_focus(layout):
    layout.set_boxes((0.1, 0.1, 0.4, 0.4), (0.5, 0.5, 0.8, 0.8))
    layout.page.evaluate("() => void app.graph.convertToSubgraph(new Set([app.graph.nodes[0]]))")
    layout.page.evaluate("() => app.canvas.setGraph([...app.rootGraph.subgraphs.values()][0])")
    layout.page.evaluate(
        "() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [0, 0]; app.canvas.graph.nodes[0].pos = [420, 90]; app.canvas.setDirty(true, true) }"
    )
    ui = "app.canvas.graph.nodes.find((one) => one.type === 'MSDiffusionLayout').widgets.find((one) => one.name === 'boxes').canvas"
    layout.page.wait_for_function(f"{ui}.root.isConnected && {ui}.stage.canvas.getBoundingClientRect().width > 100")
    layout.page.wait_for_timeout(400)
    layout.page.evaluate(
        f"() => {{ app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState(); {ui}.focus(); }}"
    )
    layout.press("2", "ArrowRight")
    moved = layout.page.evaluate(f"{ui}.editor.state.boxes[1].x0")
    assert moved > 0.5
    layout.page.evaluate(f"void (window.msdBefore = {ui})")
    layout.page.keyboard.press("Control+z")
    layout.page.wait_for_function(f"{ui} !== window.msdBefore && {ui}.root.isConnected", timeout=15_000)
    layout.page.wait_for_timeout(400)
    assert layout.page.evaluate(f"[{ui}.editor.state.boxes[1].x0, {ui}.editor.state.selected[0]]") == [0.5, 1]
    assert layout.page.evaluate(f"document.activeElement === {ui}.stage.canvas")
    layout.page.evaluate("() => { window.msdBefore = null; app.canvas.setGraph(app.rootGraph) }")
