"""Lanes over an executor that the user passes, or that another package brings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from nbsteps.core.errors import CrashedError, UnsendableError
from nbsteps.executors.parcel import Parcel, pack, pack_names, unpack
from nbsteps.executors.processes import Perform, read, readable, sendable
from nbsteps.executors.progress_listener import Place, ProgressListener, speaking
from nbsteps.ports import ItemTell, Order, Reply


class ExecutorLane:
    """One order at a time for any ``concurrent.futures.Executor``; threads get it as it is, others as bytes.

    Buffers travel in the pickle: the executor may be on another machine. What runs cannot be killed.

    Attributes:
        broken: whether the executor has refused work.
    """

    kills = False

    def __init__(self, executor: Executor, in_process: Perform, in_thread: Perform, listener: ProgressListener) -> None:
        self._executor, self._listener = executor, listener
        self._threads = isinstance(executor, ThreadPoolExecutor)
        self._in_process, self._in_thread = in_process, in_thread
        self._running: Future[Any] | None = None
        self.broken = False
        self.kind = type(executor).__name__

    @property
    def pid(self) -> int:
        """Not known: the kernel's own process stands in for it."""
        return os.getpid()

    @property
    def free(self) -> bool:
        """Whether nothing that was given up still runs."""
        return self._running is None or self._running.done()

    def start(self) -> None:
        """It is the user's, and started."""

    def coming(self) -> None:
        """It takes orders at once."""

    def pack(self, order: Order) -> Any:
        """Make an order ready.

        Raises:
            UnsendableError: something cannot be pickled.
        """
        if self._threads:
            return order
        shared = pack_names(dict(order.shared), _inline)
        return shared, _inline(replace(order, shared={}))

    def submit(self, packed: Any, tell: ItemTell) -> Future[tuple[Reply, ...]]:
        """Start a packed order."""
        result: Future[tuple[Reply, ...]] = Future()
        result.set_running_or_notify_cancel()
        place = None if self._threads else self._listener.hear(tell)
        result.add_done_callback(lambda _: self._listener.forget(place))
        try:
            if self._threads:
                inner: Future[Any] = self._executor.submit(self._in_thread, packed, tell)
            else:
                shared, items = packed
                inner = self._executor.submit(work_inline, self._in_process, shared, items, place)
        except RuntimeError as error:  # it is broken, or has been shut down
            self._fail(result, error)
            return result
        self._running = inner
        inner.add_done_callback(lambda done: self._pass_on(done, result))
        return result

    def _fail(self, result: Future[tuple[Reply, ...]], error: RuntimeError) -> None:
        self.broken = True
        message = f"the {self.kind} takes no more work: {error}"
        crash = CrashedError(message, hint="make a new one, or --executor processes")
        crash.__cause__ = error
        result.set_exception(crash)

    def _pass_on(self, done: Future[Any], result: Future[tuple[Reply, ...]]) -> None:
        if result.done():
            return
        try:
            found = done.result()
            result.set_result(read(found) if isinstance(found, Parcel) else found)
        except BrokenExecutor as error:
            self._fail(result, error)
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
            result.set_exception(error)

    def release(self, token: str) -> None:
        """Nothing was kept."""

    def stop(self) -> None:
        """Give up the order, if it has not started; its result is of no interest any more."""
        if self._running is not None:
            self._running.cancel()


def work_inline(perform: Perform, shared: Parcel, items: Parcel, place: Place | None) -> Parcel:
    """Where the executor works: execute an order and pack what it came to."""
    variables: Mapping[str, object] = unpack(shared)
    order: Order = unpack(items)
    replies = tuple(map(readable, perform(replace(order, shared=variables), speaking(place))))
    try:
        return _inline(replies)
    except UnsendableError:
        return _inline(tuple(map(sendable, replies)))


def _inline(value: object) -> Parcel:
    return pack(value, files=False)
