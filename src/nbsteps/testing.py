"""Fakes as good as the real thing, for our tests and for authors of plug-ins: a store, an evaluator, a clock."""

from __future__ import annotations

import builtins
import copy
import io
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, redirect_stdout
from typing import Any, Final, NamedTuple

from nbsteps.core.approvals import Approval, Request, Verdict
from nbsteps.core.errors import DamagedValueError, StepTimeout, UnstorableValueError
from nbsteps.core.events import (
    Accepted,
    ApprovalDecided,
    AttemptEnded,
    AttemptStarted,
    Cleared,
    Event,
    ItemsSucceeded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepSucceeded,
    StepWaiting,
)
from nbsteps.core.mapped import ItemError, MapOutput
from nbsteps.core.model import Artifact, Cell, Result, Step
from nbsteps.core.states import StepState
from nbsteps.engine.services import Host, Services
from nbsteps.engine.session import Session
from nbsteps.ports import Display, Last, Outcome, Recall, Repeat

_MOMENT: Final = 0.002


class FakeClock:
    """Time that moves only when told to, or by ``tick`` seconds a reading."""

    def __init__(self, start: float = 1_000_000.0, tick: float = 0.0) -> None:
        self.time = start
        self.tick = tick
        self.look: Callable[[], object] | None = None

    def now(self) -> float:
        """Seconds since the epoch."""
        self.time += self.tick
        return self.time

    def monotonic(self) -> float:
        """The same time."""
        return self.now()

    def sleep(self, seconds: float) -> None:
        """Jump ahead."""
        self.time += seconds
        if self.look is not None:
            self.look()

    def wait(self, futures: Collection[Future[Any]], seconds: float) -> None:
        """Jump ahead unless something is done; real workers get a moment of real time."""
        if not wait(futures, _MOMENT, FIRST_COMPLETED).done:
            self.sleep(seconds)

    @contextmanager
    def beside(self, look: Callable[[], tuple[Collection[Future[Any]], float]]) -> Iterator[None]:
        """Have ``look`` called now and whenever time jumps."""
        before, self.look = self.look, look
        try:
            look()
            yield
        finally:
            self.look = before


class _Gathered(NamedTuple):
    """The output of a map as it is kept."""

    artifacts: tuple[Artifact, ...]
    errors: tuple[ItemError, ...]


