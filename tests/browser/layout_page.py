"""The page with one layout node on it, driven by real mouse and keyboard events."""

import json
import urllib.request
from contextlib import contextmanager

START_SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.Persist": False,
    "Comfy.RightSidePanel.IsOpen": False,
    "Comfy.Workflow.WorkflowTabsPosition": "Topbar",
    "Comfy.Minimap.Visible": False,
}
READY = """() => window.app?.extensionManager?.workflow?.activeWorkflow
    && window.LiteGraph?.registered_node_types?.MSDiffusionLayout && !document.querySelector('#splash-loader')"""
VIEWPORT = {"width": 1600, "height": 900}
"""Of a user's whole window."""
# Thrown by the frontend's own Autogrow when a node with such inputs moves into a subgraph; no code of the pack is in it.
AUTOGROW_IN_SUBGRAPH = "Attempted to access LGraph reference that was null or undefined"
HARMLESS = ("favicon", "net::ERR", "Failed to load resource", "DevTools", "ResizeObserver loop")


def set_setting(url: str, name: str, value: object) -> None:
    """Writes one of the frontend's settings on the server."""
    request = urllib.request.Request(f"{url}/settings/{name}", json.dumps(value).encode(), method="POST")
    urllib.request.urlopen(request, timeout=30).close()


def load_frontend(page, url: str, renderer: str | None = None) -> None:
    """Loads the frontend with the settings of tests; without a renderer, in the one that the server has set."""
    chosen = {} if renderer is None else {"Comfy.VueNodes.Enabled": renderer == "vue"}
    for name, value in (START_SETTINGS | chosen).items():
        set_setting(url, name, value)
    page.goto(url)
    page.wait_for_function(READY, timeout=120_000)


@contextmanager
def wide_page(browser, url: str, renderer: str):
    """A page with the frontend, as large as a user's whole window."""
    context = browser.new_context(viewport=VIEWPORT)
    context.set_default_timeout(20_000)
    page = context.new_page()
    load_frontend(page, url, renderer)
    yield page
    context.close()


