"""When a run will end, as a board tells it event by event."""

from __future__ import annotations

import pytest

from nbsteps.core.approvals import Request
from nbsteps.core.decide import Action, Decision
from nbsteps.core.events import (
    Progressed,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRestored,
    StepStarted,
    StepSucceeded,
    StepWaiting,
)
from nbsteps.core.model import Attempt, Result, Run
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import RunState, StepState
from nbsteps.display.board import Board

RUN = Run("r1", "nb.ipynb", "magic", 100.0, "host", 1, "dana")
BEFORE = {"b": ("a",), "c": ("a",), "d": ("b", "c")}
USUAL = {"a": 10.0, "b": 20.0, "c": 30.0, "d": 40.0}
STARTED = RunStarted(100.0, RUN, tuple(USUAL))
REQUEST = Request("q1", "nb.ipynb", "r1", "b", "key", "really?", 103.0)


def result(step, seconds):
    return Result("k", "s", "nb.ipynb", step, "r0", {}, (), duration=seconds)


def rows(due, known=tuple(USUAL)):
    for name in USUAL:
        action = Action.RUN if name in due else Action.RESTORE
        last = result(name, 7.0) if name in known else None
        yield name, StepState.SUCCEEDED, Decision(action, (Reason(ReasonKind.CODE),)), last


def begun(step, at):
    return StepStarted(at, "r1", step, "k", ())


def done(step, at):
    return StepSucceeded(at, Attempt("r1", step, 1, at, "main", "host", 1), result(step, 1.0))


LATER = StepRestored(130, "r1", "z", "k", 5.0)


def check(*events, expect, usual=None, workers=1, due=tuple(USUAL), known=tuple(USUAL)):
    board = Board()
    board.expect(USUAL if usual is None else usual, BEFORE, workers)
    if due is not None:
        board.rest(rows(due, known))
    for event in (STARTED, *events):
        board.emit(event)
    run = board.live()["run"]
    assert (run["until"], run["after"], run["most"]) == expect


@pytest.mark.parametrize(
    ("events", "how", "expect"),
    [
        ((), {}, (200, 100, False)),
        ((), {"workers": 2}, (180, 80, False)),
        ((), {"due": ("c", "d")}, (170, 70, False)),
        ((), {"due": ()}, (None, 0, False)),
        ((), {"due": None}, (200, 100, True)),
        ((), {"due": None, "usual": {}}, (None, 0, False)),
        ((), {"usual": {}}, (128, 28, False)),
        ((), {"usual": {}, "known": ("a", "b", "c")}, (None, 0, False)),
        ((begun("a", 100),), {}, (200, 90, False)),
        ((begun("a", 100), LATER), {}, (220, 90, False)),  # it takes longer than usual
        ((begun("a", 100), done("a", 104)), {}, (194, 90, False)),
        ((StepRestored(101, "r1", "a", "k", 5.0), begun("b", 102)), {}, (192, 70, False)),
        ((begun("b", 102), begun("c", 102)), {"due": ("b", "c", "d")}, (172, 40, False)),
        ((begun("a", 100),), {"due": ("b",)}, (200, 90, True)),
        ((begun("a", 100), Progressed(105, "r1", "a", 1, 4)), {}, (210, 90, False)),
        ((begun("a", 100), Progressed(105, "r1", "a", 1, 100)), {}, (200, 90, False)),
        ((done("a", 110), StepWaiting(111, "r1", "b", REQUEST)), {}, (141, 30, False)),
        ((StepEnded(110, "r1", "d", StepState.UPSTREAM_FAILED, "x"),), {}, (170, 60, False)),
        ((RunEnded(130, "r1", RunState.SUCCEEDED),), {}, (None, 0, False)),
    ],
)
def test_a_run_ends_when_its_steps_have_taken_what_they_usually_take(events, how, expect):
    check(*events, expect=expect, **how)


def test_a_running_step_says_what_it_usually_takes():
    board = Board()
    board.expect(USUAL, BEFORE)
    for event in (STARTED, begun("a", 101)):
        board.emit(event)
    nodes = board.live()["nodes"]
    assert (nodes["a"]["usual"], nodes["b"]["usual"]) == (10.0, None)


def test_a_forecast_says_how_long_it_would_take_where_all_is_known():
    board = Board()
    board.expect(USUAL, BEFORE, 2)
    board.rest(rows(tuple(USUAL)))
    assert board.live()["forecast"] == "4 of 4 would execute, about 1m 20s"
    board.expect({}, BEFORE)
    board.rest(rows(("a", "b"), known=("a",)))
    assert board.live()["forecast"] == "2 of 4 would execute"
