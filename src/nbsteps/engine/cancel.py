"""Asking a run to end, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancel:
    """A wish that the loop looks at between two steps and while it waits; a body that runs is interrupted."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._running = False
        self._in_body = False
        self.asked = False

    def begin(self) -> None:
        """A run begins; wishes of before do not concern it."""
        with self._lock:
            self._running, self._in_body, self.asked = True, False, False

    def end(self) -> None:
        """The run is over."""
        with self._lock:
            self._running = False

    def ask(self) -> bool:
        """Ask the current run to end; False if there is none."""
        with self._lock:
            if not self._running:
                return False
            self.asked = True
            if self._in_body:
                self._interrupt()
            return True

    def check(self) -> None:
        """Go no further if that is wished.

        Raises:
            KeyboardInterrupt: it is.
        """
        if self.asked:
            raise KeyboardInterrupt

    @contextmanager
    def body(self) -> Iterator[None]:
        """While a body runs a wish interrupts it.

        Raises:
            KeyboardInterrupt: the run is to end already.
        """
        with self._lock:
            self.check()
            self._in_body = True
        try:
            yield
        finally:
            # First, since an interrupt can strike while the lock is awaited; who saw a body has interrupted it then.
            self._in_body = False
            with self._lock:
                pass
