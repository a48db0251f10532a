"""Source text of cells: telling step cells apart, and parsing what a Jupyter cell may hold.

A cell body is Python plus IPython's additions: line magics, shell lines, help requests. The additions become calls of
:data:`MAGIC` in the tree, with their text as a constant and the Python that they mention as further arguments, so that
digests and name analysis treat them like any other code. Line numbers are those of the text that was given.
"""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache
from typing import NamedTuple

from nbsteps.core.escapes import MAGIC, python_call, rewrite

__all__ = ["MAGIC", "PYTHON_BELOW", "StepSource", "nested_magic", "parse", "split_cell", "stray_tag"]

_STEP = "%%step"
_OWN_SCOPE = frozenset({"timeit", "memit"})
PYTHON_BELOW = _OWN_SCOPE | {"time", "capture", "prun"}
"""Cell magics that run the Python below them in the user's namespace: names are found there, in no other's text."""


class StepSource(NamedTuple):
    """A step cell, taken apart.

    Attributes:
        line: text after ``%%step``, continuation lines joined by a space, without surrounding blanks.
        body: text below the magic line.
        line_offset: lines of the cell above the body, leading blank lines and continuation lines included.
    """

    line: str
    body: str
    line_offset: int


def split_cell(source: str) -> StepSource | None:
    """Take a ``%%step`` cell apart; None for any other cell.

    Blank lines above the magic line are allowed, as IPython allows them; a backslash at the end of the magic line
    continues it on the next line.
    """
    if not source.startswith(_STEP) and not source.lstrip().startswith(_STEP):
        return None
    start = source.index(_STEP) + len(_STEP)
    if source[start : start + 1] not in {"", " ", "\t", "\r", "\n", "\\"}:
        return None
    line, body_start = _continued(source, start)
    return StepSource(line, source[body_start:], source.count("\n", 0, body_start) or 1)


def stray_tag(text: str) -> tuple[int, str] | None:
    """Number, from 1, and text of the first line that looks like a tag and is none; None where there is no such line.

    ``text`` is a cell without tag, or the body of a step. In strings, and in other languages below a cell magic, such
    a line is allowed.
    """
    if _STEP not in text:
        return None
    nested = nested_magic(text)
    if nested is not None and nested[0] not in {*PYTHON_BELOW, _STEP[2:]}:
        return None
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = zip(unix.split("\n"), rewrite(unix).split("\n"), strict=False)
    stray = ((at, line.strip()) for at, (line, python) in enumerate(lines, 1) if _is_tag(line) and not _is_tag(python))
    return next(stray, None)


def _is_tag(line: str) -> bool:
    return line.split(maxsplit=1)[:1] == [_STEP]


def nested_magic(body: str) -> tuple[str, str, str] | None:
    """Name, line and rest of the cell magic on the first line of ``body`` that is not blank; None if there is none."""
    text = body.lstrip()
    if not text.startswith("%%"):
        return None
    first, _, rest = text.partition("\n")
    name, _, line = first[2:].rstrip().partition(" ")
    if not name or name.endswith("?"):
        return None
    return name, line.strip(), rest


@lru_cache(maxsize=8192)
def parse(source: str) -> ast.Module:
    """Parse the text of a cell's body (not the ``%%step`` line itself).

    The tree is shared between all callers: read it, never change it.

    Raises:
        SyntaxError: with the line number in ``source``.
    """
    try:
        return _parse_python(source)
    except SyntaxError:
        text = source.replace("\r\n", "\n").replace("\r", "\n")
        nested = _parse_nested(text)
        if nested is not None:
            return nested
        rewritten = rewrite(text)
        if rewritten == source:
            raise
        return _parse_rewritten(text, rewritten)


def _continued(source: str, start: int) -> tuple[str, int]:
    """The magic line from ``start`` with its continuations, and where the text below it starts."""
    pieces: list[str] = []
    while True:
        end = source.find("\n", start)
        stop = len(source) if end < 0 else end
        piece = source[start:stop].strip()
        start = stop if end < 0 else end + 1
        if not piece.endswith("\\"):
            pieces.append(piece)
            break
        pieces.append(piece[:-1].rstrip())
        if end < 0:
            break
    line = pieces[0] if len(pieces) == 1 else " ".join(piece for piece in pieces if piece)
    return line, start


def _parse_python(source: str) -> ast.Module:
    """Parse plain Python; whatever else the parser raises becomes a SyntaxError."""
    try:
        if "\\" not in source:
            return ast.parse(source)
        # Invalid escapes warn here, where nobody can mend them: the user is warned when the cell runs.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply to parse"
        raise SyntaxError(reason, ("<cell>", 1, 1, None)) from error


def _parse_rewritten(text: str, rewritten: str) -> ast.Module:
    """Parse the rewritten text; an error quotes the text as the user wrote it."""
    try:
        return _parse_python(rewritten)
    except SyntaxError as error:
        line = error.lineno or 1
        lines = text.split("\n")
        quoted = lines[line - 1] if line <= len(lines) else ""
        raise SyntaxError(error.msg, ("<cell>", line, min(error.offset or 1, len(quoted) + 1), quoted)) from None


def _parse_nested(text: str) -> ast.Module | None:
    """The tree of a body that starts with a cell magic; None for other bodies.

    Below a magic that runs Python the statements are parsed too; other languages count as text.
    """
    nested = nested_magic(text)
    if nested is None:
        return None
    name, line, rest = nested
    above = "\n" * text.count("\n", 0, text.index("%%"))
    head = python_call(f"%{name} {line}".rstrip())
    if name == "capture":
        head = _capture(line)
    if name not in PYTHON_BELOW:
        return _parse_python(f"{above}{head}; {MAGIC}({rest!r})")
    rewritten = f"{above}{head}\n{rewrite(rest)}"
    tree = _parse_rewritten(text, rewritten)
    return _in_own_scope(tree, len(ast.parse(head).body)) if name in _OWN_SCOPE else tree


def _capture(line: str) -> str:
    """``%%capture name`` as the assignment that it is."""
    variable = next((word for word in line.split() if word.isidentifier()), "")
    call = f"{MAGIC}({f'%capture {line}'.rstrip()!r})"
    return f"{variable} = {call}" if variable else call


def _in_own_scope(tree: ast.Module, kept: int) -> ast.Module:
    """Move all but the first ``kept`` statements into a function, since what they assign does not stay."""
    if len(tree.body) > kept:
        function = ast.parse(f"def {MAGIC}(): pass").body[0]
        assert isinstance(function, ast.FunctionDef)  # noqa: S101 - narrows the type for the checker
        ast.copy_location(function, tree.body[kept])
        function.body = tree.body[kept:]
        tree.body[kept:] = [function]
    return tree
