"""What is said while a body runs: how far it is, by its own word, and that it takes longer than usual."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial

from nbsteps.core.events import Progressed, StepSlow
from nbsteps.core.model import Step
from nbsteps.engine.alarm import Alarm
from nbsteps.engine.services import Services
from nbsteps.ports import ItemTell

_PAUSE = 0.1
_FEWEST = 3
_LEAST = 1.0
"""Seconds below which no step is slow, however quick it usually is."""

Tell = Callable[[float, float, str], None]


def progress(done: float, total: float = 0, text: str = "") -> None:
    """Say how far the running step is: ``done`` of ``total``, with a few words if you like.

    Call it as often as you want: what follows within a tenth of a second is left out, the last word is not. Outside a
    step nothing happens, so that the same code runs anywhere.

    Args:
        done: how much is done, in any unit.
        total: how much there is, in the same unit; 0 where that is unknown.
        text: what is being done.
    """
    said = _TELLING.get()
    if said is not None:
        said(done, total, text)


_TELLING: ContextVar[Tell | None] = ContextVar("nbsteps_progress", default=None)


@contextmanager
def telling(tell: Tell, monotonic: Callable[[], float]) -> Iterator[None]:
    """Have ``tell`` told what :func:`progress` is told inside, at most ten times a second."""
    token = _TELLING.set(_Throttle(tell, monotonic))
    try:
        yield
    finally:
        _TELLING.reset(token)


class _Throttle:
    def __init__(self, tell: Tell, monotonic: Callable[[], float]) -> None:
        self._tell, self._monotonic = tell, monotonic
        self._next = float("-inf")

    def __call__(self, done: float, total: float, text: str) -> None:
        now = self._monotonic()
        if now >= self._next or (total and done >= total):
            self._next = now + _PAUSE
            self._tell(float(done), float(total), text)


class Hearing:
    """What bodies elsewhere say about their progress, from any thread, until they have ended.

    Args:
        tell: told at most ten times a second; the first argument counts the executions of an order.
        monotonic: the clock.
    """

    def __init__(self, tell: ItemTell, monotonic: Callable[[], float]) -> None:
        self._tell, self._monotonic = tell, monotonic
        self._next = float("-inf")
        self._open = True
        self._lock = threading.Lock()

    def __call__(self, at: int, done: float, total: float, text: str) -> None:
        """One of them says something."""
        with self._lock:
            now = self._monotonic()
            if self._open and (now >= self._next or (total and done >= total)):
                self._next = now + _PAUSE
                self._tell(at, float(done), float(total), text)

    def close(self) -> None:
        """Nothing that is said later is heard: the step's end comes last."""
        with self._lock:
            self._open = False


_alarm = Alarm()


@contextmanager
def told(services: Services, step: str, run_id: str) -> Iterator[None]:
    """While a step's body runs: take what it says about its progress."""

    def tell(done: float, total: float, text: str) -> None:
        services.emit(Progressed(services.clock.now(), run_id, step, done, total, text))

    with telling(tell, services.clock.monotonic):
        yield


@dataclass(frozen=True, slots=True)
class _Watch:
    """A step that is watched: since when, by the clock's ``monotonic``, and what is usual and allowed, seconds."""

    run_id: str
    started: float
    usual: float
    limit: float
    alarm: int


class Slowness:
    """Watches the time of a run's steps with ``--slow``, their attempts and the waits between them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watches: dict[str, _Watch] = {}
        self._lock = threading.Lock()

    def begin(self, step: Step, run_id: str) -> None:
        """A step's first attempt begins: if it takes longer than it may, that is said at once."""
        usual = self._usual(step)
        if usual is None or step.options.slow is None:
            return
        limit = max(step.options.slow * usual, _LEAST)
        with self._lock:
            alarm = _alarm.set(limit, partial(self._ring, step.name, limit))
            self._watches[step.name] = _Watch(run_id, self._services.clock.monotonic(), usual, limit, alarm)

    def end(self, name: str) -> None:
        """A step ended: if it took too long, that is said now, unless it has been."""
        with self._lock:
            watch = self._watches.get(name)
        if watch is None:
            return
        _alarm.drop(watch.alarm)
        took = self._services.clock.monotonic() - watch.started
        if took > watch.limit:
            self._ring(name, took)
        with self._lock:
            self._watches.pop(name, None)

    def _usual(self, step: Step) -> float | None:
        """Median of its earlier successes; None where there are too few to tell."""
        if step.options.slow is None:
            return None
        known = self._services.store.durations(self._services.notebook, step.name)
        return _median(known) if len(known) >= _FEWEST else None

    def _ring(self, name: str, seconds: float) -> None:
        with self._lock:
            watch = self._watches.pop(name, None)
        if watch is not None:
            self._services.emit(StepSlow(self._services.clock.now(), watch.run_id, name, seconds, watch.usual))


def _median(known: Sequence[float]) -> float:
    """By hand: a file of the user's named statistics.py would be loaded in the place of the standard module."""
    ordered, half = sorted(known), len(known) // 2
    return ordered[half] if len(known) % 2 else (ordered[half - 1] + ordered[half]) / 2
