"""Headless runs: what is executed, what is skipped, what the output notebook and the JSON say."""

from __future__ import annotations

import json

import pytest

from tests.e2e.building import Shown, step

CELLS = (
    step("first", "first = n"),
    step("bad", "bad = first / 0"),
    step("worse", "worse = bad"),
    "seen = bad + 1",
    "after = seen",
    "free = first + 1",
    step("other", "other = free", "print('other', other)"),
    "print(first, other)",
)
REPORT = ["run_id", "state", "exit_code", "notebook", "output", "duration_s", "problems", "steps"]
STEP = ["step", "state", "reason", "reasons", "attempts", "duration_s", "error", "items"]
PROBLEM = ["step", "cell", "message", "hint"]


@pytest.fixture(scope="module")
def failed(module_nb):
    """A run whose second step fails: its exit and words, the report, and the saved notebook."""
    module_nb.write(*CELLS, parameters="n = 1")
    done = module_nb.cli("run", module_nb.path.name, "--json", "-o", str(module_nb.outside / "out.ipynb"))
    assert module_nb.executed() == ["first", "bad", "other"]
    return done, json.loads(done.out), module_nb.read(module_nb.outside / "out.ipynb")


def marks(saved):
    """Cell -> what its metadata say of it."""
    return {cell.id: cell.metadata.get("nbsteps") for cell in saved.cells}


def test_the_report_has_exactly_the_promised_shape(failed):
    done, report, _ = failed
    assert done.code == 1
    assert list(report) == REPORT
    assert [list(row) for row in report["steps"]] == [STEP] * 4
    assert [row["step"] for row in report["steps"]] == ["first", "bad", "worse", "other"]
    assert (report["state"], report["exit_code"], report["notebook"]) == ("failed", 1, "analysis.ipynb")
    assert report["problems"] == []
    assert report["duration_s"] > 0
    bad = report["steps"][1]
    assert bad["error"] == {"type": "ZeroDivisionError", "message": "division by zero"}
    assert (bad["attempts"], bad["items"], bad["reasons"]) == (1, None, ["never ran"])


def test_independent_branches_go_on(failed):
    _, report, _ = failed
    states = {row["step"]: row["state"] for row in report["steps"]}
    assert states == {"first": "succeeded", "bad": "failed", "worse": "upstream_failed", "other": "succeeded"}


def test_cells_that_read_what_failed_are_skipped_and_marked(failed):
    _, report, saved = failed
    found = marks(saved)
    assert found["c4"] == {
        "state": "skipped",
        "reason": "reads bad, and step bad did not succeed",
        "run_id": report["run_id"],
    }
    assert found["c5"]["reason"] == "reads seen, and step bad did not succeed"
    cells = {cell.id: Shown(cell.get("outputs", [])) for cell in saved.cells}
    assert cells["c4"].text == "skipped: reads bad, and step bad did not succeed\n"
    assert cells["c8"].text == "1 2\n"


def test_the_output_notebook_says_each_steps_state_and_run(failed):
    _, report, saved = failed
    found = marks(saved)
    assert saved.metadata.nbsteps == {"run_id": report["run_id"], "state": "failed"}
    states = [found[cell]["state"] for cell in ("c1", "c2", "c3", "c7")]
    assert states == ["succeeded", "failed", "upstream_failed", "succeeded"]
    assert {found[cell]["run_id"] for cell in ("c1", "c2", "c3", "c7")} == {report["run_id"]}
    assert found["c2"]["error"] == {"type": "ZeroDivisionError", "message": "division by zero"}


def test_progress_goes_to_standard_error_and_is_plain(failed):
    done, _, _ = failed
    assert done.err.splitlines()[1:] == [
        "✗ bad  failed  ZeroDivisionError: division by zero",
        "← worse  upstream failed  step bad failed",
        done.err.splitlines()[3],
    ]
    assert done.err.startswith("✓ first  succeeded ")


def test_the_kernels_own_noise_stays_away(nb):
    noisy = step("noisy", "import os", "os.write(1, b'to the file descriptor')", "noisy = 1")
    nb.write(noisy, "import atexit\n_ = atexit.register(print, 'bye')")
    done = nb.cli("run", nb.path.name, "--json")
    assert json.loads(done.out)["state"] == "succeeded"
    assert done.err.count("\n") == 1


