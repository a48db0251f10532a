"""Threads of the kernel's own process: nothing is sent, and nothing that runs can be killed."""

from __future__ import annotations

import contextvars
import os
import threading
from concurrent.futures import Future

from nbsteps.core.errors import CrashedError
from nbsteps.executors.processes import Perform
from nbsteps.ports import ItemTell, Order, Reply


class ThreadLane:
    """A place for one thread at a time. One whose order was given up stays occupied until its thread ends.

    Args:
        perform: executes an order in the thread.
    """

    kind = "threads"
    kills = False

    def __init__(self, perform: Perform) -> None:
        self._perform = perform
        self._thread: threading.Thread | None = None
        self._result: Future[tuple[Reply, ...]] | None = None

    @property
    def pid(self) -> int:
        """The kernel's own process."""
        return os.getpid()

    @property
    def free(self) -> bool:
        """Whether no thread runs here."""
        return self._thread is None or not self._thread.is_alive()

    def start(self) -> None:
        """Nothing needs to be started before there is an order."""

    def coming(self) -> None:
        """It takes orders at once."""

    def pack(self, order: Order) -> Order:
        """The order itself: a thread sees what the kernel sees."""
        return order

    def submit(self, packed: Order, tell: ItemTell) -> Future[tuple[Reply, ...]]:
        """Execute an order in a thread of its own, which does not keep the process from ending."""
        result: Future[tuple[Reply, ...]] = Future()
        result.set_running_or_notify_cancel()
        run = contextvars.copy_context().run
        self._result = result
        self._thread = threading.Thread(
            target=run, args=(self._work, packed, tell, result), name="nbsteps-step", daemon=True
        )
        self._thread.start()
        return result

    def _work(self, order: Order, tell: ItemTell, result: Future[tuple[Reply, ...]]) -> None:
        try:
            replies = self._perform(order, tell)
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
            if not result.done():
                result.set_exception(error)
            return
        if not result.done():
            result.set_result(replies)

    def release(self, token: str) -> None:
        """Nothing was kept."""

    def stop(self) -> None:
        """Give up the order: its result is discarded when it comes."""
        result = self._result
        if result is not None and not result.done():
            result.set_exception(CrashedError("given up"))
