"""The modules of `training`: who imports whom."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from devtools.host import PACK

TRAINING = PACK / "training"


def imported(file: Path) -> set[str]:
    """The modules of `training` that a file imports, anywhere in it, by their dotted names below `training`."""
    package = file.relative_to(TRAINING).parent.parts
    modules = {".".join(path.relative_to(TRAINING).with_suffix("").parts) for path in TRAINING.rglob("*.py")}
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            base = ".".join([*above, *(node.module or "").split(".")]).strip(".")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("training"):
            base = node.module.removeprefix("training").strip(".")
        else:
            continue
        found |= {name for name in (base, *(f"{base}.{alias.name}".strip(".") for alias in node.names))
                  if name in modules}
    return found


def test_no_two_modules_import_each_other():
    graph = {
        ".".join(file.relative_to(TRAINING).with_suffix("").parts): imported(file) for file in TRAINING.rglob("*.py")
    }
    assert graph["looks"] >= {"attention", "student"} and "looks" in graph["joint"]
    list(TopologicalSorter(graph).static_order())
