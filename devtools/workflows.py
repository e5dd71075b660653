"""Writes the example workflows: `example_workflows/*.json` with their pictures, and their twins for the server.

Usage, from the pack's folder: python -m devtools.workflows (needs Pillow)
"""

from .examples import EXAMPLES_IN_ORDER, TWO_PHOTOS, Example
from .graphs import Graph, as_text
from .host import PACK
from .recipes import CONTROL_NET, PLANS
from .thumbnails import draw_thumbnail

__all__ = ["API_EXAMPLES", "CONTROL_NET", "EXAMPLES", "EXAMPLES_IN_ORDER", "PHOTOS", "TWO_PHOTOS", "build", "write"]

EXAMPLES = PACK / "example_workflows"
API_EXAMPLES = PACK / "tests" / "workflows"
PHOTOS = EXAMPLES / "photos"


def build(example: Example) -> Graph:
    """The graph of an example."""
    return PLANS[example.kind](example).build()


def write() -> None:
    """Writes every file."""
    for example in (*EXAMPLES_IN_ORDER, TWO_PHOTOS):
        graph = build(example)
        (API_EXAMPLES / f"{example.name}.api.json").write_text(as_text(graph.to_api()), "utf-8", newline="\n")
        if example.title:
            (EXAMPLES / f"{example.title}.json").write_text(as_text(graph.to_ui()), "utf-8", newline="\n")
            draw_thumbnail(example, EXAMPLES / f"{example.title}.jpg")


if __name__ == "__main__":
    write()
