"""What the toolbar shows, event by event."""

from __future__ import annotations

import threading

import pytest

from nbsteps.core.approvals import Request
from nbsteps.core.decide import Action, Decision
from nbsteps.core.events import (
    AttemptStarted,
    Cleared,
    Progressed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepRetrying,
    StepStarted,
    StepSucceeded,
    StepWaiting,
    Warned,
)
from nbsteps.core.model import Attempt, ItemCounts, Result, Run
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import RunState, StepState
from nbsteps.display.board import Board, RunView

RUN = Run("r1", "nb.ipynb", "magic", 100.0, "host", 1, "dana")
NAMES = ("load", "clean")


def result(step, seconds):
    return Result("k", "s", "nb.ipynb", step, "r0", {}, (), duration=seconds)


def attempt(number):
    return Attempt("r1", "load", number, 101.0, "main", "host", 1)


def row(name, state, action, *, seconds=2.0, known=True):
    reasons = () if action is Action.RESTORE else (Reason(ReasonKind.CODE),)
    found = result(name, seconds) if known else None
    return name, state, Decision(action, reasons, found if action is Action.RESTORE else None), found


def rested():
    board = Board()
    board.rest(row(name, StepState.SUCCEEDED, Action.RUN) for name in NAMES)
    board.take()
    return board


STARTED = RunStarted(100.0, RUN, NAMES)
REQUEST = Request("q1", "nb.ipynb", "r1", "load", "key", "really?", 103.0)


def check(*events, step="load", expect):
    board = rested()
    for event in (STARTED, *events):
        board.emit(event)
    shown = board.live()["nodes"][step]
    assert {name: shown[name] for name in expect} == expect
    return board.live()


@pytest.mark.parametrize(
    ("events", "expect"),
    [
        ((), {"state": "pending", "word": "Pending"}),
        ((StepStarted(101.0, "r1", "load", "k", ("code changed",)),), {"state": "running", "since": 101.0}),
        ((AttemptStarted(102.0, attempt(2)),), {"state": "running", "number": "attempt 2"}),
        ((StepRetrying(102.0, "r1", "load", 1, 1.0, 103.0),), {"state": "retrying", "number": "attempt 2"}),
        ((Progressed(102.0, "r1", "load", 340, 1000),), {"number": "340/1000", "share": 0.34}),
        ((Progressed(102.0, "r1", "load", 7),), {"number": "7", "share": None}),
        ((Progressed(102.0, "r1", "load", 7, 9, "epoch\t7"),), {"number": "7/9", "text": "epoch 7"}),
        (
            (Progressed(102.0, "r1", "load", 7, 9, "north"), Progressed(103.0, "r1", "load", 8, 9, "", ItemCounts(9))),
            {"number": "8/9", "text": "north"},
        ),
        (
            (Progressed(102.0, "r1", "load", 7, 9, "north"), Progressed(103.0, "r1", "load", 8, 9)),
            {"number": "8/9", "text": ""},
        ),
        ((StepSucceeded(104.0, attempt(1), result("load", 3.0)),), {"state": "succeeded", "number": "3.0s"}),
        ((StepRestored(104.0, "r1", "load", "k", 42.0),), {"state": "cached", "number": "42s"}),
        ((StepEnded(104.0, "r1", "load", StepState.FAILED, "ValueError: x\ny"),), {"reasons": "ValueError: x ..."}),
        ((StepWaiting(103.0, "r1", "load", REQUEST),), {"state": "waiting", "word": "Needs approval", "since": 103.0}),
        ((Warned(103.0, "r1", "load", "odd"),), {"state": "pending"}),
        ((Cleared(103.0, "nb.ipynb", "load"),), {"state": "pending"}),
    ],
)
def test_an_event_changes_how_its_step_is_shown(events, expect):
    check(*events, expect=expect)


def test_an_event_of_a_later_version_changes_nothing():
    class Unheard:
        step = "load"

    check(Unheard(), expect={"state": "pending"})


@pytest.mark.parametrize(
    ("rows", "forecast", "badge"),
    [
        ([], "", "No run yet"),
        ([row("load", StepState.SUCCEEDED, Action.RESTORE)], "Nothing would execute", "Up to date"),
        ([row("load", StepState.SUCCEEDED, Action.RUN)], "1 of 1 would execute, about 2.0s", "1 stale"),
        ([row("load", StepState.FAILED, Action.RUN, known=False)], "1 of 1 would execute", "1 failed"),
        ([row("load", StepState.SUCCEEDED, Action.SKIP)], "Nothing would execute", "1 blocked"),
    ],
)
def test_at_rest_a_forecast_is_shown(rows, forecast, badge):
    board = Board()
    board.rest(rows)
    live = board.live()
    assert (live["forecast"], live["badge"]) == (forecast, badge)


def test_a_step_keeps_how_it_ended_while_it_is_fresh():
    board = rested()
    board.emit(STARTED)
    board.emit(StepSucceeded(104.0, attempt(1), result("load", 3.0)))
    board.emit(RunEnded(105.0, "r1", RunState.SUCCEEDED))
    board.rest(row(name, StepState.SUCCEEDED, Action.RESTORE) for name in NAMES)
    assert [node["state"] for node in board.live()["nodes"].values()] == ["succeeded", "cached"]


def test_a_run_counts_its_steps_and_says_when_it_will_end():
    live = check(StepRestored(104.0, "r1", "load", "k", 2.0), expect={"state": "cached"})
    assert (live["run"]["done"], live["run"]["total"], live["run"]["until"]) == (1, 2, 106.0)
    assert (live["running"], live["badge"]) == (True, "Running 1/2")


def test_a_decision_takes_the_form_away():
    live = check(StepWaiting(103.0, "r1", "load", REQUEST), expect={"state": "waiting"})
    assert [form["step"] for form in live["requests"]] == ["load"]
    live = check(
        StepWaiting(103.0, "r1", "load", REQUEST),
        StepEnded(104.0, "r1", "load", StepState.SKIPPED, "rejected"),
        expect={"state": "skipped"},
    )
    assert live["requests"] == []


def test_only_what_changed_is_taken_and_only_once():
    board = rested()
    board.emit(STARTED)
    board.take()
    for done in range(50):
        board.emit(Progressed(102.0, "r1", "load", done, 50))
    batch, whole = board.take()
    assert (list(batch["nodes"]), batch["nodes"]["load"]["number"], whole) == (["load"], "49/50", False)
    assert board.take() is None


def test_what_is_read_aloud_is_short():
    board = rested()
    board.emit(STARTED)
    board.emit(StepEnded(104.0, "r1", "load", StepState.FAILED, "ValueError: x"))
    board.emit(RunEnded(105.0, "r1", RunState.FAILED))
    batch, whole = board.take()
    assert batch["said"] == ["Run of 2 steps started", "load failed: ValueError: x", "Run finished: failed"]
    assert whole


def test_the_last_run_is_shown_until_there_is_another():
    board = rested()
    board.last_run(RunView("r0", "failed", "Failed", 1.0, 2.0))
    board.emit(STARTED)
    board.last_run(RunView("r0", "failed", "Failed", 1.0, 2.0))
    assert board.live()["run"]["run_id"] == "r1"


def test_events_may_come_from_several_threads():
    woken = []
    board = Board(lambda: woken.append(1))
    board.emit(STARTED)
    threads = [
        threading.Thread(target=lambda: [board.emit(Progressed(1.0, "r1", "load", n, 100)) for n in range(100)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(woken) == 401
    assert board.take()[0]["nodes"]["load"]["number"] == "99/100"
