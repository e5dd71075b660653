"""The pack's subgraph blueprints, from the host's library: each is listed, opens on the canvas, and runs."""

import json

import pytest

from devtools.blueprints import ALL, BLUEPRINTS, CATEGORY
from devtools.graphs import as_text

from .layout_page import wide_page

EACH = pytest.mark.parametrize("blueprint", [make() for make in ALL], ids=lambda blueprint: blueprint.title)
WITH_DEMO = """(graph) => {
    const [outside] = app.graph.nodes, add = (type, x, y) => {
        const node = LiteGraph.createNode(type);
        app.graph.add(node);
        node.pos = [x, y];
        return node;
    };
    const input = (node, name) => node.inputs.findIndex((one) => one.name === name);
    const output = (node, name) => node.outputs.findIndex((one) => one.name === name);
    const link = (from, slot, to, name) => from.connect(output(from, slot), to, input(to, name));
    const models = add('MSDiffusionDemoModels', -900, 0), layout = add('MSDiffusionLayout', -500, 0);
    for (const name of ['model', 'clip', 'clip_vision', 'adapter']) link(models, name, outside, name);
    layout.widgets.find((one) => one.name === 'boxes').value = '{"boxes":[[0,0.4,0.5,0.9],[0.5,0.1,1,0.6]]}';
    layout.widgets[0].value = layout.widgets[1].value = 128;
    link(layout, 'layout', outside, 'layout');
    for (const number of [1, 2]) {
        const drawn = add('MSDiffusionDemoSubject', -900, 200 * number);
        link(drawn, 'image', outside, `photo ${number}`);
    }
    const text = add('CLIPTextEncode', 400, 0), latent = add('EmptyLatentImage', 400, 200);
    const sampler = add('KSampler', 700, 0), decode = add('VAEDecode', 1000, 0), save = add('SaveImage', 1200, 0);
    link(models, 'clip', text, 'clip');
    text.widgets[0].value = 'a dog and a cat on the grass';
    latent.widgets[0].value = latent.widgets[1].value = 128;
    sampler.widgets.find((one) => one.name === 'steps').value = 2;
    link(outside, 'model', sampler, 'model');
    link(text, 'CONDITIONING', sampler, 'positive');
    link(text, 'CONDITIONING', sampler, 'negative');
    link(latent, 'LATENT', sampler, 'latent_image');
    link(sampler, 'LATENT', decode, 'samples');
    link(models, 'vae', decode, 'vae');
    link(decode, 'IMAGE', save, 'images');
}"""


EMPTY = {"last_node_id": 0, "last_link_id": 0, "nodes": [], "links": [], "groups": [], "version": 0.4}
PHRASES = """() => app.graph.nodes.find((node) => node.type === 'MSDiffusionLayout')
    .widgets.find((one) => one.name === 'boxes').canvas.around.subjects?.map((one) => one.phrase)"""


@pytest.fixture(scope="module", params=["classic", "vue"])
def page(request, server, browser):
    with wide_page(browser, server.url, request.param) as page:
        yield page


def opened(page, blueprint) -> dict:
    graph = json.loads((BLUEPRINTS / f"{blueprint.title}.json").read_text("utf-8"))
    page.evaluate("(graph) => app.loadGraphData(graph, true, true, 'blueprint')", graph)
    page.wait_for_timeout(600)
    return page.evaluate(
        """() => {
        const [outside] = app.graph.nodes;
        return {
            inputs: outside.inputs.map((one) => one.name),
            outputs: outside.outputs.map((one) => one.name),
            widgets: Object.fromEntries((outside.widgets ?? []).map((one) => [one.label ?? one.name, one.value])),
            inside: outside.subgraph.nodes.map((one) => one.type),
        };
    }"""
    )


def from_the_library(page, blueprint) -> None:
    """The blueprint on an empty graph, as a user finds and places it."""
    page.evaluate("(graph) => app.loadGraphData(graph, true, true, 'empty')", EMPTY)
    page.wait_for_function("app.graph.nodes.length === 0")
    page.evaluate("app.extensionManager.sidebarTab.activeSidebarTabId = null")
    page.keyboard.press("n")
    page.locator("input[type=text]:visible, input[placeholder*=earch]:visible").first.fill("MS-Diffusion")
    page.get_by_text(blueprint.title).first.click()
    page.mouse.move(900, 300, steps=3)
    page.mouse.click(900, 300)
    page.wait_for_function("app.graph.nodes.length === 1")
    page.evaluate("app.extensionManager.sidebarTab.activeSidebarTabId = null")


@EACH
def test_the_file_is_what_its_description_yields(blueprint):
    written = (BLUEPRINTS / f"{blueprint.title}.json").read_text("utf-8")
    assert written == as_text(blueprint.to_json()), "run python -m devtools.blueprints"


@EACH
def test_the_host_lists_it_under_the_packs_name(server, blueprint):
    listed = json.loads(server.get("/global_subgraphs"))
    (number,) = (number for number, entry in listed.items() if entry["name"] == blueprint.title)
    assert listed[number]["source"] == "custom_node"
    whole = json.loads(server.get(f"/global_subgraphs/{number}"))
    assert json.loads(whole["data"])["definitions"]["subgraphs"][0]["category"] == CATEGORY


@EACH
def test_it_opens_with_its_sockets_widgets_and_inner_nodes(page, blueprint):
    seen = opened(page, blueprint)
    assert seen["inputs"] == list(blueprint.inputs)
    assert seen["outputs"] == list(blueprint.outputs)
    assert seen["widgets"] == {name: socket.widget for name, socket in blueprint.inputs.items()
                               if socket.widget is not None}  # fmt: skip
    assert seen["inside"] == [node.type for node in blueprint.graph.nodes]


@EACH
def test_the_library_has_it_for_the_canvas(page, blueprint):
    from_the_library(page, blueprint)
    assert page.evaluate("app.graph.nodes[0].title") == blueprint.title
    assert page.evaluate("app.graph.nodes[0].subgraph.nodes.length") == len(blueprint.graph.nodes)


def test_two_photos_and_a_layout_reach_the_picture_through_it(page, server):
    from_the_library(page, ALL[0]())
    page.evaluate(WITH_DEMO)
    page.wait_for_function(f"() => JSON.stringify(({PHRASES})()) === JSON.stringify(['dog', 'cat'])")
    known = set(json.loads(server.get("/history")))
    page.evaluate("app.queuePrompt(0)")
    for _ in range(300):
        if new := set(json.loads(server.get("/history"))) - known:
            break
        page.wait_for_timeout(200)
    entry = json.loads(server.get("/history"))[new.pop()]
    assert entry["status"]["status_str"] == "success"
    assert len(server.images(entry)) == 1
    encode = [node for node in entry["prompt"][2].values() if node["class_type"] == "MSDiffusionEncode"]
    assert len(encode) == 1
    phrases = [node["inputs"]["phrase"] for node in entry["prompt"][2].values()
               if node["class_type"] == "MSDiffusionSubject"]  # fmt: skip
    assert sorted(phrases) == ["cat", "dog"]
