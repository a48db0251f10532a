"""What processes that a body started tell of their reads: one file, to which all of them append.

Made at the first child process, in the machine's folder for temporary files, and removed at the end.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator

_O_BINARY = getattr(os, "O_BINARY", 0)


class _Told:
    """The file; ``owner`` is the process whose bodies it is for, and that removes it."""

    path: str = ""
    owner: int = 0


def path() -> str:
    """The file that child processes are to write to."""
    if not _Told.path:
        descriptor, _Told.path = tempfile.mkstemp(prefix="nbsteps-reads-")
        os.close(descriptor)
        _Told.owner = os.getpid()
        atexit.register(_remove)
    return _Told.path


def belongs_to(told: str) -> None:
    """This process was told by its parent to write there."""
    _Told.path, _Told.owner = told, 0


def _remove() -> None:
    if _Told.owner == os.getpid():
        with contextlib.suppress(OSError):  # somebody cleans that folder, too
            os.unlink(_Told.path)  # noqa: PTH108 - a text


def position() -> int:
    """How far the file has been written."""
    try:
        return os.stat(_Told.path).st_size if _Told.path else 0  # noqa: PTH116 - a text
    except OSError:
        return 0


def tell(what: str, name: str) -> None:
    """Append one line; short enough to be written whole, so that processes do not mix theirs."""
    line = json.dumps([what, name]).encode() + b"\n"
    try:
        descriptor = os.open(_Told.path, os.O_WRONLY | os.O_APPEND | _O_BINARY)
    except OSError:
        return  # the parent has ended
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def since(start: int) -> Iterator[tuple[str, str]]:
    """What was told from a position on."""
    if position() <= start:
        return
    with open(_Told.path, "rb") as file:  # noqa: PTH123 - a text
        file.seek(start)
        lines = file.read().splitlines()
    for line in lines:
        what, name = json.loads(line)
        yield what, name