class MemoryStore:
    """A store in memory. ``shared`` state lets several instances stand for several processes on one store."""

    def __init__(self, shared: MemoryStore | None = None) -> None:
        self.events: list[Event] = [] if shared is None else shared.events
        self.values: dict[str, object] = {} if shared is None else shared.values
        self.results: dict[str, list[Result]] = defaultdict(list) if shared is None else shared.results
        self.last: dict[tuple[str, str], Last] = {} if shared is None else shared.last
        self.requests: dict[str, Request] = {} if shared is None else shared.requests
        self.verdicts: dict[str, Verdict] = {} if shared is None else shared.verdicts
        self.texts: dict[str, str] = {} if shared is None else shared.texts
        self._notebooks: dict[str, str] = {} if shared is None else shared._notebooks  # noqa: SLF001 - of this class
        self.refuse: Callable[[object], bool] = lambda _value: False

    def recall(self, notebook: str, steps: Collection[str], statics: Collection[str]) -> Recall:
        """Everything known."""
        last = {name: found for name in steps if (found := self.last.get((notebook, name))) is not None}
        results = {key: tuple(reversed(found)) for key, found in self.results.items()}
        return Recall(results, last, frozenset(statics))

    def find(self, key: str) -> tuple[Result, ...]:
        """Results under one key, newest first."""
        return tuple(reversed(self.results.get(key, ())))

    def find_items(self, keys: Collection[str]) -> dict[str, tuple[Result, ...]]:
        """Results of items under these keys, newest first."""
        return {key: found for key in keys if (found := self.find(key))}

    def approvals(self, notebook: str, step: str = "") -> tuple[Approval, ...]:
        """Requests of a notebook or step, newest first."""
        wanted = (r for r in self.requests.values() if r.notebook == notebook and step in {"", r.step})
        found = [Approval(request, self.verdicts.get(request.request_id)) for request in wanted]
        found.reverse()
        return tuple(sorted(found, key=lambda each: -each.request.requested_at))

    def durations(self, notebook: str, step: str) -> tuple[float, ...]:
        """Seconds that a step's successes took, newest first."""
        every = (event for event in reversed(self.events) if isinstance(event, StepSucceeded))
        return tuple(e.result.duration for e in every if (e.result.notebook, e.step) == (notebook, step))

    def findings(self) -> dict[str, str]:
        """Everything kept."""
        return self.texts

    def keep_findings(self, findings: Mapping[str, str]) -> None:
        """Keep it."""
        self.texts.update(findings)

    @contextmanager
    def flight(self, key: str, *, wait: bool = True) -> Iterator[bool]:
        """No other process exists, so the key is free."""
        del wait
        assert key  # noqa: S101 - an empty key is a programming error
        yield True

    def put(self, value: object, digest: str) -> Artifact:
        """Keep a deep copy, as a real store would."""
        if self.refuse(value):
            name = type(value).__qualname__
            msg = f"a value of type {name} cannot be stored"
            raise UnstorableValueError(msg)
        self.values.setdefault(digest, copy.deepcopy(value))
        return Artifact(digest, type(value).__qualname__, "memory", 1, "inline", digest, summary=type(value).__name__)

    def put_items(self, artifacts: Sequence[Artifact], errors: Sequence[ItemError], digest: str) -> Artifact:
        """Keep of which values the output of a map is made: they are read when it is, as a real store does."""
        return self.put(_Gathered(tuple(artifacts), tuple(errors)), digest)

    def get(self, artifact: Artifact) -> object:
        """A fresh copy of a kept value."""
        if artifact.digest not in self.values:
            msg = f"the stored value {artifact.digest[:8]} is gone"
            error = DamagedValueError(msg)
            error.digest = artifact.digest
            raise error
        kept = self.values[artifact.digest]
        if isinstance(kept, _Gathered):
            return MapOutput(map(self.get, kept.artifacts), kept.errors)
        return copy.deepcopy(kept)

    def emit(self, event: Event) -> None:
        """Record the event and what it makes true."""
        self.events.append(event)
        match event:
            case RunStarted():
                self._notebooks[event.run_id] = event.run.notebook
            case StepRestored():
                self._conclude(event.run_id, event.step, StepState.CACHED, self.results[event.key][-1])
            case StepEnded():
                self._conclude(event.run_id, event.step, event.state, None)
            case Cleared():
                self._clear(event)
            case StepSucceeded() | ItemsSucceeded() | Accepted():
                self._result(event)
            case StepWaiting() | ApprovalDecided():
                self._approval(event)
            case _:
                pass

    def _result(self, event: StepSucceeded | ItemsSucceeded | Accepted) -> None:
        match event:
            case StepSucceeded():
                self._succeeded(event)
            case ItemsSucceeded():
                for _, result in event.done:
                    self.results[result.key].append(result)
            case Accepted():
                self.results[event.result.key].append(event.result)
                self.last[event.notebook, event.step] = Last(StepState.SUCCEEDED, event.result)

    def _approval(self, event: StepWaiting | ApprovalDecided) -> None:
        match event:
            case StepWaiting():
                self.requests.setdefault(event.request.request_id, event.request)
                self._conclude(event.run_id, event.step, StepState.WAITING, None)
            case ApprovalDecided():
                self.verdicts.setdefault(event.verdict.request_id, event.verdict)

    def _succeeded(self, event: StepSucceeded) -> None:
        if not event.uncacheable:
            self.results[event.result.key].append(event.result)
        self._conclude(event.run_id, event.step, StepState.SUCCEEDED, event.result)

    def _conclude(self, run_id: str, step: str, state: StepState, result: Result | None) -> None:
        at = (self._notebooks[run_id], step)
        before = self.last.get(at)
        self.last[at] = Last(state, result or (before.result if before is not None else None))

    def _clear(self, event: Cleared) -> None:
        self.last.pop((event.notebook, event.step), None)
        for approval in self.approvals(event.notebook, event.step):
            del self.requests[approval.request.request_id]
        for key, found in self.results.items():
            self.results[key] = [r for r in found if (r.notebook, r.step) != (event.notebook, event.step)]

    def close(self) -> None:
        """Nothing to release."""


