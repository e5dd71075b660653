"""A page of a real ComfyUI in headless Chromium: the host's own frontend and the newest one, each in both renderers.

MSD_CHROMIUM names the browser, else the system's Chromium or Chrome is taken. MSD_NEWEST_FRONTEND names the folder with the newest
frontend's index.html; without it that frontend is installed once into .comfyui/. What is missing is skipped, in CI it fails.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.host import PACK, find_host
from devtools.server import ComfyServer

from .layout_page import LayoutPage

NEWEST = "1.58.1"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def missing(reason: str):
    """Skips with a reason that can't be overlooked; in CI nothing may be missing."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(f"BROWSER TESTS NOT RUN: {reason}")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            # A machine that is busy elsewhere may miss a frame; what is broken fails every time.
            item.add_marker(pytest.mark.flaky(reruns=2))


def newest_frontend() -> Path:
    named = os.environ.get("MSD_NEWEST_FRONTEND")
    folder = Path(named).expanduser() if named else PACK / ".comfyui" / f"frontend-{NEWEST}"
    static = folder if (folder / "index.html").is_file() else folder / "comfyui_frontend_package" / "static"
    if not static.is_dir() and not named:
        install = [
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(folder),
            f"comfyui-frontend-package=={NEWEST}",
        ]
        subprocess.run([sys.executable, "-m", *install], check=False)
    if not static.is_dir():
        missing(f"no frontend in {static}: set MSD_NEWEST_FRONTEND to an unpacked comfyui-frontend-package")
    return static


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("the package playwright is not installed")
    path = os.environ.get("MSD_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        missing("no Chromium found: install it or set MSD_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session", params=["pinned", pytest.param("newest", marks=pytest.mark.slow)])
def server(request):
    host = find_host()
    if host is None:
        missing("no ComfyUI found: set COMFYUI_PATH to a ComfyUI folder")
    options = ("--front-end-root", str(newest_frontend())) if request.param == "newest" else ()
    with ComfyServer(host, sys.executable, options=options) as running:
        running.newest = request.param == "newest"
        yield running


@pytest.fixture(scope="session", params=["classic", "vue"])
def loaded(request, server, browser):
    context = browser.new_context(viewport={"width": 1400, "height": 950})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(20_000)
    page = LayoutPage(context.new_page(), server.url, request.param)
    page.open()
    yield page
    context.close()


@pytest.fixture
def layout(loaded):
    """One layout node on an empty graph, snapping off; the test fails if the page reports an error."""
    loaded.errors.clear()
    loaded.option("Snap", False)
    loaded.fresh()
    yield loaded
    assert loaded.errors == []
    assert loaded.sidebar is None, "a letter meant for the canvas went to the page and opened a panel"
