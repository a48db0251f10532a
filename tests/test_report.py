"""What ``--json`` prints, and what the kernel tells the command line."""

from __future__ import annotations

import json

import pytest

from nbsteps.core.errors import Problem
from nbsteps.core.model import Failure, Run, RunResult, StepRun
from nbsteps.core.states import RunState, StepState
from nbsteps.report import EXIT_CODES, crashed_report, plan_report, printed, read_report, refused_report, run_report
from nbsteps.testing import MemoryStore, make_session

RUN = Run(
    run_id="r1",
    notebook="a.ipynb",
    trigger="cli",
    started_at=100.0,
    host="h",
    pid=1,
    user="u",
    parameters={"n": "1"},
    state=RunState.FAILED,
    ended_at=102.5,
)
STEPS = {
    "a": StepRun("a", StepState.CACHED, "unchanged", started_at=1.0, ended_at=1.0, time_saved=2.0),
    "b": StepRun(
        "b",
        StepState.FAILED,
        "ValueError: no",
        reasons=("never ran",),
        started_at=1.0,
        ended_at=1.5,
        attempts=1,
        failure=Failure("ValueError", "no", "", "mend it"),
    ),
}
PROBLEM = Problem("b", "cell 2", "seen", "mend", "warning")


def test_the_printed_shape():
    assert printed(run_report(RunResult(RUN, STEPS), [PROBLEM], "out.ipynb")) == {
        "run_id": "r1",
        "state": "failed",
        "exit_code": 1,
        "notebook": "a.ipynb",
        "output": "out.ipynb",
        "duration_s": 2.5,
        "problems": [{"step": "b", "cell": "cell 2", "message": "seen", "hint": "mend"}],
        "steps": [
            {
                "step": "a",
                "state": "cached",
                "reason": "unchanged",
                "reasons": [],
                "attempts": 0,
                "duration_s": 0.0,
                "error": None,
                "items": None,
            },
            {
                "step": "b",
                "state": "failed",
                "reason": "ValueError: no",
                "reasons": ["never ran"],
                "attempts": 1,
                "duration_s": 0.5,
                "error": {"type": "ValueError", "message": "no"},
                "items": None,
            },
        ],
    }


def test_a_report_survives_the_way_between_processes():
    found = read_report(json.loads(json.dumps(run_report(RunResult(RUN, STEPS)))))
    assert found.run == RUN
    assert found.steps["a"].time_saved == 2.0
    assert found.steps["b"].failure == STEPS["b"].failure
    assert [step.state for step in found.steps.values()] == [StepState.CACHED, StepState.FAILED]


def test_a_crash_is_reported_from_what_is_known():
    rows = [
        {"step": "a", "state": "succeeded", "duration_s": 0.25, "attempts": 1, "run_id": "r1", "remarks": []},
        {"step": "b", "state": "crashed", "reason": "the kernel died"},
    ]
    report = crashed_report("r1", "a.ipynb", rows, 100.0, "Segmentation fault")
    assert (report["state"], report["exit_code"]) == ("crashed", 1)
    assert [(row["step"], row["state"], row["duration_s"]) for row in report["steps"]] == [
        ("a", "succeeded", 0.25),
        ("b", "crashed", 0.0),
    ]
    assert report["problems"][0]["message"] == "the kernel died; it said at last: Segmentation fault"
    assert read_report(report).state is RunState.CRASHED


def test_what_is_refused_has_the_same_keys():
    refused, report = refused_report("a.ipynb", [PROBLEM]), printed(run_report(RunResult(RUN, STEPS)))
    assert list(printed(refused)) == list(report)
    assert (refused["state"], refused["exit_code"]) == ("refused", 2)


def test_a_plan_has_a_decision_in_place_of_a_state():
    cells = ("limit = 3", "%%step a\na = limit", "%%step b\nb = a")
    store = MemoryStore()
    session = make_session(*cells, store=store)
    report = printed(plan_report("a.ipynb", session.plan(), session.graph()))
    rows = report["steps"]
    assert [(row["step"], row["decision"]) for row in rows] == [(None, "context"), ("a", "run"), ("b", "run")]
    keys = {"step", "decision", "reason", "reasons", "attempts", "duration_s", "error", "items", "cell"}
    assert all(set(row) == keys for row in rows)


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.RUNNING])
def test_each_end_of_a_run_has_an_exit_code(state):
    assert state in EXIT_CODES
