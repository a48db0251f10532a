"""A sign of life for other machines, which cannot always see this one's locks: a file touched while a run goes on.

Between processes of one machine the lock of the liveness file tells who lives, also after a reboot. Where a folder is
shared by machines, a lock may hold on its own machine only; so an owner on another machine counts as dead only if its
lock can be had and its file was not touched for :data:`STALE` seconds.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from nbsteps.store.records import loads

PERIOD: Final = 15.0
"""Seconds between two touches."""
STALE: Final = 90.0
"""Seconds without a touch after which an owner on another machine is dead, if its lock can be had."""


class Heartbeat:
    """Touches a file every period while runs go on; one parked thread, begun with the first run."""

    def __init__(self, path: Path, period: float = PERIOD) -> None:
        self._path, self._period = path, period
        self._changed = threading.Condition()
        self._runs: set[str] = set()
        self._closed = False
        self._thread: threading.Thread | None = None

    def begin(self, run_id: str) -> None:
        """A run began."""
        with self._changed:
            self._runs.add(run_id)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="nbsteps-heartbeat", daemon=True)
                self._thread.start()
            self._changed.notify()

    def end(self, run_id: str) -> None:
        """A run ended."""
        with self._changed:
            self._runs.discard(run_id)

    def close(self) -> None:
        """No run follows."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        with self._changed:
            while not self._closed:
                if not self._runs:
                    self._changed.wait()
                elif not self._changed.wait(self._period):
                    self.touch()

    def touch(self) -> None:
        """Give the sign once."""
        with suppress(OSError):
            os.utime(self._path)


def beats(live: Path, host: str, now: float) -> bool:
    """Whether the owner of a liveness file, whose lock could be had, may live all the same: on another machine.

    Args:
        live: the file.
        host: name of this machine.
        now: seconds since the epoch by the clock of the machine that keeps the file.
    """
    with suppress(OSError, ValueError, AttributeError):
        elsewhere = loads(live.read_text(encoding="ascii")).get("host") not in {None, host}
        return elsewhere and now - live.stat().st_mtime < STALE
    return False
