"""Pictures of the canvas at work, in both renderers, dark and light: python tests/browser/take_screenshots.py OUT [FRONTEND]

Photos are dropped, a region is painted and a run is made as users do it; for the run the demo's models serve.
"""

import base64
import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACK = HERE.parents[1]
PHOTOS = PACK / "example_workflows" / "photos"

EMPTY = "layout.pos = [460, 70]; layout.setSize([420, layout.size[1]]);"
CHAIN = """
    layout.pos = [700, 110];
    layout.setSize([460, layout.size[1] + 40]);
    const encode = add('MSDiffusionEncode', 1240, 340);
    link(layout, 0, encode, 'layout');
"""
FILES = {
    "checkpoints": "sd_xl_base_1.0.safetensors", "clip_vision": "open_clip_pytorch_model.bin",
    "msdiffusion": "ms_adapter.bin",
}  # fmt: skip
"""Files that the loaders' picture names; nothing reads them."""
LOADERS = """
    const place = (type, x, y, width) => {
        const node = add(type, x, y);
        node.setSize([width, node.size[1]]);
        return node;
    };
    const checkpoint = place('CheckpointLoaderSimple', 420, 100, 330);
    const encoder = place('MSDiffusionOpenCLIPVision', 420, 270, 330);
    const adapter = place('MSDiffusionAdapterLoader', 420, 410, 330);
    const encode = place('MSDiffusionEncode', 830, 100, 270), apply = place('MSDiffusionApply', 1180, 100, 270);
    link(checkpoint, 1, encode, 'clip');
    link(encoder, 0, encode, 'clip_vision');
    link(adapter, 0, encode, 'adapter');
    link(checkpoint, 0, apply, 'model');
    link(encode, 0, apply, 'embeds');
"""
DROP = """async ([files, x, y]) => {
    const dropped = new DataTransfer();
    for (const [name, data] of files)
        dropped.items.add(new File([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], name, { type: 'image/jpeg' }));
    const target = document.elementFromPoint(x, y);
    for (const type of ['dragenter', 'dragover', 'drop'])
        target.dispatchEvent(new DragEvent(type,
            { dataTransfer: dropped, clientX: x, clientY: y, bubbles: true, cancelable: true }));
}"""
STEPS = """() => {
    window.msdSteps = 0;
    window.msdDone = false;
    app.api.addEventListener('b_preview_with_metadata', () => window.msdSteps++);
    app.api.addEventListener('execution_success', () => (window.msdDone = true));
}"""
WITHOUT_NOTICES = ".p-toast, [data-testid*=toast] { display: none !important }"


def drop(layout, name: str, x: float, y: float) -> None:
    """Drops one of the example's photos under a telling name and keeps the phrase that the name gives."""
    source, _, given = name.partition(":")
    data = base64.b64encode((PHOTOS / source).read_bytes()).decode()
    layout.page.evaluate(DROP, [[[given, data]], *layout.at(x, y)])
    layout.page.wait_for_timeout(1500)
    layout.press("Escape")
    layout.settle()


def stroke(layout, *points: tuple[float, float]) -> None:
    layout.page.mouse.move(*layout.at(*points[0]))
    layout.page.mouse.down()
    for point in points[1:]:
        layout.page.mouse.move(*layout.at(*point), steps=8)
    layout.page.mouse.up()
    layout.pause()


