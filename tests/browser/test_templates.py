"""Every template opened, and run where it needs no file: nothing overlaps, and all of it is seen at a glance.

Classic draws nodes from their numbers, Nodes 2.0 as elements of the page, which may be larger than a graph says.
"""

import itertools
import json

import pytest

from devtools.workflows import EXAMPLES, EXAMPLES_IN_ORDER, REAL_EXAMPLES

from .layout_page import VIEWPORT, wide_page

TEMPLATE = pytest.mark.parametrize("example", (*REAL_EXAMPLES, *EXAMPLES_IN_ORDER), ids=lambda example: example.name)
BARS = (60, 90)
"""What the frontend's own bars take of the window, at the left and at the top."""
TITLES_FROM = 8 / 14
"""Zoom from which on classic draws titles: 14 pixels high, and no text below 8."""
TITLE_BAR = 30
SLACK = 2
"""Pixels by which rounding may bring two edges over one another."""
WIDE = {"tiles"}
"""Kinds that have to be zoomed in by a little after they were opened: tiles, a column for each."""

MEASURE = """(vue) => {
    const { ds } = app.canvas, frame = app.canvas.canvas.getBoundingClientRect();
    const onGraph = (r) => [
        (r.left - frame.left) / ds.scale - ds.offset[0], (r.top - frame.top) / ds.scale - ds.offset[1],
        r.width / ds.scale, r.height / ds.scale,
    ];
    return {
        scale: ds.scale,
        nodes: app.graph.nodes.map((node) => {
            const drawn = vue && document.querySelector(`[data-node-id="${node.id}"]`);
            const [x, y] = node.pos, [width, height] = node.size;
            const bounds = drawn ? onGraph(drawn.getBoundingClientRect()) : [x, y - 30, width, height + 30];
            return { type: node.type, bounds, drawn: !vue || Boolean(drawn) };
        }),
        groups: app.graph.groups.map((group) => ({ title: group.title, bounds: [...group.pos, ...group.size] })),
    };
}"""


CUT_OFF = """() => {
    const note = app.graph.nodes.find((node) => node.type === 'MarkdownNote');
    const root = document.querySelector(`[data-node-id="${note.id}"]`) ?? note.widgets[0].element;
    return [root, ...root.querySelectorAll('*')]
        .filter((one) => one.tagName !== 'TEXTAREA' && one.clientHeight && one.scrollHeight > one.clientHeight + 4
            && /auto|scroll|hidden/.test(getComputedStyle(one).overflowY))
        .map((one) => [one.className, one.clientHeight, one.scrollHeight]);
}"""


PICTURE_PIXEL = """() => {
    const layout = app.graph.nodes.find((node) => node.type === 'MSDiffusionLayout');
    const { stage } = layout.widgets.find((one) => one.name === 'boxes').canvas;
    const zoom = stage.canvas.width / stage.holder.clientWidth, { x, y, w, h } = stage.frame;
    const at = [x + 0.7 * w, y + 0.8 * h].map((length) => Math.round(length * zoom));
    return [...stage.context.getImageData(...at, 1, 1).data].slice(0, 3);
}"""
"""The colour of the layout's picture at a place where no box of the first two-subject templates is."""


@pytest.fixture(scope="module", params=["classic", "vue"])
def page(request, server, browser):
    with wide_page(browser, server.url, request.param) as page:
        page.renderer, page.first_looks = request.param, {}
        yield page


def first_look(page, example) -> dict:
    """What stands where after the template was opened; once for all that is asked of it."""
    if example.name not in page.first_looks:
        page.first_looks[example.name] = opened(page, example) | {"cut off": page.evaluate(CUT_OFF)}
    return page.first_looks[example.name]


def opened(page, example) -> dict:
    """What stands where after the template was opened as from the list of templates."""
    graph = json.loads((EXAMPLES / f"{example.title}.json").read_text("utf-8"))
    page.evaluate(
        "([graph, name]) => app.loadGraphData(graph, true, true, name, { openSource: 'template' })",
        [graph, example.title],
    )
    return settled(page)


