"""Worker processes on this machine: one lane each, so that killing one, or its death, concerns nobody else."""

from __future__ import annotations

import os
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any, Final

from nbsteps.core.errors import CrashedError, UnsendableError
from nbsteps.executors.channel import Channel, ChannelWriter, speak
from nbsteps.executors.parcel import Parcel, pack, pack_names, unpack, unpack_reply
from nbsteps.ports import ItemTell, Order, Reply

IDLE_SECONDS: Final = 300
_KEPT: Final = 2
"""Sets of shared variables that a worker keeps."""

Perform = Callable[[Order, ItemTell], tuple[Reply, ...]]

_shared: OrderedDict[str, Mapping[str, object]] = OrderedDict()


class Shelf:
    """Shared variables of orders, packed once for all lanes, and removed when no order needs them any more."""

    def __init__(self) -> None:
        self._parcels: dict[str, Parcel] = {}

    def take(self, order: Order) -> Parcel:
        """The packed variables.

        Raises:
            UnsendableError: one of them cannot be pickled.
        """
        if order.token not in self._parcels:
            self._parcels[order.token] = pack_names(dict(order.shared))
        return self._parcels[order.token]

    def drop(self, token: str) -> None:
        """Nobody asks for these any more; workers that have mapped them keep them."""
        parcel = self._parcels.pop(token, None)
        if parcel is not None:
            parcel.drop()

    def clear(self) -> None:
        """Remove everything."""
        for token in list(self._parcels):
            self.drop(token)


class ProcessLane:
    """One worker process, started when it is first needed, and again after it was stopped or died.

    Args:
        perform: executes an order; found by its module and name in the worker.
        shelf: what the lanes of a pool send to all their workers.
    """

    kind = "processes"
    kills = True

    def __init__(self, perform: Perform, shelf: Shelf) -> None:
        self._perform, self._shelf = perform, shelf
        self._executor: Any = None
        self._known: set[str] = set()
        self._hello: Future[int] | None = None
        self._channel: Channel | None = None

    @property
    def pid(self) -> int:
        """The worker process; waits until it has started.

        Raises:
            CrashedError: it does not start.
        """
        self.start()
        try:
            return 0 if self._hello is None else self._hello.result()
        except (BrokenProcessPool, RuntimeError) as error:
            self.stop()
            raise CrashedError("the worker process does not start", hint="--executor threads") from error

    @property
    def free(self) -> bool:
        """Always: what ran here before has been killed."""
        return True

    def start(self) -> None:
        """Have the process started, in the background."""
        # loky has no public word for a broken pool, nor for the processes of one.
        if self._executor is not None and self._executor._flags.broken is not None:  # noqa: SLF001 - see above
            self.stop()
        if self._executor is None:
            from loky.process_executor import ProcessPoolExecutor  # noqa: PLC0415 - keeps import nbsteps fast

            channel = self._channel = Channel()
            self._executor = ProcessPoolExecutor(
                max_workers=1, timeout=IDLE_SECONDS, initializer=begin, initargs=(channel.writer,)
            )
        hello, alive = self._hello, self._executor._processes or ()  # noqa: SLF001 - see above
        if hello is None or (hello.done() and hello.exception() is None and hello.result() not in alive):
            # Never started, or idle for so long that it ended by itself.
            self._known.clear()
            self._hello = self._executor.submit(greet, self._perform)

    def coming(self) -> Future[int] | None:
        """The process as it starts; None once it has, or has failed to, which :meth:`pack` tells."""
        self.start()
        return None if self._hello is None or self._hello.done() else self._hello

    def pack(self, order: Order) -> Packed:
        """Make an order ready to be sent.

        Raises:
            UnsendableError: something cannot be pickled.
        """
        _ = self.pid
        shared = None if order.token in self._known else self._shelf.take(order)
        return Packed(order.token, shared, pack(replace(order, shared={})))

    def submit(self, packed: Packed, tell: ItemTell) -> Future[tuple[Reply, ...]]:
        """Start a packed order."""
        result: Future[tuple[Reply, ...]] = Future()
        result.set_running_or_notify_cancel()
        if packed.shared is None and packed.token not in self._known:
            # The process that had it ended in between.
            packed.items.drop()
            result.set_exception(died())
            return result
        try:
            number = 0 if self._channel is None else self._channel.hear(tell)
            inner = self._executor.submit(work, self._perform, packed.shared, packed.items, dict(os.environ), number)
        except (BrokenProcessPool, RuntimeError) as error:
            self.stop()
            packed.items.drop()
            _fail(result, error)
            return result
        self._known.add(packed.token)
        inner.add_done_callback(lambda done: _hand_over(done, result, packed.items))
        return result

    def release(self, token: str) -> None:
        """No order with that token follows."""
        self._shelf.drop(token)

    def stop(self) -> None:
        """Kill the process; a future that is still open fails."""
        executor, self._executor, self._hello = self._executor, None, None
        channel, self._channel = self._channel, None
        self._known.clear()
        if executor is not None:
            executor.shutdown(wait=False, kill_workers=True)
        if channel is not None:
            channel.close()


