"""Which cells of a headless run are refused, and why."""

from __future__ import annotations

import pytest

from nbsteps.core.cells import understand
from nbsteps.core.graph import build
from nbsteps.core.model import Cell
from nbsteps.core.states import StepState
from nbsteps.notebook.gate import NOT_NEEDED, Gate

CELLS = {
    "helper": "def double(x):\n    return 2 * x",
    "load": "%%step load\nraw = [1]",
    "clean": "%%step clean\nclean = double(raw)",
    "between": "limit = max(clean)",
    "below": "print(limit)",
    "changes": "raw.append(2)",
    "other": "%%step other\nother = 1",
    "apart": "print(other)",
}


def check(*, failed="", state=StepState.FAILED, broken="", wanted=(), refuses):
    """After steps and context cells have failed, in document order: exactly these cells are refused."""
    cells = {name: Cell(name, source) for name, source in CELLS.items()}
    gate = Gate(build(tuple(cells.values())), wanted)
    refused = {}
    for index, (name, cell) in enumerate(cells.items()):
        understood, _ = understand(cell, index)
        reason = gate.refusal(understood)
        if reason:
            refused[name] = reason
        elif name == failed:
            gate.step_ended(name, state)
        elif name == broken:
            gate.context_failed(understood)
    assert refused == refuses


@pytest.mark.parametrize(
    ("failed", "refuses"),
    [
        ("", {}),
        ("other", {"apart": "reads other, and step other did not succeed"}),
        (
            "clean",
            {
                "between": "reads clean, and step clean did not succeed",
                "below": "reads limit, and step clean did not succeed",
            },
        ),
        ("load", {"changes": "reads raw, and step load did not succeed"}),
    ],
)
def test_a_failed_step_refuses_the_context_that_reads_it(failed, refuses):
    check(failed=failed, refuses=refuses)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (StepState.UPSTREAM_FAILED, "did not succeed"),
        (StepState.SKIPPED, "was skipped"),
        (StepState.WAITING, "waits for approval"),
        (StepState.PENDING, "has to wait"),
        (StepState.CANCELLED, "was cancelled"),
    ],
)
def test_what_reads_a_step_without_a_result_is_refused_and_says_why(state, said):
    check(failed="other", state=state, refuses={"apart": f"reads other, and step other {said}"})


@pytest.mark.parametrize("state", [StepState.SUCCEEDED, StepState.CACHED])
def test_a_step_that_ended_well_refuses_nothing(state):
    check(failed="load", state=state, refuses={})


@pytest.mark.parametrize("ends", [("skipped", "succeeded"), ("succeeded", "skipped")])
def test_what_one_member_of_a_branch_made_is_there(ends):
    branch = "%%step {} --branch way --out way\nway = 1"
    cells = [Cell(name, branch.format(name)) for name in ("left", "right")]
    reader = Cell("reader", "print(way)")
    gate = Gate(build((*cells, reader)))
    for name, end in zip(("left", "right"), ends, strict=True):
        gate.step_ended(name, StepState(end))
    assert gate.refusal(understand(reader, 2)[0]) == ""


def test_a_failed_context_cell_refuses_what_reads_it():
    check(broken="between", refuses={"below": "reads limit, and between failed"})


def test_wanted_steps_need_only_their_own_context():
    everything = dict.fromkeys(CELLS, NOT_NEEDED)
    needed = {"helper", "load", "clean"}
    refuses = {name: reason for name, reason in everything.items() if name not in needed}
    check(wanted=("clean",), refuses=refuses)
    check(wanted=("other",), refuses={name: NOT_NEEDED for name in CELLS if name != "other"})
