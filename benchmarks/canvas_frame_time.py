"""Script time per frame in a real ComfyUI in headless Chromium.

Measured while one of 50 boxes is dragged, while one of 8 painted regions that overlap is dragged, and while one of them
is painted on:

    python benchmarks/canvas_frame_time.py [--host ~/ComfyUI] [--boxes 50] [--painted 8] [--limit 4]

Prints one line per renderer and case: the mean and the worst tenth of the milliseconds that the page's scripts took per
frame, measured around the pack's own functions (gesture, layout of the page, painting). Ends with code 1 if a mean is
above --limit.
"""

import argparse
import shutil
import statistics
import sys
from pathlib import Path

PACK = Path(__file__).resolve().parent.parent
FRAMES = 240
TIMER = """() => {
    window.msdFrames = [];
    let spent = 0;
    let within = 0;
    const wrap = (owner, name) => {
        const inner = owner[name];
        owner[name] = function (...values) {
            const start = performance.now();
            within++;
            try { return inner.apply(this, values); }
            finally { if (--within === 0) spent += performance.now() - start; }
        };
    };
    const ui = app.graph.nodes[0].widgets.find((one) => one.name === 'boxes').canvas;
    wrap(ui.stage, 'paint');
    wrap(ui, 'update');
    wrap(ui.editor, 'update');
    wrap(ui, 'refresh');
    const tick = () => { window.msdFrames.push(spent); spent = 0; window.msdTick = requestAnimationFrame(tick); };
    window.msdTick = requestAnimationFrame(tick);
}"""


PAINT = """async (count) => {
    const folder = [...document.querySelectorAll('link')].find((one) => one.href.endsWith('layout.css')).href;
    const { maskOf, plain } = await import(new URL('./model/masks.mjs', folder));
    const { drag } = await import(new URL('./model/brushes.mjs', folder));
    const boxes = Array.from({ length: count }, (_, k) => {
        const raster = plain(256, 256);
        for (let n = 0; n < 40; n++) {
            const turn = (n / 20 + k / count) * Math.PI;
            const to = { x: 128 + 100 * Math.cos(turn), y: 128 + 100 * Math.sin(turn) };
            drag(raster, { x: 128, y: 128 }, to, { x: 4 + k, y: 4 + k }, 1);
        }
        const [x0, y0] = [(k % 4) * 0.16, Math.floor(k / 4) * 0.3];
        return { x0, y0, x1: x0 + 0.45, y1: y0 + 0.45, label: '', color: '', mask: maskOf(raster) };
    });
    const ui = app.graph.nodes[0].widgets.find((one) => one.name === 'boxes').canvas;
    ui.editor.apply({ boxes, selected: [0] });
    ui.focus();
}"""


def drag_box(layout, boxes: int) -> list[float]:
    side = 0.16
    corners = [(k % 10 * 0.09, k // 10 * 0.18) for k in range(boxes)]
    layout.set_boxes(*[(x, y, x + side, y + side) for x, y in corners])
    return measure(layout)


def drag_painted(layout, count: int, overlap: str) -> list[float]:
    layout.page.evaluate(PAINT, count)
    set_overlap = "node.widgets.find((one) => one.name === 'overlap').value = '{}', ui.refresh()"
    layout.layout(set_overlap.format(overlap))
    frames = measure(layout)
    layout.layout(set_overlap.format("mix"))
    return frames


def paint(layout, count: int) -> list[float]:
    layout.page.evaluate(PAINT, count)
    layout.press("p")
    frames = measure(layout)
    layout.press("p")
    return frames


def measure(layout) -> list[float]:
    """Milliseconds of the pack's scripts per frame during a drag of FRAMES pointer moves."""
    start = layout.at(0.07, 0.13)
    layout.page.mouse.move(*start)
    layout.page.mouse.down()
    layout.page.evaluate(TIMER)
    for k in range(FRAMES):
        layout.page.mouse.move(start[0] + (k % 60) * 3, start[1] + (k % 40) * 3)
    frames = layout.page.evaluate("() => { cancelAnimationFrame(msdTick); return msdFrames; }")
    layout.page.mouse.up()
    return [spent for spent in frames if spent > 0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--host", type=Path)
    parser.add_argument("--boxes", type=int, default=50)
    parser.add_argument("--painted", type=int, default=8)
    parser.add_argument("--limit", type=float, default=4.0, help="milliseconds")
    options = parser.parse_args()
    # ComfyUI runs in a process of its own, so the pack's root may be on this one's path.
    sys.path[:0] = [str(PACK / "tests" / "browser"), str(PACK)]
    from layout_page import LayoutPage
    from playwright.sync_api import sync_playwright

    from devtools.host import find_host
    from devtools.server import ComfyServer

    slow = False
    with ComfyServer(options.host or find_host(), sys.executable) as server, sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for renderer in ("classic", "vue"):
            layout = LayoutPage(browser.new_page(viewport={"width": 1400, "height": 950}), server.url, renderer)
            layout.open()
            layout.option("Snap", False)
            for case, frames in (
                (f"{options.boxes} boxes", drag_box(layout, options.boxes)),
                *(
                    (f"{options.painted} painted regions, {overlap}", drag_painted(layout, options.painted, overlap))
                    for overlap in ("mix", "nearest")
                ),
                (f"painting on one of {options.painted}", paint(layout, options.painted)),
            ):
                frames = sorted(frames)
                mean, worst = statistics.mean(frames), frames[int(len(frames) * 0.9)]
                slow = slow or mean > options.limit
                print(
                    f"{renderer}: {case}, {len(frames)} frames, mean {mean:.2f} ms, slowest tenth from {worst:.2f} ms"
                )
            layout.page.close()
        browser.close()
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
