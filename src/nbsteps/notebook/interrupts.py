"""Who gets an interrupt while a kernel is run from outside.

Python's own way, an exception wherever the main thread happens to be, would leave the kernel's protocol half way: the
sockets could never be closed, and the process would never end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _raise() -> None:
    raise KeyboardInterrupt


def _ignore() -> None:
    """What is ending ends."""


class Interrupts:
    """Takes the interrupts of this process for as long as a kernel is run.

    Attributes:
        handle: called at each, in the main thread; at first it raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.handle: Callable[[], None] = _raise

    @contextmanager
    def given_to(self, handle: Callable[[], None]) -> Iterator[None]:
        """Have ``handle`` called for a while; after that nothing is left that an interrupt could stop."""
        self.handle = handle
        try:
            yield
        finally:
            self.handle = _ignore


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Take this process's interrupts; in other threads than the main one there are none."""
    found = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    before = signal.signal(signal.SIGINT, lambda _number, _frame: found.handle())
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)
