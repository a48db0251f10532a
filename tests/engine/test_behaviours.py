"""The behaviours that people expect of an orchestrator, rows 1 to 17: retries, timeouts, cancelling."""

from __future__ import annotations

import pytest

from nbsteps.core.errors import ProblemsError, StepTimeout
from nbsteps.core.events import AttemptEnded, AttemptStarted, Warned
from nbsteps.core.states import AttemptState, RunState
from nbsteps.testing import MemoryStore
from tests.engine.acting import Flaky, again, begin, play


def check(options, body, *, then, attempts=None, waits=None, seconds=None):
    """Given a lone step ``work`` with these options and this body, when it runs, then it ends so."""
    played = play(f"%%step work {options}\n{body}\ndone = 1")
    assert played.said()["work"] == then
    if attempts is not None:
        assert len(played.executed) == attempts
        assert played.result.steps["work"].attempts == attempts
    if waits is not None:
        assert played.waits == waits
    if seconds is not None:
        run = played.result.run
        assert run.ended_at - run.started_at == pytest.approx(seconds, abs=0.5)
    return played


ALWAYS = "raise ValueError('always')"
NONE = "--jitter none"


@pytest.mark.parametrize(
    ("options", "body", "then", "attempts", "waits"),
    [
        pytest.param("--retries 2", ALWAYS, "failed(retries_exhausted)", 3, [1, 2], id="1 retries exhausted"),
        pytest.param("--retries 3", "flaky(1)", "succeeded", 2, [1], id="2 no attempt after a success"),
        pytest.param(
            "--retries 4 --retry-delay 1s --backoff 2 --max-delay 5s",
            ALWAYS,
            "failed(retries_exhausted)",
            5,
            [1, 2, 4, 5],
            id="3 backoff up to a cap",
        ),
        pytest.param(
            "--retries 3 --retry-delay 2s --backoff 1",
            ALWAYS,
            "failed(retries_exhausted)",
            4,
            [2, 2, 2],
            id="4 constant delay",
        ),
        pytest.param(
            "--retries 3 --no-retry-on ValueError", ALWAYS, "failed(non_retryable)", 1, [], id="6 denied by name"
        ),
        pytest.param(
            "--retries 3 --retry-on OSError", "flaky(1, ConnectionError)", "succeeded", 2, [1], id="7 a subclass"
        ),
        pytest.param(
            "--retries 3 --retry-on OSError", "flaky(1, KeyError)", "failed(non_retryable)", 1, [], id="7 another class"
        ),
        pytest.param(
            "--retries 3 --retry-on OSError --no-retry-on OSError",
            "flaky(1, ConnectionError)",
            "failed(non_retryable)",
            1,
            [],
            id="8 deny beats allow",
        ),
        pytest.param(
            "--retries 2",
            "from nbsteps import Retry\nraise Retry(after=3)",
            "failed(retries_exhausted)",
            3,
            [3, 3],
            id="9 a body asks for a delay",
        ),
        pytest.param(
            "--retries 2 --no-retry-on nbsteps.Retry",
            "from nbsteps import Retry\nflaky(1, Retry)",
            "succeeded",
            2,
            [1],
            id="9 who asks for it gets it",
        ),
        pytest.param(
            "--retries 2 --retry-on nbsteps.NoRetry",
            "from nbsteps import NoRetry\nraise NoRetry('of no use')",
            "failed(non_retryable)",
            1,
            [],
            id="9 NoRetry beats everything",
        ),
        pytest.param(
            "--retries 2", "compile('1 +', 'text', 'exec')", "failed(non_retryable)", 1, [], id="no mend for a typo"
        ),
        pytest.param("--retries 2", "raise SystemExit", "failed(non_retryable)", 1, [], id="who wants to leave leaves"),
        pytest.param("", ALWAYS, "failed(ValueError: always)", 1, [], id="without retries the error says it all"),
    ],
)
def test_retries(options, body, then, attempts, waits):
    check(options, body, then=then, attempts=attempts, waits=waits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--backoff 0.5", "--backoff"),
        ("--retry-delay -1s", "--retry-delay"),
        ("--retries 1 --retry-on NoSuchError", "NoSuchError"),
        ("--retries 1 --no-retry-on requests_not_there.Error", "requests_not_there.Error"),
    ],
)
def test_4_what_cannot_be_meant_is_said_before_anything_runs(options, message):
    session = begin(f"%%step work {options}\ndone = 1")
    with pytest.raises(ProblemsError, match=message):
        session.run()
    assert session.services.evaluator.executed == []


