"""Content digests of files, with size, times and inode as the shortcut and git's rule for racy timestamps.

A file that was modified less than two seconds before it was read could be modified once more without its timestamps
showing it: such a file is read again the next time, whatever its timestamps say.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

import xxhash

from nbsteps.identity.feed import MISSING, digest_texts

ABSENT: Final = digest_texts(MISSING)
"""Digest of a file that is not there."""
UNREADABLE: Final = digest_texts("unreadable")
"""Digest of a file that is there and cannot be read."""
RACY_NS: Final = 2_000_000_000
_CHUNK: Final = 1 << 20
_STAT: Final = os.stat  # bodies' questions are listened to under this name
_T = TypeVar("_T")


class _Own(threading.local):
    """Marks what this thread reads for identity's sake: no body's reads."""

    active = False


OWN: Final = _Own()


class FileState(NamedTuple):
    """What the file system says about a file without reading it; times in nanoseconds since the epoch."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    def settled(self, seen_ns: int) -> bool:
        """Whether a look at ``seen_ns`` came late enough after the last change to trust the timestamps from then on."""
        return seen_ns - max(self.mtime_ns, self.ctime_ns) >= RACY_NS


def file_state(path: str | os.PathLike[str]) -> FileState | None:
    """State of a file or folder; None where there is none that can be looked at."""
    try:
        status = _STAT(path)  # a third of the time of Path.stat, once for every file and step
    except (OSError, ValueError):
        return None
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


class FileCache(Generic[_T]):
    """Remembers what was computed from a file's content for as long as the file stays the same."""

    def __init__(self, compute: Callable[[str], _T]) -> None:
        self._compute = compute
        self._known: dict[str, tuple[FileState, int, _T]] = {}

    def get(self, path: str) -> _T:
        """The value for the file's present content.

        Raises:
            OSError: the file cannot be read.
        """
        state = file_state(path)
        known = self._known.get(path)
        if known is not None and known[0] == state and known[0].settled(known[1]):
            return known[2]
        seen_ns = time.time_ns()
        before, OWN.active = OWN.active, True
        try:
            value = self._compute(path)
        finally:
            OWN.active = before
        if state is not None:
            self._known[path] = (state, seen_ns, value)
        return value


def _read_digest(path: str) -> str:
    hasher = xxhash.xxh3_128()
    buffer = memoryview(bytearray(_CHUNK))
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - bytes straight into one buffer
        while count := file.readinto(buffer):
            hasher.update(buffer[:count])
    return hasher.hexdigest()


_DIGESTS: Final = FileCache(_read_digest)


def file_digest(path: str) -> str:
    """Digest of a file's content, 32 hexadecimal digits, read only if it may have changed since the last time.

    Raises:
        OSError: the file cannot be read.
    """
    return _DIGESTS.get(path)


def to_detail(state: FileState, seen_ns: int) -> str:
    """A state as the text that is stored beside a digest; ``seen_ns`` is when the content was digested."""
    return json.dumps(
        {
            "size": state.size,
            "mtime_ns": state.mtime_ns,
            "inode": state.inode,
            "ctime_ns": state.ctime_ns,
            "seen_ns": seen_ns,
        }
    )


def same_as_detail(state: FileState, detail: str) -> bool:
    """Whether the stored state is this one and was settled when the content was digested: no need to read again."""
    try:
        stored = json.loads(detail)
        before = FileState(stored["size"], stored["mtime_ns"], stored["inode"], stored["ctime_ns"])
        return before == state and before.settled(stored["seen_ns"])
    except (ValueError, KeyError, TypeError):
        return False


def stated(path: str) -> tuple[str, str]:
    """Digest of a file as it is now, and its state as the text to store beside it."""
    state = file_state(path)
    seen_ns = time.time_ns()
    if state is None:
        return ABSENT, MISSING
    try:
        return file_digest(path), to_detail(state, seen_ns)
    except OSError:
        return UNREADABLE, "unreadable"
