"""The history of retries, approvals, items and accepted results."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from nbsteps.core.events import AttemptStarted, RunEnded, RunStarted, StepRestored
from nbsteps.core.model import Attempt, Run, Wishes
from nbsteps.core.states import ApprovalState, RunState
from nbsteps.store.records import decode, encode
from nbsteps.store.store import DuckStore
from tests.store.script import NOTEBOOK, Script

EXPIRES = pd.Timestamp(5000.0, unit="s", tz="UTC")


@pytest.fixture
def store(opened: Callable[..., DuckStore]) -> DuckStore:
    return opened()


def test_requests_and_decisions_are_listed(store: DuckStore) -> None:
    script = Script(store)
    first = script.ask("a", "q1")
    script.ask("b", "q2")
    script.decide(first)
    script.end(RunState.WAITING)
    open_, done = store.history.approvals().to_dict("records")
    assert (done["state"], done["decided_by"], done["comment"]) == ("approved", "ana", "fine")
    assert (done["values"], done["key"], done["expires_at"]) == (
        {"amount": 0.25, "way": "b"},
        "k-a",
        pd.Timestamp(5000.0, unit="s", tz="UTC"),
    )
    assert [pd.isna(open_[name]) for name in ("decided_by", "values", "decided_at")] == [True] * 3
    assert open_["state"] == "pending"
    states = store.history.steps().set_index("step")
    assert states.loc["b", ["state", "reason"]].tolist() == ["waiting", "b: go on?"]
    assert pd.isna(states.loc["b", "ended_at"])
    assert store.history.runs()["state"].tolist() == ["waiting"]


def test_the_second_decision_of_a_request_counts_for_nothing(store: DuckStore) -> None:
    script = Script(store)
    request = script.ask("a", "q1")
    script.decide(request)
    script.decide(request, ApprovalState.REJECTED)
    (found,) = store.approvals(NOTEBOOK)
    assert found.verdict is not None
    assert found.verdict.state == "approved"
    assert store.history.approvals()["state"].tolist() == ["approved"]


def test_a_step_shows_that_it_waits_for_its_next_attempt(store: DuckStore) -> None:
    script = Script(store)
    script.retry("a")
    assert store.history.steps()["state"].tolist() == ["retrying"]
    store.emit(AttemptStarted(2000.0, Attempt("r1", "a", 2, 2000.0, "main", "host", 7, delay=5.0)))
    assert store.history.steps()["state"].tolist() == ["running"]
    assert store.history.attempts()["delay"].tolist() == [pd.Timedelta("5s"), pd.Timedelta(0)]


def test_each_item_is_an_attempt_and_its_step_is_none(store: DuckStore) -> None:
    script = Script(store)
    script.map("m", ["x", "y"])
    attempts = store.history.attempts()
    assert sorted(attempts["item"]) == ["i0", "i1"]
    assert set(attempts["state"]) == {"succeeded"}
    (row,) = store.history.steps().to_dict("records")
    assert [row[f"items_{name}"] for name in ("total", "executed", "failed")] == [3, 2, 0]
    assert (row["state"], row["attempts"]) == ("succeeded", 1)
    assert sorted(store.history.artifacts()["item"]) == ["", "i0", "i1"]


def test_a_result_kept_by_decision_says_who_kept_it(store: DuckStore) -> None:
    script = Script(store)
    kept = script.accept(script.succeed("a", "value"))
    store.emit(StepRestored(50.0, "r1", "a", kept.key, 1.0))
    assert store.history.steps()["reason"].tolist() == ["accepted by ana"]
    assert store.recall(NOTEBOOK, ["a"], []).last["a"].result == kept


def later(store: DuckStore, run_id: str, after: Script) -> Script:
    """Another run, which begins when the one before it has ended."""
    script = Script(store, run_id)
    script.now = after.now + 10
    return script


def states_of(store: DuckStore) -> dict[str, str]:
    return {row["run_id"]: row["state"] for row in store.history.records("runs")}


@pytest.mark.parametrize(
    ("acts", "ended", "expect"),
    [
        pytest.param([("succeed", "a")], RunState.SUCCEEDED, "succeeded", id="what it waited for was done"),
        pytest.param([("restore", "a")], RunState.SUCCEEDED, "succeeded", id="it was restored"),
        pytest.param([("fail", "a")], RunState.FAILED, "failed", id="it failed"),
        pytest.param([("succeed", "a"), ("fail", "b")], RunState.FAILED, "failed", id="something after it failed"),
        pytest.param([("begin", "a")], None, "running", id="it is being done"),
        pytest.param([("ask", "a", "q2")], RunState.WAITING, "waiting", id="another question was asked"),
        pytest.param([("succeed", "b")], RunState.SUCCEEDED, "waiting", id="something else was done"),
        pytest.param([], RunState.CANCELLED, "waiting", id="nothing was done"),
    ],
)
def test_a_run_that_waited_ends_as_the_run_that_went_on_with_it(
    store: DuckStore, acts: list[tuple[str, ...]], ended: RunState | None, expect: str
) -> None:
    first = Script(store)
    first.ask("a", "q1")
    first.end(RunState.WAITING)
    second = later(store, "r2", first)
    for act, *words in acts:
        getattr(second, act)(*words)
    if ended is not None:
        second.end(ended)
    assert states_of(store)["r1"] == expect
    rows = {row["run_id"]: row for row in store.history.records("steps") if row["step"] == "a"}
    own = rows["r1"]
    if expect == "waiting":
        assert (own["state"], own["reason"]) == ("waiting", "a: go on?")
    else:
        assert (own["state"], own["reason"]) == (rows["r2"]["state"], "went on in run r2")
    assert (own["ended_at"], own["duration"], own["attempts"]) == (None, None, 0)
    counts = ("steps_executed", "steps_restored", "steps_failed")
    (first_run,) = (row for row in store.history.records("runs") if row["run_id"] == "r1")
    assert [first_run[name] for name in counts] == [0, 0, 0]


@pytest.mark.parametrize(
    ("verdict", "expect"),
    [
        (ApprovalState.APPROVED, ("waiting", "approved by ana, no run has gone on yet", "waiting")),
        (ApprovalState.REJECTED, ("waiting", "rejected by ana, no run has gone on yet", "waiting")),
        (ApprovalState.EXPIRED, ("waiting", "expired, no run has gone on yet", "waiting")),
        (ApprovalState.VOID, ("cancelled", "asked no longer: fine", "cancelled")),
    ],
)
def test_what_was_decided_is_said_until_a_run_goes_on(
    store: DuckStore, verdict: ApprovalState, expect: tuple[str, str, str]
) -> None:
    first = Script(store)
    request = first.ask("a", "q1")
    first.end(RunState.WAITING)
    first.decide(request, verdict)
    (row,) = store.history.records("steps")
    assert (row["state"], row["reason"], states_of(store)["r1"]) == expect


def test_what_nobody_is_asked_any_more_did_not_go_on_when_the_step_ran_later(store: DuckStore) -> None:
    first = Script(store)
    first.decide(first.ask("a", "q1"), ApprovalState.VOID)
    first.ask("b", "q2")
    first.end(RunState.WAITING)
    second = later(store, "r2", first)
    second.succeed("a")
    second.end()
    shown = {row["step"]: row["state"] for row in store.history.records("steps", run_id="r1")}
    assert (shown, states_of(store)["r1"]) == ({"a": "cancelled", "b": "waiting"}, "waiting")
    third = later(store, "r3", second)
    third.fail("b")
    third.end(RunState.FAILED)
    assert states_of(store)["r1"] == "failed"


def test_what_was_asked_of_a_run_is_kept_with_it(store: DuckStore) -> None:
    wishes = Wishes(("b",), ("a", "b"), fail_fast=True, workers=3, executor="threads")
    run = Run("r1", NOTEBOOK, "cli", 1.0, "host", 7, "me", wishes=wishes)
    store.emit(RunStarted(1.0, run, ("a", "b")))
    store.emit(RunEnded(2.0, "r1", RunState.SUCCEEDED))
    event = store.history.records("events", run_id="r1")[-1]
    assert event["data"]["wishes"] == [["b"], ["a", "b"], True, 3, "threads"]
    assert decode(encode(RunStarted(1.0, run, ()))).run == run


def test_runs_that_waited_one_after_the_other_end_as_the_last(store: DuckStore) -> None:
    first = Script(store)
    first.ask("a", "q1")
    first.end(RunState.WAITING)
    second = later(store, "r2", first)
    second.succeed("a")
    second.ask("b", "q2")
    second.end(RunState.WAITING)
    assert states_of(store) == {"r1": "waiting", "r2": "waiting"}
    third = later(store, "r3", second)
    third.restore("a")
    third.succeed("b")
    assert states_of(store) == dict.fromkeys(("r1", "r2", "r3"), "running")
    third.end()
    assert states_of(store) == dict.fromkeys(("r1", "r2", "r3"), "succeeded")


def test_a_run_that_waits_twice_waits_until_both_were_done(store: DuckStore) -> None:
    first = Script(store)
    first.ask("a", "q1")
    first.ask("b", "q2")
    first.end(RunState.WAITING)
    second = later(store, "r2", first)
    second.succeed("a")
    second.end()
    assert states_of(store)["r1"] == "waiting"
    third = later(store, "r3", second)
    third.succeed("b")
    third.end(RunState.FAILED)
    assert states_of(store)["r1"] == "failed"