def test_papermill_with_the_engine_does_the_same_and_fails(failed, module_nb):
    done = module_nb.papermill(engine="nbsteps")
    assert module_nb.executed() == ["bad"]
    assert done.code == 1
    assert "ZeroDivisionError: division by zero" in done.err
    found = marks(module_nb.read(module_nb.outside / "out.ipynb"))
    assert [found[cell]["state"] for cell in ("c1", "c2", "c3", "c4", "c7")] == [
        "cached",
        "failed",
        "upstream_failed",
        "skipped",
        "cached",
    ]


def test_only_what_a_step_needs_is_executed(failed, module_nb):
    module_nb.executed()
    report = module_nb.run("--step", "other", "--force", "-o", str(module_nb.outside / "step.ipynb"))
    assert (report["exit_code"], module_nb.executed()) == (0, ["other"])  # what it needs is restored
    assert [row["step"] for row in report["steps"]] == ["first", "other"]
    found = marks(module_nb.read(module_nb.outside / "step.ipynb"))
    assert {
        cell: mark["reason"] for cell, mark in found.items() if mark and mark["state"] == "skipped"
    } == dict.fromkeys(("c2", "c3", "c4", "c5", "c8"), "not needed")


def test_parameters_in_both_spellings(failed, module_nb):
    for words in (["-p", "n", "5"], ["-p", "n=5"], ["--param", "n=5"]):
        report = module_nb.run("--step", "other", *words)
        assert report["exit_code"] == 0
        cells = module_nb.output_of(report)
        assert "other 6\n" in cells["c7"].text
    assert module_nb.executed() == ["first", "other"]


def test_after_the_mend_only_what_failed_runs(failed, module_nb):
    module_nb.executed()
    before = module_nb.path.read_text()
    module_nb.edit("first / 0", "first / 1")
    done = module_nb.cli("run", module_nb.path.name)
    assert (done.code, module_nb.executed()) == (0, ["bad", "worse"])
    assert "4 steps: 2 ran, 2 restored, 0 failed" in done.out
    assert "output: .nbsteps/outputs/analysis.ipynb" in done.out
    module_nb.path.write_text(before)


def test_a_context_cell_that_fails_fails_the_run(nb):
    nb.write(step("fine", "fine = 1"), "broken = undefined_name", "print(broken)", "print(fine)")
    done = nb.cli("run", nb.path.name, "--json", "-o", str(nb.outside / "out.ipynb"))
    report = json.loads(done.out)
    assert (done.code, report["state"], nb.executed()) == (1, "failed", ["fine"])
    assert [list(problem) for problem in report["problems"]] == [PROBLEM]
    assert report["problems"][0]["cell"] == "cell 3"
    assert report["problems"][0]["message"] == "NameError: name 'undefined_name' is not defined"
    shown = nb.output()
    assert shown["c3"].text == "skipped: reads broken, and cell 3 failed\n"
    assert shown["c4"].text == "1\n"


def test_plan_why_and_status_as_data(failed, module_nb):
    module_nb.executed()
    plan = json.loads(module_nb.cli("plan", module_nb.path.name, "--json").out)
    assert list(plan) == REPORT
    decisions = {row["step"]: row["decision"] for row in plan["steps"] if row["step"]}
    assert decisions.pop("worse") in {"run", "may run"}
    assert decisions == {"first": "restore", "bad": "run", "other": "restore"}
    assert {tuple(sorted(row)) for row in plan["steps"]} == {tuple(sorted([*STEP[:1], "decision", *STEP[2:], "cell"]))}
    why = json.loads(module_nb.cli("why", module_nb.path.name, "bad", "--json").out)
    assert (why["step"], why["decision"]) == ("bad", "run")
    assert why["reason"] in {"failed last time", "code changed"}
    status = json.loads(module_nb.cli("status", module_nb.path.name, "--json").out)
    assert {row["step"]: row["state"] for row in status["steps"]}["other"] == "cached"
    assert module_nb.executed() == []


def test_two_hundred_cells_do_not_rewrite_the_output_each_time(nb, monkeypatch):
    nb.write(*(f"x{n} = {n}" for n in range(200)), step("last", "last = x199"))
    report = nb.run("-o", str(nb.outside / "out.ipynb"))
    assert report["exit_code"] == 0
    cells = nb.read(nb.outside / "out.ipynb").cells
    assert [cell.execution_count for cell in cells] == list(range(1, 203))
