"""Files with buffers on their way: each is locked by the process that wrote it, so that what a dead one left can go."""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows: what a killed process leaves stays for the system's own cleaning
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = "nbsteps-", ".buffers"
_locks: Final[list[int]] = []
_guard: Final = threading.Lock()
_swept: Final[set[str]] = set()


def create(folder: str) -> tuple[int, str]:
    """A new file, open for writing, and locked as long as this process lives or until it is removed."""
    while True:
        descriptor, path = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder)
        if fcntl is None:
            return descriptor, path
        let_go()
        lock = os.dup(descriptor)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            with _guard:
                _locks.append(lock)
            return descriptor, path
        # Between its making and its lock another process took it for one that was left.
        os.close(lock)
        os.close(descriptor)


def let_go() -> None:
    """Forget the locks of files that were removed, by whichever process."""
    with _guard:
        for lock in [lock for lock in _locks if not os.fstat(lock).st_nlink]:
            _locks.remove(lock)
            os.close(lock)


def sweep(folder: str) -> None:
    """Remove the files of processes that ended without removing them; once a process."""
    if fcntl is None or folder in _swept:
        return
    _swept.add(folder)
    for path in Path(folder).glob(f"{_PREFIX}*{_SUFFIX}"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
