"""What is said while a body runs: progress, throttled, and that it takes longer than usual, once."""

from __future__ import annotations

import contextvars
import operator
import threading
from functools import partial

import pytest

from nbsteps.core.events import Progressed, RunStarted, StepSlow, StepSucceeded
from nbsteps.core.model import Attempt, Cell, Result, Run, Step, StepOptions
from nbsteps.engine import alarm as alarm_module
from nbsteps.engine import monitoring
from nbsteps.engine.alarm import Alarm
from nbsteps.engine.monitoring import Slowness, progress, told
from nbsteps.engine.services import Host, Services
from nbsteps.testing import FakeClock, FakeEvaluator, MemoryStore, RecordingListener

NOTEBOOK = "test.ipynb"
PATIENCE = 60.0


def make(slow: float | None = None, *durations: float) -> tuple[Services, Step, RecordingListener]:
    services = Services(FakeEvaluator(), MemoryStore(), FakeClock(), Host("host", 1, "ana"), notebook=NOTEBOOK)
    services.emit(RunStarted(0.0, Run("r0", NOTEBOOK, "cli", 0.0, "host", 1, "ana"), ("a",)))
    for number, seconds in enumerate(durations):
        result = Result(f"k{number}", "s", NOTEBOOK, "a", "r0", {}, (), duration=seconds)
        services.emit(StepSucceeded(0.0, Attempt("r0", "a", 1, 0.0, "main", "host", 1), result))
    heard = RecordingListener()
    services.listeners.append(heard)
    return services, Step("a", Cell("cell 1", ""), "", StepOptions(slow=slow), (), (), frozenset()), heard


def said(heard: RecordingListener) -> list[tuple[float, float, str]]:
    return [(event.done, event.total, event.text) for event in heard.events if isinstance(event, Progressed)]


def test_outside_a_step_nothing_happens() -> None:
    progress(1, 2)


def test_progress_is_told_ten_times_a_second_and_its_end_always() -> None:
    services, step, heard = make()
    with told(services, step.name, "r1"):
        for number in range(1, 101):
            progress(number, 100, "rows")
            services.clock.sleep(0.01)
    shown = [done for done, _, _ in said(heard)]
    assert shown[0] == 1.0
    assert shown[-1] == 100.0
    assert 9 <= len(shown) <= 12
    progress(1, 2)
    assert len(said(heard)) == len(shown)
    (first, *_) = heard.events
    assert isinstance(first, Progressed)
    assert (first.run_id, first.step, first.text) == ("r1", "a", "rows")


def test_progress_without_a_total_is_told_too() -> None:
    services, step, heard = make()
    with told(services, step.name, "r1"):
        progress(7)
    assert said(heard) == [(7.0, 0.0, "")]


def test_a_thread_that_takes_the_context_along_is_heard() -> None:
    services, step, heard = make()
    with told(services, step.name, "r1"):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(partial(progress, 1, 2),))
        thread.start()
        thread.join()
    assert said(heard) == [(1.0, 2.0, "")]


@pytest.mark.parametrize(
    ("slow", "durations", "took", "expected"),
    [
        (2.0, (1.0, 2.0, 30.0), 4.5, [(4.5, 2.0)]),
        (2.0, (1.0, 2.0, 30.0), 4.0, []),
        (2.0, (0.001, 0.002, 0.003), 0.9, []),
        (2.0, (1.0, 2.0), 100.0, []),
        (None, (1.0, 1.0, 1.0), 100.0, []),
    ],
)
def test_a_step_that_takes_too_long_says_so_at_its_end(
    slow: float | None, durations: tuple[float, ...], took: float, expected: list[tuple[float, float]]
) -> None:
    services, step, heard = make(slow, *durations)
    slowness = Slowness(services)
    slowness.begin(step, "r1")
    services.clock.sleep(took)
    slowness.end("a")
    slowness.end("a")
    slows = [(event.seconds, event.median) for event in heard.events if isinstance(event, StepSlow)]
    assert slows == expected


def test_it_says_so_while_it_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "_LEAST", 0.001)
    services, step, heard = make(2.0, 0.001, 0.001, 0.001)
    told_so = threading.Event()
    monkeypatch.setattr(heard, "emit", lambda event: (heard.events.append(event), told_so.set()))
    slowness = Slowness(services)
    slowness.begin(step, "r1")
    assert told_so.wait(PATIENCE)
    services.clock.sleep(60.0)
    slowness.end("a")
    assert [type(event) for event in heard.events] == [StepSlow]


def test_calls_come_in_the_order_of_their_times_and_not_when_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(alarm_module.time, "monotonic", lambda: now[0])
    alarm, done, order = Alarm(), threading.Event(), list[str]()
    late = alarm.set(3600.0, lambda: order.append("late"))
    alarm.set(50.0, done.set)
    alarm.set(20.0, lambda: order.append("second"))
    alarm.set(5.0, partial(operator.getitem, [], 0))  # what goes wrong in one call is of no concern to others
    alarm.set(10.0, lambda: order.append("first"))
    assert order == []
    now[0] = 100.0
    alarm.drop(alarm.set(1000.0, lambda: order.append("never")))
    assert done.wait(PATIENCE)
    assert order == ["first", "second"]
    thread = alarm._thread
    assert thread is not None
    alarm.drop(late)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    done.clear()
    alarm.set(-1.0, done.set)
    assert done.wait(PATIENCE)
    assert order == ["first", "second"]


def test_a_stopped_watch_says_nothing_later() -> None:
    services, step, heard = make(2.0, 1.0, 1.0, 1.0)
    slowness = Slowness(services)
    slowness.begin(step, "r1")
    assert monitoring._alarm._calls
    slowness.end("a")
    assert not monitoring._alarm._calls
    assert heard.events == []
