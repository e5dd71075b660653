"""The example that needs files, opened where none of them is: the page names each and offers what it can fetch."""

import json
from functools import partial

import pytest

from devtools.files import ADAPTER, BACKGROUND_REMOVAL, CHECKPOINT, IMAGE_ENCODER
from devtools.workflows import EXAMPLES, TWO_PHOTOS_SDXL

from .layout_page import load_frontend

NEEDED = (CHECKPOINT, IMAGE_ENCODER, ADAPTER)
OFFERED = (CHECKPOINT, IMAGE_ENCODER)  # the frontend fetches no .bin: of that it copies the address
BYPASSED = ("LoadBackgroundRemovalModel", "RemoveBackground")


@pytest.fixture(scope="module")
def page(server, browser):
    """The page with the example on it and its list of errors open."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(20_000)
    context.route("https://huggingface.co/**", lambda route: route.fulfill(body="a file"))
    page = context.new_page()
    load_frontend(page, server.url)
    graph = json.loads((EXAMPLES / f"{TWO_PHOTOS_SDXL.title}.json").read_text("utf-8"))
    page.evaluate("(graph) => app.loadGraphData(graph, true, true, 'example')", graph)
    page.get_by_text("View details").click()
    page.get_by_test_id("error-group-missing-model").wait_for()
    yield page
    context.close()


def rows(page) -> list[str]:
    """The lines under the heading of missing models, buttons left out."""
    text = page.get_by_test_id("missing-model-importable-rows").inner_text()
    return [line for line in text.splitlines() if line not in ("", "Download")]


def asks_for(url: str, request) -> bool:
    return request.url == url


def test_every_missing_file_is_named_with_its_folder(page):
    said = rows(page)
    assert sorted(zip(said[::2], said[1::2], strict=True)) == sorted((file.name, file.directory) for file in NEEDED)


def test_the_page_downloads_from_where_the_files_are(page):
    for file in OFFERED:
        with page.context.expect_event("request", partial(asks_for, file.url)):
            page.get_by_role("button", name=f"Download {file.name}").click()
    assert page.get_by_test_id("missing-model-download").count() == len(OFFERED)


def test_photos_that_are_not_there_are_asked_for(page):
    assert page.get_by_test_id("missing-media-row").count() == len(TWO_PHOTOS_SDXL.subjects)


def test_a_run_leaves_the_bypassed_cut_outs_out(page):
    prompt = page.evaluate("async () => (await app.graphToPrompt()).output")
    assert not {node["class_type"] for node in prompt.values()} & set(BYPASSED)
    subjects = [node["inputs"] for node in prompt.values() if node["class_type"] == "MSDiffusionSubject"]
    assert len(subjects) == 2
    assert all("image" in inputs and "mask" not in inputs for inputs in subjects)


def test_cut_outs_ask_for_their_file_once_they_are_on(page):
    page.evaluate("() => app.graph.nodes.filter((node) => node.mode === 4).forEach((node) => { node.mode = 0; })")
    page.get_by_role("button", name=f"Download {BACKGROUND_REMOVAL.name}").wait_for()
    assert len(rows(page)) == 2 * len(NEEDED) + 2
    prompt = page.evaluate("async () => (await app.graphToPrompt()).output")
    assert sum("mask" in node["inputs"] for node in prompt.values()) == 2


def test_a_loader_added_by_hand_names_its_file_and_where_it_is_had(page):
    """A run of it is refused in one sentence; the page lists the file and offers to copy its address."""
    refused = page.evaluate("""async () => {
        const empty = { last_node_id: 0, last_link_id: 0, nodes: [], links: [], groups: [], version: 0.4 };
        await app.loadGraphData(empty, true, true, 'by hand');
        const [loader, shown] = ['MSDiffusionAdapterLoader', 'PreviewAny'].map((type) => {
            const node = LiteGraph.createNode(type);
            app.graph.add(node);
            return node;
        });
        loader.connect(0, shown, 0);
        await app.queuePrompt(0, 1);
        return app.lastNodeErrors[loader.id].errors;
    }""")
    (error,) = refused
    assert error["details"].startswith(f"adapter_name - {ADAPTER.name} is not in ")
    assert f"download {ADAPTER.url} (1.8 GB), put it there and press R" in error["details"]
    page.get_by_text("View details").click()
    page.get_by_test_id("error-group-missing-model").wait_for()
    assert rows(page) == [ADAPTER.name, ADAPTER.directory]
    saved = page.evaluate("() => app.graph.serialize().nodes.map((node) => node.properties.models).filter(Boolean)")
    assert saved == [[{"name": ADAPTER.name, "url": ADAPTER.url, "directory": ADAPTER.directory}]]


def test_the_chain_asks_for_all_files_where_there_are_none(page):
    page.evaluate("""async () => {
        const empty = { last_node_id: 0, last_link_id: 0, nodes: [], links: [], groups: [], version: 0.4 };
        await app.loadGraphData(empty, true, true, 'chain');
        const layout = LiteGraph.createNode('MSDiffusionLayout');
        app.graph.add(layout);
        app.canvas.select(layout);
        await app.extensionManager.command.execute('MSDiffusion.Layout.AddChain');
    }""")
    page.wait_for_function("app.graph.nodes.some((node) => node.type === 'SaveImage')")
    page.evaluate("app.queuePrompt(0, 1)")
    page.get_by_text("View details").click()
    page.get_by_test_id("error-group-missing-model").wait_for()
    said = rows(page)
    assert sorted(zip(said[::2], said[1::2], strict=True)) == sorted((file.name, file.directory) for file in NEEDED)
    for file in OFFERED:
        page.get_by_role("button", name=f"Download {file.name}").wait_for()
