"""This machine and process, and what the history calls a notebook that lies on it."""

from __future__ import annotations

import getpass
import os
import platform
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbsteps.engine.services import Host


class SystemClock:
    """The machine's time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def wait(self, futures: Collection[Future[Any]], seconds: float) -> None:
        """Wait until one of the futures is done, no longer than so many seconds."""
        wait(futures, seconds, FIRST_COMPLETED)

    @contextmanager
    def beside(self, look: Callable[[], tuple[Collection[Future[Any]], float]]) -> Iterator[None]:
        """Have ``look`` called by another thread while inside: at once, and when what it returns says so."""
        left: Future[None] = Future()

        def work() -> None:
            while not left.done():
                futures, seconds = look()
                wait([*futures, left], seconds, FIRST_COMPLETED)

        thread = threading.Thread(target=work, name="nbsteps-beside", daemon=True)
        thread.start()
        try:
            yield
        finally:
            left.set_result(None)
            _join(thread)


def _join(thread: threading.Thread) -> None:
    """Wait for the end of a thread, whatever interrupts."""
    struck: KeyboardInterrupt | None = None
    while thread.is_alive():
        try:
            thread.join()
        except KeyboardInterrupt as interrupt:
            struck = interrupt
    if struck is not None:
        raise struck


def this_host() -> Host:
    """The process that this is; ``user`` is the login name."""
    return Host(platform.node(), os.getpid(), _user(), _peak_rss)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _peak_rss() -> int | None:
    """Largest resident size of this process so far, bytes."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    kilo = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilo


def notebook_name(path: Path | None, root: Path | None) -> str:
    """What the history calls a notebook: its path in the project, else the whole path, else ``""``."""
    if path is None:
        return ""
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return path.as_posix()
