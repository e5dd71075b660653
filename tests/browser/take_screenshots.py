"""Pictures of the canvas in both renderers, dark and light, and in full screen: python tests/browser/take_screenshots.py OUT"""

import shutil
import sys
from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
PACK = HERE.parents[1]
GRAPH = """
    layout.pos = [560, 100];
    layout.setSize([460, 740]);
    layout.widgets[0].value = 1216;
    layout.widgets[1].value = 832;
    const encode = add('MSDiffusionEncode', 1080, 300);
    link(layout, 0, encode, 'layout');
    ['a corgi', 'a straw hat', 'a meadow'].forEach((phrase, k) => {
        const loader = add('LoadImage', 60, 100 + 280 * k);
        loader.widgets[0].value = `subject${k}.png`;
        loader.setSize([210, 230]);
        const subject = add('MSDiffusionSubject', 300, 100 + 280 * k);
        subject.setSize([230, 180]);
        subject.widgets.find((one) => one.name === 'phrase').value = phrase;
        if (k === 1) subject.widgets.find((one) => one.name === 'weight').value = 1.2;
        link(loader, 0, subject, 'image');
        link(subject, 0, encode, `subjects.subject${k}`);
    });
"""


def draw_subjects(folder: Path) -> None:
    """Three simple drawn subjects, so that no photo is needed."""
    dog = Image.new("RGB", (320, 320), "#f4efe6")
    pen = ImageDraw.Draw(dog)
    for shape, colour in [
        ((60, 130, 260, 290), "#c98a4b"),
        ((90, 40, 230, 170), "#d89a58"),
        ((135, 110, 185, 150), "#f6e3c8"),
    ]:
        pen.ellipse(shape, fill=colour)
    pen.polygon([(95, 70), (80, 10), (135, 48)], fill="#b97a3d")
    pen.polygon([(225, 70), (240, 10), (185, 48)], fill="#b97a3d")
    for x in (125, 180):
        pen.ellipse((x, 85, x + 16, 101), fill="#2b2118")
    pen.ellipse((150, 112, 170, 126), fill="#2b2118")
    dog.save(folder / "subject0.png")
    hat = Image.new("RGB", (360, 240), "#eef2f4")
    pen = ImageDraw.Draw(hat)
    pen.ellipse((20, 130, 340, 210), fill="#d9b45b")
    pen.pieslice((90, 40, 270, 250), 180, 360, fill="#e5c574")
    pen.rectangle((90, 132, 270, 152), fill="#a33b3b")
    hat.save(folder / "subject1.png")
    meadow = Image.new("RGB", (480, 320))
    pen = ImageDraw.Draw(meadow)
    for y in range(320):
        pen.line(
            (0, y, 480, y),
            fill=(150 - y // 6, 195 - y // 8, 235 - y // 3) if y < 170 else (90 - y // 8, 165 - y // 8, 70),
        )
    pen.ellipse((360, 30, 420, 90), fill="#ffe28a")
    meadow.save(folder / "subject2.png")


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
    with ComfyServer(find_host(), sys.executable, options=options) as server, sync_playwright() as playwright:
        draw_subjects(server.input)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for renderer in ("classic", "vue"):
            page = browser.new_page(viewport={"width": 1460, "height": 900}, device_scale_factor=1.5)
            layout = LayoutPage(page, server.url, renderer)
            layout.open()
            for palette in ("dark", "light"):
                page.evaluate("(palette) => app.extensionManager.setting.set('Comfy.ColorPalette', palette)", palette)
                layout.fresh(GRAPH)
                layout.set_boxes((0.06, 0.3, 0.46, 0.95), (0.16, 0.08, 0.4, 0.32), (0, 0, 1, 1), (0.62, 0.4, 0.92, 0.9))
                layout.layout("ui.refresh()")
                page.wait_for_timeout(1200)
                # The host's notice that this machine has no models.
                if (notice := page.get_by_text("errors found")).count():
                    notice.locator("xpath=ancestor::*[.//button][1]").get_by_role("button").first.click()
                layout.click(0.3, 0.7)
                page.wait_for_timeout(300)
                page.screenshot(path=out / f"{renderer}_{palette}.png")
                layout.option("Snap", True)
                start, end = layout.at(0.7, 0.7), layout.at(0.655, 0.752)
                page.mouse.move(*start)
                page.mouse.down()
                page.mouse.move(*end, steps=5)
                layout.pause()
                page.screenshot(path=out / f"{renderer}_{palette}_drag.png")
                page.mouse.up()
                if renderer == "classic":
                    layout.press("f")
                    layout.settle()
                    layout.click(0.3, 0.7, button="right")
                    page.wait_for_timeout(300)
                    page.screenshot(path=out / f"full_{palette}.png")
                    layout.press("Escape")
                    layout.focus()
                    layout.press("j")
                    page.wait_for_timeout(300)
                    page.screenshot(path=out / f"transfer_{palette}.png")
                    layout.press("Escape")
                    layout.press("f")
                    layout.settle()
                    layout.find(".msd-toolbar [data-menu=presets]").click()
                    page.wait_for_timeout(300)
                    page.screenshot(path=out / f"presets_{palette}.png")
                    layout.press("Escape")
            page.evaluate("app.extensionManager.setting.set('Comfy.ColorPalette', 'dark')")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
