"""The pages say what happens: followed literally, and generated parts are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from nbsteps.arguments import make_parser
from nbsteps.core.options import parse_line
from nbsteps.notebook.commands import parse_pipeline
from tools import meanings, pages, reference

ROOT = Path(__file__).parent.parent
NAME_ONLY = 2
"""Words of a line that names a command and says nothing of how it is used."""


@pytest.mark.slow
@pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in pages.pages()])
def test_a_page_shows_what_happens(page: Path):
    assert pages.follow(page) == []


@pytest.mark.parametrize("page", sorted(reference.FOLDER.glob("*.md")), ids=lambda page: page.name)
def test_a_reference_is_that_of_the_code(page: Path):
    text = page.read_text(encoding="utf-8")
    assert text == reference.renewed(text), "run: python -m tools.reference"


INLINE = re.compile(r"`((?:nbsteps|%pipeline|%%step) [^`\n]+)`|^((?:%%step|%pipeline) .+)$", re.MULTILINE)
"""What pages say of our words where they do not show what happens."""
PARTLY = re.compile(r"[\[{|<>…&]|\.\.\.|COMMAND|--help")
PROSE = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").rglob("*.md")]


def understand(line: str) -> None:
    """Parse a line as whoever typed it would have it parsed."""
    program, _, words = line.partition(" ")
    if program == "%%step":
        assert parse_line(words).messages == ()
    elif program == "%pipeline":
        parse_pipeline(words.partition("#")[0])
    else:
        make_parser().parse_args(shlex.split(words, comments=True))


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_words_in_the_prose_are_understood(page: Path):
    for found in INLINE.finditer(page.read_text(encoding="utf-8")):
        line = found[1] or found[2]
        if len(line.split()) > NAME_ONLY and not PARTLY.search(line):
            understand(line)


def test_every_column_and_every_reason_has_a_meaning():
    columns = {table: {"", *columns} for table, columns in reference.COLUMNS.items()}
    assert {table: set(texts) for table, texts in meanings.MEANINGS.items()} == columns
    assert set(meanings.REASONS) == set(reference.ReasonKind) - {
        reference.ReasonKind.BLOCKED,
        reference.ReasonKind.SKIPPED,
    }


@pytest.mark.parametrize(
    ("shown", "happened", "expected"),
    [
        pytest.param("a\n", "a\n", True, id="the same"),
        pytest.param("a\n", "b\n", False, id="another text"),
        pytest.param("a\n", "a\nb\n", False, id="a line more"),
        pytest.param("ran in 3.0s\n", "ran in 12ms\n", True, id="durations differ"),
        pytest.param("ran in <1ms\n", "ran in 1ms\n", True, id="however short they are"),
        pytest.param("at 2026-11-22 16:36\n", "at 2027-01-02 03:04\n", True, id="times differ"),
        pytest.param("load   3.0s\n", "load  12ms\n", True, id="columns move"),
        pytest.param("a\n...\nd\n", "a\nb\nc\nd\n", True, id="dots stand for any lines"),
        pytest.param("a\n...\n", "b\n", False, id="and not for others"),
    ],
)
def test_what_is_alike(shown: str, happened: str, expected: bool):
    assert pages.alike(shown, happened) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("<!-- cell a -->\n```python\nx\n```\n", [("cell", "a", "x\n")], id="a cell"),
        pytest.param("```console\n$ ls\n```\n", [("console", "", "$ ls\n")], id="commands need no comment"),
        pytest.param("<!-- read -->\n```console\n$ ls\n```\n", [("read", "", "$ ls\n")], id="for reading only"),
        pytest.param("<!-- notebook n.ipynb -->\n\ntext\n", [("notebook", "n.ipynb", "")], id="needs no block"),
        pytest.param("<!-- read -->\n\ntext\n\n```text\n```\n", [("text", "", "")], id="text ends a comment's reach"),
    ],
)
def test_blocks_of_a_page(text: str, expected: list[tuple[str, str, str]]):
    assert [(block.kind, block.rest, block.text) for block in pages.blocks(text)] == expected


def test_a_page_that_shows_something_else_is_noticed_and_can_be_written(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(
        "Say:\n\n```console\n$ echo hello\nhullo\n```\n\nand\n\n```console\n$ echo b\n```\n", encoding="utf-8"
    )
    complaints = pages.follow(page)
    assert [complaint.splitlines()[0] for complaint in complaints] == [
        "page.md:4: this is not what happens",
        "page.md:11: this is not what happens",
    ]
    assert "-hullo\n+hello" in complaints[0]
    assert pages.follow(page, write=True) == []
    assert "hello\n```\n\nand\n\n```console\n$ echo b\nb\n```\n" in page.read_text(encoding="utf-8")
    assert pages.follow(page) == []


def test_every_word_of_the_glossary_is_at_home_where_it_says():
    text = (reference.FOLDER / "glossary.md").read_text(encoding="utf-8")
    homes = set(re.findall(r"\| `([^`]+)` \|$", text, re.MULTILINE))
    assert {home for home in homes if not (ROOT / "src" / "nbsteps" / home).exists()} == set()
    assert len(homes) > 10
