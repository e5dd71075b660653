"""The pack under a folder name of any letters, in real servers: its canvas, help pages and templates are found."""

import json
import os
import re
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from devtools.server import ComfyServer, ServerError, _link
from tests.conftest import HOST, PACK

NAMES = ("MS Diffusion", "МС-диффузия", "ms [diffusion] {1", "50% ms", "ms-diffusion-0.1.0", "ms-diffusion")
IMPORTED = re.compile(r'\bfrom "(.+?)";|new URL\("(.+?)", import')


class ManyNames(ComfyServer):
    """One server in which the pack stands under every one of the names."""

    def start(self, timeout: float = 300) -> None:
        self._linked = self._linked.with_name(NAMES[0])
        for name in NAMES[1:]:
            _link(self.pack, self._linked.with_name(name))
        super().start(timeout)


@pytest.fixture(scope="module", params=["newest", "floor"])
def server(request):
    host = {"newest": HOST, "floor": os.environ.get("MSD_FLOOR_HOST")}[request.param]
    if not host:
        pytest.skip("MSD_FLOOR_HOST names no ComfyUI of the oldest supported version")
    with ManyNames(Path(host).expanduser().absolute(), sys.executable) as server:
        yield server


def folder_url(name: str) -> str:
    return f"/extensions/{urllib.parse.quote(name)}/"


def scripts_of(server, name: str) -> list[str]:
    """The scripts below one name that the page is told to load."""
    return [script for script in json.loads(server.get("/extensions")) if script.startswith(folder_url(name))]


def loaded(server, script: str) -> set[str]:
    """All that a page fetches when it imports a script: the addresses of the modules and of the style sheet."""
    found, left = set(), [script]
    while left:
        address = left.pop()
        if address in found:
            continue
        found.add(address)
        with urllib.request.urlopen(server.url + address) as answer:
            kind, text = answer.headers["Content-Type"], answer.read().decode()
        assert kind.partition(";")[0] == ("text/css" if address.endswith(".css") else "application/javascript"), address
        if address.startswith("/extensions/"):
            left += [urllib.parse.urljoin(address, one or other) for one, other in IMPORTED.findall(text)]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_page_loads_the_canvas_once_and_whole(server, name):
    (script,) = scripts_of(server, name)
    fetched = loaded(server, script)
    assert "/scripts/app.js" in fetched
    files = [path.relative_to(PACK / "web").as_posix() for path in (PACK / "web" / "layout").rglob("*")
             if path.is_file()]
    assert {folder_url(name) + file for file in files} <= fetched


@pytest.mark.parametrize("name", [name for name in NAMES if "%" not in name])
def test_help_pages_are_found_where_the_page_asks_for_them(server, name):
    # The page takes the node's Python module, "custom_nodes.<name>", apart at its dots.
    asked = folder_url(name.split(".")[0]) + "docs/MSDiffusionLayout.md"
    assert server.get(asked) == (PACK / "web" / "docs" / "MSDiffusionLayout.md").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_every_template_opens(server, name):
    listed = json.loads(server.get("/api/workflow_templates"))[name]
    assert len(listed) == len(list((PACK / "example_workflows").glob("*.json")))
    for template in listed:
        assert "nodes" in json.loads(server.get(urllib.parse.quote(f"/api/workflow_templates/{name}/{template}.json")))


@pytest.mark.parametrize("path", [
    "absent.js", "docs", "../pyproject.toml", "%2e%2e/pyproject.toml", "..%2fpyproject.toml",
])
def test_nothing_else_is_handed_out(server, path):
    with pytest.raises(ServerError, match="404"):
        server.get(folder_url(NAMES[0]) + path)