class FakeEvaluator:
    """Executes cells with ``exec`` in a plain dict; ``executed`` lists the steps whose bodies ran.

    A body lets time pass with ``sleep(seconds)``, and is stopped there when its own is up. ``offered`` holds what else
    bodies find among the builtins, which are part of no key.
    """

    limits = True

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self._deadline: tuple[float, float] | None = None
        self.offered: dict[str, object] = {"sleep": self.sleep}
        self.names: dict[str, object] = {}
        self.waiting: dict[str, Callable[[], object]] = {}
        self.executed: list[str] = []
        self.contexts: list[str] = []
        self.replayed: list[tuple[Display, ...]] = []

    @property
    def namespace(self) -> MutableMapping[str, object]:
        """The names, live."""
        return self.names

    def bind(self, name: str, load: Callable[[], object]) -> None:
        """Bind lazily."""
        self.names.pop(name, None)
        self.waiting[name] = load

    def forget(self, name: str) -> None:
        """Unbind."""
        self.names.pop(name, None)
        self.waiting.pop(name, None)

    def pending(self, name: str) -> bool:
        """Whether bound and not loaded."""
        return name in self.waiting and name not in self.names

    def materialise(self, names: Iterable[str]) -> None:
        """Load."""
        for name in list(names):
            if self.pending(name):
                self.names[name] = self.waiting.pop(name)()

    def sleep(self, seconds: float) -> None:
        """Let time pass in a body.

        Raises:
            StepTimeout: the body's time is up meanwhile.
        """
        if self._deadline is not None and self.clock.time + seconds > self._deadline[0]:
            self.clock.time = self._deadline[0]
            raise StepTimeout(self._deadline[1])
        self.clock.sleep(seconds)

    def interrupt(self) -> None:
        """Interrupt the body that asks for it."""
        raise KeyboardInterrupt

    def run_body(self, step: Step, *, live: bool = True, timeout: float | None = None) -> Outcome:
        """Execute a body."""
        del live
        self.executed.append(step.name)
        self._deadline = None if timeout is None else (self.clock.time + timeout, timeout)
        try:
            return self._execute(step.body)
        finally:
            self._deadline = None

    @contextmanager
    def repeat_body(self, step: Step, *, live: bool = True) -> Iterator[Repeat]:
        """Execute a body with every call."""
        yield lambda timeout: self.run_body(step, live=live, timeout=timeout)

    def run_context(self, cell: Cell) -> Outcome:
        """Execute a context cell."""
        self.contexts.append(cell.label)
        return self._execute(cell.source)

    def _execute(self, source: str) -> Outcome:
        printed, started = io.StringIO(), self.clock.time
        error: BaseException | None = None
        with redirect_stdout(printed):
            self.names["__builtins__"] = {**vars(builtins), **self.offered}
            try:
                exec(source, self.names)  # noqa: S102 - executing cells is what an evaluator does
            except BaseException as caught:  # noqa: BLE001 - handed to the engine, which decides
                error = caught
            self.names["__builtins__"] = vars(builtins)
        text = printed.getvalue()
        shown: tuple[Display, ...] = ({"output_type": "stream", "name": "stdout", "text": text},) if text else ()
        traceback = "" if error is None else repr(error)
        return Outcome(shown, error, traceback=traceback, duration=self.clock.time - started)

    def replay(self, displays: tuple[Display, ...], note: str, step: str = "") -> None:
        """Remember what would be shown."""
        del note, step
        self.replayed.append(displays)


class RecordingListener:
    """Keeps every event; ``told`` gives them as short texts such as ``StepRestored clean``."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        """Keep it."""
        self.events.append(event)

    def told(self) -> list[str]:
        """Type and step of each event, in order."""
        return [f"{type(event).__name__} {getattr(event, 'step', '')}".strip() for event in self.events]

    def attempts(self) -> list[AttemptStarted | AttemptEnded]:
        """The events about attempts."""
        return [event for event in self.events if isinstance(event, AttemptStarted | AttemptEnded)]


def make_session(*sources: str, store: MemoryStore | None = None) -> Session:
    """A session over fakes with these cells: one that starts with ``# parameters`` is tagged so."""
    clock = FakeClock(tick=0.001)
    services = Services(FakeEvaluator(clock), store or MemoryStore(), clock, Host("host", 1, "user"))
    services.notebook = "test.ipynb"
    session = Session(services)
    session.cells.saved(make_cells(*sources), 1.0)
    return session


def make_cells(*sources: str) -> tuple[Cell, ...]:
    """Code cells labelled by position."""
    return tuple(
        Cell(f"cell {number}", source, tags=("parameters",) if source.startswith("# parameters") else ())
        for number, source in enumerate(sources, 1)
    )
