"""Finding a run and telling it, over a real store."""

from __future__ import annotations

import nbformat
import pytest

from nbsteps.cli import main
from nbsteps.core.errors import UsageError
from nbsteps.core.events import AttemptEnded, AttemptStarted, RunEnded, RunStarted, StepEnded, StepStarted
from nbsteps.core.model import Attempt, Failure, Run
from nbsteps.core.states import AttemptState, RunState, StepState
from nbsteps.notebook.reports import find_run, run_report
from nbsteps.store.store import DuckStore

ORIGIN = 1_795_000_000.0


def fill(store, run_id, at):
    run = Run(run_id, "nb.ipynb", "cli", ORIGIN + at, "host", 1, "dana")
    tried = Attempt(run_id, "clean", 1, ORIGIN + at + 1, "main", "host", 1)
    failure = Failure("ValueError", "no rows", "Cell In[1], line 2")
    ended = Attempt(
        *(run_id, "clean", 1, ORIGIN + at + 1, "main", "host", 1),
        state=AttemptState.FAILED,
        ended_at=ORIGIN + at + 3,
        failure=failure,
    )
    for event in (
        RunStarted(ORIGIN + at, run, ("clean",)),
        StepStarted(ORIGIN + at + 1, run_id, "clean", "k", ("never ran",)),
        AttemptStarted(ORIGIN + at + 1, tried),
        AttemptEnded(ORIGIN + at + 3, ended),
        StepEnded(ORIGIN + at + 3, run_id, "clean", StepState.FAILED, "ValueError: no rows"),
        RunEnded(ORIGIN + at + 4, run_id, RunState.FAILED),
    ):
        store.emit(event)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".nbsteps").mkdir()
    cells = [nbformat.v4.new_code_cell("%%step clean\nrows = 1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "nb.ipynb")
    store = DuckStore(tmp_path / ".nbsteps")
    fill(store, "aa01", 0)
    fill(store, "aa02", 10)
    fill(store, "b", 20)
    yield store
    store.close()


@pytest.mark.parametrize(("words", "found"), [("last", "b"), ("aa01", "aa01"), ("aa02", "aa02"), ("b", "b")])
def test_a_run_is_found_by_what_a_person_types(project, words, found):
    assert find_run(project.history, words)["run_id"] == found


@pytest.mark.parametrize(("words", "message"), [("c", "there is no run 'c'"), ("aa", "2 runs begin with 'aa'")])
def test_a_run_that_is_none_or_several_is_refused(project, words, message):
    with pytest.raises(UsageError, match=message):
        find_run(project.history, words)


def test_the_report_has_failure_and_graph(project, tmp_path):
    page = run_report(project.history, "last", tmp_path)
    assert "clean: ValueError" in page
    assert "Cell In[1], line 2" in page
    assert "<h2>Graph</h2>" in page
    (tmp_path / "nb.ipynb").write_text("{", encoding="utf-8")
    assert "<h2>Graph</h2>" not in run_report(project.history, "last", tmp_path)


def test_a_notebook_stands_for_its_last_run(project, tmp_path, capsys):
    assert main(["report", str(tmp_path / "nb.ipynb"), "-o", "own.html"]) == 0
    assert "Run b" in (tmp_path / "own.html").read_text(encoding="utf-8")
    assert main(["report", "other.ipynb"]) == 2
    assert "nothing of other.ipynb ran yet" in capsys.readouterr().err


def test_the_command_line_writes_the_page_and_says_where(project, tmp_path, capsys):
    assert main(["report", "aa01", "-o", "page.html"]) == 0
    assert capsys.readouterr().out == "output: page.html\n"
    assert "run aa01" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert main(["report", "-o", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_where_nothing_ran_there_is_nothing_to_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".nbsteps").mkdir()
    assert main(["report"]) == 2
    assert "nothing ran yet" in capsys.readouterr().err
