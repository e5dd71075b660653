"""The documents: links that lead somewhere, and Python that is Python."""

import ast
import re

import pytest

from devtools.host import PACK

FOLDERS = ("", "docs", "training", "example_workflows/photos")
DOCUMENTS = sorted(file for folder in FOLDERS for file in (PACK / folder).glob("*.md"))
PAGES = sorted((PACK / "web" / "docs").rglob("*.md"))
TEMPLATES = {path.stem.removeprefix("MS-Diffusion ") for path in (PACK / "example_workflows").glob("*.json")}
OUTSIDE = re.compile(r"[a-z]+:")


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings in links."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(params=DOCUMENTS, ids=lambda file: file.relative_to(PACK).as_posix())
def document(request):
    return request.param


def test_links_within_the_project_lead_somewhere(document):
    for address in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if OUTSIDE.match(address):
            continue
        path, _, anchor = address.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), f"{document.name}: {address}"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{document.name}: {address}"


def test_python_in_documents_can_be_read_as_python(document):
    for block in re.findall(r"^ *```python\n(.*?)^ *```", document.read_text("utf-8"), flags=re.S | re.M):
        ast.parse(block)


def test_every_document_in_docs_is_reached_from_the_readme_or_another_one():
    text = "".join(file.read_text("utf-8") for file in DOCUMENTS)
    for file in (PACK / "docs").glob("*.md"):
        assert re.search(rf"\]\((docs/)?{re.escape(file.name)}[)#]", text), f"nothing leads to {file.name}"


def test_the_architecture_tells_of_every_room_and_of_none_that_is_gone():
    text = (PACK / "docs" / "architecture.md").read_text("utf-8")
    rooms = {
        entry.name + "/" * entry.is_dir()
        for folder in ("msd_core", "nodes/host", "web/layout")
        for entry in (PACK / folder).iterdir()
        if entry.name[0] not in "_." and (entry.suffix == ".py" or entry.is_dir())
    }
    assert sorted(room for room in rooms if room not in text) == []
    first_cells = " ".join(re.findall(r"^\| (`[^|]*`) \|", text, flags=re.M))
    told = set(re.findall(r"`(\w+(?:\.py|/))`", first_cells))
    assert sorted(told - rooms) == []
    assert len(told) > 40


@pytest.mark.parametrize("file", [*DOCUMENTS, *PAGES], ids=lambda file: file.relative_to(PACK).as_posix())
def test_templates_that_are_named_are_there(file):
    for name in re.findall(r"\*((?:SDXL|Try it now) [^*\n]+)\*", file.read_text("utf-8")):
        assert name in TEMPLATES, f"{file.name}: {name}"


def test_the_readme_names_every_template():
    readme = (PACK / "README.md").read_text("utf-8")
    assert [name for name in sorted(TEMPLATES) if name not in readme] == []
    assert f"{len(TEMPLATES)} ready-made workflows" in readme
