"""What is checked before a kernel starts, and where the executed notebook goes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbsteps.core.errors import DocumentError, ProblemsError, UsageError
from nbsteps.notebook.launch import Request, output_path, run, understand_notebook


@pytest.fixture
def notebook(tmp_path):
    """Saves a notebook of these cells; the first holds parameters."""

    def save(*sources):
        cells = [new_code_cell(source) for source in sources]
        cells[0].metadata.tags = ["parameters"]
        path = tmp_path / "analysis.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return save


def test_a_notebook_is_understood_without_a_kernel(notebook):
    document, graph = understand_notebook(Request(notebook("n = 1", "%%step a\na = n"), {"n": 2}, steps=("a",)))
    assert (len(document.cells), list(graph.steps), graph.parameters) == (2, ["a"], {"n"})


@pytest.mark.parametrize(
    ("params", "steps", "message", "mend"),
    [
        ({}, ("b",), "analysis.ipynb has no step 'b'", "its steps: a"),
        ({}, ("A",), "analysis.ipynb has no step 'A'", "its steps: a"),
        ({"nn": 1}, (), "analysis.ipynb has no parameter 'nn'", "did you mean n?"),
        ({"m": 1}, (), "analysis.ipynb has no parameter 'm'", "its parameters: n"),
    ],
)
def test_what_the_notebook_does_not_have(notebook, params, steps, message, mend):
    path = notebook("n = 1", "%%step a\na = n")
    with pytest.raises(UsageError, match=message) as caught:
        understand_notebook(Request(path, params, steps=steps))
    assert caught.value.problem.hint == mend


def test_problems_keep_a_kernel_from_starting(notebook):
    with pytest.raises(ProblemsError, match="does not parse"):
        run(Request(notebook("n = 1", "%%step a\na = (")))


def test_a_problem_elsewhere_keeps_no_wanted_step_from_running(notebook):
    path = notebook("n = 1", "%%step a\na = (", "%%step b\nb = 1", "%%step\nc = 1")
    report = run(Request(path, steps=("b",), output=path.with_name("out.ipynb")))
    assert (report["state"], [row["step"] for row in report["steps"]]) == ("succeeded", ["b"])


def test_the_output_goes_into_the_stores_folder(notebook, tmp_path):
    path = notebook("n = 1")
    assert output_path(Request(path)) == tmp_path / ".nbsteps" / "outputs" / "analysis.ipynb"
    wanted = tmp_path / "new" / "folder" / "out.ipynb"
    assert output_path(Request(path, output=wanted)) == wanted
    assert wanted.parent.is_dir()


def test_the_output_goes_elsewhere_where_the_store_cannot_be_written(notebook, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NBSTEPS_STORE", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    found = output_path(Request(notebook("n = 1")))
    assert found == tmp_path / "temporary" / "nbsteps-outputs" / "analysis.ipynb"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("analysis.ipynb", "would overwrite the notebook analysis.ipynb itself"),
        (".", "cannot be written: it is a folder"),
        ("analysis.ipynb/below.ipynb", "below.ipynb cannot be written"),
    ],
)
def test_outputs_that_cannot_be(notebook, tmp_path, output, message):
    path = notebook("n = 1")
    before = path.read_bytes()
    with pytest.raises((UsageError, DocumentError), match=message):
        output_path(Request(path, output=tmp_path / Path(output)))
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_may_not_be_written(notebook, tmp_path):
    taken = tmp_path / "taken.ipynb"
    taken.touch(mode=0o400)
    with pytest.raises(DocumentError, match="permission denied"):
        output_path(Request(notebook("n = 1"), output=taken))
