"""What must hold for every file of the repository: sizes that a reader can take in, and no path of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 40

MACHINE_PATH = re.compile(r"(?<![\w.~])(?:/(?:home|root|Users|work)/|[A-Za-z]:\\Users\\)\w")
"""A folder that exists on somebody's machine only. Web addresses have a letter or digit before the slash."""


def main() -> int:
    """Print what is wrong in the tracked files; the exit code is 1 if anything is."""
    found = [finding for file in tracked() for finding in findings(file)]
    print("\n".join(found) if found else "sizes and paths: all good")
    return bool(found)


def tracked() -> list[Path]:
    """The files that git tracks or would track, below the current folder, without those deleted just now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
    return sorted(path for name in names if name and (path := Path(name)).is_file())


def findings(file: Path) -> Iterator[str]:
    """What is wrong with one file, as ``file:line: what``; binary files have nothing wrong."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield from (f"{file}:{line}: {what}" for line, what in machine_paths(text))
    if file.suffix == ".py":
        yield from (f"{file}:{line}: {what}" for line, what in oversized(text))


def machine_paths(text: str) -> Iterator[tuple[int, str]]:
    """Lines that name a path of one machine."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := MACHINE_PATH.search(line):
            yield number, f"names a path of one machine: {line[found.start() :][:60]}"


def oversized(source: str) -> Iterator[tuple[int, str]]:
    """A module at or above :data:`FILE_LINES` lines, and functions of more than :data:`FUNCTION_LINES`."""
    lines = len(source.splitlines())
    if lines >= FILE_LINES:
        yield lines, f"{lines} lines; keep files below {FILE_LINES}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {length} lines; keep functions to {FUNCTION_LINES}"


if __name__ == "__main__":
    sys.exit(main())
