"""What ends a body from outside: an interrupt, and the end of its time.

Both are signals, and a signal's exception lands wherever the main thread happens to be. Here it lands in the body or
nowhere: what arrives before the body starts or after it ended is remembered, so that what we put in order around a body
is never left half way.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any

from nbsteps.core.errors import StepTimeout

_AGAIN = 3.0
"""Seconds between one timeout and the next, where the body swallows it; long enough for it to clean up."""
_SHORTEST = 1e-3


def can_time_out() -> bool:
    """Whether a body that runs here can be stopped when its time is up."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


class Stops:
    """Takes interrupts and the alarm for one body.

    Attributes:
        armed: whether a signal raises; it is set by whoever starts the body, by plain assignment, right before and
            right after: nothing can come between such an assignment and its effect.
        missed: an interrupt that came while nothing was armed, or a timeout, which a body cannot undo by catching it.
    """

    __slots__ = ("_limit", "armed", "missed")

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self.armed = False
        self.missed: BaseException | None = None

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """The user, or somebody for him, interrupts."""
        self._stop(KeyboardInterrupt())

    def alarm(self, _number: int, _frame: FrameType | None) -> None:
        """The time is up."""
        self._stop(StepTimeout(self._limit or 0.0))

    def _stop(self, error: BaseException) -> None:
        interrupts = isinstance(error, KeyboardInterrupt)
        if not (self.armed and interrupts) and (interrupts or self.missed is None):
            self.missed = error
        if self.armed:
            raise error


@contextmanager
def stops(limit: float | None = None) -> Iterator[Stops]:
    """Take this process's interrupts, and its alarm if there is a limit, in seconds; both are given back.

    In other threads than the main one there is nothing to take: ``limit`` has no effect there.
    """
    found = Stops(limit)
    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    # Who ignores interrupts, or handles them in a way of his own, goes on doing so.
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with _handling(signal.SIGINT, found.interrupt) if usual else nullcontext():
        if limit is None or not can_time_out():
            yield found
            return
        with _handling(signal.SIGALRM, found.alarm), _timer(limit):
            yield found


@contextmanager
def _handling(number: int, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        # A body that set a handler of its own wants to keep it. A handler of C code cannot be set again from here.
        if signal.getsignal(number) == handler and before is not None:
            signal.signal(number, before)


@contextmanager
def _timer(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, _SHORTEST), _AGAIN)
    try:
        yield
    finally:
        gone = time.monotonic() - started
        signal.setitimer(signal.ITIMER_REAL, max(left - gone, _SHORTEST) if left else 0.0, interval)