def test_5_jitter_stays_below_the_delay_and_is_the_same_for_the_same_run(monkeypatch):
    monkeypatch.setattr("nbsteps.engine.manner.new_id", lambda: "the same run")
    first, second = (
        play("%%step work --retries 4 --retry-delay 8s --backoff 1 --jitter full\nflaky(9)") for _ in range(2)
    )
    assert first.waits == second.waits
    assert all(0 <= delay <= 8 for delay in first.waits)
    assert len(set(first.waits)) == 4


def test_10_no_wait_that_would_outlast_the_total_time():
    options = "--retries 3 --retry-delay 20s --total-timeout 10s"
    check(options, f"sleep(5)\n{ALWAYS}", then="failed(total_timeout)", attempts=1, waits=[], seconds=5)


def test_11_the_total_time_ends_while_another_step_keeps_the_kernel_busy():
    played = play(
        "%%step work --retries 3 --retry-delay 2s --total-timeout 10s\nflaky(1)\ndone = 1",
        "%%step busy\nsleep(60)\nb = 1",
    )
    assert played.said() == {"work": "failed(total_timeout)", "busy": "succeeded"}
    assert played.executed == ["work", "busy"]


def test_11_the_total_time_ends_an_attempt():
    options = "--retries 9 --retry-delay 1s --backoff 1 --total-timeout 10s"
    played = check(options, "flaky(1)\nsleep(60)", then="failed(total_timeout)", attempts=2, seconds=10)
    error = played.errors["work"]
    assert isinstance(error, StepTimeout)
    assert (error.total, error.seconds) == (True, 10)


STRANGE = """
class Meta(type):
    def __instancecheck__(cls, other):
        raise RuntimeError("nobody can tell")

class Strange(Exception, metaclass=Meta):
    pass
"""


def test_12_a_list_that_cannot_be_applied_is_said_and_counts_as_absent():
    session = begin(STRANGE, "%%step work --retries 1 --retry-on Strange\n_ = Strange\nflaky(1)\ndone = 1")
    played = again(session)
    assert played.said()["work"] == "succeeded"
    assert any("nobody can tell" in event.message for event in played.heard.events if isinstance(event, Warned))


def test_13_every_attempt_is_recorded():
    played = check("--retries 2", "flaky(2)", then="succeeded", attempts=3)
    assert [event.attempt.attempt for event in played.started] == [1, 2, 3]
    assert [event.attempt.delay for event in played.started] == [0, 1, 2]
    for number, event in enumerate(played.ended, 1):
        attempt = event.attempt
        assert (attempt.attempt, attempt.state) == (number, AttemptState.FAILED)
        assert attempt.started_at < attempt.ended_at
        assert (attempt.failure.error_type, attempt.failure.message) == ("ValueError", f"no {number}")
        assert "ValueError" in attempt.failure.traceback
    told = [type(event) for event in played.heard.events if isinstance(event, AttemptStarted | AttemptEnded)]
    assert told == [AttemptStarted, AttemptEnded, AttemptStarted, AttemptEnded, AttemptStarted]


@pytest.mark.parametrize(
    ("options", "body", "then", "attempts"),
    [
        pytest.param("--timeout 1s", "sleep(10)", "failed(timeout)", 1, id="14"),
        pytest.param(
            "--timeout 1s", "try:\n    sleep(10)\nexcept Exception:\n    pass", "failed(timeout)", 1, id="15 swallowed"
        ),
        pytest.param("--timeout 1s --retries 1", "sleep(10)", "failed(retries_exhausted)", 2, id="it is retried"),
        pytest.param(
            "--timeout 1s --retries 1 --no-retry-on TimeoutError", "sleep(10)", "failed(non_retryable)", 1, id="denied"
        ),
        pytest.param(
            "--timeout 1s --retries 1 --retry-on StepTimeout", "sleep(10)", "failed(retries_exhausted)", 2, id="named"
        ),
        pytest.param("--timeout 20s", "sleep(10)", "succeeded", 1, id="in time"),
    ],
)
def test_timeouts(options, body, then, attempts):
    check(options, body, then=then, attempts=attempts)


