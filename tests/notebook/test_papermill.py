"""The parts of the papermill engine that need no kernel: labels of cells, and when the output is written."""

from __future__ import annotations

import importlib.metadata

import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.__main__ import papermill as command_line
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from nbsteps.core.errors import NbstepsError, Problem, ProblemsError, StepError
from nbsteps.notebook import papermill_engine
from nbsteps.notebook.papermill_engine import Manager, NbstepsEngine, notebook_cells, without_traceback


def example():
    cells = [new_markdown_cell("# title"), new_code_cell("n = 1"), new_code_cell("print(n)")]
    cells[1].metadata.tags = ["parameters"]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=metadata)


def load(tmp_path):
    import nbformat

    nbformat.write(example(), tmp_path / "example.ipynb")
    return load_notebook_node(str(tmp_path / "example.ipynb"))


def test_papermill_finds_the_engine():
    (found,) = importlib.metadata.entry_points(group="papermill.engine", name="nbsteps")
    assert found.load() is NbstepsEngine


def test_labels_are_those_of_the_notebook_on_disk(tmp_path):
    notebook = load(tmp_path)
    plain = notebook_cells(notebook)
    assert {index: cell.label for index, cell in plain.items()} == {1: "cell 2", 2: "cell 3"}
    assert plain[1].tags == ("parameters",)
    given = notebook_cells(parameterize_notebook(notebook, {"n": 7}))
    assert [cell.label for cell in given.values()] == ["cell 2", "injected parameters", "cell 3"]
    assert "n = 7" in given[2].source
    assert given[3].id == plain[2].id


def test_the_output_is_written_at_most_a_tenth_of_the_time(tmp_path, monkeypatch):
    now, writes = [0.0], []

    def write(*_):
        writes.append(now[0])
        now[0] += 0.5  # a large notebook

    monkeypatch.setattr("papermill.engines.write_ipynb", write)
    monkeypatch.setattr(papermill_engine.time, "monotonic", lambda: now[0])
    manager = Manager(load(tmp_path), str(tmp_path / "out.ipynb"), log_output=False, progress_bar=False)
    manager.notebook_start()
    for _ in range(100):
        now[0] += 0.1
        manager.save()
    assert writes[0] == 0.0
    assert 2 <= len(writes) <= 4
    manager.notebook_complete()
    assert writes[-1] == now[0] - 0.5


def test_papermills_command_line_shows_problems_without_a_traceback(tmp_path):
    import nbformat

    notebook = example()
    notebook.cells[2].source = "%%step a --out b\na = 1"
    nbformat.write(notebook, tmp_path / "bad.ipynb")
    words = [str(tmp_path / "bad.ipynb"), str(tmp_path / "out.ipynb"), "--engine", "nbsteps", "--no-progress-bar"]
    done = CliRunner().invoke(command_line, words)
    assert done.exit_code == ProblemsError.exit_code
    assert "nbsteps: step a (cell 3): --out b: the body cannot assign b" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "error",
    [
        NbstepsError("no", step="a", cell="cell 1", hint="do"),
        StepError("no"),
        ProblemsError((Problem("a", "cell 1", "no"), Problem("b", "cell 2", "never", "do"))),
    ],
)
def test_an_error_that_papermill_shows_is_the_same_error(error):
    shown = without_traceback(error)
    assert isinstance(shown, type(error))
    assert (str(shown), shown.args, shown.exit_code) == (str(error), error.args, error.exit_code)
    assert vars(shown) == vars(error)
    assert type(shown).__name__ == type(error).__name__
