"""Plans, standings, reasons and results as plain text."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from nbsteps.core.decide import Action, Decision
from nbsteps.core.errors import Problem
from nbsteps.core.graph import build
from nbsteps.core.model import Artifact, Cell, Failure, Result, Run, RunResult, StepRun
from nbsteps.core.plan import Plan
from nbsteps.core.reasons import Reason, ReasonKind
from nbsteps.core.states import RunState, StepState
from nbsteps.display import text

AT = time.mktime((2026, 1, 1, 10, 0, 0, 0, 0, -1))
CODE = Reason(ReasonKind.CODE, before="x = 1\n", after="x = 2\n")


def result(step="clean", *, took=12.0, **outputs):
    return Result("k", "s", "nb", step, "r", outputs, (), started_at=AT - took, ended_at=AT, duration=took)


def run(*reasons):
    return Decision(Action.RUN, reasons)


def restore(took=42.0):
    return Decision(Action.RESTORE, (), result(took=took))


def graph(*names):
    cells = [Cell("cell 1", "import math")]
    cells += [Cell(f"cell {at}", f"%%step {name}\n{name}_x = 1") for at, name in enumerate(names, 2)]
    return build(cells)


def test_a_problem_says_what_where_and_how_to_mend_it():
    problems = (
        Problem("clean", "cell 4", "unknown option --foo", "--out foo"),
        Problem("", "cell 5", "odd", severity="warning"),
    )
    assert text.problem_lines(problems) == (
        "error: step clean (cell 4): unknown option --foo\n    --out foo\nwarning: cell 5: odd"
    )


def test_a_plan_begins_with_its_forecast_and_names_each_step_with_its_reasons():
    decisions = {
        "load": restore(),
        "clean": run(CODE, Reason(ReasonKind.HELPER, "f")),
        "join": Decision(Action.MAY_RUN, (Reason(ReasonKind.UPSTREAM, "clean_x"),), result(took=18)),
    }
    assert text.plan_lines(Plan(decisions, {"cell 1": "clean"}), graph("load", "clean", "join")).splitlines() == [
        "1 of 3 steps would run, 1 may run, 1 would be restored",
        "",
        "  step    decision  reasons",
        "  load    restore   unchanged, spares 42s",
        "  cell 1  context   needed by clean",
        "  clean   run       code changed, helper f changed",
        "  join    may run   clean_x may change, ~18s",
    ]


def test_a_plan_says_how_long_it_would_take_where_all_of_it_is_known():
    decisions = {"load": run(CODE), "clean": restore(), "join": run(CODE)}
    usual = {"load": 30.0, "clean": 5.0, "join": 34.0}
    made = graph("load", "clean", "join")
    head, _, _, *rows = text.plan_lines(Plan(decisions), made, usual).splitlines()
    assert head == "2 of 3 steps would run, 1 would be restored, about 1m 04s"
    assert rows == [
        "  load   run       code changed, ~30s",
        "  clean  restore   unchanged, spares 42s",
        "  join   run       code changed, ~34s",
    ]
    assert text.plan_lines(Plan(decisions), made, {"load": 30.0}).partition("\n")[0].endswith("restored")


def test_a_plan_of_some_steps_shows_only_those():
    lines = text.plan_lines(Plan({"load": restore()}), graph("load", "clean"))
    assert lines.startswith("0 of 1 step would run, 1 would be restored\n")
    assert "clean" not in lines


def test_a_step_with_a_problem_cannot_run():
    decision = Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, "unknown option --foo"),))
    lines = text.plan_lines(Plan({"load": decision}), graph("load"))
    assert lines.startswith("0 of 1 step would run, 1 would not run")
    assert "  load  skip      unknown option --foo" in lines


def test_a_notebook_without_steps_says_so():
    assert text.plan_lines(Plan(), graph()) == "No steps yet"
    assert text.status_lines(()) == "No steps yet"
    run = Run("r", "nb", "cli", AT, "h", 1, "u", state=RunState.SUCCEEDED, ended_at=AT + 2)
    assert text.run_lines(RunResult(run)) == "no steps: the run succeeded in 2.0s"
    assert text.run_lines(RunResult(replace(run, state=RunState.FAILED, ended_at=None))) == "no steps: the run failed"


@pytest.mark.parametrize(
    ("state", "decision", "line"),
    [
        (StepState.SUCCEEDED, restore(), "  ○  a     Cached  12s"),
        (StepState.FAILED, restore(), "  ○  a     Cached  12s"),
        (StepState.SUCCEEDED, run(CODE), "  ≠  a     Stale  12s   code changed"),
        (
            StepState.FAILED,
            run(Reason(ReasonKind.FAILED_LAST_TIME)),
            "  ✗  a     Failed  12s   failed last time",
        ),
        (StepState.PENDING, run(Reason(ReasonKind.NEVER_RAN)), "  ◌  a     Pending  12s   never ran"),
        (
            StepState.CACHED,
            Decision(Action.SKIP, (Reason(ReasonKind.BLOCKED, "bad line"),)),
            "  ◌  a     Blocked  12s   bad line",
        ),
    ],
)
def test_the_status_of_a_step_is(state, decision, line):
    assert text.status_lines([("a", state, decision, result())]).splitlines()[-1] == line


@pytest.mark.parametrize(
    ("rows", "head"),
    [
        ([(StepState.SUCCEEDED, restore())] * 3, "3 steps, up to date"),
        ([(StepState.PENDING, run())] * 2, "2 steps, no run yet"),
        (
            [(StepState.SUCCEEDED, restore()), (StepState.CACHED, run()), (StepState.FAILED, run())],
            "3 steps: 1 failed, 1 stale, 1 cached",
        ),
        (
            [(StepState.SUCCEEDED, restore()), (StepState.PENDING, Decision(Action.SKIP, ()))],
            "2 steps: 1 cached, 1 blocked",
        ),
    ],
)
def test_the_status_begins_with(rows, head):
    assert text.status_lines((f"s{at}", *row, None) for at, row in enumerate(rows)).splitlines()[0] == head


def finished(*steps, state=RunState.SUCCEEDED, ended=AT + 4.2):
    ran = Run("r", "nb", "magic", AT, "h", 1, "u", state=state, ended_at=ended)
    return RunResult(ran, {step.step: step for step in steps})


def test_a_good_run_is_one_line():
    steps = [StepRun(f"r{at}", StepState.CACHED, time_saved=3.1) for at in range(10)]
    steps += [StepRun(f"s{at}", StepState.SUCCEEDED) for at in range(2)]
    assert text.run_lines(finished(*steps)) == "12 steps: 2 ran, 10 restored, 0 failed in 4.2s, spared 31s"


def test_a_bad_run_names_what_went_wrong_with_the_whole_message_and_the_mend():
    failure = Failure("ValueError", "no column x\nonly y", hint="add x")
    lines = text.run_lines(
        finished(
            StepRun("a", StepState.FAILED, "ValueError: no column x", failure=failure),
            StepRun("b", StepState.UPSTREAM_FAILED, "step a failed"),
            StepRun("c", StepState.CANCELLED),
            state=RunState.FAILED,
        )
    )
    assert lines.splitlines() == [
        "3 steps: 0 ran, 0 restored, 1 failed, 1 upstream failed, 1 cancelled in 4.2s",
        "  ✗ a failed: ValueError: no column x",
        "    only y",
        "    add x",
        "  ← b upstream failed: step a failed",
        "  ■ c cancelled",
    ]


TRACE = """Traceback (most recent call last):
  File "step b (cell 3)", line 5, in <module>
    y = net(x)
        ^^^^^^
  File "{}", line 3, in net
    return price / 0
           ~~~~~~^~~
  File "lib.py", line 2, in over
    1 / 0
