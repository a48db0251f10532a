"""The Python API as a script and as a notebook call it, over a real store; columns and types as documented."""

from __future__ import annotations

import asyncio

import pandas as pd
import pytest

import nbsteps
from nbsteps.core.states import RunState, StepState
from tests.e2e.building import Nb, step

CELLS = (
    "import pandas as pd",
    step("load", "raw = pd.DataFrame({'a': [1, 2, n]})"),
    step("total", "total = int(raw.a.sum())"),
    step("broken", "broken = total / zero"),
    "zero = 1",
)
TIME, SPAN = "datetime64[us, UTC]", "timedelta64[us]"
COLUMNS = {
    "runs": {
        **dict.fromkeys(("run_id", "notebook", "trigger", "state"), "string"),
        "started_at": TIME,
        "ended_at": TIME,
        "duration": SPAN,
        "parameters": "object",
        **dict.fromkeys(("steps_total", "steps_executed", "steps_restored", "steps_failed"), "Int64"),
        "host": "string",
        "pid": "Int64",
        "user": "string",
    },
    "steps": {
        **dict.fromkeys(("run_id", "notebook", "step", "state", "reason"), "string"),
        "reasons": "object",
        "key": "string",
        "started_at": TIME,
        "ended_at": TIME,
        "duration": SPAN,
        **dict.fromkeys(("attempts", "items_total", "items_executed", "items_failed"), "Int64"),
        "time_saved": SPAN,
        "output_bytes": "Int64",
        "owner": "string",
        "tags": "object",
    },
    "attempts": {
        "run_id": "string",
        "step": "string",
        "item": "string",
        "attempt": "Int64",
        "state": "string",
        "started_at": TIME,
        "ended_at": TIME,
        "duration": SPAN,
        "delay": SPAN,
        **dict.fromkeys(("error_type", "error_message", "traceback", "executor", "host"), "string"),
        "pid": "Int64",
        "peak_rss": "Int64",
        "label": "string",
        "position": "Int64",
    },
    "events": {
        "at": TIME,
        "run_id": "string",
        "step": "string",
        "item": "string",
        "event": "string",
        "data": "object",
    },
    "artifacts": {
        **dict.fromkeys(("digest", "step", "output", "item", "run_id", "type", "codec"), "string"),
        "bytes": "Int64",
        "location": "string",
        "stored_at": TIME,
        "used_at": TIME,
    },
    "approvals": {
        **dict.fromkeys(("run_id", "step", "message", "state", "decided_by"), "string"),
        "decided_at": TIME,
        "comment": "string",
        "values": "object",
        "key": "string",
        "expires_at": TIME,
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project as working directory, whose notebook ran twice: in full, and then with another parameter."""
    nb = Nb(tmp_path_factory.mktemp("api"))
    nb.write(*CELLS, parameters="n = 3")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(nb.folder)
        first = nbsteps.run("analysis.ipynb")
        second = nbsteps.run(nb.path, {"n": 4}, output=nb.outside / "second.ipynb", steps=["total"])
        assert nb.executed() == ["load", "total", "broken", "load", "total"]
        yield nb, first, second
    nb.close()


def test_run_returns_the_run_and_its_steps(project):
    nb, first, second = project
    assert first.state is RunState.SUCCEEDED
    assert list(first.steps) == ["load", "total", "broken"]
    assert {done.state for done in first.steps.values()} == {StepState.SUCCEEDED}
    assert list(second.steps) == ["load", "total"]
    assert second.run.parameters == {"n": "4"}
    assert (nb.outside / "second.ipynb").is_file()


def test_a_failed_step_is_no_exception(project):
    nb, _, _ = project
    nb.edit("zero = 1", "zero = 0")
    result = nbsteps.run("analysis.ipynb")
    failed = result.steps["broken"]
    assert (result.state, failed.state, failed.attempts) == (RunState.FAILED, StepState.FAILED, 1)
    assert (failed.failure.error_type, failed.failure.message) == ("ZeroDivisionError", "division by zero")
    assert nb.executed() == ["broken"]
    nb.edit("zero = 0", "zero = 1")


def test_force_runs_again(project):
    nb, _, _ = project
    assert nbsteps.run("analysis.ipynb", steps=["load"], force=True).steps["load"].reasons == ("forced",)
    assert nb.executed() == ["load"]


def test_plan_is_a_frame_and_executes_no_step(project):
    nb, _, _ = project
    frame = nbsteps.plan("analysis.ipynb", {"n": 5}, steps=["total"])
    assert frame.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(("step", "cell", "decision", "reason"), "string"),
        "reasons": "object",
        "duration": SPAN,
    }
    steps = frame.dropna(subset="step").set_index("step")
    assert steps.decision.to_dict() == {"load": "run", "total": "may run"}
    assert steps.reason["load"] == "parameter n changed"
    assert set(frame[frame.step.isna()].decision) == {"context"}
    assert nb.executed() == []


@pytest.mark.parametrize("kind", COLUMNS)
def test_history_has_the_documented_columns_and_types(project, kind):
    frame = getattr(nbsteps, kind)()
    assert frame.dtypes.astype(str).to_dict() == COLUMNS[kind]
    assert list(frame.columns) == list(COLUMNS[kind])
    assert frame.empty == (kind == "approvals")


def test_history_is_newest_first_and_can_be_filtered(project):
    _, first, second = project
    runs = nbsteps.runs()
    assert runs.started_at.is_monotonic_decreasing
    assert {first.run.run_id, second.run.run_id} <= set(runs.run_id)
    assert set(runs.trigger) == {"api"}
    assert len(nbsteps.runs(limit=1)) == 1
    steps = nbsteps.steps(run_id=first.run.run_id)
    assert set(steps.step) == {"load", "total", "broken"}
    assert set(nbsteps.attempts(step="total").step) == {"total"}
    events = nbsteps.events(run_id=second.run.run_id)
    assert len(events) == len(set(zip(events["at"], events.event, events.step.fillna(""), strict=True)))
    assert set(events.step.dropna()) >= {"load", "total"}


def test_sql_sees_history_and_results(project):
    assert nbsteps.sql("select count(*) as n from runs").n[0] == len(nbsteps.runs())
    assert nbsteps.sql("select max(a) as top from load.raw").top[0] in {3, 4}


def test_load_gives_the_newest_result_or_that_of_a_run(project):
    _, first, second = project
    assert nbsteps.load("total.total", run=first.run.run_id) == 6
    assert nbsteps.load("total.total", run=second.run.run_id) == 7
    assert isinstance(nbsteps.load("load.raw"), pd.DataFrame)


def test_why_names_what_changed(project):
    assert nbsteps.why("broken", "analysis.ipynb").startswith("broken would be restored: unchanged")


BAD = {
    "a missing notebook": (lambda: nbsteps.run("nowhere.ipynb"), "no notebook nowhere.ipynb", "did you mean analysis"),
    "an unknown parameter": (lambda: nbsteps.plan("analysis.ipynb", {"m": 1}), "no parameter 'm'", "parameters: n"),
    "an unknown step": (lambda: nbsteps.run("analysis.ipynb", steps=["god"]), "no step 'god'", "its steps: load"),
    "a name without a dot": (lambda: nbsteps.load("total"), "'total' is not of the form step.output", "load('clean."),
    "an unknown output": (lambda: nbsteps.load("q.x"), "no output q.x is stored", "stored: "),
    "a slip": (lambda: nbsteps.load("totl.total"), "no output totl.total is stored", "did you mean total.total?"),
    "an unknown run": (lambda: nbsteps.load("total.total", run="x"), "is stored in run x", "run the notebook first"),
    "an unknown filter": (lambda: nbsteps.runs(owner="me"), "runs cannot be filtered by owner", "use run_id"),
    "bad SQL": (lambda: nbsteps.sql("selekt 1"), "the query cannot be answered", "tables: runs, steps"),
    "why without a notebook": (
        lambda: nbsteps.why("total"),
        "which notebook?",
        "nbsteps.why('total', 'notebook.ipynb')",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_calls_say_what_was_seen_and_the_mend(project, case):
    call, message, mend = BAD[case]
    with pytest.raises(nbsteps.NbstepsError) as caught:
        call()
    assert message in str(caught.value)
    assert mend in str(caught.value)


def test_an_event_loop_may_be_running(project):
    async def inside():
        return nbsteps.plan("analysis.ipynb", steps=["load"])

    assert not asyncio.run(inside()).empty


def test_from_inside_a_kernel(project):
    nb, _, _ = project
    kernel = nb.live()
    kernel.run("%load_ext nbsteps\nimport nbsteps")
    assert kernel.run("nbsteps.run('analysis.ipynb').state.value").text == "'succeeded'\n"
    assert kernel.run("async def run():\n    return nbsteps.run('analysis.ipynb').state.value\nawait run()").error == ""
    assert kernel.run("nbsteps.load('total.total')").text == "6\n"
    assert kernel.run("nbsteps.runs().trigger[0]").text == "'api'\n"
    assert "would be restored" in kernel.run("print(nbsteps.why('load'))").text
    assert nb.executed() == []


def test_names_that_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'rnu'"):
        _ = nbsteps.rnu
    assert set(nbsteps.__all__) <= set(dir(nbsteps))
