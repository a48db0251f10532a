"""Exclusive locks on bytes of files: they vanish with their holder, however it dies.

On Linux these are open-file-description locks: two descriptors of one process exclude each other as two processes do,
and closing some other descriptor of the file releases nothing (classic POSIX locks do both wrong). macOS has no such
locks, so there ``flock`` locks a whole file; Windows locks one byte far beyond the end, because its locks are
mandatory and would keep others from reading.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_SETLK: Final = 37  # F_OFD_SETLK: the fcntl module names it on no Python before 3.14
_LINUX: Final = sys.platform.startswith("linux")
BYTE_RANGES: Final = _LINUX
"""Whether bytes of one file can be locked apart from each other; elsewhere each key needs a file of its own."""
_BEYOND: Final = 1 << 62
_POLL_FIRST, _POLL_LAST = 0.001, 0.01
PATIENCE: Final = 2.0
"""Seconds after which a wait says whom it waits for."""

_descriptors: set[int] = set()


def _drop_in_child() -> None:
    """Close the parent's lock descriptors: a child that lived on would hold a dead parent's locks."""
    for descriptor in _descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_in_child)


def forget_in_children(descriptor: int) -> None:
    """Have forked children close a descriptor at once."""
    _descriptors.add(descriptor)


def let_go(descriptor: int) -> bool:
    """Inverse of :func:`forget_in_children`; False where the descriptor was dropped by a fork in between."""
    known = descriptor in _descriptors
    _descriptors.discard(descriptor)
    return known


class Lock:
    """One held lock; :meth:`release` gives it up. Usable from any thread, dropped in forked children.

    One that nobody has any more is given up, too: an interrupt can strike before whoever asked for it has it.
    """

    __slots__ = ("_pid", "descriptor")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._pid = os.getpid()

    @classmethod
    def acquire(cls, path: Path, byte: int = 0) -> Lock | None:
        """Try once to lock one byte of a file, which is created if it is not there; None while another holds it.

        Raises:
            OSError: the file cannot be opened for writing.
        """
        lock = cls(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666))
        try:
            _descriptors.add(lock.descriptor)
            if _try(lock.descriptor, byte):
                return lock
        except BaseException:
            lock.release()
            raise
        lock.release()
        return None

    def __del__(self) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock up; nothing happens if it was given up before, or in a forked child."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0 and self._pid == os.getpid() and let_go(descriptor):
            os.close(descriptor)


def _try(descriptor: int, byte: int) -> bool:
    try:
        if _LINUX:
            request = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
            fcntl.fcntl(descriptor, _SETLK, request)
        elif sys.platform == "win32":
            os.lseek(descriptor, _BEYOND + byte, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def wait_for(
    path: Path,
    byte: int = 0,
    *,
    timeout: float | None = None,
    poll: float = _POLL_LAST,
    on_wait: Callable[[float], None] | None = None,
) -> Lock | None:
    """Lock one byte, waiting while another holds it; None after ``timeout`` seconds.

    Args:
        path: the file; created if it is not there.
        byte: which byte.
        timeout: seconds; None waits for as long as the holder lives.
        poll: longest pause between two tries, seconds.
        on_wait: told the seconds waited, once, after :data:`PATIENCE`.
    """
    lock = Lock.acquire(path, byte)
    start = time.monotonic()
    pause, told = _POLL_FIRST, False
    while lock is None:
        waited = time.monotonic() - start
        if timeout is not None and waited >= timeout:
            return None
        if waited >= PATIENCE and not told and on_wait is not None:
            told = True
            on_wait(waited)
        time.sleep(pause)
        pause = min(pause * 2, poll)
        lock = Lock.acquire(path, byte)
    return lock
