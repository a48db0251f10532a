"""The composition root over a shell in this process: which notebook, which cells, which store."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbsteps.core.errors import DocumentError
from nbsteps.notebook import kernel as module
from nbsteps.notebook.connection import connect, connected, current, disconnect
from nbsteps.notebook.kernel import notebook_name
from nbsteps.store.store import StoreWarning


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty project as working directory, in which nobody says which notebook is executed."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "find_notebook", lambda _shell: None)
    monkeypatch.setattr(module, "started_by_papermill", lambda: False)
    return tmp_path


@pytest.fixture
def connection(folder, shell):
    yield connect(shell)
    disconnect(shell)


def save(path, *sources):
    cells = [new_code_cell(source, id=f"c{at}") for at, source in enumerate(sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def execute(shell, source, cell_id=None):
    result = shell.run_cell(source, store_history=True, cell_id=cell_id)
    assert result.error_in_exec is None or "%%step" in source
    return result


def sources(connection):
    return [cell.source for cell in connection.session.cells.merged()]


def test_loading_twice_connects_once(connection, shell):
    assert connect(shell) is connection is connected(shell) is current()
    disconnect(shell)
    assert connected(shell) is None
    disconnect(shell)


def test_cells_executed_before_loading_are_known(connection, shell, console):
    del connection
    disconnect(shell)
    execute(shell, "%time before = 1")
    connection = connect(shell)
    execute(shell, "%%step a\na = before")
    assert "ran a in " in console.out
    assert sources(connection) == ["%time before = 1", "%%step a\na = before"]


def test_without_a_notebook_the_executed_cells_are_it(connection, shell, console):
    execute(shell, "%%step a\na = 1")
    execute(shell, "%%step b\nb = a + 1")
    execute(shell, "%pipeline status")
    assert list(connection.session.graph().steps) == ["a", "b"]
    assert connection.session.services.notebook.startswith("unsaved ")
    execute(shell, "%pipeline notebook")
    assert "name it: %pipeline notebook PATH" in console.out
    # The same cell edited is the same step, not a second one.
    execute(shell, "%%step b\nb = a + 2")
    assert list(connection.session.graph().steps) == ["a", "b"]
    assert shell.user_ns["b"] == 3


def test_bare_expressions_and_magics_are_no_part_of_the_notebook(connection, shell):
    execute(shell, "%%step a\na = 1")
    for noise in ("a", "print(a)", "%pipeline status", "# nothing"):
        execute(shell, noise)
    execute(shell, "kept = a")
    assert sources(connection) == ["%%step a\na = 1", "kept = a"]


def test_a_notebook_can_be_named(connection, shell, folder):
    path = save(folder / "deep.ipynb", "limit = 1", "%%step a\na = limit")
    connection.use_notebook(path)
    assert sources(connection) == ["limit = 1", "%%step a\na = limit"]
    assert connection.session.services.notebook == "deep.ipynb"
    save(path, "limit = 2", "%%step a\na = limit")
    assert sources(connection)[0] == "limit = 2"


def test_what_was_executed_counts_until_the_notebook_is_saved(connection, shell, folder):
    path = save(folder / "a.ipynb", "%%step a\na = 1")
    connection.use_notebook(path)
    execute(shell, "%%step a\na = 2", "c0")
    assert sources(connection) == ["%%step a\na = 2"]
    save(path, "%%step a\na = 3")
    assert sources(connection) == ["%%step a\na = 3"]
    execute(shell, "%%step a\na = 2", "c0")
    assert sources(connection) == ["%%step a\na = 2"]


def test_a_notebook_that_cannot_be_named(connection, folder):
    with pytest.raises(DocumentError, match=r"no notebook nowhere\.ipynb"):
        connection.use_notebook(folder / "nowhere.ipynb")
    path = save(folder / "a.ipynb", "x = 1")
    connection.use_notebook(path)
    path.write_text("{")
    with pytest.raises(DocumentError, match="is not JSON"):
        _ = connection.session


def test_a_found_notebook_that_cannot_be_read_is_a_warning(connection, shell, folder, monkeypatch):
    path = save(folder / "a.ipynb", "%%step a\na = 1")
    monkeypatch.setattr(module, "find_notebook", lambda _shell: path)
    assert list(connection.session.graph().steps) == ["a"]
    path.write_text("{")
    with pytest.warns(UserWarning, match="is not JSON") as caught:
        assert list(connection.session.graph().steps) == ["a"]
    assert caught[0].filename == "nbsteps"


def test_what_the_store_says_is_kept_for_who_runs_the_notebook_from_outside(connection, folder, monkeypatch):
    (folder / "file").touch()
    monkeypatch.setenv("NBSTEPS_STORE", str(folder / "file" / "below"))
    with pytest.warns(StoreWarning, match="cannot be written"):
        connection.session.begin("cli", managed=True)
    (message,) = connection.take_messages()
    assert "cannot be written" in message
    assert connection.take_messages() == []


@pytest.mark.parametrize(
    ("path", "root", "name"),
    [
        (None, "/p", ""),
        ("/p/nb.ipynb", "/p", "nb.ipynb"),
        ("/p/a/b/nb.ipynb", "/p", "a/b/nb.ipynb"),
        ("/q/nb.ipynb", "/p", "/q/nb.ipynb"),
        ("/q/nb.ipynb", None, "/q/nb.ipynb"),
    ],
)
def test_what_the_history_calls_a_notebook(path, root, name):
    assert notebook_name(path and Path(path), root and Path(root)) == name
