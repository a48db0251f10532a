"""Files that a SQL text names: every quoted text that is a path of something, and what ``COPY ... TO`` writes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_QUOTED: Final = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_WRITTEN: Final = re.compile(r"\bto\s*$", re.IGNORECASE)
_ENDINGS: Final = (
    *(".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl", ".parquet", ".arrow", ".ipc", ".feather", ".orc", ".avro"),
    *(".xlsx", ".db", ".duckdb", ".sqlite", ".gz", ".zst", ".bz2", ".xz", ".zip"),
)


_COMPUTED: Final = re.compile(
    r"\b(?:read_\w+|parquet_scan|sniff_csv|glob)\s*\(\s*(?:\[\s*)?(?:'(?:[^']|'')*'\s*\|\||[^\s'\"\[?$)])",
    re.IGNORECASE,
)


class SqlFile(NamedTuple):
    """A file that a query names."""

    path: str
    written: bool


def files_in_sql(query: Any) -> Iterator[SqlFile]:
    """The files that a query names, patterns included; what is no text names none."""
    if not isinstance(query, str):
        return
    for match in _QUOTED.finditer(query):
        path = (match[1] or match[2] or "").replace("''", "'")
        if may_be_path(path):
            yield SqlFile(path, written=_WRITTEN.search(query, 0, match.start()) is not None)


def computes_names(query: Any) -> bool:
    """Whether a query reads a file whose name it puts together: nobody can say which without executing it."""
    return isinstance(query, str) and _COMPUTED.search(query) is not None


def may_be_path(text: str) -> bool:
    """Whether a text is a path or a pattern: of something that is there, or that has a file's ending."""
    if not text or "://" in text or "\n" in text or len(text) > 4096:  # noqa: PLR2004 - longer than paths may be
        return False
    if text.lower().endswith(_ENDINGS):
        return True
    return os.path.isfile(text) or (glob.has_magic(text) and os.sep in text)  # noqa: PTH113 - a text