def test_14_a_timeout_that_cannot_be_enforced_is_said_before_anything_runs():
    session = begin("%%step work --timeout 1s\ndone = 1")
    session.services.evaluator.limits = False
    with pytest.raises(ProblemsError, match="cannot be enforced here"):
        session.run()


@pytest.mark.parametrize("body", ["raise KeyboardInterrupt", "cancel()"])
def test_17_an_interrupt_is_not_retried_and_cancels_the_rest(body):
    store = MemoryStore()
    cells = ("%%step a\na = 1", f"%%step work --retries 3\n{body}\nb = a", "%%step c\nc = b", "%%step d\nd = 1")
    played = play(*cells, store=store)
    assert played.result.state is RunState.CANCELLED
    ends = {name: str(step.state) for name, step in played.result.steps.items()}
    assert ends == {"a": "succeeded", "work": "cancelled", "c": "cancelled", "d": "cancelled"}
    assert played.executed == ["a", "work"]
    assert isinstance(played.errors[""], KeyboardInterrupt)
    mended = play(*cells[:1], "%%step work\nb = a", *cells[2:], store=store)
    assert mended.executed == ["work", "c", "d"]


def test_17_cancelling_in_a_retry_wait_takes_effect_at_once():
    session = begin("%%step work --retries 3 --retry-delay 1h\nflaky(9)", "%%step later\nx = 1")
    sleep = session.services.clock.sleep

    def asked(seconds):
        sleep(seconds)
        assert session.cancel()

    session.services.clock.sleep = asked
    played = again(session)
    assert played.result.state is RunState.CANCELLED
    assert played.said() == {"work": "cancelled(interrupted)", "later": "succeeded"}
    assert not session.cancel()


def test_while_one_step_waits_for_its_retry_others_run():
    played = play(
        "%%step slow --retries 1 --retry-delay 1h\nflaky(1)\nx = 1",
        "%%step other\ny = 1",
        "%%step after\nz = y",
        "%%step join\nw = x + z",
    )
    assert played.executed == ["slow", "other", "after", "slow", "join"]
    assert played.result.state is RunState.SUCCEEDED


def test_a_lone_cell_waits_for_its_retries():
    flaky = Flaky()
    session = begin("%%step work --retries 2\nflaky(2)\ndone = 1", flaky=flaky)
    done = session.run_cell("work")
    assert (str(done.step.state), done.step.attempts, flaky.calls) == ("succeeded", 3, 3)
    assert done.error is None


def test_a_lone_cell_that_gives_up_has_the_users_error():
    session = begin("%%step work --retries 1\nflaky(9)\ndone = 1")
    done = session.run_cell("work")
    assert (str(done.step.state), done.step.reason) == ("failed", "retries_exhausted")
    assert isinstance(done.error, ValueError)


def test_an_interrupt_while_a_value_is_stored_cancels_the_step(monkeypatch):
    session = begin("%%step a\na = 1", "%%step b\nb = a")
    store = session.services.store
    put = store.put

    def interrupted(value, digest):
        monkeypatch.setattr(store, "put", put)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "put", interrupted)
    played = again(session)
    assert played.result.state is RunState.CANCELLED
    assert [event.attempt.state for event in played.ended] == [AttemptState.CANCELLED]
    assert again(session).said() == {"a": "succeeded", "b": "succeeded"}


def test_what_could_not_be_stored_is_named_the_next_time_too():
    store = MemoryStore()
    store.refuse = lambda value: value == 1
    cells = ("%%step a\na = 1", "%%step b\nb = 2")
    play(*cells, store=store)
    session = begin(*cells, store=store)
    assert session.why("a").text.startswith("uncacheable: output a: a value of type int cannot be stored")
    assert again(session).executed == ["a"]


def test_17_cancelling_while_another_process_computes_the_step_takes_effect_at_once(monkeypatch):
    session = begin("%%step work\ndone = 1")

    class Held:
        def __enter__(self):
            assert session.cancel()

        def __exit__(self, *raised):
            return None

    monkeypatch.setattr(session.services.store, "flight", lambda _key, *, wait: Held())
    played = again(session)
    assert played.result.state is RunState.CANCELLED
    assert played.executed == []
