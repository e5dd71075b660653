"""What the server hands out of the pack's folder where the host's own routes don't find that folder's name."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web
from server import PromptServer

PACK = Path(__file__).absolute().parents[2]


def register() -> None:
    """Serve the canvas, the help pages and the example workflows under the pack's folder name, whatever it is.

    The host's routes hold a folder's name quoted and compare it with what is asked for unquoted, so one with a blank,
    a bracket or a non-ASCII letter is listed but never found. Help pages are asked for under the name up to its first
    dot or @. Where a route of the host's own fits, the server takes that one.
    """
    server = getattr(PromptServer, "instance", None)
    if server is None:
        return
    stem = PACK.name.partition(".")[0]
    names = {PACK.name, stem, stem.partition("@")[0]} - {""}
    for address, folder in (("/extensions", PACK / "web"), ("/workflow_templates", PACK / "example_workflows")):
        server.routes.get(f"{address}/{{pack:{'|'.join(map(_pattern, sorted(names)))}}}/{{path:.+}}")(_files_of(folder))


def _pattern(name: str) -> str:
    """A regular expression for a name as the server compares it: only % is quoted; a route can't hold braces."""
    return re.sub(r"\\[{}]", ".", re.escape(name.replace("%", "%25")))


def _files_of(folder: Path):
    async def file(request: web.Request) -> web.FileResponse:
        path = (folder / request.match_info["path"]).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path)

    return file
