"""The nodes' help pages: tables that fit a narrow panel, and the same content in every language."""

import re
from collections import Counter
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "web" / "docs"
PAGES = sorted(DOCS.glob("*.md"))
LANGUAGES = ("zh", "ja")
CELLS = re.compile(r"(?<!\\)\|")


def rows(text: str) -> list[list[str]]:
    """Cells of all rows of all tables."""
    return [
        [cell.strip() for cell in CELLS.split(line.strip()[1:-1])] for line in text.split("\n") if line.startswith("|")
    ]


def tables(text: str) -> list[list[list[str]]]:
    """Cells by table and row, without the lines under the heads."""
    found = re.findall(r"(?:^\|.*\n?)+", text, flags=re.M)
    return [[cells for cells in rows(table) if set("".join(cells)) - set("- :")] for table in found]


def longest_word(cell: str) -> float:
    """Of what a browser does not break, the longest, in letters of code; others are narrower."""
    words = [(word, 1.0) for code in re.findall(r"`([^`]+)`", cell) for word in re.split(r"[\s-]", code)]
    words += [(word, 0.8) for word in re.findall(r"[!-,.-~]+", re.sub(r"`[^`]+`", " ", cell).replace("*", ""))]
    return max((len(word) * width for word, width in words), default=0.0)


def shape_of(text: str) -> list[str]:
    """A page in outline: headings by level, lists and tables by length, code blocks as they are."""
    blocks = re.split(r"(```.*?```)", text, flags=re.S)
    shape: list[str] = []
    for block in blocks:
        if block.startswith("```"):
            shape.append(block)
            continue
        for line in block.split("\n"):
            kind = re.match(r"#+|\|(?=.)|- |\d+\. |!\[", line)
            if kind:
                shape.append(kind[0])
            elif line.strip() and line[0] != " ":
                shape.append("text")
    return shape


def addresses(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", text)


def code(text: str) -> Counter:
    """Names and values in the text's code marks, which no language changes."""
    return Counter(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S)))


@pytest.fixture(params=[page.stem for page in PAGES])
def page(request) -> str:
    return request.param


@pytest.fixture(params=LANGUAGES)
def both(page: str, request) -> tuple[str, str]:
    """A page in English and in another language."""
    paths = DOCS / f"{page}.md", DOCS / page / f"{request.param}.md"
    assert paths[1].is_file(), f"{paths[1].relative_to(DOCS)} is missing"
    english, translated = (path.read_text("utf-8") for path in paths)
    return english, translated


def test_every_table_fits_a_panel_of_265_pixels(page) -> None:
    """Two columns, of which the longest words fit side by side; the narrowest panel was measured in the frontend."""
    for path in (DOCS / f"{page}.md", *(DOCS / page).glob("*.md")):
        for table in tables(path.read_text("utf-8")):
            assert all(len(cells) == 2 for cells in table), table[0]
            widest = [max(map(longest_word, column)) for column in zip(*table, strict=True)]
            assert sum(widest) <= 24, f"{path.relative_to(DOCS)}, the table of {table[0]}: {widest}"


def test_a_translated_page_has_the_same_headings_paragraphs_lists_tables_and_code(both) -> None:
    english, translated = both
    assert shape_of(translated) == shape_of(english)


def test_a_translated_page_has_the_same_links_and_pictures(both) -> None:
    english, translated = both
    assert addresses(translated) == addresses(english)


def test_a_translated_page_names_the_same_inputs_values_and_files(both) -> None:
    english, translated = both
    assert code(translated) == code(english)


def test_messages_stand_in_a_translated_page_as_the_program_says_them(both) -> None:
    english, translated = (
        [re.findall(r"\*[^*]+\*", cells[0]) for cells in rows(text) if cells[0].startswith("*") and cells[0][1] != "*"]
        for text in both
    )
    assert translated == english


def test_a_translated_page_is_translated(both) -> None:
    english, translated = both
    same = set(english.split("\n")) & set(re.sub(r"```.*?```", "", translated, flags=re.S).split("\n"))
    assert not {line for line in same if len(line) > 20 and not line.startswith("| ---")}


def test_no_page_is_left_of_a_node_that_is_gone() -> None:
    translated = {path.parent.name for path in DOCS.glob("*/*.md")}
    assert translated == {page.stem for page in PAGES}
    assert {path.stem for path in DOCS.glob("*/*.md")} == set(LANGUAGES)


def test_every_picture_that_a_page_shows_is_there_and_none_is_left_over() -> None:
    shown = {
        address for page in PAGES for address in addresses(page.read_text("utf-8")) if address.startswith("images/")
    }
    assert shown == {file.relative_to(DOCS).as_posix() for file in (DOCS / "images").iterdir()}
