"""Writes the example workflows: `example_workflows/*.json` with their pictures, and their twins for the server.

Usage, from the pack's folder: python -m devtools.workflows (needs Pillow)
"""

from .examples import EXAMPLES_IN_ORDER, TWO_PHOTOS, TWO_PHOTOS_SDXL, Example, Kind
from .graphs import Graph, as_text
from .host import PACK
from .real_files import RealFiles
from .recipes import (
    CONTROL_NET,
    Attribution,
    AutoLayout,
    Blend,
    Collaged,
    Control,
    Hires,
    Plan,
    Regions,
    Scores,
    Tiles,
    Views,
)
from .thumbnails import PHOTOS, draw_thumbnail

__all__ = [
    "API_EXAMPLES", "CONTROL_NET", "EXAMPLES", "EXAMPLES_IN_ORDER", "PHOTOS", "TWO_PHOTOS", "TWO_PHOTOS_SDXL", "build",
    "write",
]  # fmt: skip

EXAMPLES = PACK / "example_workflows"
API_EXAMPLES = PACK / "tests" / "workflows"

PLANS: dict[Kind, type[Plan]] = {
    "plain": Plan, "control": Control, "hires": Hires, "auto layout": AutoLayout, "regions": Regions, "views": Views,
    "blend": Blend, "attribution": Attribution, "tiles": Tiles, "collage": Collaged,
    "scores": Scores, "real files": RealFiles,
}  # fmt: skip


def build(example: Example) -> Graph:
    """The graph of an example."""
    return PLANS[example.kind](example).build()


def write() -> None:
    """Writes every file."""
    for example in (*EXAMPLES_IN_ORDER, TWO_PHOTOS, TWO_PHOTOS_SDXL):
        graph = build(example)
        (API_EXAMPLES / f"{example.name}.api.json").write_text(as_text(graph.to_api()), "utf-8", newline="\n")
        if example.title:
            (EXAMPLES / f"{example.title}.json").write_text(as_text(graph.to_ui()), "utf-8", newline="\n")
            draw_thumbnail(example, EXAMPLES / f"{example.title}.jpg")


if __name__ == "__main__":
    write()