class Studio:
    """Takes the pictures of one renderer."""

    def __init__(self, layout, renderer: str, out: Path):
        self.layout, self.renderer, self.out = layout, renderer, out

    def take(self, name: str, palette: str, whole: bool = False) -> None:
        """The page, and the node alone."""
        page = self.layout.page
        page.wait_for_timeout(400)
        page.add_style_tag(content=WITHOUT_NOTICES)
        page.screenshot(path=self.out / f"{self.renderer}_{palette}_{name}.png")
        if whole:
            return
        box = self.layout.layout(
            "(() => { const r = ui.root.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()"
        )
        clip = {"x": box[0] - 16, "y": max(box[1] - 6, 0), "width": box[2] + 32, "height": box[3] + 22}
        page.screenshot(path=self.out / f"{self.renderer}_{palette}_{name}_node.png", clip=clip)

    def walk(self, palette: str) -> None:
        layout, page = self.layout, self.layout.page
        page.evaluate("(palette) => app.extensionManager.setting.set('Comfy.ColorPalette', palette)", palette)
        layout.fresh(EMPTY)
        self.take("empty", palette)
        layout.fresh(CHAIN)
        drop(layout, "cat.jpg:tabby_cat.jpg", 0.33, 0.68)
        drop(layout, "cup.jpg:red_cup.jpg", 0.7, 0.24)
        layout.click(0.33, 0.68)
        self.take("photos", palette)
        self.overlap(palette)
        self.paint(palette)
        layout.focus()
        layout.press("?")
        self.take("keys", palette, whole=True)
        layout.press("Escape")
        layout.find(".msd-toolbar [data-menu=presets]").click()
        self.take("presets", palette, whole=True)
        layout.press("Escape")
        layout.focus()
        layout.press("f")
        layout.settle()
        self.take("full", palette, whole=True)
        layout.press("f")
        layout.settle()

    def loaders(self, models: Path) -> None:
        """The loaders in a graph of their own, each with its file."""
        page = self.layout.page
        for folder, name in FILES.items():
            (models / folder).mkdir(exist_ok=True)
            (models / folder / name).touch()
        self.layout.open()
        page.evaluate("app.graph.clear()")
        page.evaluate(
            """(code) => {
            const add = (type, x, y) => {
                const node = LiteGraph.createNode(type);
                app.graph.add(node);
                node.pos = [x, y];
                return node;
            };
            const link = (from, slot, to, name) =>
                from.connect(slot, to, to.inputs.findIndex((one) => one.name === name));
            app.canvas.ds.scale = 1;
            app.canvas.ds.offset = [0, 150];
            new Function('add', 'link', code)(add, link);
        }""",
            LOADERS,
        )
        page.wait_for_timeout(900)
        page.add_style_tag(content=WITHOUT_NOTICES)
        clip = {"x": 400, "y": 200, "width": 1070, "height": 470}
        page.screenshot(path=self.out / f"{self.renderer}_dark_loaders.png", clip=clip)

    def missing(self, graph: dict) -> None:
        """A template for files that are not there, and what the page says of them."""
        page = self.layout.page
        page.evaluate("(graph) => app.loadGraphData(graph, true, true, 'files', { openSource: 'template' })", graph)
        page.get_by_text("View details").click()
        page.get_by_test_id("error-group-missing-model").wait_for()
        page.wait_for_timeout(900)
        page.screenshot(path=self.out / f"{self.renderer}_dark_missing.png")

    def overlap(self, palette: str) -> None:
        layout = self.layout
        layout.drag((0.7, 0.24), (0.55, 0.5))
        for mode in ("mix", "front", "nearest", "apart"):
            layout.layout(
                f"(() => {{ const one = node.widgets.find((w) => w.name === 'overlap'); one.value = '{mode}';"
                " one.callback?.(one.value); ui.refresh(); })()"
            )
            self.take(f"overlap_{mode}", palette)
        layout.layout("(() => { node.widgets.find((w) => w.name === 'overlap').value = 'mix'; ui.refresh(); })()")
        layout.drag((0.6, 0.42), (0.75, 0.16))

    def paint(self, palette: str) -> None:
        layout = self.layout
        layout.click(0.33, 0.68)
        layout.focus()
        layout.press("p", "l")
        stroke(layout, (0.14, 0.8), (0.2, 0.56), (0.3, 0.5), (0.44, 0.52), (0.52, 0.6), (0.5, 0.82), (0.36, 0.87), (0.14, 0.8))
        layout.press("b")
        layout.page.mouse.move(*layout.at(0.55, 0.53))
        self.take("painting", palette)
        layout.press("Escape")

    def run(self, graph: dict, name: str) -> None:
        """A template that needs no files, while it samples and with its result under the boxes."""
        page = self.layout.page
        page.evaluate("app.extensionManager.setting.set('Comfy.Execution.PreviewMethod', 'latent2rgb')")
        page.evaluate("(graph) => app.loadGraphData(graph, true, true, 'example')", graph)
        self.layout.settle()
        self.layout.layout("(app.canvas.ds.scale = 1, app.canvas.ds.offset = [500 - node.pos[0], 110 - node.pos[1]])")
        self.layout.settle()
        page.evaluate(STEPS)
        page.evaluate("app.queuePrompt(0)")
        page.wait_for_function("window.msdSteps > 9", timeout=300_000)
        self.take(f"{name}_running", "dark")
        page.wait_for_function("window.msdDone", timeout=300_000)
        self.layout.click(0.5, 0.02)
        self.take(f"{name}_result", "dark")


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    # ComfyUI runs in a process of its own, so the pack's root may be on this one's path.
    sys.path[:0] = [str(HERE), str(PACK)]
    from layout_page import LayoutPage
    from playwright.sync_api import sync_playwright

    from devtools.host import find_host
    from devtools.server import ComfyServer

    options = ("--front-end-root", sys.argv[2]) if len(sys.argv) > 2 else ()
    tried = json.loads(next((PACK / "example_workflows").glob("MS-Diffusion Try it now (*.json")).read_text("utf-8"))
    real = json.loads(next((PACK / "example_workflows").glob("MS-Diffusion SDXL 01 *.json")).read_text("utf-8"))
    watched = json.loads(next((PACK / "example_workflows").glob("* 09 *.json")).read_text("utf-8"))
    with ComfyServer(find_host(), sys.executable, options=options) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for renderer in ("classic", "vue"):
            page = browser.new_page(viewport={"width": 1600, "height": 960}, device_scale_factor=1.5)
            layout = LayoutPage(page, server.url, renderer)
            layout.open()
            layout.option("Snap", False)
            studio = Studio(layout, renderer, out)
            for palette in ("dark", "light"):
                studio.walk(palette)
            page.evaluate("app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")
            studio.run(tried, "try")
            studio.run(watched, "watch")
            studio.missing(real)
            studio.loaders(server.models)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