@dataclass(frozen=True, slots=True)
class Packed:
    """An order ready to be sent; ``shared`` is None where the worker has it."""

    token: str
    shared: Parcel | None
    items: Parcel


def begin(writer: Any) -> None:
    """In the worker, first: an interrupt of the kernel's process group is the kernel's business."""
    ChannelWriter.writer = writer
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def greet(perform: Perform) -> int:
    """In the worker, to begin with: its process. What the first order needs is loaded before there is one."""
    prepare = getattr(sys.modules.get(perform.__module__), "prepare", None)
    if prepare is not None:
        prepare()
    return os.getpid()


def work(perform: Perform, shared: Parcel | None, items: Parcel, environment: Mapping[str, str], number: int) -> Parcel:
    """In the worker: execute an order and pack what it came to."""
    if dict(os.environ) != environment:
        os.environ.clear()
        os.environ.update(environment)
    order: Order = unpack(items)
    if shared is not None:
        _shared[order.token] = unpack(shared)
        while len(_shared) > _KEPT:
            _shared.popitem(last=False)
    replies = tuple(map(readable, perform(replace(order, shared=_shared[order.token]), speak(number))))
    try:
        return pack(replies)
    except UnsendableError:
        return pack(tuple(map(sendable, replies)))


def sendable(reply: Reply) -> Reply:
    """A reply without what cannot be sent, which is named."""
    values: dict[str, object] = {}
    unsent = dict(reply.unsent)
    for name, value in reply.values.items():
        try:
            pack(value).drop()
            values[name] = value
        except UnsendableError as error:
            kind = type(value)
            bare = kind.__module__ in {"builtins", "__main__"}
            unsent[name] = (
                f"{kind.__qualname__ if bare else f'{kind.__module__}.{kind.__qualname__}'} ({error.args[0]})"
            )
    return replace(reply, values=values, unsent=unsent)


def readable(reply: Reply) -> Reply:
    """A reply whose error can be read where it arrives."""
    error = reply.outcome.error
    if error is None or _travels(error):
        return reply
    return replace(reply, outcome=replace(reply.outcome, error=stand_in(error)))


def _travels(error: BaseException) -> bool:
    try:
        unpack(pack(error))
    except Exception:  # noqa: BLE001 - an exception's class may refuse in any way
        return False
    return True


def stand_in(error: BaseException) -> BaseException:
    """An exception of the same name and text that can be sent."""
    kind = next((base for base in type(error).__mro__ if base.__module__ == "builtins"), Exception)
    base: Any = kind if kind in {Exception, ValueError, TypeError, RuntimeError, OSError} else Exception
    found: BaseException = type(type(error).__name__, (base,), {"__module__": "builtins"})(str(error))
    return found


def _hand_over(done: Future[Parcel], result: Future[tuple[Reply, ...]], sent: Parcel) -> None:
    """Pass on what the worker sent, or why it sent nothing."""
    packed: Parcel | None = None
    try:
        packed = done.result()
        result.set_result(read(packed))
    except (BrokenProcessPool, RuntimeError, KeyError, CancelledError, OSError) as error:
        _fail(result, error)
    except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
        result.set_exception(error)
    finally:
        sent.drop()
        if packed is not None:
            packed.drop()


def read(packed: Parcel) -> tuple[Reply, ...]:
    """What came back.

    Raises:
        UnsendableError: it cannot be read here: what needs a module that is not there, or refuses to be made again.
    """
    try:
        replies: tuple[Reply, ...] = unpack_reply(packed)
    except Exception as error:
        raise UnsendableError(f"{type(error).__name__}: {error}") from error
    return replies


def died() -> CrashedError:
    """What is said of a process that is gone."""
    message = "the worker process died (memory ran out, as a rule)"
    return CrashedError(message, hint="if the machine ran out of memory: fewer --workers")


def _fail(result: Future[tuple[Reply, ...]], error: BaseException) -> None:
    crash = died()
    crash.__cause__ = error
    result.set_exception(crash)
