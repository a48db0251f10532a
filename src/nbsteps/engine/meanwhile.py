"""What is said while a body runs: how far it is, by its own word, and that it takes longer than usual."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from statistics import median

from nbsteps.core.events import Progressed, StepSlow
from nbsteps.core.model import Step
from nbsteps.engine.alarm import Alarm
from nbsteps.engine.services import Services

_PAUSE = 0.1
_FEWEST = 3

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


_alarm = Alarm()


class Meanwhile:
    """Surrounds the bodies of one run."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @contextmanager
    def around(self, step: Step, run_id: str) -> Iterator[None]:
        """While a step's body runs: take its progress, and watch its time."""
        clock = self._services.clock
        with telling(partial(self._progressed, step.name, run_id), clock.monotonic), self.watched(step, run_id):
            yield

    def _progressed(self, step: str, run_id: str, done: float, total: float, text: str) -> None:
        self._services.emit(Progressed(self._services.clock.now(), run_id, step, done, total, text))

    @contextmanager
    def watched(self, step: Step, run_id: str) -> Iterator[None]:
        """Say once in a run that a step with ``--slow`` takes longer than it may, while it does or at its end."""
        usual = self._usual(step)
        if usual is None or step.options.slow is None:
            yield
            return
        limit = step.options.slow * usual
        clock = self._services.clock
        started = clock.monotonic()
        late = partial(self._slow, step.name, run_id, usual)
        number = _alarm.set(limit, lambda: late(limit))
        try:
            yield
        finally:
            _alarm.drop(number)
            took = clock.monotonic() - started
            if took > limit:
                late(took)

    def _usual(self, step: Step) -> float | None:
        """Median of its earlier successes; None where there are too few to tell."""
        if step.options.slow is None:
            return None
        known = self._services.store.durations(self._services.notebook, step.name)
        return median(known) if len(known) >= _FEWEST else None

    def _slow(self, step: str, run_id: str, usual: float, seconds: float) -> None:
        with self._lock:
            if (run_id, step) in self._told:
                return
            self._told.add((run_id, step))
        self._services.emit(StepSlow(self._services.clock.now(), run_id, step, seconds, usual))
