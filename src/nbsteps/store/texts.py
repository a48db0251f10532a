"""Findings about texts, kept beside the results: a process that starts need not parse what others have parsed.

One small file for each Python and nbsteps, rewritten whole and put in place at once. It is a convenience: one that is
damaged, unreadable or gone costs time and nothing else, and nobody is told. It is text, and decoding it runs no code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Final

import xxhash

from nbsteps import core, identity

ENTRIES: Final = 4_000
"""Texts that a file knows at most; those found out first go first."""
WAITING: Final = 50
"""So many new ones are written before the store is closed: a process that is killed loses no more."""
FILES: Final = 4
"""Pythons and versions of nbsteps whose findings are kept at most."""
_MAGIC: Final = "nbsteps texts 1"
_DIGITS: Final = 32


def _finder() -> str:
    """Which code finds things out: this Python, and the files of this nbsteps as they are; ``""`` if it has none."""
    seen = [sys.version]
    try:
        for package in (core, identity):
            with os.scandir(next(iter(package.__path__))) as entries:
                stats = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".py")]
            seen += sorted(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
    except OSError:
        return ""
    return xxhash.xxh3_64_hexdigest("\n".join(seen).encode()) if len(seen) > 1 else ""


_FINDER: Final = _finder()


class Texts:
    """Findings about texts, by their digests, as one store has them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "texts" / _FINDER
        self._waiting: dict[str, str] = {}

    def read(self) -> dict[str, str]:
        """All that is kept; nothing where the file is not what we wrote."""
        try:
            head, _, body = self._path.read_bytes().partition(b"\n")
        except OSError:
            return {}
        if head != _head(body):
            return {}
        return {line[:_DIGITS]: line[_DIGITS + 1 :] for line in body.decode("ascii").split("\n")}

    def note(self, findings: Mapping[str, str]) -> None:
        """Keep these too: a few only when the store is closed, many at once."""
        self._waiting.update(findings)
        if len(self._waiting) >= WAITING:
            self.write()

    def write(self) -> None:
        """Write what waits, together with what is there by now, the newest first."""
        if not self._waiting or not _FINDER:
            return
        known = self.read()
        older = ((digest, line) for digest, line in known.items() if digest not in self._waiting)
        lines = islice(chain(self._waiting.items(), older), ENTRIES)
        body = "\n".join(f"{digest} {line}" for digest, line in lines).encode("ascii")
        self._waiting = {}
        with suppress(OSError):
            self._replace(_head(body) + b"\n" + body)

    def _replace(self, data: bytes) -> None:
        folder = self._path.parent
        folder.mkdir(exist_ok=True)
        temporary = folder / f".{self._path.name}.{os.getpid()}"
        try:
            temporary.write_bytes(data)
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)
        newest = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in newest[FILES:]:
            file.unlink(missing_ok=True)


def _head(body: bytes) -> bytes:
    return f"{_MAGIC} {xxhash.xxh3_128_hexdigest(body)}".encode()
