"""Calls at a later time from one thread, however many are due; no thread while none is."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress


class Alarm:
    """Waits for the earliest of the calls that were asked for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int]] = []
        self._calls: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def set(self, seconds: float, call: Callable[[], None]) -> int:
        """Have ``call`` called in so many seconds, in another thread; returns a number to :meth:`drop` it by."""
        with self._changed:
            number = next(self._numbers)
            heapq.heappush(self._due, (time.monotonic() + seconds, number))
            self._calls[number] = call
            if self._thread is None or not self._thread.is_alive():  # it does not live on in a forked child
                self._thread = threading.Thread(target=self._work, name="nbsteps-alarm", daemon=True)
                self._thread.start()
            self._changed.notify()
            return number

    def drop(self, number: int) -> None:
        """Have it not called, unless that has begun."""
        with self._changed:
            self._calls.pop(number, None)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            call = self._next()
            if call is None:
                return
            with suppress(Exception):  # nobody is there to hear of it, and other calls are due
                call()

    def _next(self) -> Callable[[], None] | None:
        """The next call when its time has come; None when there is none left, and the thread ends."""
        with self._changed:
            while self._calls:
                due, number = self._due[0]
                left = due - time.monotonic()
                if number in self._calls and left > 0:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._due)
                call = self._calls.pop(number, None)
                if call is not None:
                    return call
            self._due.clear()
            self._thread = None
            return None
