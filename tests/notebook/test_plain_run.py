"""Notebooks without steps: executed in a kernel that never hears of nbsteps, and in the history all the same."""

from __future__ import annotations

import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbsteps.api import open_store
from nbsteps.core.graph import build
from nbsteps.core.states import RunState
from nbsteps.notebook import launch
from nbsteps.notebook.plain_run import PlainRun, is_plain
from nbsteps.testing import make_cells


@pytest.mark.parametrize(
    ("sources", "plain"),
    [
        (["x = 1", "print(x)"], True),
        ([], True),
        (["%%step a\na = 1"], False),
        (["%load_ext nbsteps", "x = 1"], False),
        (["import nbsteps.api as api"], False),
        (["%pipeline"], False),
        (["%%step\nx = 1"], False),
        (["raise ValueError"], True),
    ],
)
def test_what_needs_no_nbsteps(sources, plain):
    cells = make_cells(*sources)
    assert is_plain(build(cells), dict(enumerate(cells))) is plain


def history(folder):
    with open_store(folder) as store:
        return store.history_records("runs")


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (None, "succeeded"),
        (RunState.FAILED, "failed"),
        (RunState.CANCELLED, "cancelled"),
        (RunState.CRASHED, "crashed"),
    ],
)
def test_a_run_is_recorded(tmp_path, state, kept):
    run = PlainRun(tmp_path / "plain.ipynb", build(()))
    begun = run.begin("cli", {"n": 1, "password": "open sesame"})
    assert begun["warnings"] == []
    report = run.end(state)
    assert (report["run_id"], report["state"], report["steps"], report["warnings"]) == (begun["run_id"], kept, [], [])
    (row,) = history(tmp_path)
    assert (row["run_id"], row["state"], row["trigger"]) == (begun["run_id"], kept, "cli")
    assert row["notebook"] == "plain.ipynb"
    assert row["parameters"] == {"n": "1", "password": "***"}


def test_a_folder_that_cannot_hold_a_store_is_only_warned_of(tmp_path):
    (tmp_path / ".nbsteps").write_text("no folder")
    run = PlainRun(tmp_path / "plain.ipynb", build(()))
    said = run.begin("cli", {})["warnings"]
    assert run.end(None)["state"] == "succeeded"
    assert len(said) == 1
    assert "cannot be written" in said[0]


@pytest.mark.parametrize(("body", "state", "code"), [("x + 1", "succeeded", 0), ("x / 0", "failed", 1)])
def test_the_kernel_never_hears_of_nbsteps(tmp_path, body, state, code):
    path = tmp_path / "plain.ipynb"
    cells = [new_code_cell("x = 1"), new_code_cell("import sys\nprint([m for m in sys.modules if m[:3] == 'nbs'])")]
    cells[0].metadata.tags = ["parameters"]
    nbformat.write(new_notebook(cells=[*cells, new_code_cell(body)]), path)
    report = launch.run(launch.Request(path, {"x": 2}, tmp_path / "out.ipynb", trigger="api"))
    assert (report["state"], report["exit_code"], report["steps"]) == (state, code, [])
    assert ["x / 0" in problem["message"] or "division" in problem["message"] for problem in report["problems"]] == (
        [] if state == "succeeded" else [True]
    )
    (row,) = history(tmp_path)
    assert (row["run_id"], row["state"], row["parameters"]) == (report["run_id"], state, {"x": "2"})
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert saved.metadata["nbsteps"] == {"run_id": report["run_id"], "state": state}
    (printed,) = [cell.outputs[0].text for cell in saved.cells if cell.source.startswith("import sys")]
    assert printed == "[]\n"


def test_papermill_is_loaded_without_its_clouds_in_a_process_of_our_own(monkeypatch):
    monkeypatch.delitem(sys.modules, "github", raising=False)
    with launch._only_what_is_used(own_process=True), pytest.raises(ImportError):
        import github  # noqa: F401 - hidden
    assert "github" not in sys.modules
    with launch._only_what_is_used(own_process=False):
        assert "github" not in sys.modules
