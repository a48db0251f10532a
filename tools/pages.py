"""Follows the documentation's pages literally: types their cells and commands, and compares what they show.

A page is Markdown. Comments, which no renderer shows, say what a block is:

- ``<!-- notebook sales.ipynb -->``: the cells that follow are in this notebook, in a kernel of its own;
- ``<!-- cell load -->`` before a block: a cell, typed or edited, saved and executed; ``tags=parameters`` tags it,
  ``top=yes`` puts a new one above the others;
- ``<!-- restart -->``: restart the kernel and run all cells; ``<!-- remove load -->``: delete that cell and save;
- ``<!-- output load -->`` before a block: what that cell showed the last time;
- ``<!-- file prices.py -->`` before a block: save it under this name;
- ``<!-- read -->`` before a block: for reading only.

A ``text`` block directly after a cell is what the cell shows. A ``console`` block holds commands (``$ ...``) with what
they print. Durations, times and ids differ from run to run and are compared by their form; a line ``...`` stands for
any number of lines. Other blocks are for reading only.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

from tools.kernels import LiveNotebook

ROOT = Path(__file__).parent.parent
COMMENT = re.compile(r"<!--\s*(\w+)\s*(.*?)\s*-->")
ANSI = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
NOISE = re.compile(r"(?m)^\[IPKernelApp\] .*\n")
"""What some versions of ipykernel print when they start or end."""
ENVIRONMENT = {
    "NO_COLOR": "1",
    "COLUMNS": "120",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONWARNINGS": "ignore",  # of Jupyter's own parts, which differ with their versions
}
VARYING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|\+00:00)?"), "TIME"),
    (re.compile(r"\b(\d+ days )?\d?\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    (re.compile(r"<?\b\d+(\.\d+)?(?= ?(ms|µs|s|m|min|h)\b)( ?(ms|µs|s|m|min|h)\b)"), "SPAN"),
    (re.compile(r"\b\d+\.\d{4,}\b"), "NUMBER"),
    (re.compile(r"\bjust now\b|\bSPAN ago\b"), "AGO"),
    (re.compile(r"\b\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"\b[0-9a-f]{12,32}\b"), "ID"),
    (re.compile(r"-{3,}"), "---"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass
class Block:
    """One block of a page that has a meaning here.

    Attributes:
        kind: what its comment or its language says.
        rest: what stands behind the kind in the comment.
        text: the block's content, without the fence.
        start: number of the content's first line, from 0.
    """

    kind: str
    rest: str
    text: str
    start: int


def main(arguments: list[str] | None = None) -> int:
    """Follow the pages; the exit code is 1 if one shows something else than what happens."""
    parser = argparse.ArgumentParser(prog="python -m tools.pages", description="Follow the documentation's pages.")
    parser.add_argument("pages", nargs="*", type=Path, help="all that have something to follow if absent")
    parser.add_argument("--write", action="store_true", help="put what happens into the pages")
    options = parser.parse_args(arguments)
    wrong = 0
    for page in options.pages or pages():
        complaints = follow(page, write=options.write)
        print(f"{page}: {'all good' if not complaints else ''}")
        print("".join(f"{complaint}\n" for complaint in complaints), end="")
        wrong += bool(complaints)
    return bool(wrong)


def pages() -> list[Path]:
    """The pages that have something to follow."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if any(_followed(block) for block in blocks(page.read_text(encoding="utf-8")))]


def _followed(block: Block) -> bool:
    return block.kind in {"cell", "console"}


def blocks(text: str) -> Iterator[Block]:
    """What a page asks for, in order."""
    kind = rest = ""
    for token in MarkdownIt("commonmark").parse(text):
        line = (token.map or [0])[0]
        if token.type == "html_block" and (comment := COMMENT.match(token.content)):
            kind, rest = comment.groups()
            if kind in {"notebook", "remove", "restart"}:
                yield Block(kind, rest, "", line)
                kind = ""
        elif token.type == "fence":
            yield Block(kind or token.info, rest if kind else "", token.content, line + 1)
            kind = ""
        elif token.type.endswith("_open"):
            kind = ""


def follow(page: Path, *, write: bool = False) -> list[str]:
    """Do what a page says in a folder of its own.

    Args:
        page: the Markdown file.
        write: replace what it shows by what happened.

    Returns:
        A text for each block that shows something else than what happened; empty after writing.
    """
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        walk = Walk(Path(folder).resolve())
        try:
            seen = [(block, happened) for block in blocks(text) for happened in walk.take(block)]
        finally:
            walk.close()
    wrong = [(block, happened) for block, happened in seen if not alike(block.text, happened)]
    if not write:
        return [_complaint(page, block, happened) for block, happened in wrong]
    lines = text.splitlines(keepends=True)
    for block, happened in reversed(wrong):
        lines[block.start : block.start + block.text.count("\n")] = [happened]
    page.write_text("".join(lines), encoding="utf-8")
    return []


def alike(shown: str, happened: str) -> bool:
    """Whether both are the same but for what differs from run to run."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + "\n" for line in _plain(shown).splitlines()
    )
    return re.fullmatch(pattern, _plain(happened)) is not None


def _plain(text: str) -> str:
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return "".join(f"{line.strip()}\n" for line in text.splitlines())


def _complaint(page: Path, block: Block, happened: str) -> str:
    both = difflib.unified_diff(block.text.splitlines(), happened.splitlines(), "shown", "happened", lineterm="")
    return f"{page.name}:{block.start + 1}: this is not what happens\n" + "\n".join(both)


class Walk:
    """One reader of one page: a folder, and the notebook that is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebook: LiveNotebook | None = None
        self._last: str | None = None

    def take(self, block: Block) -> Iterator[str]:
        """Do what a block says; yields what it should show if it shows anything."""
        last, self._last = self._last, None
        match block.kind:
            case "notebook":
                self.close()
                self.notebook = LiveNotebook(self.folder / block.rest, self.environment())
            case "restart":
                self._open().restart()
            case "remove":
                self._open().remove(block.rest)
            case "cell":
                self._last, *settings = block.rest.split()
                self._open().type(self._last, block.text.rstrip("\n"), **dict(pair.split("=") for pair in settings))
            case "file":
                self._write(block)
            case "output":
                yield self._open().shown[block.rest]
            case "text" | "console":
                yield from self._shown(block, last)

    def _shown(self, block: Block, last: str | None) -> Iterator[str]:
        """What a block that only shows something should show, if anybody can tell."""
        if block.kind == "console":
            yield self._type_commands(block.text)
        elif last is not None:
            yield self._open().shown[last]

    def environment(self) -> dict[str, str]:
        """A user's: our programs first on the path, nothing of the caller's store."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("NBSTEPS_")}
        scripts = sysconfig.get_path("scripts")
        return {**inherited, **ENVIRONMENT, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}

    def close(self) -> None:
        """Shut the notebook's kernel down."""
        if self.notebook is not None:
            self.notebook.close()

    def _write(self, block: Block) -> None:
        file = self.folder / block.rest
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")

    def _open(self) -> LiveNotebook:
        if self.notebook is None:
            raise ValueError("the page names no notebook before its first cell")
        return self.notebook

    def _type_commands(self, text: str) -> str:
        commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
        return "".join(f"$ {command}\n{self._shell(command)}" for command in commands)

    def _shell(self, command: str) -> str:
        done = subprocess.run(  # noqa: S602 - the page's own text, as its reader types it
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        text = NOISE.sub("", ANSI.sub("", done.stdout))
        return text if not text or text.endswith("\n") else f"{text}\n"


if __name__ == "__main__":
    sys.exit(main())
