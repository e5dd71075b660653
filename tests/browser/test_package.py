"""What the registry hands out, unpacked into a ComfyUI of its own, as its first user meets it."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile

import pytest

from devtools.host import PACK, find_host
from devtools.server import ComfyServer
from devtools.workflows import EXAMPLES_IN_ORDER

from .conftest import missing
from .layout_page import load_frontend

TRY_IT_NOW = EXAMPLES_IN_ORDER[0]
LARGEST = 16 * 10**6


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The archive that `comfy node pack` makes of what is committed."""
    if importlib.util.find_spec("comfy_cli") is None:
        missing("the package comfy-cli is not installed")
    clone = tmp_path_factory.mktemp("package") / "clone"
    subprocess.run(["git", "clone", "--quiet", PACK, clone], check=True)
    pack = [sys.executable, "-m", "comfy_cli", "--skip-prompt", "--no-enable-telemetry", "node", "pack"]
    subprocess.run(pack, cwd=clone, env=os.environ | {"DO_NOT_TRACK": "1"}, check=True, timeout=120)
    return clone / "node.zip"


@pytest.mark.slow
def test_the_unpacked_package_opens_from_the_list_of_templates_and_runs(package, browser, tmp_path):
    assert package.stat().st_size < LARGEST
    unpacked = tmp_path / "ms-diffusion-comfyui"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(unpacked)
    assert not any((unpacked / name).exists() for name in ("devtools", "tests", "training", ".git"))
    with ComfyServer(find_host(), sys.executable, pack=unpacked) as server:
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        load_frontend(page, server.url)
        page.get_by_text("Templates", exact=True).first.click()
        page.get_by_text("ms-diffusion", exact=True).last.click()
        page.get_by_text(TRY_IT_NOW.title, exact=True).first.click()
        page.wait_for_function("app.graph.nodes.some((node) => node.type === 'MSDiffusionDemoModels')")
        page.get_by_role("button", name="Run", exact=True).first.click()
        page.wait_for_function("Object.values(app.nodeOutputs).some(({ images }) => images?.[0]?.type === 'output')")
        (entry,) = json.loads(server.get("/history")).values()
        assert entry["status"]["status_str"] == "success"
        assert len(server.images(entry)) == 1
        assert errors == []
        page.close()
