"""Writes the example workflows: `example_workflows/*.json`, and their twins for the server.

Usage, from the pack's folder: python -m devtools.workflows
The pictures beside them: python -m devtools.thumbnails
"""

from .examples import EXAMPLES_IN_ORDER, TWO_PHOTOS, Example, Kind
from .graphs import Graph, as_text
from .host import PACK
from .plan import Plan
from .real_examples import REAL_EXAMPLES, TWO_PHOTOS_SDXL
from .real_files import Lightning, RealCollaged, RealControl, RealFiles, RealHires, RealRegional
from .recipes import Attribution, AutoLayout, Blend, Collaged, Control, Hires, Regions, Scores, Tiles, Views

__all__ = [
    "API_EXAMPLES", "EXAMPLES", "EXAMPLES_IN_ORDER", "PHOTOS", "REAL_EXAMPLES", "TWO_PHOTOS", "TWO_PHOTOS_SDXL",
    "build", "write",
]  # fmt: skip

EXAMPLES = PACK / "example_workflows"
PHOTOS = EXAMPLES / "photos"
API_EXAMPLES = PACK / "tests" / "workflows"

PLANS: dict[Kind, type[Plan]] = {
    "plain": Plan, "control": Control, "hires": Hires, "auto layout": AutoLayout, "regions": Regions, "views": Views,
    "blend": Blend, "attribution": Attribution, "tiles": Tiles, "collage": Collaged, "scores": Scores,
}  # fmt: skip
REAL_PLANS: dict[Kind, type[RealFiles]] = {
    "plain": RealFiles, "control": RealControl, "hires": RealHires, "lightning": Lightning, "regional": RealRegional,
    "collage": RealCollaged,
}  # fmt: skip


def build(example: Example) -> Graph:
    """The graph of an example."""
    return (REAL_PLANS if example.real else PLANS)[example.kind](example).build()


def write() -> None:
    """Writes every file."""
    for example in (*REAL_EXAMPLES, *EXAMPLES_IN_ORDER, TWO_PHOTOS):
        graph = build(example)
        (API_EXAMPLES / f"{example.name}.api.json").write_text(as_text(graph.to_api()), "utf-8", newline="\n")
        if example.title:
            (EXAMPLES / f"{example.title}.json").write_text(as_text(graph.to_ui()), "utf-8", newline="\n")


if __name__ == "__main__":
    write()
