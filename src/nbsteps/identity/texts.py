"""Names in texts: code may read a variable or import a module whose name it only has as a text.

Which text is evaluated cannot be known, so all texts of code that evaluates any are searched: a name too many costs a
rerun, a name too few a wrong result. Only names that are there count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

_EVALUATING: Final = frozenset(
    {
        *("eval", "exec", "globals", "locals", "vars", "attrgetter"),
        *("user_ns", "user_global_ns", "f_globals", "f_locals", "__globals__", "ev"),
    }
)
_QUERYING: Final = frozenset({"query", "sql", "execute", "from_query", "query_df", "read_sql", "read_sql_query"})
_CALLING_SHELL: Final = frozenset({"getoutput", "system", "run_line_magic", "run_cell_magic"})
_IMPORTING: Final = frozenset({"import_module", "__import__", "modules", "find_spec", "run_module"})

EVALUATES: Final = re.compile(
    "|".join(sorted({*_EVALUATING, *_QUERYING, *_CALLING_SHELL, *_IMPORTING} - {"ev"})) + r"|\bev\b"
)
"""Finds the words without which no text of a source is evaluated."""
_NAME: Final = re.compile(r"[^\W\d]\w*")
_PIECE: Final = re.compile(r"[^\W\d]\w*$|^_\w+")
_LOCAL_OF_QUERY: Final = re.compile(r"@([^\W\d]\w*)")
_EXPANDED: Final = re.compile(r"\{([^{}]+)\}|\$([^\W\d]\w*)")
"""A variable, or an expression, that IPython puts into a line for the shell."""
_TABLE: Final = re.compile(r"\b(?:from|join|table|describe|summarize|into)\s+\"?([^\W\d]\w*)", re.IGNORECASE)
_MODULE: Final = re.compile(r"\.*[^\W\d]\w*(\.[^\W\d]\w*)*")
_LONGEST: Final = 100_000


class Texts(NamedTuple):
    """What the texts of code name.

    Attributes:
        names: global names that it may read.
        pieces: texts that it may make global names of, such as ``"frame_"`` in ``globals()[f"frame_{year}"]``.
        modules: texts that could be names of modules.
        imports: whether the code imports by name.
    """

    names: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    imports: bool = False
    pieces: frozenset[str] = frozenset()

    def among(self, *known: Iterable[str]) -> set[str]:
        """The names that are meant, of those that are known."""
        if not self.names and not self.pieces:
            return set()
        found = {name for names in known for name in self.names.intersection(names)}
        if self.pieces:
            found.update(name for names in known for name in list(names) if any(_made_of(name, p) for p in self.pieces))
        return found


NO_TEXTS: Final = Texts()


def _made_of(name: str, piece: str) -> bool:
    """Whether code may make a name of a piece and what it computes."""
    if piece.startswith("_"):
        return name.endswith(piece)
    rest = name.removeprefix(piece)
    return rest != name and (piece.endswith("_") or rest.isdecimal())


def named_in_texts(uses: Collection[str], texts: Iterable[str], assigned: Collection[str] = ()) -> Texts:
    """What the texts of code name.

    Args:
        uses: the names and attributes that the code loads: they tell whether it evaluates texts.
        texts: its text constants.
        assigned: names that it assigns itself, and that are therefore not read from outside.
    """
    known = [text for text in texts if len(text) <= _LONGEST]
    names = frozenset(_names(uses, known)).difference(assigned)
    modules = frozenset(text for text in known if _MODULE.fullmatch(text))
    imports = not _IMPORTING.isdisjoint(uses)
    pieces = frozenset() if _EVALUATING.isdisjoint(uses) else frozenset(_pieces(known))
    return Texts(names, modules, imports, pieces) if names or modules or imports or pieces else NO_TEXTS


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (piece for piece in _PIECE.findall(text) if not piece.startswith("__"))


def _names(uses: Collection[str], texts: Iterable[str]) -> Iterator[str]:
    evaluates, queries = not _EVALUATING.isdisjoint(uses), not _QUERYING.isdisjoint(uses)
    shells = not _CALLING_SHELL.isdisjoint(uses)
    if not evaluates and not queries and not shells:
        return
    for text in texts:
        if evaluates:
            yield from _NAME.findall(text)
        if queries:
            yield from _LOCAL_OF_QUERY.findall(text)
            yield from _TABLE.findall(text)
        if shells:
            yield from (name for found in _EXPANDED.findall(text) for part in found for name in _NAME.findall(part))