def settled(page) -> dict:
    """What stands where as soon as nothing has moved for a while."""
    last, still = None, 0
    for _ in range(60):
        now = page.evaluate(MEASURE, page.renderer == "vue")
        still = still + 1 if now == last else 0
        if still == 3:
            return now
        last = now
        page.wait_for_timeout(150)
    raise AssertionError("The nodes never come to rest.")


def run(page, server) -> dict:
    """What stands where after a run."""
    known = set(json.loads(server.get("/history")))
    page.evaluate("app.queuePrompt(0)")
    for _ in range(1200):
        if new := set(json.loads(server.get("/history"))) - known:
            break
        page.wait_for_timeout(200)
    assert json.loads(server.get("/history"))[new.pop()]["status"]["status_str"] == "success"
    page.wait_for_timeout(800)
    return settled(page)


def overlapping(places: list[dict]) -> list[tuple]:
    """Pairs of what lies on one another, with their rectangles."""

    def apart(a: list, b: list) -> bool:
        return any(
            a[axis] + a[axis + 2] <= b[axis] + SLACK or b[axis] + b[axis + 2] <= a[axis] + SLACK for axis in (0, 1)
        )

    return [(a, b) for a, b in itertools.combinations(places, 2) if not apart(a["bounds"], b["bounds"])]


def inside(bounds: list, frame: list) -> bool:
    return all(
        frame[axis] - SLACK <= bounds[axis]
        and bounds[axis] + bounds[axis + 2] <= frame[axis] + frame[axis + 2] + SLACK
        for axis in (0, 1)
    )


def assert_in_order(seen: dict) -> None:
    assert all(node["drawn"] for node in seen["nodes"])
    assert overlapping(seen["nodes"]) == []
    assert overlapping(seen["groups"]) == []
    for node in seen["nodes"]:
        holding = [group["title"] for group in seen["groups"] if inside(node["bounds"], group["bounds"])]
        assert len(holding) == (node["type"] != "MarkdownNote"), (node, seen["groups"])


@TEMPLATE
def test_nothing_overlaps_and_groups_hold_their_nodes_before_and_after_a_run(page, server, example):
    page.first_looks.pop(example.name, None)
    assert_in_order(first_look(page, example))
    # Runs take long; the newest frontend runs them where it draws nodes itself.
    if not example.real and (page.renderer == "vue" or not server.newest):
        assert_in_order(run(page, server))


@TEMPLATE
def test_a_template_fits_the_window_at_a_zoom_that_draws_titles(page, example):
    seen = first_look(page, example)
    for axis, side in enumerate(VIEWPORT.values()):
        low = min(node["bounds"][axis] for node in seen["nodes"])
        high = max(node["bounds"][axis] + node["bounds"][axis + 2] for node in seen["nodes"])
        assert (high - low) * TITLES_FROM <= side - BARS[axis], (axis, low, high)
    if example.kind not in WIDE:
        assert seen["scale"] >= TITLES_FROM, "titles are drawn as soon as it is opened"


def test_a_template_does_not_show_the_last_ones_result(page, server):
    """Their layouts have the same number."""
    before, after = EXAMPLES_IN_ORDER[0], EXAMPLES_IN_ORDER[2]
    opened(page, before)
    run(page, server)
    assert not is_grey(page.evaluate(PICTURE_PIXEL)), "night"
    opened(page, after)
    assert is_grey(page.evaluate(PICTURE_PIXEL)), "no result yet"


def is_grey(pixel: list[int]) -> bool:
    return max(pixel) - min(pixel) < 16


@TEMPLATE
def test_the_note_stands_beside_the_first_step(page, example):
    seen = first_look(page, example)
    (note,) = (node["bounds"] for node in seen["nodes"] if node["type"] == "MarkdownNote")
    models = next(group["bounds"] for group in seen["groups"] if group["title"] == "1. Models")
    assert 0 <= models[0] - (note[0] + note[2]) <= 60
    assert models[1] <= note[1] <= models[1] + models[3]
    assert seen["cut off"] == [], "all of its text is seen"
