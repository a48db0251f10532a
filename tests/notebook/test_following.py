"""Following a run of another process, by a real store."""

from __future__ import annotations

import io

import nbformat
import pytest

from nbsteps.cli import main
from nbsteps.core.errors import UsageError
from nbsteps.core.events import AttemptStarted, RunEnded, RunStarted, StepEnded, StepStarted
from nbsteps.core.model import Attempt, Run
from nbsteps.core.states import RunState, StepState
from nbsteps.notebook.following import follow
from nbsteps.store.store import DuckStore

ORIGIN = 1_795_000_000.0
BEGUN = (
    RunStarted(ORIGIN, Run("r", "nb.ipynb", "cli", ORIGIN, "host", 1, "dana"), ("load", "clean")),
    StepStarted(ORIGIN + 1, "r", "load", "k", ("never ran",)),
    AttemptStarted(ORIGIN + 1, Attempt("r", "load", 1, ORIGIN + 1, "main", "host", 1)),  # durable at once
)
ENDED = (
    StepEnded(ORIGIN + 3, "r", "load", StepState.FAILED, "ValueError: x"),
    StepEnded(ORIGIN + 3, "r", "clean", StepState.UPSTREAM_FAILED, "step load failed"),
    RunEnded(ORIGIN + 4, "r", RunState.FAILED),
)


@pytest.fixture
def project(tmp_path):
    (tmp_path / ".nbsteps").mkdir()
    cells = [nbformat.v4.new_code_cell(cell) for cell in ("%%step load\nraw = 1", "%%step clean\nrows = raw")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "nb.ipynb")
    store = DuckStore(tmp_path / ".nbsteps")
    yield store
    store.close()


def emit(store, events):
    for event in events:
        store.emit(event)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (io.StringIO(), ("✗ load  failed  ValueError: x", "← clean  upstream failed  step load failed")),
        (Terminal(), ("0/2 steps", "running", "2/2 steps, 4.0s", "✗ \x1b[0mload", "← \x1b[0mclean")),
    ],
    ids=["log", "terminal"],
)
def test_a_run_is_followed_until_it_ends(project, tmp_path, monkeypatch, stream, expected):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    emit(project, BEGUN)
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            emit(project, ENDED)

    assert follow(project.history, tmp_path / "nb.ipynb", stream, pause=pause) == 1
    assert len(pauses) == 2
    for words in expected:
        assert words in stream.getvalue()


def test_a_run_that_has_ended_is_shown_as_it_ended(project, tmp_path, monkeypatch, capsys):
    emit(project, (*BEGUN, *ENDED))
    project.close()
    monkeypatch.chdir(tmp_path)
    assert main(["status", "nb.ipynb", "--watch"]) == 1
    assert "✗ load  failed  ValueError: x" in capsys.readouterr().out


def test_a_notebook_without_a_run_is_refused(project, tmp_path):
    with pytest.raises(UsageError, match=r"nothing of nb\.ipynb ran yet"):
        follow(project.history, tmp_path / "nb.ipynb", io.StringIO())