class LayoutPage:
    """A loaded frontend with a graph of its own; `renderer` is "classic" or "vue"."""

    def __init__(self, page, url: str, renderer: str):
        self.page, self.url, self.renderer = page, url, renderer
        self.errors: list[str] = []
        page.on("pageerror", self._take_error)
        page.on("console", self._listen)

    def _take_error(self, error) -> None:
        if AUTOGROW_IN_SUBGRAPH not in str(error):
            self.errors.append(str(error))

    def open(self) -> None:
        """Loads the page and leaves one layout node on an empty graph."""
        load_frontend(self.page, self.url, self.renderer)
        self.fresh()

    def fresh(self, code: str = "") -> None:
        """Starts over with one layout node (`layout` in `code`, which may add more) and an empty undo history.

        A run that a test before left behind is stopped first: it would go on to send pictures to the new nodes.
        """
        self.page.evaluate(
            """async () => {
            const post = (path, body) => app.api.fetchApi(path, { method: 'POST', body: JSON.stringify(body) });
            const left = async () => {
                const { queue_running: running, queue_pending: pending } = await (await app.api.fetchApi('/queue')).json();
                return running.length + pending.length;
            };
            if (!(await left())) return;
            await post('/queue', { clear: true });
            await post('/interrupt', {});
            while (await left()) await new Promise((resolve) => setTimeout(resolve, 50));
        }"""
        )
        self.page.evaluate(
            """(code) => {
            document.activeElement?.blur?.();
            document.querySelectorAll('.msd-shade, .msd-menu').forEach((left) => left.remove());
            app.extensionManager.sidebarTab.activeSidebarTabId = null;
            app.graph.clear();
            // Or a new node shows the pictures of the one that had its number, and is as high as they make it.
            app.clean();
            app.api.dispatchCustomEvent('graphCleared');
            app.canvas.ds.scale = 1;
            app.canvas.ds.offset = [0, 0];
            const add = (type, x, y) => {
                const node = LiteGraph.createNode(type);
                app.graph.add(node);
                node.pos = [x, y];
                return node;
            };
            const layout = add('MSDiffusionLayout', 420, 90);
            // The frontend may hand a new node the values of the one that had its id.
            layout.widgets[0].value = layout.widgets[1].value = 1024;
            const input = (node, name) => node.inputs.findIndex((one) => one.name === name);
            const link = (from, slot, to, name) => from.connect(slot, to, input(to, name));
            new Function('layout', 'add', 'link', 'input', code)(layout, add, link, input);
            app.canvas.setDirty(true, true);
        }""",
            code,
        )
        self.settle()
        self.page.evaluate(
            """() => {
            const tracker = app.extensionManager.workflow.activeWorkflow.changeTracker;
            (tracker.captureCanvasState ?? tracker.checkState).call(tracker);
            tracker.undoQueue.length = 0;
            tracker.redoQueue.length = 0;
        }"""
        )

    def run(self, server, seconds: int) -> dict:
        """Queues the graph as the page's button does; what the server's history says of the run, a success."""
        known = set(json.loads(server.get("/history")))
        self.page.evaluate("app.queuePrompt(0)")
        for _ in range(seconds * 5):
            history = json.loads(server.get("/history"))
            if new := set(history) - known:
                break
            self.page.wait_for_timeout(200)
        entry = history[new.pop()]
        assert entry["status"]["status_str"] == "success", entry["status"]
        return entry

    def settle(self) -> None:
        """Waits until the canvas is on the page and neither moves nor changes its size."""
        last, still = None, 0
        for _ in range(80):
            now = self.layout(
                "ui.root.isConnected && ['left', 'top', 'width', 'height'].map((side) => ui.stage.canvas.getBoundingClientRect()[side])"
            )
            still = still + 1 if now and now[2] > 0 and now == last else 0
            if still == 2:
                break
            last = now
            self.page.wait_for_timeout(100)
        else:
            raise AssertionError(f"the canvas did not come to rest on the page: {last}")
        self.page.wait_for_timeout(60)

    def find(self, selector: str, **filters):
        """What is on the page; a node left in a subgraph keeps its canvas in hiding."""
        return self.page.locator(f"{selector}:visible", **filters)

    # reading

    def layout(self, expression: str):
        """The value of a JavaScript expression in which `node`, `widget` and `ui` are the layout's."""
        return self.page.evaluate(
            f"""() => {{
            const node = app.graph.nodes.find((one) => one.type === 'MSDiffusionLayout');
            const widget = node.widgets.find((one) => one.name === 'boxes');
            const ui = widget.canvas;
            return {expression};
        }}"""
        )

    @property
    def boxes(self) -> list[dict]:
        """The boxes of the saved value."""
        return json.loads(self.text)["boxes"]

    @property
    def text(self) -> str:
        """The saved value."""
        return self.layout("widget.value")

    @property
    def edges(self) -> list[list[float]]:
        """x0, y0, x1, y1 of every box."""
        return [[box[name] for name in ("x0", "y0", "x1", "y1")] for box in self.boxes]

    @property
    def selected(self) -> list[int]:
        return self.layout("[...ui.editor.state.selected]")

    @property
    def sidebar(self) -> str | None:
        """The panel of the frontend's own that is open at the side."""
        return self.page.evaluate("app.extensionManager.sidebarTab.activeSidebarTabId")

    @property
    def undo_steps(self) -> int:
        return self.page.evaluate("app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length")

    def pixel(self, x: float, y: float) -> list[int]:
        """The colour that the canvas shows at a point of the picture."""
        return self.layout(
            f"""(() => {{
            ui.stage.paint();
            const zoom = ui.stage.canvas.width / ui.stage.holder.clientWidth;
            const frame = ui.stage.frame;
            const at = [(frame.x + {x} * frame.w) * zoom, (frame.y + {y} * frame.h) * zoom];
            return [...ui.stage.context.getImageData(Math.round(at[0]), Math.round(at[1]), 1, 1).data];
        }})()"""
        )

    # acting

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The screen position of a point given in fractions of the picture."""
        return tuple(
            self.layout(
                f"""(() => {{
            const rect = ui.stage.canvas.getBoundingClientRect();
            const zoom = rect.width / ui.stage.holder.clientWidth;
            const frame = ui.stage.frame;
            return [rect.left + (frame.x + {x} * frame.w) * zoom, rect.top + (frame.y + {y} * frame.h) * zoom];
        }})()"""
            )
        )

    def drag(self, start: tuple[float, float], end: tuple[float, float], keys: str = "", steps: int = 6) -> None:
        """Drags from one point to another, both in fractions, with modifier keys held ("Shift+Alt")."""
        held = [key for key in keys.split("+") if key]
        first, last = self.at(*start), self.at(*end)
        self.page.mouse.move(*first)
        for key in held:
            self.page.keyboard.down(key)
        self.page.mouse.down()
        self.page.mouse.move(*last, steps=steps)
        self.page.mouse.up()
        for key in held:
            self.page.keyboard.up(key)
        self.pause()

    def click(self, x: float, y: float, keys: str = "", button: str = "left", count: int = 1) -> None:
        held = [key for key in keys.split("+") if key]
        for key in held:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.at(x, y), button=button, click_count=count)
        for key in held:
            self.page.keyboard.up(key)
        self.pause()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.pause()

    def pause(self) -> None:
        """Two frames, so that what follows an event has happened."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def open_list(self) -> None:
        """Shows the list of boxes, which a narrow canvas folds away."""
        if not self.layout("ui.listShown"):
            self.find(".msd-toolbar [data-action=list]").click()
            self.pause()

    def focus(self) -> None:
        """Gives the canvas the focus without touching the layout."""
        self.layout("ui.focus()")

    def undo(self, count: int = 1, key: str = "Control+z") -> None:
        """Presses undo (or redo) and waits until the graph has been made anew each time."""
        for _ in range(count):
            self.page.evaluate("void (window.msdBefore = app.graph.nodes[0])")
            self.page.keyboard.press(key)
            self.page.wait_for_function("app.graph.nodes[0] && app.graph.nodes[0] !== window.msdBefore", timeout=15_000)
            self.page.wait_for_timeout(60)
        self.settle()

    def redo(self, count: int = 1) -> None:
        self.undo(count, "Control+y")

    def draw(self, *boxes: tuple[float, float, float, float]) -> None:
        """Draws boxes by dragging, over whatever is there."""
        for x0, y0, x1, y1 in boxes:
            self.drag((x0, y0), (x1, y1), "Control")

    def set_boxes(self, *boxes: tuple[float, float, float, float], **rest) -> None:
        """Puts boxes in place of what is there, as one step, and selects none."""
        value = [dict(zip(("x0", "y0", "x1", "y1"), edges, strict=True), label="", color="", **rest) for edges in boxes]
        self.layout(f"ui.editor.apply({{ boxes: {json.dumps(value)}, selected: [] }})")
        self.pause()

    def option(self, name: str, value: object) -> None:
        """Sets one of the canvas's settings."""
        self.page.evaluate(
            "([name, value]) => app.extensionManager.setting.set('MSDiffusion.Layout.' + name, value)", [name, value]
        )
        self.pause()

    def _listen(self, message) -> None:
        if message.type == "error" and not any(word in message.text for word in HARMLESS):
            self.errors.append(message.text)
