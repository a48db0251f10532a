"""The lanes of one kernel: worker processes, threads, or whatever executor the user passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from nbsteps.core.errors import UsageError
from nbsteps.executors.external import ExecutorLane
from nbsteps.executors.processes import Perform, ProcessLane, Shelf
from nbsteps.executors.progress_listener import ProgressListener
from nbsteps.executors.threads import ThreadLane
from nbsteps.ports import Lane

GROUP = "nbsteps.executors"
_NAMES = ("processes", "threads")


class Pool:
    """Opens lanes and keeps them for the next run: a process takes a second to start.

    Args:
        in_process: executes an order in another process; found there by module and name.
        in_thread: executes an order in a thread of this process.
    """

    def __init__(self, in_process: Perform, in_thread: Perform) -> None:
        self._in_process, self._in_thread = in_process, in_thread
        self._lanes: dict[str, list[Any]] = {}
        self._executors: dict[str, Executor] = {}
        self._shelf = Shelf()
        self._listener = ProgressListener()

    def open(self, executor: str | Executor, workers: int) -> Sequence[Lane]:
        """So many lanes of a kind; those opened before are used again.

        Raises:
            UsageError: there is no executor of that name.
        """
        if not isinstance(executor, str):
            return [ExecutorLane(executor, self._in_process, self._in_thread, self._listener) for _ in range(workers)]
        self._renew(executor)
        make = self._maker(executor)
        lanes = self._lanes.setdefault(executor, [])
        lanes += [make() for _ in range(workers - len(lanes))]
        chosen: list[Any] = [lane for lane in lanes if lane.free][:workers]
        chosen += [make() for _ in range(workers - len(chosen))]
        lanes += [lane for lane in chosen if lane not in lanes]
        for lane in chosen:
            lane.start()
        return chosen

    def _maker(self, name: str) -> Callable[[], Any]:
        if name == "processes":
            return lambda: ProcessLane(self._in_process, self._shelf)
        if name == "threads":
            return lambda: ThreadLane(self._in_thread)
        return lambda: ExecutorLane(self._brought(name), self._in_process, self._in_thread, self._listener)

    def _renew(self, name: str) -> None:
        """Forget another package's executor that takes no more work: a new one is made."""
        lanes: Sequence[Any] = self._lanes.get(name, ()) if name in self._executors else ()
        if any(lane.broken for lane in lanes):
            self._executors.pop(name).shutdown(wait=False, cancel_futures=True)
            del self._lanes[name]

    def _brought(self, name: str) -> Executor:
        """The executor of another package: made once, since making one may start a cluster."""
        if name not in self._executors:
            head, _, argument = name.partition("=")
            made = _plugin(head)
            self._executors[name] = made(argument) if argument else made()
        return self._executors[name]

    def close(self) -> None:
        """End all processes and threads."""
        for lanes in self._lanes.values():
            for lane in lanes:
                lane.stop()
        self._lanes.clear()
        for executor in self._executors.values():
            executor.shutdown(wait=False, cancel_futures=True)
        self._executors.clear()
        self._shelf.clear()
        self._listener.close()


def names() -> tuple[str, ...]:
    """The kinds of executors beside ``main``, other packages' among them."""
    return (*_NAMES, *sorted(_plugins()))


def check(name: str) -> None:
    """Refuse a name that no executor has.

    Raises:
        UsageError: it is unknown.
    """
    if name not in {"", "main", *_NAMES}:
        _plugin(name.partition("=")[0])


def _plugins() -> dict[str, Any]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - keeps import nbsteps fast

    return {point.name: point for point in entry_points(group=GROUP)}


def _plugin(name: str) -> Any:
    """What another package offers under a name: a callable that gives a ``concurrent.futures.Executor``."""
    found = _plugins()
    if name not in found:
        known = ", ".join(["main", *_NAMES, *sorted(found)])
        msg = f"there is no executor {name!r}"
        raise UsageError(msg, hint=f"known: {known}")
    return found[name].load()