ZeroDivisionError: division by zero"""


@pytest.mark.parametrize(
    ("traceback", "place"),
    [
        (TRACE.format("step b (cell 3)"), "line 3, in net: return price / 0"),
        (TRACE.format("cell 1"), "cell 1, line 3, in net: return price / 0"),
        (TRACE.format("other.py"), "line 5: y = net(x)"),
        ('  File "step b (cell 3)", line 2\n    x = = 1\n', "line 2: x = = 1"),
        ('  File "lib.py", line 2, in over\n    1 / 0', ""),
        ("", ""),
    ],
)
def test_a_failed_step_names_its_cell_and_the_last_line_of_a_cell(traceback, place):
    failed = StepRun("b", StepState.FAILED, failure=Failure("ZeroDivisionError", "by zero", traceback))
    said = text.run_lines(finished(failed), {"b": "cell 3"}).splitlines()[1:]
    assert said == ["  ✗ b (cell 3) failed: ZeroDivisionError: by zero", *([f"    {place}"] if place else [])]


def test_an_error_without_a_message_is_its_type():
    failed = StepRun("a", StepState.FAILED, failure=Failure("KeyboardInterrupt", ""))
    assert text.run_lines(finished(failed, ended=None)).endswith("1 failed\n  ✗ a failed: KeyboardInterrupt")


def test_why_shows_changed_code_as_a_diff():
    assert text.why_text("clean", run(CODE)).splitlines() == [
        "clean would run: code changed",
        "",
        "code changed",
        "    --- before",
        "    +++ now",
        "    @@ -1 +1 @@",
        "    -x = 1",
        "    +x = 2",
    ]


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (
            Reason(ReasonKind.INPUT, "raw", "DataFrame 10 x 2", "DataFrame 12 x 2"),
            "input raw changed: DataFrame 10 x 2 -> DataFrame 12 x 2",
        ),
        (Reason(ReasonKind.PARAMETER, "day", "", "'mon'"), "parameter day changed: none -> 'mon'"),
        (Reason(ReasonKind.PACKAGE, "pandas", "2.3", "3.0", inline=True), None),
        (Reason(ReasonKind.FORCED), None),
        (Reason(ReasonKind.CODE, "", "x = 1", "x = 1"), None),
        (Reason(ReasonKind.HELPER, "f", "", "def f(): ..."), "helper f changed\n    --- before"),
        (Reason(ReasonKind.CONSTANT, "q", "a\nb", "a\nc"), "constant q changed\n    --- before"),
    ],
)
def test_why_details(reason, detail):
    head, _, rest = text.why_text("a", run(reason)).partition("\n\n")
    assert head == f"a would run: {reason}"
    assert rest == "" if detail is None else rest.startswith(detail)


def test_why_of_a_restore_says_when_it_was_computed_and_what_there_is():
    orders = Artifact("d", "pandas.DataFrame", "arrow", 33_000_000, "object:x", "c", summary="DataFrame 336,776 x 19")
    decision = Decision(Action.RESTORE, (), result(orders=orders))
    assert text.why_text("clean", decision).splitlines() == [
        "clean would be restored: unchanged",
        "",
        "last computed 2026-01-01 10:00, took 12s",
        "  orders: DataFrame 336,776 x 19, 33 MB",
    ]


def test_the_notes_of_a_cell():
    assert text.restored_note(result(), AT + 60) == "restored clean from 2026-01-01 10:00, spared 12s"
    step = StepRun("clean", StepState.SUCCEEDED, "code changed", ("code changed",), started_at=AT, ended_at=AT + 2.1)
    assert text.ran_note(step) == "ran clean in 2.1s: code changed"
    assert text.ran_note(StepRun("clean", StepState.SUCCEEDED)) == "ran clean"


def test_nothing_that_is_shown_drives_a_terminal():
    evil = "\x1b[2J\x07"
    failure = Failure(evil, evil, hint=evil)
    shown = [
        text.run_lines(finished(StepRun(evil, StepState.FAILED, failure=failure))),
        text.why_text(evil, run(Reason(ReasonKind.CODE, evil, f"a\n{evil}", f"b\n{evil}"))),
        text.status_lines([(evil, StepState.FAILED, run(Reason(ReasonKind.BLOCKED, evil)), None)]),
        text.problem_lines([Problem(evil, evil, evil, evil)]),
        text.restored_note(result(evil), AT),
        text.ran_note(StepRun(evil, StepState.SUCCEEDED, evil)),
    ]
    assert not any("\x1b" in lines or "\x07" in lines for lines in shown)
